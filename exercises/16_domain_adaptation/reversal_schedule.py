"""Exercise: how loud the domain classifier may speak, and when."""

import numpy as np  # noqa: F401 (for your answer)


def reversal_schedule(progress: float) -> float:
    """How much of its full strength a reversal has after a share of the training: 2 / (1 + exp(−10 progress)) − 1.

    0 at the start, where the domain classifier knows nothing yet and its gradient is noise; above 0.98 from the middle on.

    Args:
      progress: the share of the steps that is done, from 0 to 1.

    Raises:
      ValueError: if progress is not between 0 and 1.

    Reference: Ganin et al. 2016, section 5.2 (γ = 10).
    """
    raise NotImplementedError(
        "TODO: what does the domain classifier know at the first step, and what would its gradient do to the features?"
    )
