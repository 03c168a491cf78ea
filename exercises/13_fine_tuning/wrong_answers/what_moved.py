"""Wrong answers to `what_moved` that a student writes; exercises.toml says what is wrong with each."""

from typing import Any

import numpy as np
from flax import nnx

WITHOUT_KEYS = nnx.Not(nnx.RngState)


def _numbers(model, kind):
    flat = nnx.to_flat_state(nnx.state(model, kind))
    return {".".join(map(str, path)): np.array(value[...]) for path, value in flat}


def _pairs(before, after, kind: Any = WITHOUT_KEYS):
    """Name → (old, new)."""
    old, new = _numbers(before, kind), _numbers(after, kind)
    if old.keys() != new.keys():
        raise ValueError("two models of the same names")
    return {name: (old[name], new[name]) for name in old}


def parameters_alone(before, after):
    _pairs(before, after)
    return sorted(name for name, (a, b) in _pairs(before, after, nnx.Param).items() if not np.array_equal(a, b))


def averages_alone(before, after):
    _pairs(before, after)
    return sorted(name for name, (a, b) in _pairs(before, after, nnx.BatchStat).items() if not np.array_equal(a, b))


def about_the_same(before, after):
    return sorted(name for name, (a, b) in _pairs(before, after).items() if not np.allclose(a, b))


def sums_compared(before, after):
    return sorted(name for name, (a, b) in _pairs(before, after).items() if a.sum() != b.sum())


def every_number_must_move(before, after):
    return sorted(name for name, (a, b) in _pairs(before, after).items() if (a != b).all())


def first_number_alone(before, after):
    return sorted(name for name, (a, b) in _pairs(before, after).items() if a.flat[0] != b.flat[0])


def what_stayed(before, after):
    return sorted(name for name, (a, b) in _pairs(before, after).items() if np.array_equal(a, b))


def variables_compared(before, after):
    _pairs(before, after)
    old, new = (dict(nnx.to_flat_state(nnx.state(m, WITHOUT_KEYS))) for m in (before, after))
    return sorted(".".join(map(str, path)) for path in old if old[path] is not new[path])


def last_name_alone(before, after):
    return sorted(name.split(".")[-1] for name, (a, b) in _pairs(before, after).items() if not np.array_equal(a, b))


def modules_alone(before, after):
    return sorted({name.split(".")[0] for name, (a, b) in _pairs(before, after).items() if not np.array_equal(a, b)})


def first_one_alone(before, after):
    return sorted(name for name, (a, b) in _pairs(before, after).items() if not np.array_equal(a, b))[:1]


def yes_or_no(before, after):
    return any(not np.array_equal(a, b) for a, b in _pairs(before, after).values())


def keys_of_dropout_too(before, after):
    _pairs(before, after)
    return sorted([*parameters_alone(before, after), *averages_alone(before, after), *_counts(before, after)])


def _counts(before, after):
    pairs = _pairs(before, after, nnx.RngCount)
    return [name for name, (a, b) in pairs.items() if not np.array_equal(a, b)]


def any_networks(before, after):
    old, new = (_numbers(model, WITHOUT_KEYS) for model in (before, after))
    return sorted(name for name in old.keys() & new.keys() if not np.array_equal(old[name], new[name]))
