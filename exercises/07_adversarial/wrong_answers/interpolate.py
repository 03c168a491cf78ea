"""Wrong answers to `interpolate` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def ends_swapped(real, fake, shares):
    return _mixed(fake, real, _checked(real, fake, shares))


def one_share_for_all(real, fake, shares):
    share = _checked(real, fake, shares)[0]
    return share * real + (1 - share) * fake


def shares_on_the_last_axis(real, fake, shares):
    shares = _checked(real, fake, shares)
    if shares.shape[0] != real.shape[-1]:
        shares = jnp.resize(shares, real.shape[-1:])
    return shares * real + (1 - shares) * fake


def midpoint(real, fake, shares):
    return (real + fake) / 2 + 0 * _checked(real, fake, shares)[0]


def a_step_from_the_real(real, fake, shares):
    shares = _checked(real, fake, shares).reshape(-1, *(1,) * (real.ndim - 1))
    return real + shares * fake


def broadcasts_in_silence(real, fake, shares):
    shape = jnp.broadcast_shapes(real.shape, fake.shape)
    return _mixed(jnp.broadcast_to(real, shape), jnp.broadcast_to(fake, shape), shares)


def one_share_is_enough(real, fake, shares):
    if real.shape != fake.shape:
        raise ValueError("real and fake differ in shape.")
    return _mixed(real, fake, shares)


def _checked(real, fake, shares):
    if real.shape != fake.shape or shares.shape != real.shape[:1]:
        raise ValueError("Pairs of one shape, and a share for each.")
    return shares


def _mixed(first, second, shares):
    shares = shares.reshape(-1, *(1,) * (first.ndim - 1))
    return shares * first + (1 - shares) * second
