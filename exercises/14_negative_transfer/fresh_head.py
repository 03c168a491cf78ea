"""Exercise: a new head that owes nothing to the old one.

As in `replace_head` (exercises/12_pretraining), `model.head` is a linear layer like `nnx.Linear`, with `in_features` and
`out_features`, and `model.config` a frozen dataclass whose `out_features` has to be right in the copy, too.
"""

import dataclasses  # noqa: F401 (for your answer)
from typing import TypeVar

import jax  # noqa: F401 (for your answer)
from flax import nnx

Network = TypeVar("Network", bound=nnx.Module)


def fresh_head(model: Network, classes: int, *, seed: int) -> Network:
    """A copy of the model with a head for these classes: of one seed always the same one, and none that a model began with.

    A model of this seed may have been made with the key of this seed. A head from that key could begin where the source's head
    began, and would know the source's classes in their order.
    """
    raise NotImplementedError("TODO: if the model was made with nnx.Rngs(seed), what does another nnx.Rngs(seed) draw first?")
