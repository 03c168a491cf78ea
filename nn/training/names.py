"""Names of arrays in trees, as error messages and rules write them: `hidden.0.kernel`."""

from typing import Any

import jax


def dotted_name(path: tuple[Any, ...]) -> str:
    """The name of an array by its path in a tree, from `jax.tree_util.tree_flatten_with_path`.

    It is that of a parameter in its model, or of an array in its batch, wherever in a tuple the model or the batch stands: only
    keys of dictionaries count. Where there are none, as in a plain tuple, all counts.
    """
    keys = [str(key.key) for key in path if hasattr(key, "key")]
    return ".".join(keys) or jax.tree_util.keystr(path)
