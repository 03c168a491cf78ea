"""Wrong answers to `reverse_gradient` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.core
import jax.numpy as jnp


def _with_gradient(backward, forward=lambda x, strength: x):
    """A function of (x, strength) with this way back: backward(strength, gradient)."""

    @jax.custom_vjp
    def function(x, strength):
        return forward(x, strength)

    function.defvjp(lambda x, strength: (forward(x, strength), strength), backward)
    return function


def _checked(strength):
    if not isinstance(strength, jax.core.Tracer) and not strength >= 0:
        raise ValueError("The strength is below 0.")


def no_minus(x, strength):
    _checked(strength)
    return _with_gradient(lambda s, g: (s * g, jnp.zeros_like(s)))(x, strength)


def forward_too(x, strength):
    _checked(strength)
    return -strength * x


def scaled_forward(x, strength):
    _checked(strength)
    return _with_gradient(lambda s, g: (-s * g, jnp.zeros_like(s)), lambda x, s: s * x)(x, strength)


def almost_the_identity(x, strength):
    _checked(strength)
    return jax.lax.stop_gradient(x + strength * x) - strength * x


def strength_ignored(x, strength):
    _checked(strength)
    return _with_gradient(lambda s, g: (-g, jnp.zeros_like(s)))(x, strength)


def stopped(x, strength):
    _checked(strength)
    return jax.lax.stop_gradient(x)


def one_minus_strength(x, strength):
    _checked(strength)
    return _with_gradient(lambda s, g: ((1 - s) * g, jnp.zeros_like(s)))(x, strength)


def strength_is_trained(x, strength):
    _checked(strength)
    return _with_gradient(lambda s, g: (-s * g, g.sum()))(x, strength)


def any_strength_accepted(x, strength):
    return _with_gradient(lambda s, g: (-s * g, jnp.zeros_like(s)))(x, strength)
