"""Domain adaptation: labels from one domain, data from another, and features that are to serve both.

The *source* comes with labels, the *target* without. A network that reads both can learn to classify the source while its
features, the numbers before its head, are kept alike in the two domains: then a head that is right in one has a chance to be
right in the other. The methods here differ in what they call alike. No function of this file takes a label of the target.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from nn.data import Batches, Dataset
from nn.models import MLP, Classifier, MLPConfig
from nn.training import History, accuracy, cosine_adam, fit, predict, sigmoid_cross_entropy, softmax_cross_entropy
from transfer.domain_distances import coral_distance, mmd
from transfer.fine_tuning import fine_tune

AdaptationMethod = Literal["none", "coral", "mmd", "dann", "cdan"]

# The same for all data. No target label is needed to justify them, though earlier trials on lesson 16's own pair of domains had
# shown their order of size. MMD's comes as it is. CORAL's makes its term of the order of the loss that it stands beside, as
# Sun and Saenko choose theirs. DANN's and CDAN's are the largest power of ten that costs next to nothing on source images that
# were held out; lesson 16 shows what 1 costs DANN there, and it costs CDAN 2.1 points [1.1, 3.2] (ten seeds; 0.1 nothing).
WEIGHTS: dict[str, float] = {"none": 0.0, "coral": 100.0, "mmd": 1.0, "dann": 0.1, "cdan": 0.1}
BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # in units of the batch's own root mean square distance
DOMAIN_HIDDEN = 64  # units of the domain classifier


def reverse_gradient(x: Float[Array, "*shape"], strength: float | Float[Array, ""]) -> Float[Array, "*shape"]:
    """x itself on the way forward; on the way back the gradient times −strength.

    Put between features and a classifier of domains, it makes one descent do two things at once: the classifier learns to tell
    the domains apart, and the features learn to make that hard.

    Args:
      x: features.
      strength: λ, at least 0; how much the features are to care. It gets no gradient itself.

    Returns:
      x, unchanged to the last bit.

    Raises:
      ValueError: for a strength that is below 0 or NaN, outside of `jax.jit`.

    Reference: Ganin et al. 2016, "Domain-Adversarial Training of Neural Networks", section 4.
    """
    if not isinstance(strength, Tracer) and not float(strength) >= 0:
        raise ValueError(f"reverse_gradient expects a strength of at least 0, got {strength}.")
    return _reversal(x, strength)


@jax.custom_vjp
def _reversal(x, strength):
    return x


def _reversal_forward(x, strength):
    return x, strength


def _reversal_backward(strength, gradient):
    return -strength * gradient, jnp.zeros_like(strength)


_reversal.defvjp(_reversal_forward, _reversal_backward)


def reversal_schedule(progress: float) -> float:
    """How much of its full strength a reversal has after a share of the training: 2 / (1 + exp(−10 progress)) − 1.

    0 at the start, where the domain classifier knows nothing yet and its gradient is noise; above 0.98 from the middle on.

    Args:
      progress: the share of the steps that is done, from 0 to 1.

    Raises:
      ValueError: if progress is not between 0 and 1.

    Reference: Ganin et al. 2016, section 5.2 (γ = 10).
    """
    if not 0 <= progress <= 1:
        raise ValueError(f"reversal_schedule expects progress between 0 and 1, got {progress}.")
    return float(2 / (1 + np.exp(-10 * progress)) - 1)


def conditional_map(
    features: Float[Array, "*batch width"], probabilities: Float[Array, "*batch classes"]
) -> Float[Array, "*batch products"]:
    """Every feature times every class probability: what CDAN's domain classifier sees.

    With it the domains are compared class by class, as the network sees the classes, and not only as a whole.

    Returns:
      width · classes numbers an example: the features times the first probability, times the second, and so on.

    Raises:
      ValueError: if the two differ in the axes before the last.

    Reference: Long et al. 2018, "Conditional Adversarial Domain Adaptation" (the multilinear map T⊗).
    """
    if features.shape[:-1] != probabilities.shape[:-1]:
        raise ValueError(
            "conditional_map expects probabilities for each row of features, got "
            f"features.shape={features.shape}, probabilities.shape={probabilities.shape}."
        )
    products = probabilities[..., :, None] * features[..., None, :]
    return products.reshape(*features.shape[:-1], -1)


def pseudo_labels(
    probabilities: Float[np.ndarray, "examples classes"], threshold: float
) -> tuple[Int[np.ndarray, " examples"], Bool[np.ndarray, " examples"]]:
    """The classes that a network would give to examples without labels, and for which of them it is sure enough.

    Args:
      probabilities: one row an example, each with the sum 1.
      threshold: how probable the likeliest class has to be, from 0 to 1; one that is just as probable as that counts.

    Returns:
      The likeliest class of every example, and True where it reaches the threshold.

    Raises:
      ValueError: if the threshold is not between 0 and 1, or a row does not have the sum 1.

    Reference: Lee 2013, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks".
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"pseudo_labels expects a threshold between 0 and 1, got {threshold}.")
    sums = probabilities.sum(-1)
    if not np.allclose(sums, 1, atol=1e-3):  # also refuses NaN
        raise ValueError(
            f"pseudo_labels expects rows of probabilities, each with the sum 1, got sums such as {sums.flat[0]:.4g}."
        )
    return probabilities.argmax(-1).astype(np.int32), probabilities.max(-1) >= threshold


@dataclass(frozen=True)
class DomainBatches:
    """Batches of a labelled source and an unlabelled target, side by side: what `nn.training.fit` needs to adapt.

    Each batch has `image`, the source's before the target's; `label`, the source's alone; and `weight`, how much the two
    domains' likeness counts at this step: `weight` times `reversal_schedule` of the share of the steps that is done.
    """

    source: Batches
    target: Batches
    weight: float
    steps: int

    def from_step(self, step: int) -> "DomainBatches":
        """The same batches, beginning at a step."""
        return replace(self, source=self.source.from_step(step), target=self.target.from_step(step))

    @property
    def settings(self) -> dict[str, object]:
        """What decides the batches, for the checkpoints of `nn.training.fit`."""
        return {
            "source": self.source.settings,
            "target": self.target.settings,
            "weight": self.weight,
            "steps": self.steps,
        }

    def __iter__(self) -> Iterator[dict[str, Any]]:
        pairs = zip(self.source, self.target, strict=False)
        for step, (source, target) in enumerate(pairs, self.source.first_step):
            ramp = reversal_schedule(min(step / self.steps, 1.0))
            yield {
                "image": np.concatenate([source["image"], target["image"]]),
                "label": source["label"],
                "weight": np.float32(self.weight * ramp),
            }


class AdaptingNetwork(nnx.Module):
    """A network and beside it, where the method has one, the classifier of domains: trained together, kept apart afterwards."""

    def __init__(self, network: Classifier, domain_inputs: int, *, rngs: nnx.Rngs):
        self.network = network
        config = MLPConfig(in_features=domain_inputs, hidden=(DOMAIN_HIDDEN,), out_features=1)
        self.domain_classifier = MLP(config, rngs=rngs)


def _none(model: AdaptingNetwork, features: Array, logits: Array, sources: int, weight: Array) -> Array:
    return jnp.zeros(())


def _coral(model: AdaptingNetwork, features: Array, logits: Array, sources: int, weight: Array) -> Array:
    return weight * coral_distance(features[:sources], features[sources:])


def _mmd(model: AdaptingNetwork, features: Array, logits: Array, sources: int, weight: Array) -> Array:
    # Two examples drawn from the batch are on average 2 · variance apart, squared: the scale that the features have by now.
    # It is no way to lower the loss, so no gradient goes through it.
    scale = jnp.sqrt(2 * jax.lax.stop_gradient(features).var(0).sum() + 1e-12)
    return weight * mmd(features[:sources], features[sources:], scale * jnp.asarray(BANDWIDTHS))


def _dann(model: AdaptingNetwork, features: Array, logits: Array, sources: int, weight: Array) -> Array:
    return _domain_loss(model, reverse_gradient(features, weight), sources)


def _cdan(model: AdaptingNetwork, features: Array, logits: Array, sources: int, weight: Array) -> Array:
    # The probabilities say which class to compare; they are not to be changed by the comparison, as in the authors' code.
    probabilities = jax.nn.softmax(jax.lax.stop_gradient(logits))
    return _domain_loss(model, conditional_map(reverse_gradient(features, weight), probabilities), sources)


def _domain_loss(model: AdaptingNetwork, inputs: Array, sources: int) -> Array:
    """The domain classifier's cross-entropy; 1 stands for the source."""
    scores = model.domain_classifier(inputs)[:, 0]
    return sigmoid_cross_entropy(scores, (jnp.arange(len(scores)) < sources).astype(scores.dtype)).mean()


def _adaptation_loss(likeness: Callable[..., Array]) -> Callable[[Any, Any], Any]:
    def loss(model: AdaptingNetwork, batch) -> tuple[Array, dict[str, Array]]:
        sources = len(batch["label"])
        features = model.network.features(batch["image"])
        logits = model.network.head(features)
        classification = softmax_cross_entropy(logits[:sources], batch["label"]).mean()
        between = likeness(model, features, logits, sources, batch["weight"])
        right = accuracy(logits[:sources], batch["label"]).mean()
        return classification + between, {"classification": classification, "domains": between, "accuracy": right}

    return loss


# Made once: `fit` compiles a loss once for each function.
_LOSSES = {
    name: _adaptation_loss(likeness)
    for name, likeness in {"none": _none, "coral": _coral, "mmd": _mmd, "dann": _dann, "cdan": _cdan}.items()
}


def adapt(
    model: Classifier,
    source_images: Float[np.ndarray, "examples ..."],
    source_labels: Int[np.ndarray, " examples"],
    target_images: Float[np.ndarray, "others ..."],
    *,
    method: AdaptationMethod,
    weight: float | None = None,
    steps: int,
    seed: int,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
) -> History:
    """Trains a model in place to classify the source, with features that are alike in the source and the target.

    Args:
      model: a classifier with a head for the source's labels.
      source_images, source_labels: what there are labels for.
      target_images: what the model is wanted for. Their labels are no argument of this function, and of no other one here.
      method: "none" for the source alone; "coral" for like covariances; "mmd" for like distributions of the features; "dann"
        for features that a classifier of domains cannot tell apart; "cdan" for the same within each class.
      weight: how much likeness counts, reached along `reversal_schedule`; for "dann" and "cdan" it is the strength of the
        reversal. None for `WEIGHTS`, which are fixed once and for all data. There are no target labels to choose a better
        one with, and to borrow some for it is to do something else than domain adaptation.
      steps: how many batches.
      seed: decides the order of the examples, and where the domain classifier begins.
      learning_rate: where Adam's begins; it falls to 0 along half a cosine.
      batch_size: examples of either domain a step; all of the smaller one, where it has fewer.

    Returns:
      The history of `nn.training.fit`, with `classification` the source's loss, `accuracy` on the source's batches, and
      `domains`: the weighted distance, or the loss of the domain classifier (log 2 where it can only guess).

    Raises:
      ValueError: for an unknown method, or a weight below 0.
    """
    if method not in _LOSSES:
        raise ValueError(f"adapt expects a method from {', '.join(_LOSSES)}, got {method!r}.")
    weight = WEIGHTS[method] if weight is None else weight
    if not weight >= 0:
        raise ValueError(f"adapt expects a weight of at least 0, got {weight}.")
    source = Dataset.from_arrays({"image": source_images, "label": source_labels})
    target = Dataset.from_arrays({"image": target_images})
    size = min(batch_size, len(source), len(target))
    width = model.head.in_features
    adapting = AdaptingNetwork(
        model,
        width * model.head.out_features if method == "cdan" else width,
        rngs=nnx.Rngs(jax.random.fold_in(jax.random.key(seed), 16)),  # other keys than a model of the same seed has
    )
    adapting.train()
    return fit(
        adapting,
        DomainBatches(source.batches(size, seed=seed), target.batches(size, seed=seed + 1000), weight, steps),
        loss=_LOSSES[method],
        optimizer=cosine_adam(learning_rate, steps),
        steps=steps,
        log_every=min(steps, 50),
    )


def self_train(
    model: Classifier,
    source_images: Float[np.ndarray, "examples ..."],
    source_labels: Int[np.ndarray, " examples"],
    target_images: Float[np.ndarray, "others ..."],
    *,
    threshold: float = 0.9,
    rounds: int = 4,
    steps: int,
    seed: int,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
) -> list[float]:
    """Trains a model in place on the source, then on source and target with the labels that it gives to the target itself.

    Args:
      model: a classifier with a head for the source's labels.
      source_images, source_labels: what there are labels for.
      target_images: what the model is wanted for.
      threshold: how sure it has to be of a label to learn from it; see `pseudo_labels`.
      rounds: how often to train, the first time on the source alone; before each other time the target is labelled anew.
      steps: how many batches in all rounds together.
      seed: decides the order of the examples.
      learning_rate, batch_size: as for `fine_tune`, in each round.

    Returns:
      The share of the target that was labelled before each round, beginning with 0.

    Raises:
      ValueError: for fewer than 2 rounds, or fewer steps than rounds.

    Reference: Lee 2013, "Pseudo-Label".
    """
    if rounds < 2 or steps < rounds:
        raise ValueError(f"self_train expects at least 2 rounds and a step for each, got rounds={rounds}, steps={steps}.")
    shares = []
    images, labels = source_images, source_labels
    for number in range(rounds):
        if number > 0:
            logits = predict(model, target_images)
            given, sure = pseudo_labels(np.asarray(jax.nn.softmax(logits)), threshold)
            images = np.concatenate([source_images, target_images[sure]])
            labels = np.concatenate([source_labels, given[sure]])
        shares.append((len(images) - len(source_images)) / len(target_images))
        training = {"learning_rate": learning_rate, "batch_size": batch_size, "steps": steps // rounds}
        fine_tune(model, images, labels, seed=seed * rounds + number, **training)
    return shares
