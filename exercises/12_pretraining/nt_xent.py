"""Exercise: a classification without classes: which of all views is the partner?"""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def nt_xent(
    first: Float[Array, "pairs width"], second: Float[Array, "pairs width"], temperature: float | Float[Array, ""] = 0.5
) -> Float[Array, ""]:
    """How hard it is, in nats, to find each view's partner among all other views of the batch.

    There are 2n views of n pictures. The scores of a view are its cosines with the 2n − 1 others, divided by the temperature;
    with itself it is not compared. The right answer is the other view of its picture, and the loss is the mean cross-entropy
    of all 2n questions. Chance is log(2n − 1).

    Args:
      first: row i is what the network makes of one view of picture i. Lengths do not matter, only directions.
      second: row i is what it makes of the other view of picture i.
      temperature: above 0; small: only the most alike of the wrong ones count.

    Raises:
      ValueError: if the two differ in shape, there are fewer than two pairs, or the temperature is known and not above 0.

    Reference: Chen, Kornblith, Norouzi and Hinton 2020, "A Simple Framework for Contrastive Learning of Visual
      Representations" (SimCLR), eq. 1.
    """
    raise NotImplementedError(
        "TODO: 2n views make a table of 2n rows: where in row i does the partner stand, and which number may not count?"
    )
