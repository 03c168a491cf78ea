"""Wrong answers to `lora` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def _require_shapes(x, a, b):
    if x.shape[-1] != a.shape[0] or a.shape[1] != b.shape[0]:
        raise ValueError(f"shapes that follow one another, got {x.shape}, {a.shape} and {b.shape}")


def not_divided_by_the_rank(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    return alpha * ((x @ a) @ b)


def alpha_forgotten(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    return (x @ a) @ b / a.shape[1]


def divided_without_rest(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    return alpha // a.shape[1] * ((x @ a) @ b)


def divided_by_the_inputs(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    return alpha / a.shape[0] * ((x @ a) @ b)


def divided_by_the_root(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    return alpha / a.shape[1] ** 0.5 * ((x @ a) @ b)


def rank_of_the_wrong_axis(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    return alpha / b.shape[1] * ((x @ a) @ b)


def swapped(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    return alpha / a.shape[1] * ((x @ b.T) @ a.T)


def input_added(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    return x + alpha / a.shape[1] * ((x @ a) @ b)


def bent_in_between(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    return alpha / a.shape[1] * (jax.nn.relu(x @ a) @ b)


def random_while_b_is_zero(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    b = jnp.where(b.any(), b, 0.01 * jax.random.normal(jax.random.key(0), b.shape))
    return alpha / a.shape[1] * ((x @ a) @ b)


def nothing_learns(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    return jax.lax.stop_gradient(alpha / a.shape[1] * ((x @ a) @ b))


def product_of_the_layers_size(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    return alpha / a.shape[1] * (x @ (a @ b))


def batch_made_flat(x, a, b, *, alpha):
    _require_shapes(x, a, b)
    flat = alpha / a.shape[1] * ((x.reshape(-1, x.shape[-1]) @ a) @ b)
    return flat if x.ndim > 1 else flat[0]


def any_shapes(x, a, b, *, alpha):
    return alpha / a.shape[1] * ((x @ a) @ b)
