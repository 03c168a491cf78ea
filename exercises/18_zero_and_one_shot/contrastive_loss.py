"""Exercise: the loss of a joint embedding of pictures and texts."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def contrastive_loss(
    image_embeddings: Float[Array, "pairs width"],
    text_embeddings: Float[Array, "pairs width"],
    temperature: float | Float[Array, ""] = 0.1,
) -> Float[Array, ""]:
    """How hard it is, in nats, to find each image's text among all texts of the batch, and each text's image.

    The scores are the cosines of all images with all texts, divided by the temperature. Row i is a classification of image i
    whose right class is text i, column i one of text i; the loss is the mean of the cross-entropies of both.

    Args:
      image_embeddings: row i belongs to row i of the texts. Lengths do not matter, only directions.
      text_embeddings: what a second network makes of the texts.
      temperature: above 0; small: only the most alike of the wrong ones count.

    Raises:
      ValueError: if the two differ in shape, or the temperature is known and not above 0.

    Reference: Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision" (CLIP), figure 3.
    """
    raise NotImplementedError(
        "TODO: in the table of all pictures and all texts, where do the right pairs stand, and along which axes must each win?"
    )
