"""The bootstrap: how far could a mean have come out otherwise, had chance picked other examples?

A test accuracy is a mean over the examples that happened to be in the test set; this shows how much of it is their luck.
"""

import jax
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
    if len(values) == 0 or resamples < 1:
        raise ValueError(f"bootstrap_means expects values and resamples of at least 1, got {len(values)} and {resamples}.")

    def resampled_mean(key):
        return values[jax.random.randint(key, values.shape, 0, len(values))].mean()

    return jax.vmap(resampled_mean)(jax.random.split(key, resamples))
