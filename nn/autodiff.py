"""Reverse-mode automatic differentiation in NumPy: every operation notes how to send a gradient back, and is read backwards.

Nothing in the library computes with it. It is here to be read: `jax.grad` is this idea, compiled, and for far more operations.

References:
  Linnainmaa 1976, "Taylor expansion of the accumulated rounding error", BIT 16: the method.
  Baydin, Pearlmutter, Radul and Siskind 2018, "Automatic differentiation in machine learning: a survey", JMLR 18 (153).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "..."]


class Node:
    """A value in a computation, with what it was computed from.

    `+ - * / @ **` of nodes and numbers, `sum`, `mean` and the functions below make new nodes. Two nodes are never equal,
    so that a node can be a key of a dict.

    Args:
      value: an array or a number; it is kept in float64.
      parents: the nodes that it was computed from.
      pullback: maps the gradient by this node's value to a tuple of gradients, one by each parent's value, in its shape.
    """

    __array_ufunc__ = None  # so that NumPy leaves `array * node` to the node

    def __init__(self, value: Any, parents: tuple["Node", ...] = (), pullback: Callable[..., tuple] = lambda gradient: ()):
        self.value, self.parents, self.pullback = np.asarray(value, np.float64), parents, pullback

    def __add__(self, other):
        other = as_node(other)
        return _elementwise(self.value + other.value, (self, 1.0), (other, 1.0))

    def __mul__(self, other):
        other = as_node(other)
        return _elementwise(self.value * other.value, (self, other.value), (other, self.value))

    def __pow__(self, exponent: float):
        return _elementwise(self.value**exponent, (self, exponent * self.value ** (exponent - 1)))

    def __matmul__(self, other):
        a, b = self.value, as_node(other).value
        if a.ndim != 2 or b.ndim != 2:
            raise ValueError(f"The product @ of nodes expects two matrices, got shapes {a.shape} and {b.shape}.")
        return Node(a @ b, (self, as_node(other)), lambda gradient: (gradient @ b.T, a.T @ gradient))

    def __rmatmul__(self, other):
        return as_node(other) @ self

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -as_node(other)

    def __rsub__(self, other):
        return as_node(other) - self

    def __truediv__(self, other):
        return self * as_node(other) ** -1

    def __rtruediv__(self, other):
        return as_node(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def sum(self, axis: int | None = None, keepdims: bool = False) -> "Node":
        """The sum along an axis, or of everything."""
        shape, keepdims_shape = self.value.shape, self.value.sum(axis, keepdims=True).shape
        total = self.value.sum(axis, keepdims=keepdims)
        return Node(total, (self,), lambda gradient: (np.broadcast_to(gradient.reshape(keepdims_shape), shape),))

    def mean(self, axis: int | None = None, keepdims: bool = False) -> "Node":
        """The mean along an axis, or of everything."""
        total = self.sum(axis, keepdims)
        return total * (total.value.size / self.value.size)


def as_node(value: Any) -> Node:
    """The node itself, or a new one without parents around an array or a number."""
    return value if isinstance(value, Node) else Node(value)


def exp(x: Node) -> Node:
    """eˣ, element by element."""
    y = np.exp(x.value)
    return _elementwise(y, (x, y))


def log(x: Node) -> Node:
    """The natural logarithm, element by element."""
    return _elementwise(np.log(x.value), (x, 1 / x.value))


def tanh(x: Node) -> Node:
    """The hyperbolic tangent, element by element."""
    y = np.tanh(x.value)
    return _elementwise(y, (x, 1 - y**2))


def relu(x: Node) -> Node:
    """max(x, 0), element by element, with slope 0 at 0."""
    return _elementwise(np.maximum(x.value, 0), (x, x.value > 0))


def _elementwise(value: Any, *inputs: tuple[Node, Any]) -> Node:
    """A node from (node, slope) pairs: the slope is ∂value/∂input, number by number, and the chain rule multiplies by it."""

    def pullback(gradient):
        return tuple(unbroadcast(np.asarray(gradient * slope), node.value.shape) for node, slope in inputs)

    return Node(value, tuple(node for node, _ in inputs), pullback)


def unbroadcast(gradient: Values, shape: tuple[int, ...]) -> Values:
    """The gradient by an array that was broadcast, from the gradient by what it was broadcast to.

    A number that was used in many places has the sum of what arrives from all of them.

    Args:
      gradient: in the shape that broadcasting made.
      shape: the array's own shape.

    Returns:
      The gradient in the array's own shape.

    Raises:
      ValueError: if broadcasting does not lead from `shape` to the gradient's.
    """
    new = gradient.ndim - len(shape)
    stretched = tuple(axis for axis, size in enumerate(gradient.shape) if axis < new or shape[axis - new] != size)
    if new < 0 or any(axis >= new and shape[axis - new] != 1 for axis in stretched):
        raise ValueError(f"unbroadcast expects a shape that broadcasts to {gradient.shape}, got {shape}.")
    return np.asarray(gradient.sum(axis=stretched, keepdims=True)).reshape(shape)


def topological_order(output: "Node") -> list["Node"]:
    """All nodes that a value was computed from, and itself: each once, behind all of its parents.

    Args:
      output: a node; its `parents` are the nodes that it was computed from, theirs lead further back.

    Returns:
      The nodes, those without parents first in every branch, `output` last.
    """
    order, entered, waiting = [], set(), [(output, False)]
    while waiting:  # a list instead of recursion, which Python stops at a depth of about a thousand
        node, parents_are_listed = waiting.pop()
        if parents_are_listed:
            order.append(node)
        elif node not in entered:
            entered.add(node)
            waiting.append((node, True))
            waiting.extend((parent, False) for parent in node.parents)
    return order


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
    if not tape or tape[-1].value.shape != ():
        came = f"one that ends in shape {tape[-1].value.shape}" if tape else "an empty one"
        raise ValueError(f"backward expects a tape that ends in a single number, of shape (), got {came}.")
    gradients = {tape[-1]: np.ones(())}
    for node in reversed(tape):
        for parent, gradient in zip(node.parents, node.pullback(gradients[node]), strict=True):
            # A new array: one gradient may be on its way to several parents, and += would change it for all.
            gradients[parent] = np.asarray(gradients[parent] + gradient if parent in gradients else gradient)
    return gradients


def value_and_grad(function: Callable[..., Node]) -> Callable[..., tuple[float, tuple[np.ndarray, ...]]]:
    """A function of arrays that returns the value of `function` and its gradients by each of them.

    Args:
      function: from nodes to the node of a single number.
    """

    def both(*arrays):
        inputs = [Node(array) for array in arrays]
        output = function(*inputs)
        gradients = backward(topological_order(output))
        return float(output.value), tuple(gradients.get(node, np.zeros(node.value.shape)) for node in inputs)

    return both


def numerical_gradient(function: Callable[[np.ndarray], Any], x: Any, step: float = 1e-5) -> np.ndarray:
    """The gradient by central differences: ∂f/∂xᵢ ≈ (f(x + h eᵢ) − f(x − h eᵢ)) / 2h.

    The error shrinks with h², until rounding takes over. It needs two calls of f for every number in x, and shares no idea
    with automatic differentiation: so it is what to check that against.

    Args:
      function: from an array in the shape of x to a single number.
      x: where; it is not changed, and f is called with float64 arrays.
      step: h.

    Returns:
      The gradient in float64, in the shape of x.

    Raises:
      ValueError: if the step is not above 0.
    """
    if not step > 0:
        raise ValueError(f"numerical_gradient expects a step above 0, got {step}.")
    x = np.asarray(x, np.float64)
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        bump = np.zeros(x.shape)
        bump[index] = step
        gradient[index] = (float(function(x + bump)) - float(function(x - bump))) / (2 * step)
    return gradient
