"""Exercise: do not believe that a layer is frozen; look.

`nnx.state(model)` is all that a model holds: parameters (`nnx.Param`), running averages (`nnx.BatchStat`), the keys of dropout
(`nnx.RngState`). With a filter, as in `nnx.state(model, nnx.Not(nnx.RngState))`, it is a part of that. `nnx.to_flat_state`
makes pairs of it: a path, such as ("norm", "mean"), and a variable, whose numbers are variable[...].
"""

import numpy as np  # noqa: F401 (for your answer)
from flax import nnx


def what_moved(before: nnx.Module, after: nnx.Module) -> list[str]:
    """Names of all numbers of a model that are not what they were, to the last bit: ask it whether the frozen stayed.

    Parameters are not all that moves: running averages do in every forward pass in training, without an optimizer. Random keys
    are left out: dropout is to draw others each time.

    Args:
      before: a copy of the model, `nnx.clone(model)`, from before it was trained.
      after: the model.

    Returns:
      Paths with dots, such as `norm.mean`, in alphabetical order; none where everything stayed.

    Raises:
      ValueError: if the two do not hold the same names.
    """
    raise NotImplementedError(
        "TODO: what does a network hold besides its parameters, and what moves that without an optimizer?"
    )
