import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from nn.data import DataNotPreparedError, data_directory, is_prepared, load, preparation, prepare
from nn.data.builders import LabelledImages

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    prepare("digits", data_dir=folder)
    return folder


@pytest.fixture
def copy(prepared, tmp_path):
    """A data directory with the digits in it, to be broken."""
    return Path(shutil.copytree(prepared, tmp_path / "copy"))


@pytest.fixture
def without_network(monkeypatch):
    """Every request ends at a port where nobody listens."""
    for name in ("http_proxy", "https_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)


no_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is not None, reason="TFDS uses TensorFlow where it is")


class SmallFashion(LabelledImages, skip_registration=True):
    """Twenty images in the place where TFDS keeps Fashion-MNIST."""

    name = "fashion_mnist"
    VERSION = tfds.core.Version("3.0.1")

    def splits(self):
        images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
        return {"train": (images, np.arange(20) % 10)}


def child(program, folder):
    """Another process that has imported everything when it says `ready`, and goes on at a line of input."""
    start = "import sys\nfrom nn.data import builders, load\nprint('ready', flush=True)\nsys.stdin.readline()\n"
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", start + program],
        cwd=ROOT,
        env={**os.environ, "NN_DATA_DIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class TestWhole:
    @pytest.mark.slow
    def test_two_processes_at_once_both_have_the_set(self, tmp_path, prepared):
        program = "print(load('digits').arrays()['image'].sum())"
        children = [child(program, tmp_path) for _ in range(2)]
        for process in children:
            assert process.stdout.readline() == "ready\n"
        for process in children:
            process.stdin.write("go\n")
            process.stdin.flush()
        sums = [int(process.communicate(timeout=60)[0]) for process in children]
        assert [process.returncode for process in children] == [0, 0]
        assert sums == [load("digits", data_dir=prepared).arrays()["image"].sum()] * 2

    @pytest.mark.slow
    def test_a_set_whose_process_was_killed_halfway_is_made_again_and_whole(self, tmp_path, prepared):
        program = """
generate = builders.LabelledImages._generate_examples
def half(self, images, labels):
    for i, example in generate(self, images, labels):
        if i == len(labels) // 2:
            print("half", file=sys.__stdout__, flush=True)
            sys.stdin.readline()
        yield i, example
builders.LabelledImages._generate_examples = half
load("digits")
"""
        process = child(program, tmp_path)
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "half\n"
        assert list((tmp_path / "digits").glob("incomplete.*"))
        assert not is_prepared("digits", data_dir=tmp_path)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL

        again, expected = load("digits", data_dir=tmp_path), load("digits", data_dir=prepared)
        assert len(again) == 1000
        np.testing.assert_array_equal(again.arrays()["image"], expected.arrays()["image"])
        assert not list((tmp_path / "digits").glob("incomplete.*"))

    @pytest.mark.parametrize("lost", ["dataset_info.json", "digits-test.array_record-00000-of-00001"])
    def test_a_set_that_lost_a_file_is_made_again(self, copy, lost):
        (copy / "digits" / "1.0.0" / lost).unlink()
        assert not is_prepared("digits", data_dir=copy)
        assert len(load("digits", "train+test", data_dir=copy)) == 1797

    def test_a_set_that_is_there_needs_no_lock(self, prepared, monkeypatch):
        monkeypatch.setattr(preparation, "lock", None)
        assert len(load("digits", data_dir=prepared)) == 1000

    def test_ours_are_made_without_a_word(self, tmp_path, capfd):
        load("digits", data_dir=tmp_path).arrays()
        assert capfd.readouterr() == ("", "")
        assert "tensorflow" not in sys.modules


class TestDataDirectory:
    def test_argument_then_ours_then_that_of_tfds_then_home(self, monkeypatch):
        monkeypatch.setenv("NN_DATA_DIR", "/ours")
        monkeypatch.setenv("TFDS_DATA_DIR", "/theirs")
        monkeypatch.setenv("HOME", "/home/somebody")
        assert data_directory("/given") == Path("/given")
        assert data_directory() == Path("/ours")
        monkeypatch.delenv("NN_DATA_DIR")
        assert data_directory() == Path("/theirs")
        monkeypatch.delenv("TFDS_DATA_DIR")
        assert data_directory() == Path("/home/somebody/tensorflow_datasets")
        monkeypatch.setenv("HOME", "")
        assert data_directory() == Path(pwd.getpwuid(os.getuid()).pw_dir) / "tensorflow_datasets"

    def test_no_home_at_all_is_said(self, monkeypatch):
        for variable in ("NN_DATA_DIR", "TFDS_DATA_DIR", "HOME"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
        with pytest.raises(DataNotPreparedError, match="no home directory to keep data in: set NN_DATA_DIR"):
            data_directory()

    def test_a_directory_that_cannot_be_written_is_named(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(DataNotPreparedError, match=r"digits .* data directory .*file/below cannot be written"):
            load("digits", data_dir=tmp_path / "file" / "below")

    def test_the_environment_decides_where_load_looks(self, prepared, monkeypatch):
        monkeypatch.setenv("NN_DATA_DIR", str(prepared))
        monkeypatch.setattr(preparation, "lock", None)
        assert len(load("digits", "test")) == 797


class TestStockSets:
    def test_a_prepared_one_is_read_without_a_network(self, tmp_path, without_network):
        with preparation.quiet():
            SmallFashion(data_dir=tmp_path, file_format="array_record").download_and_prepare()
        dataset = load("fashion_mnist", data_dir=tmp_path)
        assert type(dataset.info) is tfds.core.DatasetInfo and dataset.info.full_name == "fashion_mnist/3.0.1"
        images = SmallFashion(data_dir=tmp_path, file_format="array_record").splits()["train"][0]
        np.testing.assert_array_equal(dataset.arrays()["image"][..., 0], images)

    @pytest.mark.parametrize("lost", ["dataset_info.json", "fashion_mnist-train.array_record-00000-of-00001"])
    def test_one_that_lost_a_file_is_not_taken_for_whole(self, tmp_path, lost):
        with preparation.quiet():
            SmallFashion(data_dir=tmp_path, file_format="array_record").download_and_prepare()
        (tmp_path / "fashion_mnist" / "3.0.1" / lost).unlink()
        with pytest.raises(DataNotPreparedError, match=r"fashion_mnist lacks files: delete .*fashion_mnist"):
            load("fashion_mnist", data_dir=tmp_path)

    def test_without_a_network_a_sentence_says_how_to_prepare_it(self, tmp_path, without_network):
        with pytest.raises(DataNotPreparedError) as caught:
            load("fashion_mnist", data_dir=tmp_path)
        message = str(caught.value)
        assert "\n" not in message and f"data directory {tmp_path}" in message
        assert "python -m nn.data prepare fashion_mnist" in message
        assert caught.value.__suppress_context__

    @no_tensorflow
    def test_one_that_uses_tensorflow_for_files_and_images_is_prepared_without_it(self, tmp_path, monkeypatch):
        """CIFAR-10 as TFDS makes it, from batches of two images in the format of the real ones."""
        source = tmp_path / "source" / "cifar-10-batches-bin"
        source.mkdir(parents=True)
        (source / "batches.meta.txt").write_text("\n".join(f"class{i}" for i in range(10)) + "\n")
        pixels = np.random.default_rng(0).integers(0, 256, (6, 2, 3, 32, 32), np.uint8)
        files = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
        for file, images in zip(files, pixels, strict=True):
            (source / file).write_bytes(b"".join(bytes([7]) + image.tobytes() for image in images))
        monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", lambda self, url: tmp_path / "source")
        dataset = load("cifar10", data_dir=tmp_path)
        assert dataset.info.features["label"].int2str(7) == "class7"
        stored = {image.tobytes() for image in dataset.arrays()["image"]}
        assert stored == {image.transpose(1, 2, 0).tobytes() for batch in pixels[:5] for image in batch}
        assert len(load("cifar10", "test", data_dir=tmp_path)) == 2
        assert "tensorflow" not in sys.modules

    @no_tensorflow
    def test_one_that_needs_more_of_tensorflow_says_so(self, tmp_path):
        with pytest.raises(DataNotPreparedError, match=r"titanic is not prepared .* preparing it needs .*ensor"):
            load("titanic", data_dir=tmp_path)

    def test_one_in_a_format_for_tensorflow_is_refused_by_name(self, tmp_path):
        with preparation.quiet():
            SmallFashion(data_dir=tmp_path, file_format="array_record").download_and_prepare()
        file = tmp_path / "fashion_mnist" / "3.0.1" / "dataset_info.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "fileFormat": "tfrecord"}))
        with pytest.raises(DataNotPreparedError, match=r"fashion_mnist in .* in a format that only TensorFlow reads"):
            load("fashion_mnist", data_dir=tmp_path)


class TestNames:
    def test_a_near_name_is_offered_and_ours_are_listed(self, tmp_path):
        with pytest.raises(ValueError, match=r"'fashion_mnits' is not a data set: did you mean fashion_mnist\?") as caught:
            load("fashion_mnits", data_dir=tmp_path)
        assert "Ours are digits, mnist_5k, glyphs" in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["", "two words", "../digits", "mnist:9.9.9", "nothing_like_it"])
    def test_what_is_no_name_at_all_is_told_in_a_line(self, name, tmp_path):
        with pytest.raises(ValueError, match="is not a data set") as caught:
            is_prepared(name, data_dir=tmp_path)
        assert "\n" not in str(caught.value)
