"""Learning a class from a few examples: prototypes, and the losses that train features for classes yet to come.

A classifier fits the classes that it is given. To be ready for new ones, practise on tasks like the one to come: draw a few
classes, show a few examples of each, ask about others, and repeat with other classes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from nn.training import masked_mean, softmax_cross_entropy


def sample_episode(
    labels: Int[np.ndarray, " examples"], *, ways: int, shots: int, queries: int, seed: int | np.random.Generator
) -> tuple[Int[np.ndarray, "ways shots"], Int[np.ndarray, "ways queries"]]:
    """A small task out of a large set: some classes at random, and of each some examples to learn from and others to ask about.

    Every class has the same chance, and so has every example of a class. No example is drawn twice.

    Args:
      labels: the class of each example of the set; any integers.
      ways: how many classes.
      shots: examples of each in the support set, which is learned from.
      queries: examples of each in the query set, which is asked about.
      seed: a number, or a generator that is to give another task each time.

    Returns:
      Places in `labels` of the support set and of the query set, one row a class: the row is the class's label in the task.

    Raises:
      ValueError: if one of the counts is below 1, or the set has fewer classes than `ways`, or a class of it, drawn or not, has
        fewer examples than `shots` and `queries` together.

    Reference: Vinyals et al. 2016, "Matching Networks for One Shot Learning", section 2.2.
    """
    if min(ways, shots, queries) < 1:
        raise ValueError(f"sample_episode expects counts of at least 1, got ways={ways}, shots={shots}, queries={queries}.")
    classes, counts = np.unique(labels, return_counts=True)
    if ways > len(classes):
        raise ValueError(f"sample_episode expects at most as many ways as there are classes, {len(classes)}, got {ways}.")
    if counts.min() < shots + queries:
        raise ValueError(
            f"sample_episode expects {shots + queries} examples of each class, got {counts.min()} of class "
            f"{classes[counts.argmin()]}."
        )
    random = np.random.default_rng(seed)
    chosen = random.choice(classes, ways, replace=False)
    members = [random.choice(np.flatnonzero(labels == c), shots + queries, replace=False) for c in chosen]
    return np.stack(members)[:, :shots], np.stack(members)[:, shots:]


@dataclass(frozen=True, kw_only=True, eq=False)
class Episodes:
    """Episodes without end, as batches for `nn.training.fit`: `support`, `support_labels`, `queries` and `query_labels`.

    Images stand class by class, and labels count from 0 in every episode. Episode number `step` depends on the seed and `step`
    alone, so that a run can be resumed.

    Args:
      images: (examples, …), those of the classes to practise on.
      labels: the class of each.
      ways, shots, queries: as for `sample_episode`, which also says what is refused.
      seed: decides all episodes.
    """

    images: np.ndarray
    labels: Int[np.ndarray, " examples"]
    ways: int
    shots: int
    queries: int
    seed: int
    first_step: int = 0

    @property
    def settings(self) -> dict[str, int]:
        """What decides the episodes beside the examples: a resumed run compares it with the run that it goes on from."""
        names = ("ways", "shots", "queries", "seed")
        return {"examples": len(self.images), **{name: int(getattr(self, name)) for name in names}}

    def from_step(self, step: int) -> "Episodes":
        """These episodes from number `step` on."""
        return replace(self, first_step=step)

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        counts = {"ways": self.ways, "shots": self.shots, "queries": self.queries}
        rows, step = np.arange(self.ways, dtype=np.int32), self.first_step
        while True:
            support, queries = sample_episode(self.labels, **counts, seed=np.random.default_rng((self.seed, step)))
            yield {
                "support": self.images[support.ravel()],
                "support_labels": rows.repeat(self.shots),
                "queries": self.images[queries.ravel()],
                "query_labels": rows.repeat(self.queries),
            }
            step += 1


def unit_length(features: Float[np.ndarray, "examples width"]) -> Float[np.ndarray, "examples width"]:
    """Each row divided by its length, so that only its direction counts; a row of zeros stays."""
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    return features / np.maximum(lengths, np.finfo(features.dtype).tiny)


def directions(vectors: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
    """`unit_length` for use inside a loss: a row of zeros stays, and its slope is finite."""
    return vectors * jax.lax.rsqrt(jnp.maximum((vectors**2).sum(-1, keepdims=True), 1e-12))


def class_prototypes(
    features: Float[np.ndarray, "examples width"], labels: Int[np.ndarray, " examples"], classes: int
) -> Float[np.ndarray, "classes width"]:
    """The mean of each class's features: Snell, Swersky and Zemel 2017, "Prototypical Networks for Few-shot Learning", eq. 1.

    Raises:
      ValueError: if there are not as many labels as features, a label is outside the classes, or a class has no example.
    """
    if len(features) != len(labels):
        raise ValueError(f"class_prototypes expects a label for each row, got {len(features)} rows, {len(labels)} labels.")
    outside = sorted(set(np.unique(labels).tolist()) - set(range(classes)))
    if outside:
        raise ValueError(f"class_prototypes expects labels from 0 to {classes - 1}, got {outside}.")
    missing = sorted(set(range(classes)) - set(np.unique(labels).tolist()))
    if missing:
        raise ValueError(f"class_prototypes expects an example of each of {classes} classes, got none of {missing}.")
    return np.stack([features[labels == c].mean(0) for c in range(classes)])


def prototype_logits(
    queries: Float[np.ndarray, "examples width"], prototypes: Float[np.ndarray, "classes width"]
) -> Float[np.ndarray, "examples classes"]:
    """Minus the squared distance of each query to each prototype: the scores of Snell et al. 2017, eq. 2.

    Raises:
      ValueError: if the two differ in width.
    """
    if queries.shape[-1] != prototypes.shape[-1]:
        raise ValueError(
            f"prototype_logits expects queries as wide as the prototypes, {prototypes.shape[-1]}, got {queries.shape[-1]}."
        )
    # |q − p|² = |q|² − 2 q·p + |p|²: a matrix product instead of an array of every difference.
    return 2 * queries @ prototypes.T - (prototypes**2).sum(-1) - (queries**2).sum(-1, keepdims=True)


def prototype_accuracy(
    support: Float[np.ndarray, "examples width"],
    support_labels: Int[np.ndarray, " examples"],
    queries: Float[np.ndarray, "queries width"],
    query_labels: Int[np.ndarray, " queries"],
    *,
    classes: int,
) -> float:
    """The share of queries whose nearest prototype is their own class's. Directions are compared, not lengths."""
    prototypes = class_prototypes(unit_length(support), support_labels, classes)
    logits = prototype_logits(unit_length(queries), unit_length(prototypes))
    if query_labels.shape != logits.shape[:-1]:
        raise ValueError(f"prototype_accuracy expects {len(logits)} query labels, got query_labels.shape={query_labels.shape}.")
    right = (logits.argmax(-1) == query_labels) & ~np.isnan(logits).any(-1)  # NaN is no answer
    return float(right.mean())


def prototypical_loss(
    support_features: Float[Array, "support width"],
    support_labels: Int[Array, " support"],
    query_features: Float[Array, "queries width"],
    query_labels: Int[Array, " queries"],
    classes: int,
) -> Float[Array, ""]:
    """How surprised, in nats a query, the nearest prototype is by the right answers; for training the features.

    The prototypes are the classes' means in the support set alone. Minus the squared distances to them are the scores of a
    query, and the loss is the mean cross-entropy of its softmax.

    Args:
      support_features: of the examples that may be learned from.
      support_labels: from 0 to classes − 1, each at least once; a class without an example gives NaN.
      query_features: of the examples asked about.
      query_labels: from 0 to classes − 1.
      classes: how many there are in the task.

    Raises:
      ValueError: if there is not one label for each row of features, or the two sets differ in width.

    Reference: Snell, Swersky and Zemel 2017, "Prototypical Networks for Few-shot Learning", eq. 2 and algorithm 1.
    """
    _require_labelled("prototypical_loss", support_features, support_labels, query_features)
    members = jax.nn.one_hot(support_labels, classes, dtype=support_features.dtype, axis=0)  # (classes, support)
    prototypes = members @ support_features / members.sum(1, keepdims=True)
    differences = query_features[:, None] - prototypes[None]
    return softmax_cross_entropy(-(differences**2).sum(-1), query_labels).mean()


def matching_probabilities(
    support: Float[Array | np.ndarray, "support width"],
    support_labels: Int[Array | np.ndarray, " support"],
    queries: Float[Array | np.ndarray, "queries width"],
    classes: int,
) -> Float[Array, "queries classes"]:
    """Each query asks all examples that are labelled, and listens most to those most like it: p(y | x) = Σᵢ a(x, xᵢ) [yᵢ = y].

    The attention a(x, xᵢ) is the softmax over all examples of the cosine of x and xᵢ. It is at most e² times as large for one
    example as for another, so a class's number of examples counts too.

    Args:
      support: features of the labelled examples.
      support_labels: from 0 to classes − 1.
      queries: features of the examples asked about.
      classes: how many there are.

    Returns:
      Probabilities: each row sums to 1. For a loss take −log of the right class's, by `jnp.log`.

    Raises:
      ValueError: if there is not one label for each labelled example, or the two sets differ in width.

    Reference: Vinyals et al. 2016, "Matching Networks for One Shot Learning", eq. 1 and section 2.1.1.
    """
    _require_labelled("matching_probabilities", support, support_labels, queries)
    support, queries = directions(jnp.asarray(support)), directions(jnp.asarray(queries))
    attention = jax.nn.softmax(queries @ support.T, axis=-1)
    return attention @ jax.nn.one_hot(support_labels, classes, dtype=attention.dtype)


def contrastive_pair_loss(
    left: Float[Array, "pairs width"],
    right: Float[Array, "pairs width"],
    same: Bool[Array, " pairs"],
    *,
    margin: float = 1.0,
) -> Float[Array, ""]:
    """The loss of a Siamese network, one network that reads both of a pair: ½ D² for two of one class, else ½ max(0, m − D)².

    D is the distance of the two features. Pairs of one class are pulled together; others are pushed apart until they are the
    margin m apart, and then left alone. The mean over the pairs is returned.

    Args:
      left: features of the first of each pair.
      right: features of the second.
      same: whether the two are of one class.
      margin: m, above 0.

    Raises:
      ValueError: if the two differ in shape, there is not one answer for each pair, or the margin is not above 0.

    Reference: Hadsell, Chopra and LeCun 2006, "Dimensionality Reduction by Learning an Invariant Mapping", eq. 4.
    """
    if left.shape != right.shape or same.shape != left.shape[:1]:
        raise ValueError(
            f"contrastive_pair_loss expects two of one shape (pairs, width) and an answer for each pair, got {left.shape}, "
            f"{right.shape} and {same.shape}."
        )
    if not margin > 0:
        raise ValueError(f"contrastive_pair_loss expects a margin above 0, got {margin}.")
    squared = ((left - right) ** 2).sum(-1)
    # The slope of √ at 0 is infinite; a pair that coincides gets none.
    distance = jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0)
    return masked_mean(jnp.where(same, squared, jnp.maximum(margin - distance, 0) ** 2) / 2)


def _require_labelled(function: str, support, labels, queries) -> None:
    if labels.shape != support.shape[:1] or support.shape[-1] != queries.shape[-1]:
        raise ValueError(
            f"{function} expects a label for each example and queries as wide as the examples, got features "
            f"{support.shape}, labels {labels.shape} and queries {queries.shape}."
        )
