import numpy as np

from nn.data import animals


def test_every_combination_is_there_once_and_its_attributes_describe_it():
    table = animals.class_attributes()
    assert len(animals.KINDS) == 4 * 3 * 2 == len({tuple(row) for row in table})
    for kind, row in zip(animals.KINDS, table, strict=True):
        assert [animals.ATTRIBUTES[m] for m in np.flatnonzero(row)] == list(kind)


def test_a_seed_decides_the_pictures_and_no_two_are_alike():
    images, labels = animals.render(3, seed=4)
    np.testing.assert_array_equal(images, animals.render(3, seed=4)[0])
    assert (images != animals.render(3, seed=5)[0]).any()
    np.testing.assert_array_equal(labels, np.arange(24)[:, None].repeat(3, 1))
    assert len({image.tobytes() for image in images.reshape(-1, 24, 24, 3)}) == 24 * 3


def test_attributes_can_be_seen():
    """Long necks reach higher, a plain coat has no dark marks, and coats have their colours."""
    images = animals.render(20, seed=0)[0] / 255
    grass = abs(images - animals.GRASS).max(-1) < 0.25
    middle = images[..., 12:18, 8:16, :]  # the trunk of nearly every animal
    dark = (middle.max(-1) < 0.2).mean((1, 2, 3))
    for k, (colour, pattern, neck) in enumerate(animals.KINDS):
        top = (~grass[k])[:, :4].any((1, 2)).mean()
        assert top > 0.6 if neck == "long neck" else top < 0.4, neck
        assert dark[k] < 0.02 if pattern == "plain" else dark[k] > 0.1, pattern
        lit = np.median(middle[k][middle[k].max(-1) > 0.3], axis=0)
        shades = np.array(list(animals.COLOURS.values()))
        assert list(animals.COLOURS)[abs(shades - lit).sum(-1).argmin()] == colour
