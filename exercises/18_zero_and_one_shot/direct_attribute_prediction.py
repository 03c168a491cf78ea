"""Exercise: direct attribute prediction, which names a class by its description."""

import numpy as np
from jaxtyping import Float


def direct_attribute_prediction(
    attribute_probabilities: Float[np.ndarray, "examples attributes"],
    class_attributes: Float[np.ndarray, "classes attributes"],
    *,
    attribute_priors: Float[np.ndarray, " attributes"] | None = None,
) -> Float[np.ndarray, "examples classes"]:
    """How well each description fits what was seen: Σₘ log p(aₘ = aₘᶻ | x) − log p(aₘ = aₘᶻ), for each example x and class z.

    An attribute that the class lacks counts as much as one that it has: there the term is that of 1 − p. A probability of 0
    is taken for the smallest positive number of float64 (tiny): a class that contradicts what is certain falls far behind, and
    no score is infinite.

    Args:
      attribute_probabilities: p(aₘ = 1 | x), from 0 to 1, each attribute predicted on its own.
      class_attributes: aᶻ, 1 where a class has an attribute and 0 where it has not.
      attribute_priors: p(aₘ = 1) among the classes trained on, above 0 and below 1. None takes no prior off: the scores are
        then in the order that priors of ½ each would give.

    Returns:
      Scores in nats, float64: the class with the largest is the answer. They are log-probabilities but for what all classes
      of an example have in common.

    Raises:
      ValueError: if the two tables differ in their attributes, a probability is outside of its range, or an attribute of a
        class is neither 0 nor 1.

    Reference: Lampert, Nickisch and Harmeling 2009, "Learning to Detect Unseen Object Classes by Between-Class Attribute
      Transfer", eq. 2.
    """
    raise NotImplementedError(
        "TODO: for an attribute that the class lacks, is it p or 1 − p, and what is a product of 2,000 such numbers?"
    )
