"""Recognizing a class from a description alone: attributes predicted and looked up, a linear map, or a joint embedding.

Labels can be had for some classes only; a description costs one line. What a network learned about stripes on tigers may
then be used on a zebra that it never saw.
"""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from nn.training import softmax_cross_entropy
from transfer.few_shot import directions


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
    p, table = np.asarray(attribute_probabilities, np.float64), np.asarray(class_attributes, np.float64)
    _require_same_width("direct_attribute_prediction", "attributes", table, p, "probabilities")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"direct_attribute_prediction expects probabilities from 0 to 1, got {p.min()} to {p.max()}.")
    if not np.isin(table, (0, 1)).all():
        raise ValueError(f"direct_attribute_prediction expects attributes of 0 or 1, got {sorted(set(table.flat) - {0, 1})}.")
    scores = _log(p) @ table.T + _log(1 - p) @ (1 - table).T
    if attribute_priors is None:
        return scores
    prior = np.asarray(attribute_priors, np.float64)
    if prior.shape != p.shape[1:] or not ((prior > 0) & (prior < 1)).all():
        raise ValueError(
            f"direct_attribute_prediction expects {p.shape[1]} priors above 0 and below 1, got {attribute_priors}."
        )
    return scores - np.log(prior) @ table.T - np.log(1 - prior) @ (1 - table).T


def eszsl(
    features: Float[np.ndarray, "examples width"],
    labels: Int[np.ndarray, " examples"],
    class_attributes: Float[np.ndarray, "classes attributes"],
    *,
    gamma: float,
    lam: float,
) -> Float[np.ndarray, "width attributes"]:
    """V = (XᵀX + γI)⁻¹ XᵀYS (SᵀS + λI)⁻¹: the linear map by which features and a class's attributes are compared.

    It minimizes ‖XVSᵀ − Y‖² + γ‖VSᵀ‖² + λ‖XV‖² + γλ‖V‖², in which X are the features, S the attributes of the classes, and Y
    is 1 where an example is of a class, −1 elsewhere. Two linear systems solve it; nothing is trained.

    Args:
      features: X, of examples of the seen classes.
      labels: the row of `class_attributes` that each is of.
      class_attributes: S, the seen classes alone, real numbers; each class needs an example.
      gamma: γ above 0, against large weights on features.
      lam: λ above 0, against large weights on attributes.

    Returns:
      V, float64; `eszsl_scores` reads it.

    Raises:
      ValueError: if there are not as many labels as features, a label is no class, a class has no example, or γ or λ is not
        above 0.

    Reference: Romera-Paredes and Torr 2015, "An embarrassingly simple approach to zero-shot learning", eq. 6 (there examples
      are columns).
    """
    x, s = np.asarray(features, np.float64), np.asarray(class_attributes, np.float64)
    if len(x) != len(labels):
        raise ValueError(f"eszsl expects a label for each row of features, got {len(x)} rows, {len(labels)} labels.")
    found = set(np.unique(labels).tolist())
    if found != set(range(len(s))):
        raise ValueError(
            f"eszsl expects examples of each of its {len(s)} classes and of no other, got none of "
            f"{sorted(set(range(len(s))) - found)}, and labels {sorted(found - set(range(len(s))))} outside."
        )
    for name, weight in (("gamma", gamma), ("lam", lam)):
        if not weight > 0:
            raise ValueError(f"eszsl expects {name} above 0, got {name}={weight}.")
    y = np.where(np.asarray(labels)[:, None] == np.arange(len(s)), 1.0, -1.0)
    left = np.linalg.solve(x.T @ x + gamma * np.eye(x.shape[1]), x.T @ y @ s)
    return np.linalg.solve(s.T @ s + lam * np.eye(s.shape[1]), left.T).T  # the matrix on the right is symmetric


def eszsl_scores(
    features: Float[np.ndarray, "examples width"],
    compatibility: Float[np.ndarray, "width attributes"],
    class_attributes: Float[np.ndarray, "classes attributes"],
) -> Float[np.ndarray, "examples classes"]:
    """x V aᶻ for each example and class, seen or not; the largest is the answer (Romera-Paredes and Torr 2015).

    Raises:
      ValueError: if V does not fit the features or the attributes.
    """
    x, v, s = (np.asarray(array, np.float64) for array in (features, compatibility, class_attributes))
    _require_same_width("eszsl_scores", "rows of the compatibility", v.T, x, "features")
    _require_same_width("eszsl_scores", "columns of the compatibility", v, s, "attributes")
    return x @ v @ s.T


def harmonic_mean(seen_accuracy: float, unseen_accuracy: float) -> float:
    """2su / (s + u), the score of a model that must know seen classes *and* unseen ones: as low as the lower of the two is.

    Reference: Xian, Lampert, Schiele and Akata 2019, "Zero-Shot Learning: A Comprehensive Evaluation of the Good,
      the Bad and the Ugly", section 4.
    """
    total = seen_accuracy + unseen_accuracy
    return 2 * seen_accuracy * unseen_accuracy / total if total > 0 else 0.0


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
    if image_embeddings.shape != text_embeddings.shape:
        raise ValueError(
            f"contrastive_loss expects a text for each image, in embeddings of one shape, got {image_embeddings.shape} and "
            f"{text_embeddings.shape}."
        )
    if not isinstance(temperature, Tracer) and not float(temperature) > 0:
        raise ValueError(f"contrastive_loss expects a temperature above 0, got {temperature}.")
    logits = directions(image_embeddings) @ directions(text_embeddings).T / temperature
    partners = jnp.arange(len(logits))
    of_images, of_texts = softmax_cross_entropy(logits, partners), softmax_cross_entropy(logits.T, partners)
    return (of_images.mean() + of_texts.mean()) / 2


def _log(p: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(p, np.finfo(np.float64).tiny))


def _require_same_width(function: str, what: str, expected: np.ndarray, got: np.ndarray, name: str) -> None:
    if expected.shape[-1] != got.shape[-1]:
        raise ValueError(f"{function} expects as many {name} as there are {what}, {expected.shape[-1]}, got {got.shape[-1]}.")
