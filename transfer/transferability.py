"""Which source to start from: scores that read a pretrained network's outputs on labelled target images, and train nothing.

Trying every network on the shelf costs a training run each. A score costs one forward pass and some linear algebra, and is
a guess at the order that the trials would give; whether it is a good one is measured in `transfer.experiments.source_choice`.
"""

import numpy as np
from jaxtyping import Float, Int

LARGEST_PRECISION = 1e8  # of `log_me`: where features fit the labels exactly, the evidence would grow without end


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
    if features.ndim != 2 or targets.shape != features.shape[:1]:
        raise ValueError(
            f"log_evidence expects a target for each row, got features.shape={features.shape}, targets.shape={targets.shape}."
        )
    if not (alpha > 0 and beta > 0):
        raise ValueError(f"log_evidence expects alpha and beta above 0, got alpha={alpha}, beta={beta}.")
    parts = _along_features(np.asarray(features, np.float64), np.asarray(targets, np.float64)[:, None])
    return float(_evidence(*parts, len(features), np.array([alpha]), np.array([beta]))[0])


def log_me(
    features: Float[np.ndarray, "examples width"],
    labels: Int[np.ndarray, " examples"],
    *,
    tolerance: float = 1e-6,
    iterations: int = 1000,
) -> float:
    """LogME, the logarithm of the maximum evidence: how well a linear head *could* do, without over-fitting.

    One column of targets for each class, 1 for its examples and 0 for the others. For each, `log_evidence` at the α and β
    that make it largest, found by MacKay's fixed point; then the mean over classes, for one example. Larger is better; the
    size has no meaning of its own. A rotation or a common scale of the features changes nothing.

    Args:
      features: what the network makes of each labelled target image.
      labels: the class of each, as any integers.
      tolerance: stop once log α and log β move by less.
      iterations: stop after as many, whatever they do.

    Raises:
      ValueError: for features that are not finite, a row without a label, or labels of one class.

    Reference: You, Liu, Wang and Long 2021, "LogME: Practical Assessment of Pre-trained Models for Transfer Learning",
    algorithm 1.
    """
    features, classes = _checked("log_me", features, labels)
    examples = len(features)
    one_vs_rest = np.eye(classes.max() + 1)[classes]
    features = features / (np.linalg.norm(features, 2) or 1.0)  # α takes up any scale; so it can be bounded
    strengths, inside, outside = _along_features(features, one_vs_rest)

    alpha, beta = np.ones(inside.shape[1]), np.ones(inside.shape[1])
    bounds = 1 / LARGEST_PRECISION, LARGEST_PRECISION
    for _ in range(iterations):
        variances = 1 / beta + strengths[:, None] / alpha
        unexplained = 1 / (beta * variances)  # of each direction, the share that the noise is held to account for
        explained = 1 - unexplained
        weights = (strengths[:, None] * inside / (alpha * variances) ** 2).sum(0)  # squared length of the mean weights
        residual = (inside * unexplained**2).sum(0) + outside
        free = unexplained.sum(0) + examples - len(strengths)
        tiny = np.finfo(float).tiny
        new_alpha = np.clip(explained.sum(0) / np.maximum(weights, tiny), *bounds)
        new_beta = np.clip(free / np.maximum(residual, tiny), *bounds)
        moved = np.abs(np.log([new_alpha / alpha, new_beta / beta])).max()
        alpha, beta = new_alpha, new_beta
        if moved < tolerance:
            break
    return float(_evidence(strengths, inside, outside, examples, alpha, beta).mean() / examples)


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
    features, classes = _checked("h_score", features, labels)
    left, singular, _ = np.linalg.svd(features - features.mean(0), full_matrices=False)
    rank = (singular > 1e-7 * np.linalg.norm(features)).sum()  # what is below is rounding, of float32 features too
    # The left singular vectors are the features made white: their covariance is I/examples, and the inverse is done with.
    white = left[:, :rank]
    return float(sum((white[classes == c].sum(0) ** 2).sum() / (classes == c).sum() for c in range(classes.max() + 1)))


def leep(source_probabilities: Float[np.ndarray, "examples source"], labels: Int[np.ndarray, " examples"]) -> float:
    """The log expected empirical prediction: how well the source's *classes* foretell the target's, in nats.

    1. From the network's probabilities θ(x)_z for its own, source classes: the joint P(y, z), the mean over examples of
       θ(x)_z where the label is y, and of 0 elsewhere.
    2. From that P(y | z) = P(y, z) / P(z), and a classifier without any training: p(y | x) = Σ_z P(y | z) θ(x)_z.
    3. The score is the mean of log p(label | x). At most 0, larger is better.

    Args:
      source_probabilities: the softmax of the network's own head on each labelled target image.
      labels: the target class of each, as any integers.

    Raises:
      ValueError: for a row without a label, labels of one class, or a row that is no probability distribution.

    Reference: Nguyen, Hassner, Seeger and Archambeau 2020, "LEEP: A New Measure to Evaluate Transferability of Learned
    Representations".
    """
    theta, classes = _checked("leep", source_probabilities, labels)
    if (theta < 0).any() or (np.abs(theta.sum(1) - 1) > 1e-3).any():
        worst = np.abs(theta.sum(1) - 1).argmax()
        raise ValueError(
            f"leep expects rows of probabilities, at least 0 and 1 together, got {theta.min():.3g} as the smallest, and a sum "
            f"of {theta[worst].sum():.6g} in row {worst}. Take the softmax of the scores first."
        )
    joint = np.eye(classes.max() + 1)[classes].T @ theta / len(theta)
    of_source = joint.sum(0)
    conditional = joint / np.where(of_source > 0, of_source, 1)  # a source class that nothing looks like: 0, and unused
    expected = (theta * conditional[classes]).sum(1)
    return float(np.log(expected).mean())


def nce(source_labels: Int[np.ndarray, " examples"], labels: Int[np.ndarray, " examples"]) -> float:
    """Minus the conditional entropy −H(label | source label), in nats: what is left to guess once the source label is known.

    0 if each source label goes with one target label alone; minus the entropy of the labels if they have nothing to do with
    each other. It is LEEP of a network that is always sure.

    Args:
      source_labels: what each target image is in the source's terms: its label there, or the network's best guess.
      labels: the target class of each; both may be any integers.

    Raises:
      ValueError: if there are not as many of one as of the other, or the labels are of one class.

    Reference: Tran, Nguyen and Hassner 2019, "Transferability and Hardness of Supervised Classification Tasks".
    """
    if source_labels.ndim != 1 or source_labels.shape != labels.shape:
        raise ValueError(
            f"nce expects a source label for each label, got source_labels.shape={source_labels.shape}, "
            f"labels.shape={labels.shape}."
        )
    y = _classes("nce", labels)
    z = np.unique(source_labels, return_inverse=True)[1]
    counts = np.zeros((y.max() + 1, z.max() + 1))
    np.add.at(counts, (y, z), 1)
    return float(np.log(counts[y, z] / counts.sum(0)[z]).mean())


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
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(f"cka expects two arrays with a row for each image, got x.shape={x.shape}, y.shape={y.shape}.")
    centred = []
    for name, features in (("x", x), ("y", y)):
        features = np.asarray(features, np.float64)
        if not np.isfinite(features).all():
            raise ValueError(f"cka expects finite features, got NaN or an infinity in {name}.")
        deviations = features - features.mean(0, keepdims=True)
        if not np.linalg.norm(deviations) > 1e-7 * np.linalg.norm(features):
            raise ValueError(f"cka expects features that differ between images, got {len(x)} equal rows in {name}.")
        centred.append(deviations)
    a, b = centred
    return float(np.linalg.norm(b.T @ a) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)))


def _along_features(features: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The only facts about features and targets (examples, columns) that the evidence depends on.

    Returns:
      The squared singular values of the features, the squared length of each target along each left singular vector
      (directions, columns), and that of what is left of it outside them all (columns).
    """
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    along = left.T @ targets
    return singular**2, along**2, ((targets - left @ along) ** 2).sum(0)


def _evidence(
    strengths: np.ndarray, inside: np.ndarray, outside: np.ndarray, examples: int, alpha: np.ndarray, beta: np.ndarray
) -> np.ndarray:
    """`log_evidence` of each column, from `_along_features`: along singular vectors the covariance is diagonal."""
    variances = 1 / beta + strengths[:, None] / alpha
    log_determinant = np.log(variances).sum(0) - (examples - len(strengths)) * np.log(beta)
    return -0.5 * (examples * np.log(2 * np.pi) + log_determinant + (inside / variances).sum(0) + beta * outside)


def _checked(function: str, features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features as float64 and labels as 0, 1, …, or a ValueError in the function's name."""
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f"{function} expects a row of numbers and a label for each example, got shapes {features.shape} and {labels.shape}."
        )
    if not np.isfinite(features).all():
        row = np.flatnonzero(~np.isfinite(features).all(1))[0]
        raise ValueError(f"{function} expects finite numbers, got NaN or an infinity in row {row}.")
    return np.asarray(features, np.float64), _classes(function, labels)


def _classes(function: str, labels: np.ndarray) -> np.ndarray:
    """Labels as 0, 1, … in their order, or a ValueError if there are not two of them."""
    present, classes = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        raise ValueError(f"{function} expects labels of at least two classes, got {present.tolist()}.")
    return classes
