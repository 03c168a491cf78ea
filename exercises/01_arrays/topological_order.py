"""Exercise: the order in which a computation can be read backwards.

A `Node` has `value`, an array; `parents`, the nodes that it was computed from, in a tuple that may be empty and may name
one node twice; and `pullback`, which plays no part yet. No two nodes are equal, and a node can be in a set.
"""


def topological_order(output: "Node") -> list["Node"]:
    """All nodes that a value was computed from, and itself: each once, behind all of its parents.

    Args:
      output: a node; its `parents` are the nodes that it was computed from, theirs lead further back.

    Returns:
      The nodes, those without parents first in every branch, `output` last.
    """
    raise NotImplementedError("TODO: when you stand at a node, what has to be in the list before it may be put there itself?")
