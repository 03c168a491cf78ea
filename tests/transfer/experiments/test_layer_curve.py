"""Two halves that share no character, layers that come from where they should, and a price that grows with their number."""

import numpy as np
import pytest

from transfer.experiments import LAYER_CURVE, LAYER_CURVE_LONGER, layer_curve, run
from transfer.experiments.layer_curve import A, B


@pytest.fixture
def configuration(monkeypatch):
    """Sets numbers of the experiment for one test, and forgets the networks that were trained under others."""
    kept = (layer_curve.base, layer_curve.scratch)

    def change(**numbers):
        for function in kept:
            function.cache_clear()
        for name, number in numbers.items():
            monkeypatch.setitem(layer_curve.CONFIGURATION, name, number)

    yield change
    for function in kept:
        function.cache_clear()


def rows(x):
    return {row.tobytes() for row in x}


def test_the_halves_share_no_picture_and_no_half_is_trained_on_its_test():
    (a_x, a_y), (b_x, b_y), (test_x, test_y) = (
        layer_curve.half(0, *which) for which in ((A, "train"), (B, "train"), (B, "test"))
    )
    assert not rows(a_x) & rows(b_x) and not rows(test_x) & (rows(a_x) | rows(b_x))
    for labels, each in ((a_y, 80), (b_y, 80), (test_y, 40)):
        assert np.bincount(labels).tolist() == [each] * 68
    assert rows(layer_curve.half(1, A, "train")[0]) != rows(a_x)


def test_each_arm_begins_with_the_layers_that_it_is_named_after(monkeypatch, configuration):
    configuration()
    begun = []

    def recorded(model, x, y, *, wrt, **_):
        kernels = [np.asarray(layer.kernel[...]) for layer in model.hidden]
        frozen = [not wrt(("hidden", n, "kernel"), layer.kernel) for n, layer in enumerate(model.hidden)]
        begun.append((kernels, frozen, rows(x), y))

    monkeypatch.setattr(layer_curve, "fine_tune", recorded)
    methods = frozenset(method.name for method in LAYER_CURVE.methods)
    assert [(n, name) for n, name, _ in layer_curve.run_seed(0, (2,), methods)] == [(2, m.name) for m in LAYER_CURVE.methods]
    starts = {purpose: layer_curve.untrained(0, purpose).hidden for purpose in (A, B, layer_curve.RANDOM, layer_curve.FRESH)}
    of_b, of_a, a_frozen, a_moving, of_shuffled, *others = begun  # nothing is trained here, so that a base is as it began
    arms = [a_frozen, a_moving, *others]
    sources = (A, A, A, B, B, layer_curve.RANDOM)
    assert len(arms) == len(sources) and not any(of_a[1] + of_b[1] + of_shuffled[1])
    for (kernels, frozen, _, labels), source, keeps in zip(arms, sources, (True, False, False, True, False, True), strict=True):
        for n, kernel in enumerate(kernels):
            np.testing.assert_array_equal(kernel, starts[source if n < 2 else layer_curve.FRESH][n].kernel[...])
        assert frozen == [keeps, keeps, False, False]
        np.testing.assert_array_equal(labels, of_b[3])
    assert of_shuffled[2] == of_a[2] != of_b[2], "the shuffled base sees A's pictures"
    np.testing.assert_array_equal(np.bincount(of_shuffled[3]), np.bincount(of_a[3]))
    assert np.mean(of_shuffled[3] == of_a[3]) < 0.1, "under labels that say nothing of them"


@pytest.mark.slow
def test_the_last_layers_of_another_task_cost_more_than_the_first_and_random_ones_far_more():
    """Ten seeds one by one: A's four layers reach 10 to 15 points less than its first; four random ones 26 to 33 less again."""
    results = run(LAYER_CURVE, seeds=2, shots=(1, 4), methods=["A frozen", "random frozen"])
    reached = {
        (name, n): np.mean(list(results.accuracies(name, n).values())) for name in ("A frozen", "random frozen") for n in (1, 4)
    }
    assert reached["A frozen", 4] < reached["A frozen", 1] - 0.04
    assert reached["random frozen", 4] < reached["A frozen", 4] - 0.15
    assert reached["random frozen", 1] < reached["A frozen", 1] - 0.03


def test_the_longer_one_trains_other_networks_and_keeps_both(configuration):
    configuration(steps=1)
    width = [len(layer_curve.untrained(0, B, longer=longer).hidden[0].bias[...]) for longer in (False, True)]
    assert width == [layer_curve.CONFIGURATION["hidden"][0], layer_curve.LONGER["hidden"][0]] == [96, 200]
    assert LAYER_CURVE_LONGER.configuration["steps"] == 1500 and LAYER_CURVE_LONGER.methods == LAYER_CURVE.methods


@pytest.mark.slow
def test_trained_to_the_end_the_first_layer_is_anybodys_and_the_last_are_not():
    """Five seeds, the first layer of A, frozen, against B alone: −0.3 [−1.2, 0.7]; all four: −6.3 [−7.8, −4.8]."""
    results = run(LAYER_CURVE_LONGER, seeds=2, shots=(1, 4), methods=["A frozen"])
    cost = {
        n: np.mean(list(results.accuracies("A frozen", n).values())) - np.mean(list(results.accuracies("B", n).values()))
        for n in (1, 4)
    }
    assert cost[1] > -0.03 and cost[4] < -0.03
