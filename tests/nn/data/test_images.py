import numpy as np
import pytest

from nn.data import Dataset, as_images, as_vectors

PIXELS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4, 1) * 11
ARRAYS = {"image": PIXELS, "label": np.array([4, 7]), "name": np.array(["a", "b"])}


def test_pixels_come_between_zero_and_one_and_can_be_had_back():
    images = as_images(ARRAYS)
    assert images["image"].dtype == np.float32 and images["image"].min() >= 0 and images["image"].max() <= 1
    np.testing.assert_array_equal(np.round(images["image"] * 255), PIXELS)


def test_a_vector_is_the_image_row_by_row():
    vectors = as_vectors(ARRAYS)["image"]
    assert vectors.shape == (2, 12)
    np.testing.assert_array_equal(vectors.reshape(PIXELS.shape), as_images(ARRAYS)["image"])


def test_labels_and_all_else_keep_their_values():
    images = as_images(ARRAYS)
    assert images["label"].dtype == np.int32 and images["label"].tolist() == [4, 7]
    assert images["name"].tolist() == ["a", "b"]


def test_pixels_are_not_scaled_twice():
    with pytest.raises(ValueError, match=r"uint8 pixels.*float32\[2, 3, 4, 1\]"):
        as_vectors(as_images(ARRAYS))


def test_map_changes_the_arrays_and_leaves_the_set():
    dataset = Dataset.from_arrays(ARRAYS)
    mapped = dataset.map(as_vectors)
    assert mapped[1]["image"].shape == (12,) and dataset[1]["image"].shape == (3, 4, 1)
    assert len(mapped) == len(dataset)
