"""Mean and variance of numbers that come in batches: a running statistic as a value that is carried along.

A jitted function can remember nothing: what it would keep in a list or a global is a tracer, a stand-in for numbers that are
not there yet. So what is to be remembered goes in as an argument and comes out as a result.
"""

from jaxtyping import Array, Float, Int


def update_moments(
    moments: tuple[Int[Array, ""], Float[Array, "*features"], Float[Array, "*features"]], x: Float[Array, "batch *features"]
) -> tuple[Int[Array, ""], Float[Array, "*features"], Float[Array, "*features"]]:
    """The moments of all that was seen before and of a new batch, without what was seen before.

    The variance so far is the third moment divided by the first. Sums of x² would lose it where the mean is large.

    Args:
      moments: the number of examples, their mean and the sum of their squared differences from it; zeros before the first.
      x: the new examples, one at least.

    Returns:
      The three moments of all of them, each with the shape and dtype that it had.

    Reference: Chan, Golub and LeVeque 1983, "Algorithms for Computing the Sample Variance", eq. 2.1.
    """
    count, mean, squares = moments
    x = x.astype(mean.dtype)  # so that a narrow x is summed in what the moments have
    new = x.shape[0]
    total = count + new
    share = (new / total).astype(mean.dtype)
    difference = x.mean(0) - mean
    squares = squares + new * x.var(0) + (count * share).astype(mean.dtype) * difference**2
    return total, mean + share * difference, squares
