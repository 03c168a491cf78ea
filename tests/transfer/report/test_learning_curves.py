"""Gains of learning curves, on curves drawn by hand."""

import math
import re

import numpy as np
import pytest

from transfer.report.learning_curves import (
    area_ratio,
    asymptotic_gain,
    curve_gains,
    gains_table,
    jumpstart,
    time_to_threshold,
)

STEPS = [0, 10, 20, 40]
SCRATCH, TRANSFER = [0.1, 0.3, 0.5, 0.5], [0.2, 0.5, 0.7, 0.6]


def luck(seed):
    return 0.02 * ((seed % 3) - 1)


def moved(curve, seed):
    return [value + luck(seed) for value in curve]


def test_each_number_is_what_its_picture_shows():
    assert jumpstart(TRANSFER, SCRATCH) == pytest.approx(0.1)
    assert asymptotic_gain(TRANSFER, SCRATCH, last=2) == pytest.approx(0.65 - 0.5)
    # Trapezia: 10·(0.2+0.5)/2 + 10·(0.5+0.7)/2 + 20·(0.7+0.6)/2 = 22.5, and 2 + 4 + 10 = 16.
    assert area_ratio(STEPS, TRANSFER, SCRATCH) == pytest.approx((22.5 - 16) / 16)
    assert (time_to_threshold(STEPS, TRANSFER, 0.5), time_to_threshold(STEPS, SCRATCH, 0.5)) == (10, 20)
    assert time_to_threshold(STEPS, SCRATCH, 0.51) == math.inf


def test_a_curve_beside_itself_gains_nothing():
    curves = {seed: moved(SCRATCH, seed) for seed in range(4)}
    gains = curve_gains(STEPS, curves, curves, threshold=0.3, source=dict.fromkeys(range(4), (0.8, 0.8)))
    assert [gain.sign for gain in gains] == [0] * 5 and [gain.p_holm for gain in gains] == [1.0] * 5


def test_the_area_depends_on_where_accuracies_were_measured_and_not_on_how_often():
    finer = [0, 5, 10, 15, 20, 30, 40]
    between = [np.interp(finer, STEPS, curve).tolist() for curve in (TRANSFER, SCRATCH)]
    assert area_ratio(finer, *between) == pytest.approx(area_ratio(STEPS, TRANSFER, SCRATCH))


def gains_by_name(**changes):
    seeds = range(6)
    transfer = {s: [v + 0.003 * (s % 2) for v in moved(TRANSFER, s)] for s in seeds}
    given = {"transfer": transfer, "scratch": {s: moved(SCRATCH, s) for s in seeds}, "threshold": 0.45, **changes}
    return {gain.name.split(",")[0].split(" at")[0]: gain for gain in curve_gains(STEPS, **given)}


def test_gains_that_are_there_are_found_in_every_seed_and_outlive_holm():
    gains = gains_by_name(source={s: (0.9 + luck(s), 0.6 + 0.005 * (s % 2)) for s in range(6)})
    signs = {"jumpstart": 1, "asymptotic gain": 1, "area ratio": 1, "times sooner": 0, "change on the source": -1}
    assert {name: gain.sign for name, gain in gains.items()} == signs
    # 10 against 20 steps in every seed: twice as soon, and no spread to judge it by.
    assert gains["times sooner"].text == "2.00 [2.00, 2.00]" and gains["times sooner"].p_value == 1
    for gain in gains.values():
        assert gain.p_value <= gain.p_holm <= 1
    smallest = min(gains.values(), key=lambda gain: gain.p_value)
    assert smallest.p_holm == pytest.approx(len(gains) * smallest.p_value)


def test_a_threshold_that_is_never_reached_is_said_and_not_counted_as_a_time():
    gain = gains_by_name(threshold=0.58, transfer=dict.fromkeys(range(6), TRANSFER))["times sooner"]
    assert gain.text == "sooner in 6, later in 0 of 6 seeds; scratch never within 40 steps in 6"
    assert gain.p_value == pytest.approx(2 * 0.5**6) and gain.sign == 1  # the sign test: 2 of 64 outcomes
    both = gains_by_name(threshold=0.99)["times sooner"]
    assert (both.p_value, both.sign) == (1.0, 0) and both.text.count("never within 40 steps in 6") == 2


@pytest.mark.parametrize(("seeds", "sign"), [(7, 0), (12, 1)])
def test_it_takes_many_seeds_for_a_sign_test_to_outlive_holm(seeds, sign):
    """The other gains are equal in all seeds, and so count as nothing found: Holm takes the sign test four times."""
    gains = curve_gains(STEPS, dict.fromkeys(range(seeds), TRANSFER), dict.fromkeys(range(seeds), SCRATCH), threshold=0.6)
    assert gains[-1].sign == sign and gains[-1].p_holm == pytest.approx(4 * 2 * 0.5**seeds)


def test_who_is_there_at_once_needed_the_first_evaluation():
    """The logarithm of no time is not asked for."""
    gain = gains_by_name(threshold=0.17, transfer=dict.fromkeys(range(6), TRANSFER))["times sooner"]
    assert gain.text == "1.00 [1.00, 1.00]"


def test_the_table_has_a_line_for_each_gain_with_its_verdict():
    lines = gains_table(tuple(gains_by_name().values())).splitlines()
    assert len(lines) == 4 and len({len(re.split("p [=<] ", line)[0]) for line in lines}) == 1
    assert lines[0].startswith("jumpstart, points") and lines[0].endswith("▲ positive")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: asymptotic_gain([0.1, 0.2], [0.1, 0.2], last=3), "at least 3 evaluations, got 2"),
        (lambda: area_ratio([0, 10, 10], [0.1] * 3, [0.1] * 3), "increasing steps"),
        (lambda: area_ratio([0, 10], [0.1] * 3, [0.1] * 2), "an accuracy at each, got steps .* 3 and 2"),
        (lambda: area_ratio([0, 10], [0.1] * 2, [0.0] * 2), "never right"),
        (lambda: curve_gains(STEPS, {0: TRANSFER}, {1: SCRATCH}, threshold=0.5), r"the same seeds everywhere, got \[0\]"),
    ],
)
def test_curves_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
