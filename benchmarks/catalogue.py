"""All workloads by name."""

from benchmarks.attention import Attention
from benchmarks.cnn import CNN
from benchmarks.dcgan import DCGAN
from benchmarks.floor import Floor
from benchmarks.gpt import GPT
from benchmarks.lstm import LSTM
from benchmarks.mlp import MLP
from benchmarks.workload import Workload

FIVE: tuple[Workload, ...] = (MLP(), LSTM(), CNN(), GPT(), DCGAN())
"""The networks that are timed on one core and on two."""

GROWING: tuple[Workload, ...] = (
    *(LSTM(time=time) for time in (64, 256, 512, 1024)),
    *(Attention(length=length) for length in (256, 512, 1024, 2048, 4096)),
)
"""Those that show how cost grows with a sequence, on one core; `lstm` itself is the one of 128 steps."""

FLOOR = Floor()
WORKLOADS: dict[str, Workload] = {workload.name: workload for workload in (*FIVE, *GROWING)}


def workload(name: str) -> Workload:
    """By its name.

    Raises:
      ValueError: if there is none, with those that there are.
    """
    named = WORKLOADS | {FLOOR.name: FLOOR}
    if name not in named:
        raise ValueError(f"The workloads are {', '.join(WORKLOADS)}; got {name!r}.")
    return named[name]
