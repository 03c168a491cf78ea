"""Exercise: can anyone tell the two domains apart?

scikit-learn has linear classifiers, such as `sklearn.linear_model.LogisticRegression`.
"""

import numpy as np
from jaxtyping import Float


def proxy_a_distance(
    source_features: Float[np.ndarray, "examples width"], target_features: Float[np.ndarray, "others width"], *, seed: int
) -> float:
    """How well a linear classifier tells two sets apart: 2 (1 − 2ε), with ε its share of errors on examples it has not seen.

    0 where it can only guess, 2 where it makes no mistake; by chance it can come out a little below 0. As many examples of
    either set are used, the smaller number, drawn at random: otherwise guessing the larger set would look like a distance.
    Half of them train the classifier, the other half give ε.

    Args:
      source_features, target_features: one row an example.
      seed: decides which examples are used, and which half they are in.

    Raises:
      ValueError: if the two differ in width, or one has fewer than four rows.

    References:
      Ben-David et al. 2007, "Analysis of Representations for Domain Adaptation".
      Ganin et al. 2016, "Domain-Adversarial Training of Neural Networks", section 3.2.
    """
    raise NotImplementedError(
        "TODO: on which examples does a classifier look better than it is, and what if one set is much larger?"
    )
