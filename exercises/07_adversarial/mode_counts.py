"""Exercise: how many made points lie at each mode, so that collapse is a number."""

import numpy as np
from jaxtyping import Array, Float, Int


def mode_counts(
    samples: Float[Array | np.ndarray, "samples features"], modes: Float[Array | np.ndarray, "modes features"], radius: float
) -> Int[np.ndarray, " modes"]:
    """How many samples lie at each mode: no further from it than the radius, and no other mode is nearer.

    Of two that are equally near the first one counts.

    A mode without samples has been forgotten; samples that are counted nowhere lie where no data are.

    Args:
      samples: points.
      modes: where the data are dense, such as the centres of Gaussians.
      radius: in the unit of the points, such as three standard deviations.

    Raises:
      ValueError: if samples and modes differ in features, there are no modes, or the radius is not above 0.
    """
    raise NotImplementedError(
        "TODO: to which mode does a point belong that two modes could claim, and to which one that none is near?"
    )
