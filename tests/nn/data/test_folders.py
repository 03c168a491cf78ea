"""Folders of pictures: what is read, what is left out and said, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from nn.data.folders import FEWEST, SUFFIXES, UnknownWhiteError, as_floats, fit_image, read_folder

RED, GREEN = (220, 20, 20), (20, 200, 20)


def picture(path, *, size=(10, 10), mode="L", colour: int | tuple[int, int, int] = 90):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


def classes(root, counts, **look):
    for name, count in counts.items():
        for i in range(count):
            picture(root / name / f"{i}.png", **look)


def names(dataset):
    return dataset.info.features["label"].names


def test_folders_of_classes_become_labelled_pictures(tmp_path):
    for i, suffix in enumerate(SUFFIXES):
        picture(tmp_path / "dark" / f"{i}{suffix.upper()}", colour=10)
        picture(tmp_path / "bright" / f"{i}{suffix}", colour=240)
    folder = read_folder(tmp_path, side=12)
    assert names(folder.train) == ["bright", "dark"]
    for dataset in (folder.train, folder.test):
        arrays = dataset.arrays()
        assert arrays["image"].shape == (len(dataset), 12, 12, 1) and arrays["image"].dtype == np.uint8
        right = np.where(arrays["label"] == 0, 240, 10)[:, None, None, None]
        assert np.abs(arrays["image"].astype(int) - right).max() <= 3  # a JPEG loses a little
    assert len(folder.train) + len(folder.test) == 2 * len(SUFFIXES)


def test_without_a_test_folder_a_quarter_of_each_class_is_kept_and_it_is_said(tmp_path):
    classes(tmp_path, {"a": 40, "b": 8, "c": FEWEST})
    for i in range(40):
        picture(tmp_path / "a" / f"{i}.png", colour=i)
    folder = read_folder(tmp_path, side=12)
    assert np.bincount(folder.test.arrays()["label"]).tolist() == [11, 2, 1]  # 13.25 pictures, rounded up
    assert np.bincount(folder.train.arrays()["label"]).tolist() == [29, 6, FEWEST - 1]

    def of_a(dataset):
        arrays = dataset.arrays()
        return arrays["image"][arrays["label"] == 0, 0, 0, 0].tolist()

    assert sorted(of_a(folder.train) + of_a(folder.test)) == list(range(40))  # each once, and in one of the two
    assert of_a(read_folder(tmp_path, side=12).test) == of_a(folder.test) != of_a(read_folder(tmp_path, side=12, seed=1).test)
    (note,) = folder.notes
    assert "has no test/: 14 of its 53 pictures, 25% of each class (rounded), drawn with seed 0" in note


def test_train_and_test_folders_are_kept_apart(tmp_path):
    classes(tmp_path / "train", {"a": 6, "b": 4}, colour=1)
    classes(tmp_path / "test", {"a": 1, "b": 2}, colour=2)
    folder = read_folder(tmp_path, side=12)
    assert np.bincount(folder.train.arrays()["label"]).tolist() == [6, 4] and (folder.train.arrays()["image"] == 1).all()
    assert np.bincount(folder.test.arrays()["label"]).tolist() == [1, 2] and (folder.test.arrays()["image"] == 2).all()
    assert folder.notes == ()


@pytest.mark.parametrize(("train", "test"), [("Train", "TEST"), ("train", "val"), ("TRAIN", "Valid"), ("train", "validation")])
def test_splits_may_have_capitals_and_a_validation_stands_in_for_the_test(train, test, tmp_path):
    classes(tmp_path / "here" / train, {"a": 6, "b": 4}, colour=1)
    classes(tmp_path / "here" / test, {"a": 1, "b": 2}, colour=2)
    folder = read_folder(tmp_path / "here", side=12)
    assert (folder.train.arrays()["image"] == 1).all() and (folder.test.arrays()["image"] == 2).all()
    assert len(folder.train) == 10 and len(folder.test) == 3
    said = () if test == "TEST" else (f"here has no test/: the pictures in {test}/ are the test.",)
    assert folder.notes == said


def test_a_class_that_the_test_lacks_is_named(tmp_path):
    classes(tmp_path / "here" / "train", {"a": 6, "b": 5, "c": 5})
    classes(tmp_path / "here" / "Test", {"a": 2, "c/deeper": 1})
    assert read_folder(tmp_path / "here", side=12).notes == (
        "1 other file in here is not read (1 in Test/c/).",
        "here has no picture of 'b' and 'c' in Test/: not tested.",
    )


def test_a_class_may_be_called_train(tmp_path):
    classes(tmp_path, {"train": 6, "bus": 6})
    assert names(read_folder(tmp_path, side=12).train) == ["bus", "train"]


def test_proportions_are_kept_and_the_rest_has_the_colour_of_the_rim():
    wide = Image.new("RGB", (40, 20), RED)
    wide.paste(GREEN, (10, 5, 30, 15))
    square = fit_image(wide, 20)
    assert square.shape == (20, 20, 3)
    assert (square[:6] == RED).all() and (square[-6:] == RED).all()
    green = square[..., 0] < (RED[0] + GREEN[0]) / 2  # at its edges the two colours mix
    height, width = green.any(1).sum(), green.any(0).sum()
    assert abs(height - 5) <= 1 and abs(width - 10) <= 1


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (5, 9), 7), [7]),
        (Image.new("RGB", (5, 9), (7, 7, 7)), [7]),  # stored in colour, and grey
        (Image.new("RGB", (5, 9), RED), RED),
        (Image.new("1", (5, 9), 1), [255]),
        (Image.new("RGBA", (5, 9), (*RED, 0)), [255]),  # transparent: white
        (Image.new("LA", (5, 9), (7, 255)), [7]),
        (Image.new("P", (5, 9), 0), [0]),
        (Image.fromarray(np.full((9, 5), 32896, np.uint16)), [128]),  # 16 bits, half way
        (Image.fromarray(np.full((9, 5), 200, np.uint16)), [1]),  # and nearly black, also where no pixel is lighter
        (Image.fromarray(np.full((9, 5), 0.5, np.float32)), [128]),
        (Image.fromarray(np.full((9, 5), 1.0, np.float32)), [255]),
    ],
    ids=lambda value: getattr(value, "mode", str(value)),
)
def test_every_mode_becomes_grey_or_three_colours(image, expected):
    pixels = fit_image(image, 12)
    assert pixels.shape == (12, 12, len(expected)) and (pixels == expected).all()


def test_a_picture_is_the_same_in_8_and_16_bits_and_in_floats():
    eight = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for same in (eight, eight.astype(np.uint16) * 257, eight.astype(np.float32) / 255):
        assert (fit_image(Image.fromarray(same), 16)[..., 0] == eight).all()


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.full((9, 5), 200, np.int32), "integers of 32 bits from 200 to 200; expected 8 or 16 bits, or floats from 0 to 1"),
        (np.linspace(0, 812, 45, dtype=np.float32).reshape(9, 5), "floats from 0 to 812; expected 8 or 16 bits"),
        (np.full((9, 5), -0.5, np.float32), "floats from -0.5 to -0.5"),
        (np.full((9, 5), np.nan, np.float32), "floats from nan to nan"),
    ],
    ids=["int32", "large", "negative", "nan"],
)
def test_what_does_not_say_what_is_white_is_refused(pixels, message):
    with pytest.raises(UnknownWhiteError, match=message):
        fit_image(Image.fromarray(pixels), 12)


def test_a_picture_of_unknown_white_is_left_out_and_the_reason_said(tmp_path):
    classes(tmp_path / "here", {"a": 6, "b": 6})
    Image.fromarray(np.full((9, 5), 7.0, np.float32)).save(tmp_path / "here" / "b" / "heat.tif")
    note, _ = read_folder(tmp_path / "here", side=12).notes
    assert note == (
        "1 of the 13 pictures in here cannot be read and is left out: "
        "b/heat.tif (floats from 7 to 7; expected 8 or 16 bits, or floats from 0 to 1)."
    )


@pytest.mark.parametrize("size", [(2000, 20), (20, 2000)])
def test_of_a_long_picture_a_line_remains(size):
    image = Image.new("RGB", size, GREEN)
    image.putpixel((0, 0), RED)
    pixels = fit_image(image, 28)
    assert pixels.shape == (28, 28, 3)
    assert (pixels == GREEN).all(-1).sum() >= 27 * 28  # all but the end of the line


def test_one_coloured_picture_makes_all_of_them_coloured(tmp_path):
    classes(tmp_path, {"a": 6, "b": 5}, size=(30, 17))
    picture(tmp_path / "b" / "colour.jpg", mode="RGB", colour=RED, size=(9, 31))
    pixels = read_folder(tmp_path, side=12).train.arrays()["image"]
    assert pixels.shape[1:] == (12, 12, 3)
    coloured = as_floats(np.full((2, 3, 3, 1), 51, np.uint8), 3)
    assert coloured.shape == (2, 3, 3, 3) and (coloured == np.float32(0.2)).all()


def test_broken_pictures_are_named_and_other_files_counted(tmp_path):
    classes(tmp_path, {"a": 6, "b": 6})
    whole = (tmp_path / "a" / "0.png").read_bytes()
    (tmp_path / "a" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b" / "empty.jpg").touch()
    (tmp_path / "b" / "mail.png").write_text("Dear all,")
    (tmp_path / "b" / "notes.txt").touch()
    (tmp_path / "README.md").touch()
    (tmp_path / ".ipynb_checkpoints").mkdir()  # not a class
    (tmp_path / "a" / ".DS_Store").touch()
    folder = read_folder(tmp_path, side=12)
    assert len(folder.train) + len(folder.test) == 12
    broken, others, _ = folder.notes
    assert "3 of the 15 pictures" in broken
    for name in ("a/cut.png", "b/empty.jpg", "b/mail.png"):
        assert name in broken
    assert others == f"2 other files in {tmp_path.name} are not read (README.md, b/notes.txt)."


def test_what_lies_where_nothing_is_read_is_counted_by_its_folder(tmp_path):
    root = tmp_path / "here"
    classes(root / "train", {"a": 6, "b": 6})
    classes(root / "test", {"a": 1, "b": 1})
    picture(root / "val" / "a" / "0.png")
    (only,) = read_folder(root, side=12).notes
    assert only == "1 other file in here is not read (1 in val/)."
    classes(root / "val", {"a": 2, "b": 2})
    picture(root / "train" / "a" / "more" / "0.png")
    picture(root / "train" / "0.png")
    (root / "train" / ".cache").mkdir()
    (root / "train" / ".cache" / "seen").touch()
    (note,) = read_folder(root, side=12).notes
    assert note == "6 other files in here are not read (4 in val/, train/0.png, 1 in train/a/more/)."


def test_folders_of_classes_may_be_links(tmp_path):
    classes(tmp_path / "store", {"a": 6, "b": 6, "b/more": 3})
    (tmp_path / "here").mkdir()
    for name in "ab":
        (tmp_path / "here" / name).symlink_to(tmp_path / "store" / name)
    (tmp_path / "here" / "b" / "up").symlink_to(tmp_path / "store")  # it has itself below it
    (tmp_path / "here" / "b" / "notes.txt").touch()
    folder = read_folder(tmp_path / "here", side=12)
    assert len(folder.train) + len(folder.test) == 12
    assert folder.notes[0] == "4 other files in here are not read (3 in b/more/, b/notes.txt)."


def broken(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("Dear all,")


def nothing(root):
    root.mkdir(exist_ok=True)


def loose(root):
    picture(root / "1.png")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (nothing, "here has no pictures in folders of classes; expected DIR/CLASS/"),
        (loose, "here has no pictures in folders of classes; expected DIR/CLASS/"),
        (lambda root: classes(root, {"cats": 9}), "one class only, 'cats'; expected at least two"),
        (lambda root: classes(root, {"a": 9, "b": 4, "c": 1}), "'b' has 4 and 'c' has 1; expected at least 5 of each"),
        (lambda root: (classes(root, {"a": 9}), (root / "b").mkdir()), "'b' has 0; expected at least 5 of each"),
        (
            lambda root: [broken(root / name / f"{i}.png") for name in "ab" for i in range(6)],
            "'a' has 0 and 'b' has 0; expected at least 5 of each. 12 of the 12 pictures in here cannot be read",
        ),
        (lambda root: classes(root / "Test", {"a": 9, "b": 9}), "here has Test/ and no train/ beside it; expected DIR/CLASS"),
        (
            lambda root: (classes(root / "train", {"a": 9}), classes(root / "test", {"a": 9, "b": 9})),
            "no picture of 'b' in train/, and some in test/",
        ),
        (
            lambda root: [classes(root / split, {"a": 9, "b": 9}) for split in ("train", "test", "TEST")],
            "here has TEST/ and test/; expected one of them",
        ),
    ],
)
def test_what_cannot_be_learned_from_is_refused_with_what_is_wrong(make, message, tmp_path):
    make(tmp_path / "here")
    with pytest.raises(ValueError, match=message):
        read_folder(tmp_path / "here", side=12)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("pictures/digts", "pictures/digts is not a folder: {here}/pictures has no folder digts; did you mean Digits?"),
        ("picture/Digits", "picture/Digits is not a folder: {here} has no folder picture; did you mean pictures?"),
        ("pictures/swans", "pictures/swans is not a folder: {here}/pictures has no folder swans."),
        ("pictures/list.txt", "pictures/list.txt is not a folder: {here}/pictures/list.txt is a file."),
    ],
)
def test_of_a_folder_that_is_not_there_it_is_said_where_it_was_looked_for_and_what_is_near(
    word, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures" / "Digits").mkdir(parents=True)
    (tmp_path / "pictures" / "list.txt").touch()
    with pytest.raises(ValueError, match="is not a folder") as raised:
        read_folder(word, side=12)
    assert str(raised.value) == message.format(here=tmp_path)
