"""Exercise: two networks, the same images: have they learned the same, in other units?"""

import numpy as np
from jaxtyping import Float


def cka(x: Float[np.ndarray, "examples first"], y: Float[np.ndarray, "examples second"]) -> float:
    """Linear centred kernel alignment: how alike two networks see the same images, whatever their units are called.

    ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖), Frobenius norms of centred features. From 0 to 1. A rotation of either's features or a common
    scale changes nothing; another linear map does, so that directions in which features vary much count for more. It knows
    no labels: 1 says that two networks are alike, not that either is good.

    Args:
      x: what one network makes of each image.
      y: what the other makes of the same images, in the same order; of any width.

    Raises:
      ValueError: for features that are not finite, another number of rows, or features that are the same for all images.

    Reference: Kornblith, Norouzi, Lee and Hinton 2019, "Similarity of Neural Network Representations Revisited",
    section 3.
    """
    raise NotImplementedError(
        "TODO: what stays the same when the axes of a picture are turned, and is it still there when the origin moves?"
    )
