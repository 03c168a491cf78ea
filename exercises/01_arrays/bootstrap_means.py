"""Exercise: how far could an accuracy have come out otherwise? Draw the examples again, a thousand times, each time anew."""

import jax  # noqa: F401 (for your answer)
from jaxtyping import Array, Float, Key


def bootstrap_means(key: Key[Array, ""], values: Float[Array, " n"], resamples: int = 1000) -> Float[Array, " resamples"]:
    """Means of resamples: each of n values, drawn from the n at hand with replacement, independently of all others.

    Their spread estimates that of the mean itself; the middle 95% of them are the percentile interval around it.

    Args:
      key: decides the draws; the same key gives the same means.
      values: a number for each example, such as 1 for right and 0 for wrong.
      resamples: how many.

    Raises:
      ValueError: if there are no values, or resamples is below 1.

    Reference: Efron 1979, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7.
    """
    raise NotImplementedError("TODO: one key gives one resample; where do the keys of the others come from?")
