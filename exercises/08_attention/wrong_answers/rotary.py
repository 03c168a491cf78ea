"""Wrong answers to `rotary` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def _angles(x, positions, longest):
    if x.shape[-1] % 2:
        raise ValueError("an odd depth")
    positions = jnp.arange(x.shape[-3]) if positions is None else positions
    return jnp.outer(positions, longest ** (-jnp.arange(0, x.shape[-1], 2) / x.shape[-1]))[:, None, :]


def _turn(x, sine, cosine):
    first, second = x[..., 0::2], x[..., 1::2]
    turned = jnp.stack([first * cosine - second * sine, first * sine + second * cosine], axis=-1)
    return turned.reshape(x.shape).astype(x.dtype)


def far_pairs(x, positions=None, *, longest=10_000.0):
    angles = _angles(x, positions, longest)
    first, second = jnp.split(x, 2, axis=-1)
    sine, cosine = jnp.sin(angles), jnp.cos(angles)
    return jnp.concatenate([first * cosine - second * sine, first * sine + second * cosine], axis=-1).astype(x.dtype)


def turned_backwards(x, positions=None, *, longest=10_000.0):
    angles = _angles(x, positions, longest)
    return _turn(x, -jnp.sin(angles), jnp.cos(angles))


def sign_forgotten(x, positions=None, *, longest=10_000.0):
    angles = _angles(x, positions, longest)
    sine, cosine = jnp.sin(angles), jnp.cos(angles)
    first, second = x[..., 0::2], x[..., 1::2]
    turned = jnp.stack([first * cosine + second * sine, first * sine + second * cosine], axis=-1)
    return turned.reshape(x.shape).astype(x.dtype)


def added(x, positions=None, *, longest=10_000.0):
    angles = _angles(x, positions, longest)
    waves = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1).reshape(angles.shape[0], 1, -1)
    return (x + waves).astype(x.dtype)


def positions_ignored(x, positions=None, *, longest=10_000.0):
    angles = _angles(x, None, longest)
    return _turn(x, jnp.sin(angles), jnp.cos(angles))


def heads_for_positions(x, positions=None, *, longest=10_000.0):
    angles = _angles(x.swapaxes(-3, -2), None if positions is None else positions[: x.shape[-2]], longest)[:, 0, :]
    return _turn(x, jnp.sin(angles), jnp.cos(angles))


def one_speed(x, positions=None, *, longest=10_000.0):
    angles = _angles(x, positions, 1.0)
    return _turn(x, jnp.sin(angles), jnp.cos(angles))


def longest_ignored(x, positions=None, *, longest=10_000.0):
    angles = _angles(x, positions, 10_000.0)
    return _turn(x, jnp.sin(angles), jnp.cos(angles))


def dtype_widened(x, positions=None, *, longest=10_000.0):
    angles = _angles(x, positions, longest)
    return _turn(x.astype(jnp.float32), jnp.sin(angles), jnp.cos(angles))


def last_number_dropped(x, positions=None, *, longest=10_000.0):
    even = x[..., : x.shape[-1] // 2 * 2]
    angles = _angles(even, positions, longest)
    return _turn(even, jnp.sin(angles), jnp.cos(angles))
