import numpy as np
import pytest
from PIL import ImageFont

from nn.data import glyphs


def drawings(characters):
    """(face, character, pixel): every character as each face draws it, before any jitter."""
    fonts = [ImageFont.truetype(str(face), 26, layout_engine=ImageFont.Layout.BASIC) for face in glyphs.faces()]
    return np.array([[np.ravel(glyphs.draw(c, font)) for c in characters] for font in fonts], np.float64) / 255


def test_twelve_faces_have_all_the_characters():
    *drawn, unknown = drawings(glyphs.CHARACTERS + "\U0010fffd").swapaxes(0, 1)
    assert len(drawn) == len(set(glyphs.CHARACTERS)) == 137
    assert len(drawn[0]) == 12
    for character, images in zip(glyphs.CHARACTERS, drawn, strict=True):
        different = np.abs(images - unknown).sum(-1)
        assert (different > 1).all(), f"a face has no {character}"


def test_no_two_characters_are_drawn_alike():
    """Latin A and Greek Alpha would be one picture with two labels, and no network could tell them apart."""
    images = drawings(glyphs.CHARACTERS)
    images /= np.linalg.norm(images, axis=-1, keepdims=True)
    likeness = np.einsum("fcp,fdp->cd", images, images) / len(images)
    np.fill_diagonal(likeness, 0)
    first, second = np.unravel_index(likeness.argmax(), likeness.shape)
    assert likeness.max() < 0.97, glyphs.CHARACTERS[first] + glyphs.CHARACTERS[second]


def test_jitter_moves_little_and_mirrors_nothing():
    maps = glyphs.jitter(1000, np.random.RandomState(0))
    determinant = np.linalg.det(maps[:, :, :2])
    assert (determinant >= 0.8**2).all() and (determinant <= 1.2**2).all()
    middle = maps @ np.array([glyphs.SIDE / 2, glyphs.SIDE / 2, 1])
    assert np.linalg.norm(middle - glyphs.CANVAS / 2, axis=-1).max() < 1.5 * np.sqrt(2) * 1.2 * 1.4


def test_without_jitter_the_image_is_the_middle_of_the_drawing(monkeypatch):
    margin = (glyphs.CANVAS - glyphs.SIDE) // 2
    monkeypatch.setattr(glyphs, "jitter", lambda count, random: np.tile([[1.0, 0, margin], [0, 1, margin]], (count, 1, 1)))
    images, _ = glyphs.render(30, seed=0, characters="Aж")
    fonts = [
        ImageFont.truetype(str(face), size, layout_engine=ImageFont.Layout.BASIC)
        for face in glyphs.faces()
        for size in glyphs.SIZES
    ]
    for character, drawn in zip("Aж", images, strict=True):
        cut = slice(margin, margin + glyphs.SIDE)
        possible = [np.asarray(glyphs.draw(character, font))[cut, cut] for font in fonts]
        assert all(any(np.array_equal(image, one) for one in possible) for image in drawn)


def test_a_seed_decides_the_images():
    images, labels = glyphs.render(3, seed=4, characters="aΔж")
    np.testing.assert_array_equal(images, glyphs.render(3, seed=4, characters="aΔж")[0])
    assert (images != glyphs.render(3, seed=5, characters="aΔж")[0]).any()
    np.testing.assert_array_equal(labels, [[0] * 3, [1] * 3, [2] * 3])


def test_a_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setattr(glyphs, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="fonts inside matplotlib, which is not installed"):
        glyphs.faces()
