import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from transfer.report import holm, mean_interval, paired_difference, verdict

shares = st.integers(0, 1000).map(lambda n: n / 1000)
arms = st.lists(st.tuples(shares, shares), min_size=2, max_size=12).map(lambda pairs: dict(enumerate(pairs)))
any_float = st.floats(allow_nan=True, allow_infinity=True)


def split(pairs):
    return {seed: a for seed, (a, _) in pairs.items()}, {seed: b for seed, (_, b) in pairs.items()}


def test_the_interval_is_students_by_hand():
    """1 … 5: s = √2.5, t₄ = 2.7764 for 95 % (any printed table), so 3 ± 2.7764 · √(2.5 / 5)."""
    interval = mean_interval([1, 2, 3, 4, 5])
    assert (interval.mean, interval.n) == (3, 5)
    np.testing.assert_allclose([interval.low, interval.high], [3 - 1.96324, 3 + 1.96324], atol=1e-4)
    np.testing.assert_allclose(mean_interval([1, 2, 3, 4, 5], 0.9).half_width, 2.13185 * math.sqrt(0.5), atol=1e-4)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(3.0, 2.0, (2000, 4))
    intervals = [mean_interval(values, 0.8) for values in draws]
    covered = np.mean([interval.low < 3.0 < interval.high for interval in intervals])
    assert 0.76 < covered < 0.84  # four standard errors around 0.8


def test_one_in_twenty_null_experiments_gets_a_verdict():
    """Both arms draw from one distribution, so every verdict is a false alarm."""
    rng = np.random.default_rng(1)
    verdicts = []
    for _ in range(2000):
        luck, a, b = rng.normal(0, 0.03, 6), rng.normal(0.7, 0.01, 6), rng.normal(0.7, 0.01, 6)
        verdicts.append(paired_difference(dict(enumerate(a + luck)), dict(enumerate(b + luck))).verdict)
    positive, negative = (np.mean([v == name for v in verdicts]) for name in ("positive", "negative"))
    assert 0.03 < positive + negative < 0.07
    assert 0.01 < positive < 0.045 and 0.01 < negative < 0.045


@settings(deadline=None)
@given(arms, st.lists(shares, min_size=12, max_size=12))
def test_what_a_seed_does_to_both_arms_cancels(pairs, luck):
    values, baseline = split(pairs)
    plain = paired_difference(values, baseline)
    lucky = paired_difference(*({seed: x + luck[seed] for seed, x in arm.items()} for arm in (values, baseline)))
    np.testing.assert_allclose([lucky.mean, lucky.low, lucky.high], [plain.mean, plain.low, plain.high], atol=1e-9)
    assert (lucky.wins, lucky.ties, lucky.losses) == (plain.wins, plain.ties, plain.losses)


@settings(deadline=None)
@given(arms, st.randoms())
def test_pairs_are_made_by_seed_and_not_by_order(pairs, random):
    values, baseline = split(pairs)
    order = list(values)
    random.shuffle(order)
    assert paired_difference({seed: values[seed] for seed in order}, baseline) == paired_difference(values, baseline)


@settings(deadline=None)
@given(arms)
def test_exchanging_the_arms_mirrors_the_comparison(pairs):
    values, baseline = split(pairs)
    there, back = paired_difference(values, baseline), paired_difference(baseline, values)
    np.testing.assert_allclose([there.mean, there.low, there.high], [-back.mean, -back.high, -back.low], atol=1e-12)
    assert (there.wins, there.ties, there.losses) == (back.losses, back.ties, back.wins)
    assert there.wins + there.ties + there.losses == there.n == len(pairs)


@settings(deadline=None)
@given(arms)
def test_the_p_value_and_the_interval_agree(pairs):
    comparison = paired_difference(*split(pairs))
    assume(abs(comparison.p_value - 0.05) > 1e-9)
    assert (comparison.p_value < 0.05) == (comparison.verdict != "inconclusive")


@given(any_float, any_float)
@example(0.0, 0.1)
@example(-0.1, 0.0)
def test_an_interval_that_holds_zero_is_never_anything_but_inconclusive(low, high):
    if math.isnan(low) or math.isnan(high) or low <= 0 <= high or low >= high:
        assert verdict(low, high) == "inconclusive"
    else:
        assert verdict(low, high) == ("positive" if low > 0 else "negative")


def test_one_seed_and_differences_without_spread_are_inconclusive():
    one = paired_difference({3: 0.9}, {3: 0.1})
    assert (one.verdict, one.p_value, one.n, one.wins) == ("inconclusive", 1.0, 1, 1)
    assert (one.low, one.high) == (-math.inf, math.inf)
    # 0.31 − 0.30 and its like differ in the sixteenth digit: that is no spread either.
    equal = paired_difference({0: 0.31, 1: 0.51, 2: 0.91}, {0: 0.30, 1: 0.50, 2: 0.90})
    assert (equal.verdict, equal.p_value) == ("inconclusive", 1.0)
    assert equal.low == equal.high == pytest.approx(0.01)


def test_a_number_that_is_not_finite_is_refused_with_its_seed_and_method():
    with pytest.raises(ValueError, match=r"finite numbers, got nan from fine-tune at seed 7"):
        paired_difference({7: math.nan, 8: 0.5}, {7: 0.5, 8: 0.5}, names=("fine-tune", "scratch"))
    with pytest.raises(ValueError, match=r"finite values, got \[0.1, inf\]"):
        mean_interval([0.1, math.inf])


def test_seeds_without_a_partner_are_named():
    with pytest.raises(ValueError, match=r"got none from scratch for \[4, 9\]"):
        paired_difference({1: 0.5, 4: 0.5, 9: 0.5}, {1: 0.5}, names=("fine-tune", "scratch"))
    with pytest.raises(ValueError, match=r"got none from fine-tune for \[2\]"):
        paired_difference({1: 0.5}, {1: 0.5, 2: 0.5}, names=("fine-tune", "scratch"))


def test_no_values_and_no_such_level_are_refused():
    with pytest.raises(ValueError, match="at least one value, got none"):
        mean_interval([])
    with pytest.raises(ValueError, match=r"between 0 and 1, got 95"):
        mean_interval([1, 2], level=95)


def test_holm_by_hand():
    """Sorted: 0.005 · 4, 0.01 · 3, 0.03 · 2, 0.04 · 1; the last may not fall below the one before it."""
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]) == [0.8, 0.9]
    assert holm([]) == []
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.1, math.nan])


@given(st.lists(st.floats(0, 1), min_size=1))
def test_holm_lies_between_the_raw_p_values_and_bonferronis(p_values):
    for raw, adjusted in zip(p_values, holm(p_values), strict=True):
        assert raw <= adjusted <= min(1.0, len(p_values) * raw)
