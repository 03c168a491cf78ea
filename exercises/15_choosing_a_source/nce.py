"""Exercise: if you know what the source network calls an image, how much is left to guess about its target class?"""

import numpy as np
from jaxtyping import Int


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
    raise NotImplementedError("TODO: of the images that get one source label, what share has each target label?")
