"""Adapters: leave a pretrained network as it is, and train a few new numbers beside each of its linear layers.

A fine-tuned copy of a network is as large as the network. What fine-tuning *changes* can be much smaller: LoRA keeps it to a
product of two thin matrices, a bottleneck adapter to a small network behind the layer. Both begin as the identity, so that
the first step starts from the pretrained network and nothing else.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, Float

from nn.layers import Linear, RecurrentCell, affine, lecun_normal, relu, zeros
from transfer.freezing import PathFilter, dotted, matches, patterns_of, require_matches


def lora(
    x: Float[Array, "*batch inputs"],
    a: Float[Array, "inputs rank"],
    b: Float[Array, "rank outputs"],
    *,
    alpha: float,
) -> Float[Array, "*batch outputs"]:
    """(α / rank) · x A B: what LoRA adds to a linear layer, by two thin products and not by one of the layer's size.

    Args:
      x: the layer's input.
      a: A, to the few numbers in between.
      b: B, from them to the layer's outputs. Zeros to begin with.
      alpha: α, how much it counts. Divided by the rank, so that another rank needs no other learning rate.

    Raises:
      ValueError: if the shapes do not follow one another.

    Reference: Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large Language Models", eq. 3 and section 4.1.
    """
    if x.shape[-1] != a.shape[0] or a.shape[1] != b.shape[0]:
        raise ValueError(
            f"lora expects x (*batch, inputs), a (inputs, rank) and b (rank, outputs), got {x.shape}, {a.shape} and {b.shape}."
        )
    return alpha / a.shape[1] * ((x @ a) @ b)


def bottleneck(
    x: Float[Array, "*batch features"],
    down: Float[Array, "features bottleneck"],
    up: Float[Array, "bottleneck features"],
) -> Float[Array, "*batch features"]:
    """x + relu(x D) U: a small network that adds to what a layer gives. With U = 0 it adds nothing.

    Reference: Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP", section 2.1.
    """
    return x + relu(x @ down) @ up


class AdaptedLinear(Linear):
    """A linear layer whose own weights no gradient reaches; a subclass adds what learns in their place.

    It takes over the kernel and the bias of the layer that it replaces, under the same names.

    Args:
      layer: the pretrained layer.
    """

    def __init__(self, layer: Linear):
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.kernel, self.bias = layer.kernel, layer.bias
        self.implementation = layer.implementation

    def pretrained(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """What the layer gave before it was adapted."""
        bias = None if self.bias is None else jax.lax.stop_gradient(self.bias[...])
        return affine(x, jax.lax.stop_gradient(self.kernel[...]), bias, implementation=self.implementation)


class LoRALinear(AdaptedLinear):
    """x W + b + (α / rank) · x A B, of which A and B learn.

    Args:
      layer: the pretrained layer: W and b.
      rank: how many numbers lie between A (`lora_a`) and B (`lora_b`).
      alpha: how much their product counts.
      rngs: where A comes from; B begins at zero.

    Attributes:
      original: W as it was, while the product is merged into the kernel; otherwise None.

    Raises:
      ValueError: if the rank is below 1 or above what the layer could need.
    """

    def __init__(self, layer: Linear, *, rank: int, alpha: float, rngs: nnx.Rngs):
        super().__init__(layer)
        most = min(layer.in_features, layer.out_features)
        if not 1 <= rank <= most:
            raise ValueError(
                f"LoRALinear expects a rank from 1 to {most} for {layer.in_features} inputs and {layer.out_features} outputs, "
                f"got {rank}."
            )
        self.alpha = alpha
        dtype = layer.kernel[...].dtype
        self.lora_a = nnx.Param(lecun_normal()(rngs.params(), (layer.in_features, rank), dtype))
        self.lora_b = nnx.Param(zeros(rngs.params(), (rank, layer.out_features), dtype))
        self.original: Any = nnx.data(None)

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        if self.original is not None:
            return super().__call__(x)
        return self.pretrained(x) + lora(x, self.lora_a[...], self.lora_b[...], alpha=self.alpha)

    def merge(self) -> None:
        """Puts the product into the kernel: from now on the layer costs what it cost before, and does not learn."""
        if self.original is None:
            self.original = Kept(self.kernel[...])
            a, b = self.lora_a[...], self.lora_b[...]
            self.kernel[...] = self.kernel[...] + (self.alpha / a.shape[1] * (a @ b)).astype(self.kernel[...].dtype)

    def unmerge(self) -> None:
        """Puts the kernel back, bit for bit: W + AB − AB would not be W."""
        if self.original is not None:
            self.kernel[...] = self.original[...]
            self.original = None


class Kept(nnx.Variable):
    """A kernel as it was before something was merged into it. No parameter: nothing trains or counts it."""


class BottleneckLinear(AdaptedLinear):
    """y + relu(y D) U behind a pretrained linear layer y = x W + b, of which D (`down`) and U (`up`) learn.

    Args:
      layer: the pretrained layer.
      features: how many numbers lie between D and U.
      rngs: where D comes from; U begins at zero.

    Raises:
      ValueError: if there are fewer than 1.
    """

    def __init__(self, layer: Linear, *, features: int, rngs: nnx.Rngs):
        super().__init__(layer)
        if features < 1:
            raise ValueError(f"BottleneckLinear expects at least 1 feature, got {features}.")
        width, dtype = layer.out_features, layer.kernel[...].dtype
        self.down = nnx.Param(lecun_normal()(rngs.params(), (width, features), dtype))
        self.up = nnx.Param(zeros(rngs.params(), (features, width), dtype))

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        return bottleneck(self.pretrained(x), self.down[...], self.up[...])


def apply_lora(
    model: nnx.Module, patterns: str | Sequence[str], *, rank: int, alpha: float | None = None, rngs: nnx.Rngs
) -> PathFilter:
    """Gives linear layers of a model a trainable product of two thin matrices, and freezes their own weights.

    Args:
      model: changed in place. Its outputs stay what they are until something is trained.
      patterns: which layers, by name as for `trainable_filter`: `hidden` is every linear layer in there.
      rank: how thin.
      alpha: how much the product counts; as much as the rank if None, so that it is added as it is.
      rngs: where the new weights come from.

    Returns:
      The filter of what was added, for `fit(..., wrt=...)`. Together with a head: `nnx.Any(added, trainable_filter(model,
      include="head"))`. (Without a filter all other parameters train, too; and weight decay would shrink the layers' own
      weights, although no gradient reaches them.)

    Raises:
      ValueError: if a pattern matches nothing or no linear layer, a layer has been adapted before or is part of a recurrent
        cell, which reads its weights without calling it, or a rank does not fit.
    """
    alpha = float(rank) if alpha is None else alpha
    _adapt("apply_lora", model, patterns, lambda layer: LoRALinear(layer, rank=rank, alpha=alpha, rngs=rngs))
    return PathFilter(("*.lora_a", "*.lora_b"))


def apply_bottlenecks(model: nnx.Module, patterns: str | Sequence[str], *, features: int, rngs: nnx.Rngs) -> PathFilter:
    """Puts a small trainable network behind linear layers of a model, and freezes their own weights.

    Args:
      model: changed in place. Its outputs stay what they are until something is trained.
      patterns: which layers, by name as for `trainable_filter`.
      features: the width of each small network.
      rngs: where the new weights come from.

    Returns:
      The filter of what was added, for `fit(..., wrt=...)`.

    Raises:
      ValueError: if a pattern matches nothing or no linear layer, a layer has been adapted before or is part of a recurrent
        cell, which reads its weights without calling it, or features is below 1.
    """
    _adapt("apply_bottlenecks", model, patterns, lambda layer: BottleneckLinear(layer, features=features, rngs=rngs))
    return PathFilter(("*.down", "*.up"))


def merge_lora(model: nnx.Module) -> None:
    """Puts every product of `apply_lora` into its layer's kernel, in place: no cost is left, and nothing more is learned.

    Raises:
      ValueError: if the model has no such layer.
    """
    for layer in _lora_layers("merge_lora", model):
        layer.merge()


def unmerge_lora(model: nnx.Module) -> None:
    """Takes the products out again: the kernels are bit for bit what they were before `merge_lora`.

    Raises:
      ValueError: if the model has no such layer.
    """
    for layer in _lora_layers("unmerge_lora", model):
        layer.unmerge()


def _lora_layers(function: str, model: nnx.Module) -> list[LoRALinear]:
    layers = [node for _, node in nnx.iter_graph(model) if isinstance(node, LoRALinear)]
    if not layers:
        raise ValueError(f"{function} expects a model with layers of apply_lora; this {type(model).__name__} has none.")
    return layers


def _adapt(function: str, model: nnx.Module, patterns: str | Sequence[str], adapted: Callable[[Linear], AdaptedLinear]) -> None:
    """Replaces the linear layers that the patterns mean: all of them, or, after an error, none."""
    patterns = patterns_of(patterns)
    linears = {dotted(path): (path, node) for path, node in nnx.iter_graph(model) if isinstance(node, Linear) and path}
    require_matches(function, patterns, list(linears))
    chosen = {name: found for name, found in linears.items() if any(matches(name, pattern) for pattern in patterns)}
    for name, (_, layer) in chosen.items():
        if type(layer) is not Linear:
            raise ValueError(f"{function} expects layers that are not adapted yet; {name} is a {type(layer).__name__}.")
    parents = {name: _parent(model, path) for name, (path, _) in chosen.items()}
    for name, parent in parents.items():
        if isinstance(parent, RecurrentCell):
            raise ValueError(
                f"{function} expects layers that are called; {name} belongs to a {type(parent).__name__}, which reads its "
                "weights and would not see what is beside them."
            )
    new = {name: adapted(layer) for name, (_, layer) in chosen.items()}
    for name, ((*_, last), _) in chosen.items():
        parent = parents[name]
        if isinstance(last, int):
            parent[last] = new[name]
        else:
            setattr(parent, str(last), new[name])


def _parent(model: nnx.Module, path: Sequence[Any]) -> Any:
    """What holds the part of a model that lies at this path."""
    parent: Any = model
    for key in path[:-1]:
        parent = parent[key] if isinstance(key, int) else getattr(parent, str(key))
    return parent
