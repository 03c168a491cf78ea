"""Exercise: the chain rule over a whole computation, the heart of `jax.grad`.

A `Node` has `value`, an array; `parents`, the nodes that it was computed from, in a tuple that may be empty and may name
one node twice; and `pullback`, a function from the gradient by its value to a tuple of gradients, one for each parent. No
two nodes are equal, and a node can be a key of a dict.
"""

from collections.abc import Sequence

import numpy as np


def backward(tape: Sequence["Node"]) -> dict["Node", np.ndarray]:
    """The gradient of the last node of a tape by each node on it: the chain rule, read from the end.

    Each node asks its `pullback` what its own gradient means for its parents. A node that was used more than once
    gets the sum.

    Args:
      tape: nodes as `topological_order` lists them, each behind all of its parents. Neither they nor their values are changed.

    Returns:
      Node → gradient, in the shape of the node's value.

    Raises:
      ValueError: if there is no node, or the value of the last one is not a single number, of shape ().
    """
    raise NotImplementedError("TODO: what is the gradient of the last node by itself, and who can say what follows from it?")
