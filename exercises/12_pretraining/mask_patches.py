"""Exercise: hide squares of a picture, and say where they are."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Bool, Float, Key


def mask_patches(
    images: Float[Array, "examples height width channels"], key: Key[Array, ""], *, patch: int, share: float
) -> tuple[Float[Array, "examples height width channels"], Bool[Array, "examples height width channels"]]:
    """Pictures with square holes in them, and where the holes are: each picture loses as many patches, but others.

    With patches of one pixel these are the corrupted inputs of the denoising autoencoder (Vincent et al. 2008), with larger
    ones those of the masked autoencoder (He et al. 2022), which cannot be guessed from the pixel beside.

    Args:
      images: pictures; patches of this size must fill them.
      key: decides which patches of which picture.
      patch: the side of a patch, in pixels.
      share: how much of each picture to hide, rounded to whole patches.

    Returns:
      The pictures, 0 in the holes; and a mask of their shape, True in the holes.

    Raises:
      ValueError: if the images are no pictures, patches do not fill them, or the share leaves none or all of them.

    References: Vincent, Larochelle, Bengio and Manzagol 2008, "Extracting and Composing Robust Features with Denoising
      Autoencoders", section 2.3; He et al. 2022, "Masked Autoencoders Are Scalable Vision Learners", section 3.
    """
    raise NotImplementedError(
        "TODO: how do you draw k of n patches, in each picture others, and how does a small grid of yes and no become pixels?"
    )
