"""Exercise: being a parameter is not enough.

A pattern means what it meant in `matches`: a path, or a module with all that is in it, and `*` stands for anything.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase  # noqa: F401 (for your answer)


def trains(name: str, include: Sequence[str], exclude: Sequence[str] = ()) -> bool:
    """Whether a parameter of this name is to be trained: a pattern of `include` means it, and none of `exclude` does.

    That something is a parameter says nothing: LoRA's base, `hidden.0.kernel`, is one as its `hidden.0.lora_a` is.

    Args:
      name: the parameter's path with dots.
      include: patterns, each a path, or a module with all that is in it; `*` in them stands for anything, dots too.
      exclude: patterns; wins over include.
    """
    raise NotImplementedError(
        "TODO: a layer with LoRA has a kernel, a lora_a and a lora_b, and all three are parameters: who says which may move?"
    )
