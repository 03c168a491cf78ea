"""One TPU chip, four, sixteen: what the chips of a training step send each other and how much memory each needs.

    python -m pip install -e '.[ahead-of-time]'
    python -m benchmarks.scaling

No TPU is there, or needed: XLA compiles each step for v5e chips, and the counts are read from the compiled programs. So here
are bytes and no seconds. It takes about ten minutes on two cores, and writes scaling.json and scaling.md beside this file.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx
from jax.experimental import topologies
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from nn.kernels.choice import compiling_for
from nn.models import GPT, MLP, GPTConfig, MLPConfig, ResNet, ResNetConfig
from nn.training import classification_loss, collective_bytes, next_token_loss
from nn.training.step import compiled_step

FOLDER = Path(__file__).parent
ADAM = optax.adam(1e-3)
TOKENS = 256


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A network and what it is trained on.

    Attributes:
      build: makes it.
      loss: as for `fit`.
      batch: number of examples → arrays.
      examples: how many of them each part of a batch has.
      rules: for tensor parallel, as for `nn.training.partition`.
    """

    build: Callable[[], nnx.Module]
    loss: Callable[..., Any]
    batch: Callable[[int], dict[str, np.ndarray]]
    examples: int
    rules: Mapping[str, PartitionSpec] = field(default_factory=dict)


def pictures(*shape: int) -> Callable[[int], dict[str, np.ndarray]]:
    return lambda count: {"image": np.zeros((count, *shape), np.float32), "label": np.zeros(count, np.int32)}


WORKLOADS = {
    "MLP 784-512-256-10": Workload(
        build=lambda: MLP(MLPConfig(in_features=784, hidden=(512, 256), out_features=10), rngs=nnx.Rngs(0)),
        loss=classification_loss,
        batch=pictures(784),
        examples=128,
    ),
    "ResNet, 2 blocks, 32 × 32": Workload(  # more take minutes to compile
        build=lambda: ResNet(ResNetConfig(stem="small", depths=(1, 1), widths=(64, 128), out_features=10), rngs=nnx.Rngs(0)),
        loss=classification_loss,
        batch=pictures(32, 32, 3),
        examples=128,
    ),
    f"GPT, 4 layers of 256, {TOKENS} tokens": Workload(
        build=lambda: GPT(GPTConfig(vocabulary=256, length=TOKENS, features=256, heads=4, layers=4), rngs=nnx.Rngs(0)),
        loss=next_token_loss,
        batch=lambda count: {"tokens": np.zeros((count, TOKENS + 1), np.int32)},
        examples=8,
        # The feed-forward halves: the first layer by its outputs, the second by its inputs.
        rules={
            "*.mlp.c_fc.kernel": PartitionSpec(None, "model"),
            "*.mlp.c_fc.bias": PartitionSpec("model"),
            "*.mlp.c_proj.kernel": PartitionSpec("model", None),
        },
    ),
}

GRIDS = {1: "1x1", 4: "2x2", 16: "4x4"}
"""Chips → how they lie in a v5e."""


def chips(count: int) -> np.ndarray:
    """So many v5e chips that are not here."""
    smallest = {"chips_per_host_bounds": (1, 1, 1)} if count == 1 else {}
    return np.array(topologies.get_topology_desc(platform="tpu", topology_name=f"v5e:{GRIDS[count]}", **smallest).devices)


def compile_step(workload: Workload, devices: np.ndarray, *, model: int, examples: int) -> Any:
    """The training step of `fit`, compiled for chips in so many columns, each row with so many examples."""
    mesh = Mesh(devices.reshape(-1, model), ("data", "model"), axis_types=(AxisType.Auto, AxisType.Auto))
    graphdef, trainable, *rest = nnx.split(nnx.eval_shape(workload.build), nnx.Param, nnx.Param, ...)
    state = trainable, jax.eval_shape(ADAM.init, trainable), rest

    def with_sharding(path, leaf):
        # The optimizer's memory of a variable has a path that ends in the variable's own, and lies where that does.
        name = ".".join(str(key.key) for key in path if hasattr(key, "key"))
        specs = (spec for pattern, spec in workload.rules.items() if model > 1 and fnmatchcase(name, pattern))
        sharding = NamedSharding(mesh, next(specs, PartitionSpec()))
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

    leaves, structure = jax.tree.flatten(jax.tree_util.tree_map_with_path(with_sharding, state))
    split = NamedSharding(mesh, PartitionSpec("data"))
    batch = {
        name: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=split)
        for name, array in workload.batch(examples * mesh.shape["data"]).items()
    }
    shardings = tuple(leaf.sharding for leaf in leaves)
    step = compiled_step(graphdef, structure, nnx.Param, workload.loss, ADAM, shardings)
    jax.clear_caches()  # of forms that were chosen for another number of chips
    with compiling_for("tpu"):
        return step.lower(leaves, batch).compile()


def measure() -> list[dict[str, Any]]:
    """A row for each workload, number of chips and way to split."""
    rows = []
    for name, workload in WORKLOADS.items():
        params = sum(leaf.size * 4 for leaf in jax.tree.leaves(nnx.state(nnx.eval_shape(workload.build), nnx.Param)))
        ways = [(1, 1), (4, 1), (16, 1), *([(4, 4), (16, 4), (16, 16)] if workload.rules else [])]
        for count, model in ways:
            for examples in (workload.examples, 2 * workload.examples) if count == 4 else (workload.examples,):
                compiled = compile_step(workload, chips(count), model=model, examples=examples)
                memory = compiled.memory_analysis()
                rows.append(
                    {
                        "network": name,
                        "bytes of weights": params,
                        "chips": count,
                        "data": count // model,
                        "model": model,
                        "batch": examples * count // model,
                        "bytes sent": collective_bytes(compiled.as_text()),
                        "bytes of arguments": memory.argument_size_in_bytes,
                        "bytes beside them": memory.temp_size_in_bytes,
                    }
                )
                print(rows[-1], flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown, in MiB a chip."""
    kinds = sorted({kind for row in rows for kind in row["bytes sent"]})
    heads = ["network", "weights", "chips", "data × model", "batch", *kinds, "arguments", "beside them"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * 2 + "|--:" * (len(heads) - 2) + "|"]

    def mib(size: int) -> str:
        return f"{size / 2**20:.2f}" if size else "–"

    for row in rows:
        cells = [row["network"], mib(row["bytes of weights"]), str(row["chips"]), f"{row['data']} × {row['model']}"]
        cells += [str(row["batch"]), *(mib(row["bytes sent"].get(kind, 0)) for kind in kinds)]
        cells += [mib(row["bytes of arguments"]), mib(row["bytes beside them"])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(measured: dict[str, Any]) -> str:
    """What scaling.md says of the content of scaling.json."""
    named = ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
    return f"{EXPLANATION}\n\n{table(measured['rows'])}\n\nCompiled with {named}.\n"


def main() -> None:
    """Measures, and writes both files."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description="Bytes of training steps compiled for TPU chips."
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write (default: beside the program)")
    folder = parser.parse_args().folder
    jax.config.update("jax_platforms", "cpu")  # left to itself, JAX looks for a TPU
    # The compiler for TPUs would ask the cloud which machine it is on, and keep others from compiling beside it.
    os.environ.update(ALLOW_MULTIPLE_LIBTPU_LOAD="1", TPU_SKIP_MDS_QUERY="1", TPU_WORKER_ID="0")
    os.environ.update(TPU_ACCELERATOR_TYPE="v5litepod-4", TPU_WORKER_HOSTNAMES="localhost")
    versions = {name: metadata.version(name) for name in ("jax", "jaxlib", "libtpu", "flax")}
    measured = {"versions": versions, "rows": measure()}
    (folder / "scaling.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    (folder / "scaling.md").write_text(page(measured), encoding="utf-8")


EXPLANATION = """\
# One chip, four, sixteen

What the chips of one training step (float32, Adam) send each other, and the memory of each, read from programs that XLA
compiled for TPU v5e chips. Nothing was run, so there are no seconds here. MiB for each chip. `data` splits the batch, `model`
the feed-forward halves of the GPT (tensor parallel). Bytes sent are those of the arrays that are exchanged; on a ring of n
chips each sends 2 (n − 1) / n of them for an all-reduce. Arguments are weights, the optimizer's memory and the batch.

With the batch split, what is sent has the size of the weights and does not change with the batch. With the network split, what
is sent is activations, and grows with it. (A little more than the weights is sent where batch normalization takes means over
the whole batch, and where a GPT's table of tokens has two gradients, as input and as output.)"""


if __name__ == "__main__":
    main()
