"""Wrong answers to `holm` that a student writes; exercises.toml says what is wrong with each."""


def _check(p_values):
    if any(not 0 <= p <= 1 for p in p_values):
        raise ValueError("p-values between 0 and 1")


def _holm(p_values, factor, *, most=1.0, rising=True):
    """Multiplies the p-value of each rank, from 0, by its factor."""
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        value = min(most, factor(len(p_values), rank) * p_values[i])
        floor = max(floor, value) if rising else value
        adjusted[i] = floor
    return adjusted


def not_adjusted(p_values):
    _check(p_values)
    return list(p_values)


def bonferroni(p_values):
    _check(p_values)
    return _holm(p_values, lambda m, rank: m)


def order_lost(p_values):
    _check(p_values)
    return sorted(_holm(p_values, lambda m, rank: m - rank))


def may_fall(p_values):
    _check(p_values)
    return _holm(p_values, lambda m, rank: m - rank, rising=False)


def beyond_1(p_values):
    _check(p_values)
    return _holm(p_values, lambda m, rank: m - rank, most=float("inf"))


def from_the_largest(p_values):
    _check(p_values)
    return _holm(p_values, lambda m, rank: rank + 1)


def ranks_for_what_is_left(p_values):
    _check(p_values)
    return _holm(p_values, lambda m, rank: rank + 1, rising=False)


def benjamini_hochberg(p_values):
    _check(p_values)
    return _holm(p_values, lambda m, rank: m / (rank + 1))


def one_too_few(p_values):
    _check(p_values)
    return _holm(p_values, lambda m, rank: m - rank - 1)


def equal_ones_once(p_values):
    _check(p_values)
    distinct = sorted(set(p_values))
    adjusted = _holm(distinct, lambda m, rank: m - rank)
    return [adjusted[distinct.index(p)] for p in p_values]


def any_number(p_values):
    return _holm(p_values, lambda m, rank: m - rank)


def not_a_number(p_values):
    if any(p < 0 or p > 1 for p in p_values):
        raise ValueError("p-values between 0 and 1")
    return _holm(p_values, lambda m, rank: m - rank)
