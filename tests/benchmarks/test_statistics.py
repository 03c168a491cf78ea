"""What is said of rounds: an interval that holds the median as often as it promises, ratios within rounds, a floor."""

import numpy as np
import pytest

from benchmarks.statistics import clock, floor, median_interval, memory, ratio, seconds, share_of_floor


def both(*times):
    return [{"wall": 2 * time, "cpu": time} for time in times]


@pytest.fixture
def run():
    """Round by round, theirs takes twice as long, while the machine slows down fivefold."""
    libraries = {
        "ours": {"train": both(1, 2, 3, 4, 5, 5), "infer": both(*[1] * 6), "before": 100, "peak": 350},
        "theirs": {"train": both(2, 4, 6, 8, 10, 10), "infer": both(*[0.5] * 6), "before": None, "peak": None},
    }
    products = {"NumPy": both(2, 2, 2), "JAX": both(1, 4, 1)}
    operations = {"train": 7.0, "infer": 1.0}
    return {"cores": 1, "libraries": libraries, "operations": operations, "floor": {"operations": 4.0, "products": products}}


@pytest.mark.parametrize(("count", "ranks"), [(6, (1, 6)), (9, (2, 8)), (15, (4, 12)), (25, (8, 18))])
def test_the_interval_lies_between_the_values_that_tables_of_the_sign_test_name(count, ranks):
    values = np.random.default_rng(0).permutation(count) + 1
    assert tuple(median_interval(values)) == (np.median(values), *ranks)


@pytest.mark.parametrize("count", [1, 5])
def test_a_few_rounds_have_a_median_and_no_interval(count):
    assert median_interval([3.0] * count) == (3.0, None, None)


def test_no_rounds_are_refused():
    with pytest.raises(ValueError, match="at least one value"):
        median_interval([])


def test_the_interval_holds_the_true_median_as_often_as_it_says():
    rounds = np.random.default_rng(0).exponential(size=(2000, 15))
    intervals = np.array([median_interval(values)[1:] for values in rounds])
    held = (intervals[:, 0] <= np.log(2)) & (np.log(2) <= intervals[:, 1])
    assert 0.95 <= held.mean() <= 0.98


def test_a_machine_that_slows_down_does_not_change_a_ratio(run):
    assert ratio(run, "theirs", "train", "ours") == (2, 2, 2)
    assert ratio(run, "theirs", "infer", "ours") == (0.5, 0.5, 0.5)


def test_one_core_is_read_off_the_processor_and_two_off_the_clock(run):
    assert (clock(1), clock(2)) == ("cpu", "wall")
    np.testing.assert_array_equal(seconds(run, "ours", "train"), [1, 2, 3, 4, 5, 5])
    np.testing.assert_array_equal(seconds(run | {"cores": 2}, "ours", "train"), [2, 4, 6, 8, 10, 10])


def test_the_floor_is_the_quickest_product_and_shares_are_of_it(run):
    assert floor(run) == 4.0
    assert share_of_floor(run, "ours", "train") == pytest.approx(7 / 3.5 / 4)


def test_memory_is_what_came_on_top_where_it_is_known(run):
    assert memory(run, "ours") == 250
    assert memory(run, "theirs") is None
