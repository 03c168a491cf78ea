import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from transfer.report import Method, Results, accuracy_figure, difference_figure, outcomes


def texts(figure):
    return [text for text in figure.findobj(plt.Text) if text.get_visible() and text.get_text().strip()]


def boxes(figure, wanted):
    """Where the texts with these words stand, in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    found = [text for text in texts(figure) if text.get_text().replace("\n", " ").strip() in wanted]
    return {text.get_text(): plt.Text.get_window_extent(text, canvas.get_renderer()) for text in found}, figure.bbox


def crowd(accuracies, settings=(1, 5)):
    """Many methods that all end at about the same accuracy, with long names."""
    names = ["scratch", *(f"a method with a long name, {i}" for i in range(1, len(accuracies)))]
    results = Results(
        experiment="crowd", title="Crowd", question="Who stands where?", setting_name="labels", settings=settings,
        methods=tuple(Method(name=name) for name in names), seeds=(0, 1),
    )  # fmt: skip
    for seed, setting, (name, accuracy) in itertools.product((0, 1), settings, zip(names, accuracies, strict=True)):
        results.add(seed, setting, name, accuracy + 0.01 * seed)
    return results


def test_titles_ask_the_question_and_axes_are_named(experiment):
    for draw, words in ((accuracy_figure, "accuracy"), (difference_figure, "points")):
        for settings in ((1, 5, 20), (5,)):
            figure = draw(results := experiment(settings=settings))
            said = " ".join(text.get_text() for text in texts(figure))
            assert results.question in said.replace("\n", " ")
            assert words in figure.axes[0].get_xlabel() + figure.axes[0].get_ylabel()
    assert accuracy_figure(experiment()).axes[0].get_xlabel() == "examples per class (log scale)"


def test_the_axis_is_logarithmic_only_where_that_has_a_meaning(experiment):
    assert accuracy_figure(experiment(settings=(1, 5, 20))).axes[0].get_xscale() == "log"
    assert accuracy_figure(experiment(settings=(0, 5, 20))).axes[0].get_xscale() == "linear"
    assert accuracy_figure(experiment(settings=("right", "shifted"))).axes[0].get_xscale() == "linear"


def test_every_method_has_a_look_of_its_own_and_controls_are_hollow():
    names = [
        ("scratch", "method"),
        *((f"method {i}", "method") for i in range(4)),
        *((f"control {i}", "control") for i in range(4)),
    ]
    methods = tuple(Method(name=name, kind=kind) for name, kind in names)
    for settings in ((1, 5), (5,)):
        results = Results(
            experiment="looks", title="Looks", question="Who?", setting_name="labels", methods=methods,
            settings=settings, seeds=(0, 1),
        )  # fmt: skip
        for seed, setting, method in itertools.product((0, 1), settings, methods):
            results.add(seed, setting, method.name, 0.5 + 0.01 * seed)
        figure = accuracy_figure(results)
        marked = [line for line in figure.axes[0].lines if line.get_marker() not in (".", "None")]
        looks = [(line.get_color(), line.get_marker(), line.get_markerfacecolor()) for line in marked]
        assert len(set(looks)) == len(methods)
        assert [face == "white" for _, _, face in looks] == [method.kind == "control" for method in methods]
        controls = [colour for colour, _, face in looks if face == "white"]
        assert len(set(controls[:3])) == 3  # as many as most experiments have
        assert "hollow: a control" in " ".join(text.get_text() for text in texts(figure))


def test_every_method_is_named_once_and_controls_are_dashed(experiment):
    figure = accuracy_figure(results := experiment())
    said = [text.get_text() for text in texts(figure)]
    assert all(said.count(method.name) == 1 for method in results.methods)
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert len(dashed) == sum(method.kind == "control" for method in results.methods) == 1


@pytest.mark.parametrize("accuracies", [[0.7] * 9, [0.98] * 9, [0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9]])
def test_names_never_overlap_and_stay_inside(accuracies):
    results = crowd(accuracies)
    places, canvas = boxes(accuracy_figure(results), {method.name for method in results.methods})
    assert len(places) == 9
    for one, other in itertools.combinations(places.values(), 2):
        assert not one.overlaps(other)
    assert all(canvas.x0 <= box.x0 and box.x1 <= canvas.x1 for box in places.values())


def test_lines_that_end_together_are_named_in_the_order_of_the_table():
    results = crowd([0.7] * 5 + [0.7003, 0.9, 0.9])
    places, _ = boxes(accuracy_figure(results), names := [method.name for method in results.methods])
    from_above = sorted(places, key=lambda text: -places[text].y0)
    assert [text.replace("\n", " ") for text in from_above] == [*names[6:], *names[:6]]


def test_of_one_seed_no_figure_speaks_of_an_interval(experiment):
    for draw in (accuracy_figure, difference_figure):
        one, two = (" ".join(text.get_text() for text in texts(draw(experiment(finished=n)))) for n in (1, 2))
        assert "one seed" in one and "interval" not in one and "[" not in one and "interval" in two


def test_the_heading_stands_clear_of_what_is_below_it(experiment):
    question = "Does it help? " * 12
    for draw in (accuracy_figure, difference_figure):
        figure = draw(experiment(finished=4, question=question.strip()))
        subtitle = next(text.get_text() for text in texts(figure) if "Partial: 4 of 6" in text.get_text())
        places, canvas = boxes(figure, {question.strip(), subtitle.replace("\n", " "), "points"})
        renderer = FigureCanvasAgg(figure).get_renderer()
        top = figure.axes[0].get_tightbbox(renderer).y1
        assert places[subtitle].y0 >= top - 1
        assert places[subtitle].x1 <= canvas.x1
        heading = next(box for text, box in places.items() if "Does it help?" in text)
        assert heading.x1 <= canvas.x1 and heading.y1 <= canvas.y1


def test_the_forest_has_a_line_at_zero_and_shows_each_seed(experiment):
    axes = difference_figure(results := experiment(settings=(5,))).axes[0]
    assert any(list(line.get_xdata()) == [0, 0] for line in axes.lines)
    dots = [line for line in axes.lines if line.get_marker() == "."]
    rows = [row for row in outcomes(results) if row.comparison]
    for line, row in zip(dots, rows, strict=True):
        np.testing.assert_allclose(line.get_xdata(), 100 * np.array(row.comparison.differences))


def test_a_verdict_is_told_by_shape_as_well_as_colour(experiment):
    axes = difference_figure(results := experiment(settings=(5,))).axes[0]
    shapes = [line.get_marker() for line in axes.lines if line.get_marker() in ("^", "v", "o")]
    expected = {"positive": "^", "negative": "v", "inconclusive": "o"}
    assert shapes == [expected[row.comparison.verdict] for row in outcomes(results) if row.comparison]


def test_drawing_leaves_no_figure_behind_in_pyplot(experiment):
    before = plt.get_fignums()
    accuracy_figure(experiment())
    difference_figure(experiment())
    assert plt.get_fignums() == before


def test_a_baseline_alone_has_no_differences(experiment):
    with pytest.raises(ValueError, match="a method beside the baseline, got only 'scratch'"):
        difference_figure(experiment(methods=(Method(name="scratch"),)))
