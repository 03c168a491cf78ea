"""Exercise: how many zeros to put around an image for the padding "SAME"."""


def same_padding(size: int, window: int, stride: int = 1) -> tuple[int, int]:
    """How many zeros the padding "SAME" puts (before, after) one axis of an image.

    They are as few as make the output ⌈size / stride⌉ long: one output for every stride begun, so that stride 1 keeps the
    size. Where their number is odd, the odd one comes after.

    Args:
      size: how many pixels the axis has.
      window: how many pixels the window reaches over.
      stride: how far the window moves from one output to the next.

    Raises:
      ValueError: if the window or the stride is below 1.

    Reference: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", relationship 6, solved for the
    padding.
    """
    raise NotImplementedError(
        "TODO: how many pixels does a window reach over that is set down `outputs` times, `stride` apart?"
    )
