"""Wrong answers to `l2_sp` that a student writes; exercises.toml says what is wrong with each."""

from fnmatch import fnmatchcase
from typing import Any

import jax
import jax.numpy as jnp
import optax


def _require(alpha, beta):
    if not (alpha >= 0 and beta >= 0):
        raise ValueError(f"alpha and beta of at least 0, got {alpha} and {beta}")


def _copied(params):
    return jax.tree.map(jnp.copy, params)


def _in(head):
    def inside(path):
        name = ".".join(str(key.key) for key in path)
        return fnmatchcase(name, head) or fnmatchcase(name, f"{head}.*")

    return inside


def _transformation(rest, of_head, inside, init=_copied):
    """`rest` and `of_head` say what becomes of (gradient, weight, where it began)."""

    def update(updates, state, params=None):
        def one(path, *of):
            return of_head(*of) if inside(path) else rest(*of)

        return jax.tree_util.tree_map_with_path(one, updates, params, state), state

    return optax.GradientTransformation(init, update)


def pulls_to_zero(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    return _transformation(lambda g, w, s: g + alpha * w, lambda g, w, s: g + beta * w, _in(head))


def pulls_to_the_last_weights(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    right = _transformation(lambda g, w, s: g + alpha * (w - s), lambda g, w, s: g + beta * w, _in(head))

    def update(updates, state, params: Any = None):
        return right.update(updates, state, params)[0], params

    return optax.GradientTransformation(_copied, update)


def head_pulled_to_its_start(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    return _transformation(lambda g, w, s: g + alpha * (w - s), lambda g, w, s: g + beta * (w - s), _in(head))


def head_like_the_rest(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    return _transformation(lambda g, w, s: g + alpha * (w - s), lambda g, w, s: g + alpha * (w - s), _in(head))


def alpha_for_the_head(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    return _transformation(lambda g, w, s: g + alpha * (w - s), lambda g, w, s: g + alpha * w, _in(head))


def head_left_alone(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    return _transformation(lambda g, w, s: g + alpha * (w - s), lambda g, w, s: g, _in(head))


def sign_turned(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    return _transformation(lambda g, w, s: g - alpha * (w - s), lambda g, w, s: g - beta * w, _in(head))


def half_forgotten(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    return _transformation(lambda g, w, s: g + 2 * alpha * (w - s), lambda g, w, s: g + 2 * beta * w, _in(head))


def penalty_for_its_gradient(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    return _transformation(lambda g, w, s: g + alpha / 2 * (w - s) ** 2, lambda g, w, s: g + beta / 2 * w**2, _in(head))


def gradient_replaced(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    return _transformation(lambda g, w, s: alpha * (w - s), lambda g, w, s: beta * w, _in(head))


def start_outside_of_the_state(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    right = _transformation(lambda g, w, s: g + alpha * (w - s), lambda g, w, s: g + beta * w, _in(head))
    start: Any = None

    def init(params):
        nonlocal start
        start = _copied(params)
        return optax.EmptyState()

    def update(updates, state, params: Any = None):
        return right.update(updates, start, params)[0], state

    return optax.GradientTransformation(init, update)


def start_not_copied(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    pulled = (lambda g, w, s: g + alpha * (w - s), lambda g, w, s: g + beta * w)
    return _transformation(*pulled, _in(head), init=lambda params: params)


def head_by_its_beginning(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    pulled = (lambda g, w, s: g + alpha * (w - s), lambda g, w, s: g + beta * w)
    return _transformation(*pulled, lambda path: ".".join(str(key.key) for key in path).startswith(head))


def head_is_always_called_head(alpha, *, beta=0.0, head="head"):
    _require(alpha, beta)
    return _transformation(lambda g, w, s: g + alpha * (w - s), lambda g, w, s: g + beta * w, _in("head"))


def any_pull_accepted(alpha, *, beta=0.0, head="head"):
    return _transformation(lambda g, w, s: g + alpha * (w - s), lambda g, w, s: g + beta * w, _in(head))
