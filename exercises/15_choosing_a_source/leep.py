"""Exercise: a classifier for new classes out of a network that knows only its own, without a step of training."""

import numpy as np
from jaxtyping import Float, Int


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
    raise NotImplementedError(
        'TODO: when the network says "B", how often was it an 8, and how would you turn that into odds for the next image?'
    )
