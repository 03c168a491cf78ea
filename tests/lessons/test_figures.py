"""Pictures of lessons: what is drawn is what was given."""

from itertools import pairwise

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lessons import figures


@pytest.fixture(autouse=True)
def lesson_style():
    with plt.rc_context():
        figures.use_lesson_style()
        yield
    plt.close("all")


def test_images_share_one_scale_and_unused_places_stay_empty():
    images = np.linspace(0, 6, 7)[:, None, None, None] * np.ones((1, 4, 4, 1))
    figures.show_images(images, range(7), columns=4)
    axes = plt.gcf().axes
    assert [len(axis.images) for axis in axes] == [1] * 7 + [0]
    assert {axis.images[0].get_clim() for axis in axes[:7]} == {(0.0, 6.0)}
    assert [axis.get_title() for axis in axes[:7]] == list("0123456")


def test_zero_is_white_in_signed_images():
    figures.show_images(np.array([[[-1.0, 0.0, 3.0]]]), signed=True)
    (image,) = plt.gcf().axes[0].images
    np.testing.assert_allclose(image.to_rgba(np.asarray(image.get_array()))[0, 1, :3], 1, atol=0.05)


@pytest.mark.parametrize(
    ("images", "titles", "message"),
    [
        (np.ones((3, 4, 4, 3)), None, r"\(n, height, width\).*\(3, 4, 4, 3\)"),
        (np.ones((0, 4, 4)), None, r"\(0, 4, 4\)"),
        (np.ones((3, 4, 4)), "ab", "3 titles, one for each image, got 2"),
    ],
)
def test_images_of_another_shape_are_named(images, titles, message):
    with pytest.raises(ValueError, match=message):
        figures.show_images(images, titles)


def test_curves_keep_their_points_and_their_names_do_not_cover_each_other():
    x = np.array([1, 5, 20])
    curves = {name: (x, x + shift, x - 1, x + 1) for name, shift in (("a", 0), ("b", 0.01), ("c", 0.02))}
    axis = figures.plot_curves(curves, logx=True)
    for line, (_, y, _, _) in zip(axis.lines, curves.values(), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.stack([x, y], axis=1))
    assert len(axis.collections) == 3
    axis.figure.canvas.draw()
    boxes = sorted((text.get_window_extent() for text in axis.texts), key=lambda box: box.y0)
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))
    assert [text.get_color() for text in axis.texts] == [line.get_color() for line in axis.lines]


@pytest.mark.parametrize("probabilities", [False, True])
def test_regions_have_the_colour_of_the_predicted_class(probabilities):
    """Class 1 lies right of 0, and low rows of the picture lie at the bottom: class 2 is what is low."""

    def predict(x):
        classes = np.where(x[:, 1] < -0.5, 2, x[:, 0] > 0)
        return np.eye(3)[classes] if probabilities else classes

    _, axis = plt.subplots()
    figures.decision_regions(axis, predict, np.array([[-1, -1], [1, 1], [0, 0]]), np.array([2, 1, 0]), resolution=20)
    picture = np.asarray(axis.images[0].get_array())
    assert axis.images[0].origin == "lower"
    for place, colour in {(19, 0): 0, (19, 19): 1, (0, 10): 2}.items():
        np.testing.assert_allclose((1 - picture[place]) / 0.45, 1 - np.array(to_rgb(figures.COLOURS[colour])), atol=1e-6)


def test_regions_are_white_where_a_classifier_is_unsure():
    _, axis = plt.subplots()
    figures.decision_regions(axis, lambda x: np.full((len(x), 4), 0.25), np.eye(2), np.array([0, 1]), resolution=5)
    np.testing.assert_allclose(np.asarray(axis.images[0].get_array()), 1)


def test_regions_need_points_of_the_plane():
    with pytest.raises(ValueError, match=r"x \(n, 2\) and y \(n,\), got \(5, 3\) and \(5,\)"):
        figures.decision_regions(plt.subplots()[1], lambda x: x, np.ones((5, 3)), np.ones(5))


def test_an_interval_that_holds_the_reference_is_grey():
    axis = figures.plot_intervals({"helps": (2, 1, 3), "unclear": (1, -1, 3)}, reference=0)
    assert [label.get_text() for label in axis.get_yticklabels()] == ["helps", "unclear"]
    colours = [line.get_color() for line in axis.lines if line.get_marker() == "o"]
    assert colours == [figures.COLOURS[0], "0.55"]
    assert axis.yaxis_inverted(), "the first row is on top"


def test_an_interval_must_hold_its_estimate():
    with pytest.raises(ValueError, match=r"'wrong', low ≤ estimate ≤ high; got \(5, 1, 3\)"):
        figures.plot_intervals({"wrong": (5, 1, 3)})
