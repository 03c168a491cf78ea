"""Exercise: how far one output of a deep network sees."""

from collections.abc import Sequence


def receptive_field(layers: Sequence[tuple[int, int]]) -> int:
    """How many pixels wide the view of one output is, behind a stack of convolutions and poolings, along one axis.

    From the first pixel that the output can depend on to the last, both included.

    Args:
      layers: (window, stride) of each layer, from the image on.

    Raises:
      ValueError: if a window or a stride is below 1.

    Reference: Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", Distill.
    """
    raise NotImplementedError("TODO: how many pixels of the image are two neighbouring outputs of the layer below apart?")
