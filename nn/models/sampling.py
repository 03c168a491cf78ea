"""Sampling: from a model's scores to one token. Always the likeliest makes dull text; any that is possible makes nonsense."""

import math

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, Int, Key

Logits = Float[Array, "*batch vocabulary"]
Number = float | Float[Array, ""] | Int[Array, ""]
Count = int | Int[Array, ""]


def top_k_filter(logits: Logits, k: Count) -> Logits:
    """Keeps the k largest scores and makes all others −∞, which the softmax turns into a chance of 0.

    Args:
      logits: scores before the softmax.
      k: how many to keep, of equal ones the first; all of them if k is larger than the vocabulary.

    Raises:
      ValueError: for k below 1, outside of `jax.jit`.

    Reference: Fan, Lewis and Dauphin 2018, "Hierarchical Neural Story Generation", section 5.2.
    """
    _require_number("top_k_filter", "k", k, 1)
    return jnp.where(_ranks(logits) < k, logits, -jnp.inf)


def top_p_filter(logits: Logits, p: Number) -> Logits:
    """Keeps the smallest set of likeliest tokens whose chances add up to p or more, and makes all other scores −∞.

    Where the model is sure, few tokens are left; where it is not, many.

    Args:
      logits: scores before the softmax.
      p: from 0 to 1. The likeliest token is always kept.

    Raises:
      ValueError: for p outside 0 to 1, outside of `jax.jit`.

    Reference: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.1 (nucleus sampling).
    """
    _require_number("top_p_filter", "p", p, 0, 1)
    # A token is needed if those before it do not reach p: if it and all behind it hold more than 1 − p. Summed from the
    # smallest, since from the largest on the sum would round to 1 before the end.
    held = jnp.cumsum(jnp.sort(jax.nn.softmax(logits), axis=-1), axis=-1)[..., ::-1]
    needed = (held > 1 - p).at[..., 0].set(True)
    return jnp.where(jnp.take_along_axis(needed, _ranks(logits), axis=-1), logits, -jnp.inf)


def sample_token(
    key: Key[Array, ""],
    logits: Logits,
    *,
    temperature: Number = 1.0,
    top_k: Count | None = None,
    top_p: Number | None = None,
) -> Int[Array, "*batch"]:
    """Draws a token from softmax(logits / temperature), cut down to `top_k` tokens, then to `top_p` of the chances.

    Args:
      key: the randomness; the same key draws the same token.
      logits: scores before the softmax.
      temperature: 1 draws as the model says; below, likely tokens become likelier; 0 takes the likeliest (greedy).
      top_k: as in `top_k_filter`; None for all tokens.
      top_p: as in `top_p_filter`; None for all tokens.

    Raises:
      ValueError: for a temperature below 0, or as the filters do, outside of `jax.jit`.

    Reference: Ackley, Hinton and Sejnowski 1985, "A Learning Algorithm for Boltzmann Machines", eq. 5 (temperature).
    """
    _require_number("sample_token", "a temperature", temperature, 0)
    # In bfloat16 the noise of the draw has few values: of the many that tie, the first token would win.
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    greedy = temperature == 0
    # The largest score is taken off first: divided by a tiny temperature, the rest goes to −∞ and nothing to +∞.
    scores = (logits - logits.max(-1, keepdims=True)) / jnp.where(greedy, 1, temperature)
    scores = scores if top_k is None else top_k_filter(scores, top_k)
    scores = scores if top_p is None else top_p_filter(scores, top_p)
    return jnp.where(greedy, logits.argmax(-1), jax.random.categorical(key, scores))


def _require_number(function, name, number, low, high=math.inf):
    """Arguments of a `jax.jit` are not known yet inside of it, and are not checked."""
    if not isinstance(number, Tracer) and not low <= float(number) <= high:
        bounds = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
        raise ValueError(f"{function} expects {name} {bounds}, got {number}.")


def _ranks(logits):
    """The place of each score among those of its row: 0 for the largest; of equal ones, the first comes first."""
    return jnp.argsort(jnp.argsort(-logits, axis=-1), axis=-1)
