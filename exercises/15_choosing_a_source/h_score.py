"""Exercise: how far apart do features put the classes, measured in how much the features vary anyway?"""

import numpy as np
from jaxtyping import Float, Int


def h_score(features: Float[np.ndarray, "examples width"], labels: Int[np.ndarray, " examples"]) -> float:
    """The H-score: how far apart the classes' means are, in units of how much the features vary.

    tr(Σ⁻¹ Σ_B), with Σ the covariance of the features and Σ_B that of the class means, each example counting with its
    class's. Directions in which the features do not vary count for nothing (the pseudo-inverse). From 0 to the number of
    classes − 1; no invertible linear map of the features changes it. With more features than examples it is
    classes − 1 for almost any features, and says nothing.

    Args:
      features: what the network makes of each labelled target image.
      labels: the class of each, as any integers.

    Raises:
      ValueError: for features that are not finite, a row without a label, or labels of one class.

    Reference: Bao, Li, Huang, Zhang, Zheng, Zamir and Guibas 2019, "An Information-Theoretic Approach to Transferability
    in Task Transfer Learning".
    """
    raise NotImplementedError(
        "TODO: which share of a single feature's variance lies between the classes, and what takes its place for many?"
    )
