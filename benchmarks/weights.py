"""The same weights in every library: taken out of our network by name, and put under those names into the others.

A name is a path, such as `hidden/0/kernel`. Kernels are ours: (inputs, outputs), and height × width × inputs × outputs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Weights = Mapping[str, np.ndarray]


def from_nnx(model: Any) -> dict[str, np.ndarray]:
    """All that a network of NNX learns, by name. Random streams and running averages are not among them."""
    from flax import nnx

    return dict(_leaves(nnx.to_pure_dict(nnx.state(model, nnx.Param))))


def _leaves(tree: Any, path: tuple[str, ...] = ()):
    if isinstance(tree, Mapping):
        for key, branch in tree.items():
            yield from _leaves(branch, (*path, str(key)))
    else:
        yield "/".join(path), np.asarray(tree)


def into_nnx(model: Any, weights: Weights) -> Any:
    """Puts weights into a network of NNX that has them under the same names, and returns it."""
    import jax.numpy as jnp
    from flax import nnx

    def replaced(tree: Any, path: tuple[str, ...] = ()) -> Any:
        if isinstance(tree, Mapping):
            return {key: replaced(branch, (*path, str(key))) for key, branch in tree.items()}
        return jnp.array(weights["/".join(path)])

    require_same_names(from_nnx(model), weights)
    state = nnx.state(model, nnx.Param)
    nnx.replace_by_pure_dict(state, replaced(nnx.to_pure_dict(state)))
    nnx.update(model, state)
    return model


def as_linen(weights: Weights) -> dict[str, Any]:
    """As the tree of parameters of Flax Linen, where a list of modules is a row of names: `hidden/0` is `hidden_0`."""
    import jax.numpy as jnp

    tree: dict[str, Any] = {}
    for name, array in weights.items():
        path: list[str] = []
        for part in name.split("/"):
            if part.isdigit():
                path[-1] += f"_{part}"
            else:
                path.append(part)
        branch = tree
        for part in path[:-1]:
            branch = branch.setdefault(part, {})
        branch[path[-1]] = jnp.array(array)
    return {"params": tree}


def into_keras(model: Any, weights: Weights, order: Sequence[str]) -> Any:
    """Puts weights into a network of Keras, which keeps them in the order of its layers, and returns it."""
    require_same_names(dict.fromkeys(order), weights)
    model.set_weights([weights[name] for name in order])
    return model


def into_pytorch(network: Any, weights: Weights) -> Any:
    """Puts weights into a network of PyTorch whose modules have our names, and returns it.

    PyTorch has outputs before inputs, and images channels first. An LSTM has two biases, which are only ever added: the second
    is 0, and stays so, since two that learn would move twice as far as one.
    """
    import torch

    arrays: dict[str, np.ndarray] = {}
    for name, module in network.named_modules():
        here = f"{name.replace('.', '/')}/" if name else ""
        named = {key: f"{here}{ours}" for key, ours in (("weight", "kernel"), ("bias", "bias"))}
        if isinstance(module, torch.nn.Linear):
            arrange = np.transpose
        elif isinstance(module, torch.nn.Conv2d):
            arrange = _outputs_inputs_first
        elif isinstance(module, torch.nn.ConvTranspose2d):
            arrange = _inputs_outputs_first_flipped
        elif isinstance(module, torch.nn.Embedding):
            arrange, named = np.asarray, {"weight": f"{here}embedding"}
        elif isinstance(module, torch.nn.LayerNorm | torch.nn.BatchNorm2d):
            arrange, named = np.asarray, named | {"weight": f"{here}scale"}
        elif isinstance(module, torch.nn.LSTM):
            arrange, cell = np.transpose, f"{here}cell/"
            named = {"weight_ih_l0": "dense_i/kernel", "weight_hh_l0": "dense_h/kernel", "bias_ih_l0": "dense_h/bias"}
            named = {key: cell + ours for key, ours in named.items()}
            module.bias_hh_l0.data.zero_()
            module.bias_hh_l0.requires_grad_(False)
        else:
            continue
        for key, ours in named.items():
            if getattr(module, key) is not None:
                array = weights[ours]
                arrays[ours] = array
                array = array if array.ndim == 1 else arrange(array)
                getattr(module, key).data.copy_(torch.tensor(np.ascontiguousarray(array)))
    require_same_names(arrays, weights)
    return network


def _outputs_inputs_first(kernel: np.ndarray) -> np.ndarray:
    return kernel.transpose(3, 2, 0, 1)


def _inputs_outputs_first_flipped(kernel: np.ndarray) -> np.ndarray:
    """Flax slides the kernel of a transposed convolution as it is; PyTorch slides the adjoint's, which is turned round."""
    return kernel[::-1, ::-1].transpose(2, 3, 0, 1)


def require_same_names(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Raises a ValueError that names every weight that only one of two networks has."""
    if theirs.keys() != ours.keys():
        missing, unknown = sorted(theirs.keys() - ours.keys()), sorted(ours.keys() - theirs.keys())
        raise ValueError(f"The two networks should have the same weights; ours lacks {missing}, and theirs lacks {unknown}.")
