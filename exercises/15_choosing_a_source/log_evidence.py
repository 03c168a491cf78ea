"""Exercise: how probable were these targets, before a single weight was fitted to them?"""

import numpy as np
from jaxtyping import Float


def log_evidence(
    features: Float[np.ndarray, "examples width"], targets: Float[np.ndarray, " examples"], *, alpha: float, beta: float
) -> float:
    """How probable a linear model makes the targets before it has seen any: log p(targets | features), in nats.

    The model is targets = features · w + noise, with every weight from N(0, 1/α) and the noise of every example from
    N(0, 1/β). What is left when all weights are averaged over is one normal density: N(0, I/β + features · featuresᵀ/α).

    Args:
      features: a row for each example.
      targets: the number to predict for each.
      alpha: 1 / the variance of a weight; above 0.
      beta: 1 / the variance of the noise; above 0.

    Raises:
      ValueError: if there is not one target for each row, or alpha or beta is not above 0.

    Reference: Bishop 2006, "Pattern Recognition and Machine Learning", eq. 2.115 and section 3.5.1.
    """
    raise NotImplementedError(
        "TODO: if the weights are random, the targets are; what is their mean, and what is their covariance?"
    )
