# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Scale: what changes when one chip becomes eight?
#
# A TPU of a classroom has eight chips, or one. The program on one chip is what you wrote in the lessons before. What has to
# change for eight? Less than one fears: the mathematics stays what it is. What is new is that chips **send** each other arrays,
# and one has to know what is sent, how much, and when.
#
# By the end you will have split a batch by hand, written a training step for eight devices, read from a compiled program how
# many bytes they exchange, and met three traps: what is compiled again and again, a host that waits, a tracer that leaks.
#
# Needed: lessons 01 (jit, gradients), 03 (training), 04 (momentum), 08 and 09 (the GPT in a table) and 10 (bytes). Time: half a
# minute to run on two cores. No chip is needed: where there is only one device, a CPU stands for eight. That shows everything
# but speed.

# %%
# On Colab or Kaggle: fetch the course, install only what is missing, check the accelerator. Anywhere else: nothing.
import os
import subprocess
import sys
from pathlib import Path

address, clone = "", Path("first-principles-jax").resolve()
hosted = "google.colab" in sys.modules or not {"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}.isdisjoint(os.environ)
around = Path(globals().get("__file__", "notebook")).resolve().parents
root = next((folder for folder in [*around, clone] if (folder / "lessons" / "bootstrap.py").exists()), None)
if root is None:
    assert hosted and address, f"Open this notebook inside its course: {address or 'not published yet'}."
    subprocess.run(["git", "clone", "--depth", "1", address, str(root := clone)], check=True)
sys.path.insert(0, str(root))

from lessons import bootstrap

if hosted:
    bootstrap.prepare()

# %%
import json
import time
from functools import partial
from importlib import metadata
from itertools import pairwise, product

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx
from jax.extend.backend import clear_backends
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from matplotlib.colors import to_rgb

import nn
from lessons import figures
from nn.training import collective_bytes, data_parallel_step, replicate, shard_batch, training_loop, update_moments

figures.use_lesson_style()
_ = nn.training.enable_compilation_cache()

# %% [markdown]
# ## A session begins
#
# One fault in a TPU classroom makes no noise: the chip is there, something replaced a part of JAX, and JAX computes on the CPU,
# slowly and without a word. So a session begins with questions: which versions, which platform, how many devices, does a first
# function run? And where the machine says that it has a chip and JAX does not see it, that is an error, now, and not a riddle
# an hour later. (On Colab and Kaggle the first cell has asked already.)
#
# How many devices a CPU stands for has to be said before JAX is first used, which is what the next lines are about.

# %%
try:
    nn.training.virtual_cpu_devices(8)
except ValueError:  # JAX is in use: the first cell has asked it for its devices
    if jax.default_backend() == "cpu" and jax.device_count() == 1:
        clear_backends()
        nn.training.virtual_cpu_devices(8)
total = jax.jit(lambda x: (x @ x).sum())(jnp.ones((128, 128)))
assert float(total) == 128**3, "a product of ones"
several = jax.device_count() > 1
# One chip alone: use the CPU's virtual devices, for everything below.
devices = jax.devices() if several else jax.devices("cpu")
devices = devices[: 2 ** int(np.log2(min(len(devices), 8)))]  # 8, 4, 2 or 1: they divide what is split below
jax.config.update("jax_default_device", devices[0])

print("Python", sys.version.split()[0], *(f"· {name} {metadata.version(name)}" for name in ("jax", "jaxlib", "flax", "optax")))
print(
    f"{jax.device_count()} × {jax.devices()[0].device_kind} ({jax.default_backend()}); the lesson uses {len(devices)} devices"
)
bootstrap.check_accelerator(bootstrap.expected_accelerator(dict(os.environ)), jax.default_backend())
print(f"a first jitted function ran on {total.devices()}, and no accelerator is missing. Were one:")
try:
    bootstrap.check_accelerator("TPU", "cpu")
except RuntimeError as error:
    print(f"  RuntimeError: {error}")

# %% [markdown]
# From here on the program asks how many devices there are, and never says eight. That is what "adapting" comes to: the number
# stands in one place, and batches are chosen so that it divides them.
#
# ## Where an array lies
#
# Devices stand in a **mesh**: a grid whose axes have names. Ours has the axes `data`, over which batches will be split, and
# `model`, over which weights will be. A `PartitionSpec` says for each axis of an array over which axis of the mesh it is split;
# where it says nothing, the array is whole on all of them. Mesh and spec together are a `NamedSharding`. `jax.device_put` lays
# an array out so: what one device then has of it is a **shard**, and an array that is whole on every device is **replicated**.
# (`AxisType.Auto` leaves it to XLA how results in between are split.)
#
# Draw which device has which part of an array of 8 rows and 16 columns. The numbers are those of the devices; below and at the
# side stands the axis of the mesh that splits. The last picture splits over one axis of a mesh that has two: there each part
# lies on several devices.

# %%
count = len(devices)
columns = 2 if count % 2 == 0 else 1


def mesh_of(model):
    """The devices in rows (`data`) and so many columns (`model`), as nn.training.device_mesh makes it."""
    kinds = (AxisType.Auto, AxisType.Auto)
    return jax.make_mesh((count // model, model), ("data", "model"), axis_types=kinds, devices=devices)


mesh, grid = mesh_of(1), mesh_of(columns)
layouts = [
    ("PartitionSpec()", mesh, PartitionSpec()),
    ("PartitionSpec('data')", mesh, PartitionSpec("data")),
    ("PartitionSpec(None, 'data')", mesh, PartitionSpec(None, "data")),
    ("PartitionSpec('data', 'model')", grid, PartitionSpec("data", "model")),
    ("PartitionSpec('data')", grid, PartitionSpec("data")),
]
pale = 0.5 + np.array([to_rgb(colour) for colour in figures.COLOURS]) / 2  # to be written on
_, axes = plt.subplots(1, len(layouts), figsize=(11, 2.6))
for axis, (name, where, spec) in zip(axes, layouts, strict=True):
    array = jax.device_put(np.zeros((8, 16), np.float32), NamedSharding(where, spec))
    owners, place = {}, np.zeros((8, 16), int)
    for shard in array.addressable_shards:
        owners.setdefault(str(shard.index), []).append(str(shard.device.id))
        place[shard.index] = list(owners).index(str(shard.index))
    axis.imshow(pale[place], aspect="auto")
    for number, ids in enumerate(owners.values()):
        row, column = np.argwhere(place == number).mean(0)
        axis.text(column, row, "all" if len(owners) == 1 else ", ".join(ids), ha="center", va="center", fontsize=9)
    axis.set(xticks=[], yticks=[], **dict(zip(("ylabel", "xlabel"), spec, strict=False)))  # which axis of the mesh splits it
    size = " × ".join(map(str, where.devices.shape))
    axis.set_title(f"{name}\nmesh of {size}", fontsize=8.5)
    axis.grid(visible=False)
    part = array.addressable_shards[0].data
    print(f"{name:30} on {size}: each device has {part.shape!s:8} of {array.shape}, {part.nbytes} bytes")
plt.show()

# %% [markdown]
# The array is still *one* array: `array + 1` and `array.sum()` work as ever, and JAX finds out who has to do what.
#
# ## By hand: the mean of the gradients
#
# The simplest way to use eight devices is **data parallel**: each has the whole network and an eighth of the batch. Does
# training so make sense? The loss is a mean over examples. Cut the batch into equal parts: the mean of the parts' means is the
# mean of all; and the gradient of a mean is the mean of the gradients. Do it, with a loop in the place of devices.

# %%
digits = nn.data.load("digits", "train").map(nn.data.as_vectors).arrays()
batch = {"x": jnp.asarray(digits["image"][:64]), "y": jax.nn.one_hot(digits["label"][:64], 10)}
first, second = jax.random.normal(jax.random.key(0), (64, 32)) / 8, jax.random.normal(jax.random.key(1), (32, 10)) / 6
params = {"hidden": first, "out": second}


def loss(params, batch):
    scores = jnp.tanh(batch["x"] @ params["hidden"]) @ params["out"]
    return -(batch["y"] * jax.nn.log_softmax(scores)).sum(1).mean()


def mean_gradient(cuts):
    """The mean of the gradients of the parts of the batch between these cuts."""
    parts = [jax.tree.map(lambda array: array[a:b], batch) for a, b in pairwise(cuts)]  # noqa: B023
    gradients = [jax.grad(loss)(params, part) for part in parts]
    return jax.tree.map(lambda *slopes: sum(slopes) / len(slopes), *gradients)


def largest_gap(one, other):
    return max(float(abs(a - b).max()) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


whole = jax.grad(loss)(params, batch)
size = max(float(abs(leaf).max()) for leaf in jax.tree.leaves(whole))
gaps = {
    "8 parts of 8": largest_gap(mean_gradient(range(0, 65, 8)), whole),
    "parts of 50, 7 and 7": largest_gap(mean_gradient([0, 50, 57, 64]), whole),
}
print(f"the largest slope of the whole batch is {size:.3f}")
for name, gap in gaps.items():
    print(f"{name}: the mean of the gradients is off by at most {gap:.0e}")
assert gaps["8 parts of 8"] < 1e-6 < gaps["parts of 50, 7 and 7"], "equal parts, and only these"

# %% [markdown]
# Equal parts give the gradient of the whole, up to rounding. Unequal parts do not: an example in a small part would count for
# more. That is why a batch should be one that the devices divide.
#
# ## A step on eight devices
#
# `jax.shard_map` takes a function that is written *for one device*, and runs it on all of them, each with its part. Inside,
# devices can talk: `jax.lax.pmean(x, "data")` is the mean of everyone's `x` along the axis `data`, and everybody gets it. That
# is an **all-reduce**. It is the only line that would not stand in a program for one device. Around it, `in_specs` says how the
# arguments are cut (the params not at all, the batch along `data`), and `out_specs` how the results are put together (they are
# whole already). The library's `data_parallel_step` is the same step; the cell compares the two, and then leaves the line out.

# %%
seen = []


def step(params, part):
    seen.append(part["x"].shape)
    value, gradient = jax.value_and_grad(loss)(params, part)
    value, gradient = jax.lax.pmean((value, gradient), "data")
    return jax.tree.map(lambda w, g: w - 0.5 * g, params, gradient), value


def on_all(step, check=False):
    of_params, of_batch = PartitionSpec(), PartitionSpec("data")
    # The check would have JAX sum the gradients of whole params by itself; here we do it, and see it.
    return jax.jit(jax.shard_map(step, mesh=mesh, in_specs=(of_params, of_batch), out_specs=of_params, check_vma=check))


after, value = on_all(step)(params, batch)
expected = jax.tree.map(lambda w, g: w - 0.5 * g, params, whole)
print(f"the batch is {batch['x'].shape}; inside, a device sees {seen[0]}")
print(f"loss {value:.6f}, and of the whole batch on one device {loss(params, batch):.6f}")
print(f"the new params differ from those of one device by at most {largest_gap(after, expected):.0e}")
library, _ = data_parallel_step(loss, params, batch, mesh=mesh, learning_rate=0.5)
assert largest_gap(after, expected) < 1e-5 and largest_gap(library, expected) < 1e-5


def silent(params, part):  # the same without the line
    value, gradient = jax.value_and_grad(loss)(params, part)
    return jax.tree.map(lambda w, g: w - 0.5 * g, params, gradient), value


copies = [np.asarray(shard.data) for shard in on_all(silent)(params, batch)[0]["out"].addressable_shards]
apart = max(float(abs(copy - copies[0]).max()) for copy in copies)
print(f"without pmean: {len(copies)} copies of the params that differ by up to {apart:.3f}, and no error")
assert count == 1 or apart > 1e-3
try:
    on_all(silent, check=True)(params, batch)
    raise AssertionError("JAX should have refused it")
except ValueError as error:
    print(f"with the check on, ValueError: {str(error).splitlines()[0]}")

# %% [markdown]
# Without that line nothing complains! Each device trains a network of its own on an eighth of the data, and whoever prints such
# an array sees the first device's copy. Remember that when numbers are a little worse than they should be.
#
# It is silent only because `on_all` passes `check_vma=False`. The letters stand for *varying manual axes*: JAX would keep
# account over which axes of the mesh a value varies. Then it sums the gradients of whole params by itself, and refuses
# `silent`, whose loss is another on each device while `out_specs` promises one for all.
#
# ## `fit` on a mesh
#
# The library does not use `shard_map` for this. `fit(mesh=…)` puts the weights on all devices, splits each batch, and calls the
# same compiled step as ever. From where its arguments lie XLA finds out that a sum over devices is needed, and puts it in. (You
# will see it there below.) The same seed, the same batches, one device and all:

# %%
momentum = optax.sgd(0.05, momentum=0.9)
batches = nn.data.load("digits", "train").map(nn.data.as_vectors).batches(64, seed=0)


def train(mesh):
    config = nn.models.MLPConfig(in_features=64, hidden=(128, 128), out_features=10)
    model = nn.models.MLP(config, rngs=nnx.Rngs(0))
    return nn.training.fit(model, batches, optimizer=momentum, steps=150, log_every=5, mesh=mesh)


alone = jax.make_mesh((1, 1), ("data", "model"), axis_types=(AxisType.Auto, AxisType.Auto), devices=devices[:1])
histories = {"one device": train(alone), f"{count} devices": train(mesh)}
_, (axis, beside) = plt.subplots(1, 2, figsize=(9.4, 3.2))
for (name, history), style in zip(histories.items(), ("-", ":"), strict=True):
    width, colour = (4, figures.COLOURS[5]) if style == "-" else (2, "black")
    axis.plot(history["step"], history["loss"], style, linewidth=width, color=colour, label=name)
axis.set(xlabel="step", ylabel="loss", title="The same curve, twice", ylim=(0, None))
axis.legend()
ones, eights = (np.array(history["loss"]) for history in histories.values())
beside.plot(histories["one device"]["step"], np.maximum(abs(ones / eights - 1), 1e-9), "o", markersize=4)  # 0 has no place
beside.axhline(2**-24, color="0.4", linewidth=1, linestyle="--")  # what rounding one number to float32 may change
for height, name in ((2**-24, " one rounding"), (1e-9, " no difference")):
    beside.text(1, height, name, transform=beside.get_yaxis_transform(), va="center", fontsize="small", color="0.3")
beside.set(xlabel="step", ylabel="difference / loss", yscale="log", title="How far apart they are", ylim=(5e-10, None))
plt.show()
print(f"after 150 steps the loss is {ones[-1]:.4f} and {eights[-1]:.4f}")
print(f"along the way the two differ by at most {abs(ones / eights - 1).max():.1e} of the loss")
assert np.allclose(ones, eights, rtol=1e-2), "one training, not two"

# %% [markdown]
# So eight devices do not learn better, nor worse: they take the same steps. The points on the right stay within a few
# roundings, on a CPU: the same numbers were added in another order. (A logarithmic axis has no zero, so where the two losses
# are equal the point is put at 1e-9.) One thing you have to see to yourself: the devices have to divide the batch. Where they
# do not, `fit` gives all of it to each of them:

# %%
wanted = 60
for examples in (64, wanted, count * max(1, wanted // count)):
    part = shard_batch({"x": np.zeros((examples, 64), np.float32)}, mesh)["x"].addressable_shards[0].data
    print(f"a batch of {examples}: each of {count} devices computes {len(part)}")

# %% [markdown]
# The numbers are right, and each device does the work of all. So write `count * max(1, wanted // count)`, with `count` from
# `jax.device_count()`, and the same program fits one chip, four or eight.
#
# What eight devices *could* do is take the same steps sooner, or take larger batches. Did they take them sooner, here? Time a
# step of two layers of 1024 × 1024 weights, with 512 examples.

# %%
big = {"x": jnp.ones((512, 1024)), "y": jnp.ones((512, 1024)) / 1024}
wide = {"hidden": jnp.ones((1024, 1024)) / 1024, "out": jnp.ones((1024, 1024)) / 1024}
for name, where in (("one device", alone), (f"{count} devices", mesh)):
    run = jax.jit(partial(data_parallel_step, loss, mesh=where, learning_rate=0.5))
    inputs = replicate(wide, where), shard_batch(big, where)
    jax.block_until_ready(run(*inputs))  # compiles
    took = []
    for _ in range(5):
        start = time.perf_counter()
        jax.block_until_ready(run(*inputs))
        took.append(time.perf_counter() - start)
    print(f"{name}: {1e3 * min(took):.0f} ms a step, the quickest of 5")
print(f"devices that are real: {several and jax.default_backend() != 'cpu'}; cores of this computer: {os.cpu_count()}")

# %% [markdown]
# If your devices are virtual, this says nothing about chips. The same cores do the work of all, update eight copies of the
# weights instead of one, and add eight gradients. We use virtual devices to see that a program is *right*, and to count. How
# much quicker eight real chips are depends on what they send, and this we can count without them. (As many devices as cores can
# be quicker than one: a core each, and half the batch, or a quarter. `nn.training.cores_as_devices()` is for that, and
# `benchmarks/README.md` has its times.)
#
# ## What is sent, and when
#
# The compiled program says so. Here are the lines of the step above in which devices talk. Such an exchange is called a
# **collective**, and `collective_bytes` adds up the bytes that go into them:


# %%
def compiled_text(jitted, *inputs):
    """What XLA makes of a function, to be read; nothing is run, so that shapes are enough for inputs."""
    return jitted.lower(*inputs).compile().as_text() or ""


program = compiled_text(on_all(step), params, batch)
talking = [line.strip() for line in program.splitlines() if " all-reduce(" in line or " all-reduce-start(" in line]
for line in talking:
    print(line.split(", channel_id")[0])
weights = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
of_batch = sum(leaf.nbytes for leaf in jax.tree.leaves(batch))
print(f"{collective_bytes(program)}; the params have {weights} bytes, the loss 4, the batch {of_batch}")
assert count == 1 or collective_bytes(program) == {"all-reduce": weights + 4}

everywhere = NamedSharding(mesh, PartitionSpec())
found = compiled_text(jax.jit(silent, out_shardings=everywhere), replicate(params, mesh), shard_batch(batch, mesh))
print(f"`silent` without shard_map, of a batch that is split: {collective_bytes(found)}")
assert count == 1 or collective_bytes(found) == collective_bytes(program)

# %% [markdown]
# Left of `all-reduce(` stands what comes out, with types and shapes (`{1,0}` says in which order the axes lie in memory); right
# of it, by name, what goes in: each gradient, and the loss. One exchange in a step, of the size of the *weights*. The batch is
# not in it: it was cut before, and its parts never meet. And `silent`, so wrong under `shard_map`, is right under `jit` alone:
# there `batch` is all of it, only laid out in parts, and XLA puts in the same sum. `fit` does that.
#
# We count what a device puts into the sum. On a ring of $n$ devices (they stand in a circle, and each talks to its neighbour)
# it sends $2 (n - 1) / n$ times that: never more than twice. (Cut the array into $n$ pieces. In $n - 1$ turns each device
# passes one piece on, and the next adds its own; in $n - 1$ more the sums go round.)
#
# There is another way to split. **Tensor parallel** cuts the *network*. Take two dense layers in a row, `up` and `down`, with
# 512 hidden units between them, and eight devices: the one that has the hidden units 0 to 63 has the columns 0 to 63 of `up`
# and the rows 0 to 63 of `down`. It computes these units for the whole batch, and from them one *term* of each output; an
# all-reduce adds the eight terms. Now what is sent is *activations*.
#
# Which of the two sends less? Take four blocks of two layers, 256 → hidden → 256. Run one step each way, to see that it is the
# step of one device; then count, for batches and hidden widths of several sizes.

# %%
FEATURES, BLOCKS = 256, 4


def blocks_loss(params, batch):
    x = batch
    for layer in params:
        x = x + jnp.tanh(x @ layer["up"]) @ layer["down"]
    return (x**2).mean()


def blocks_step(params, batch):
    return jax.tree.map(lambda w, g: w - 0.1 * g, params, jax.grad(blocks_loss)(params, batch))


def placed(split):
    """Where the weights of the blocks lie, and where the batch does."""
    if split == "batch":
        where, up, down, of_batch = mesh, PartitionSpec(), PartitionSpec(), PartitionSpec("data")
    else:
        where, up, down, of_batch = mesh_of(count), PartitionSpec(None, "model"), PartitionSpec("model", None), PartitionSpec()
    return [{"up": NamedSharding(where, up), "down": NamedSharding(where, down)}] * BLOCKS, NamedSharding(where, of_batch)


def sent(split, examples, hidden):
    """Kind → bytes of what a device exchanges in one step of gradient descent."""
    lying, of_batch = placed(split)
    shapes = {"up": (FEATURES, hidden), "down": (hidden, FEATURES)}
    layer = {name: jax.ShapeDtypeStruct(shapes[name], jnp.float32, sharding=lying[0][name]) for name in shapes}
    batch = jax.ShapeDtypeStruct((examples, FEATURES), jnp.float32, sharding=of_batch)
    return collective_bytes(compiled_text(jax.jit(blocks_step, out_shardings=lying), [layer] * BLOCKS, batch))


draw = jax.random.normal(jax.random.key(2), (2, BLOCKS, FEATURES, 512)) / 16
blocks = [{"up": up, "down": down.T} for up, down in zip(*draw, strict=True)]
x = jax.random.normal(jax.random.key(3), (64, FEATURES))
expected = jax.device_get(jax.jit(blocks_step)(blocks, x))
moved = largest_gap(expected, blocks)
for split in ("batch", "network"):
    lying, of_batch = placed(split)
    after = jax.jit(blocks_step, out_shardings=lying)(jax.device_put(blocks, lying), jax.device_put(x, of_batch))
    gap = largest_gap(jax.device_get(after), expected)
    print(f"{split} split: a step of {moved:.0e}, off from one device by {gap:.0e} at most; sent: {sent(split, 64, 512)}")
    assert gap < 1e-3 * moved

sizes, widths = (64, 256, 1024, 4096), (128, 512, 2048, 8192)
by_batch = {split: [sum(sent(split, examples, 512).values()) for examples in sizes] for split in ("batch", "network")}
by_width = {split: [sum(sent(split, 256, hidden).values()) for hidden in widths] for split in ("batch", "network")}
print("\nMiB in a step           " + "".join(f"{examples:9d}" for examples in sizes) + "   examples, 512 hidden units")
for split, counts in by_batch.items():
    print(f"with the {split:8} split " + "".join(f"{size / 2**20:9.2f}" for size in counts))
print("\nMiB in a step           " + "".join(f"{hidden:9d}" for hidden in widths) + "   hidden units, 256 examples")
for split, counts in by_width.items():
    print(f"with the {split:8} split " + "".join(f"{size / 2**20:9.2f}" for size in counts))
sums = 2 * BLOCKS - 1  # one a block forward, one backward, but for the input of the first block
crossings = {"examples": 2 * BLOCKS * 512 / sums, "hidden units": sums * 256 / (2 * BLOCKS)}
_, axes = plt.subplots(1, 2, figsize=(9.4, 3.4), sharey=True)
fixed = "512 hidden units", "256 examples"
panels = zip(axes, (sizes, widths), (by_batch, by_width), crossings.items(), fixed, strict=True)
for axis, across, found, (label, crossing), other in panels:
    curves = {f"{split} split": (across, np.array(counts) / 2**20) for split, counts in found.items()}
    figures.plot_curves(curves, axis=axis, xlabel=label, title=f"Sent in a step, with {other}", logx=True, logy=True)
    axis.axvline(crossing, color="0.4", linewidth=1, linestyle="--")
    axis.text(crossing, 0.3, f" {crossing:.0f}", color="0.3")
axes[0].set(ylabel="MiB", ylim=(0.25, 100))
axes[0].set_yticks(ticks := (0.5, 1, 2, 4, 8, 16, 32, 64), [f"{tick:g}" for tick in ticks])
axes[0].minorticks_off()
plt.show()
if count > 1:
    assert by_batch["batch"] == [BLOCKS * 2 * FEATURES * 512 * 4] * len(sizes), "the weights, whatever the batch"
    assert by_width["batch"] == [BLOCKS * 2 * FEATURES * hidden * 4 for hidden in widths]
    assert by_batch["network"] == [sums * examples * FEATURES * 4 for examples in sizes], "activations"
    assert by_width["network"] == [sums * 256 * FEATURES * 4] * len(widths), "whatever the hidden width"
    assert sent("batch", 256, 224) == sent("network", 256, 224)
    print("both send the same:", " or ".join(f"at {crossing:.0f} {label}" for label, crossing in crossings.items()))

# %% [markdown]
# Neither always sends less: the lines cross (at the dashed line). With the batch split, a block sends its gradients, 2 × 256 ×
# hidden numbers, whatever the batch. With the network split, the four blocks send seven arrays of examples × 256, whatever the
# hidden width: one sum a block forward and one backward, but nobody needs the gradient of the first block's input. With 512
# hidden units that is 4 · 2 · 256 · 512 numbers against 7 · 256 · examples: equal at 585. So split the batch where batches are
# large and the network is small; split the network where it is large, or does not fit on one chip. Large trainings do both, one
# along each axis of a mesh: `nn.training.partition` and `fit` do that.
#
# When matters as much as how much. The all-reduce of data parallel needs no layer to wait: gradient by gradient, it can be sent
# while the backward pass goes on, and only the update waits for it. (Above, XLA has put all gradients into one exchange, which
# must wait for the last of them.) The sums of tensor parallel stand *between* layers, forward and backward: nobody can go on
# before each of them is done, so they need the fastest wires.
#
# ## One chip, four, sixteen
#
# XLA also compiles for chips that are not here. `python -m benchmarks.scaling` compiled training steps of the library's own
# models for TPU v5e chips, with Adam, and read the same counts from the programs. Each part of the batch has the same size, 128
# images or 8 texts (twice that where the batch is 1024, 64 or 16), so more chips take larger batches. `held` are the weights,
# Adam's memory and the batch; `beside` is what a step needs there on top for a while, the activations above all: much for the
# ResNet, none for the MLP. (XLA arranges each program anew, so that equal work need not take equal room beside.) The table that
# it wrote lies beside it:

# %%
scaling = json.loads((root / "benchmarks" / "scaling.json").read_text(encoding="utf-8"))
print(f"{'MiB for each chip':34} chips  data × model   batch      sent   sent / weights      held    beside")
for row in scaling["rows"]:
    row["sent"], split = sum(row["bytes sent"].values()), f"{row['data']} × {row['model']}"
    sizes_text = f"{row['sent'] / 2**20:9.2f} {row['sent'] / row['bytes of weights']:16.2f}"
    held = f"{row['bytes of arguments'] / 2**20:9.1f} {row['bytes beside them'] / 2**20:9.1f}"
    print(f"{row['network']:34} {row['chips']:5d} {split:>13} {row['batch']:7d} {sizes_text} {held}")
for row, other in product(scaling["rows"], repeat=2):
    if row["network"] == other["network"] and row["model"] == other["model"] == 1 < min(row["chips"], other["chips"]):
        assert row["bytes sent"] == other["bytes sent"], "data parallel: the same for any batch and any number of chips"
gpt = {(row["data"], row["model"], row["batch"]): row for row in scaling["rows"] if row["network"].startswith("GPT")}
assert gpt[1, 4, 8]["sent"] == gpt[1, 16, 8]["sent"] == gpt[1, 4, 16]["sent"] / 2 == 4 * 2 * (8 * 256) * 256 * 4
missing = (gpt[4, 1, 32]["bytes of arguments"] - gpt[1, 4, 8]["bytes of arguments"]) // 3  # weights, and Adam's two memories
assert gpt[4, 4, 32]["sent"] == gpt[1, 4, 8]["sent"] + gpt[4, 1, 32]["sent"] - missing, "activations, and gradients of the rest"

# %% [markdown]
# Data parallel: what a chip puts into the sum is the size of the weights, for four chips as for sixteen, for twice the batch as
# for once. (A little more than once, in some: batch normalization sums its means over the whole batch, too, and a GPT's table
# of tokens gets two gradients, one as input and one as output.) That is why it scales so far, as long as each chip keeps its
# part of the batch: then its work and its bytes stay the same. With a fixed batch its work shrinks, and its bytes do not. And a
# batch eight times as large wants another learning rate (Goyal et al. 2017).
#
# Tensor parallel, the rows of 1 × 4: four layers, two sums in each, of 8 × 256 tokens with 256 features of 4 bytes, which makes
# 16 MiB (the first layer's backward sum is among them: here the table of tokens below it waits for that gradient); twice that
# for twice the batch, and no less on 16 chips. On 4 × 4 chips it is those, and the gradients of what a chip still has. What is
# won is room: 37.7 MiB are held on every chip where only the batch is split, 19.7 where four chips share the network, 15.1
# where sixteen do. No more is won, because only the feed-forward halves are split; all the rest is whole on each chip.
#
# These are bytes from compiled programs. Nobody ran them, so there are no seconds here.
#
# ## Trap 1: compiled again and again
#
# A jitted function is compiled for each *shape* that it meets. Text has any length. The cure is **buckets**: a few lengths that
# arrays may have, and each text is filled up with padding to the next of them. The price is work on padding (up to nearly half
# of it where buckets double, and more below the smallest), and the padding has to be masked, so that it counts for nothing.
# Count how often Python traces a function, which is how often it is compiled, for 64 lengths. The function is a stand-in for a
# network, a mean over the tokens of a text; `pad_to_bucket` gives the padded tokens and how many of them count:


# %%
def count_programs(prepare):
    """How many programs a jitted function needs for sequences of 1 to 64 tokens, and the seconds that all of them take."""
    traced = []

    @jax.jit
    def score(tokens, lengths):
        traced.append(tokens.shape)  # runs only while JAX traces
        there = jnp.arange(tokens.shape[1]) < lengths[:, None]
        return jnp.where(there, jnp.sin(tokens), 0).sum(1) / lengths

    start = time.perf_counter()
    results = [float(score(*prepare([1 + i % 9 for i in range(length)]))[0]) for length in range(1, 65)]
    return results, len(traced), time.perf_counter() - start


as_it_is, programs, seconds = count_programs(lambda text: (np.array([text], np.int32), np.array([len(text)], np.int32)))
buckets = (8, 16, 32, 64)
bucketed, few, sooner = count_programs(lambda text: nn.data.pad_to_bucket([text], buckets=buckets))
print(f"each length as it is: {programs} programs, {seconds:.1f} s; in buckets of {buckets}: {few} programs, {sooner:.1f} s")
assert np.allclose(as_it_is, bucketed, atol=1e-5), "padding is masked: the same numbers"
assert programs == 64 and few == len(buckets)

# %% [markdown]
# 64 programs for 64 lengths, against one for each bucket. Here each takes a moment; a large network takes far longer. (The
# seconds are those of a first run. Later the programs may come from the disk, the compilation cache.) What else makes a new
# program: another dtype, another number of arguments, a new `lambda` under `jit` each time. The last batch of an epoch, a
# little smaller than the others, is a classic. `jax.config.update("jax_log_compiles", True)` has JAX say each time what it
# compiles: that is how you hunt.
#
# ## Trap 2: a host that waits
#
# The **host** is the computer that runs Python. A call of a jitted function returns there *before* it is done. Python goes on,
# prepares the next batch, queues the next step; the device need not idle, as long as batches are ready sooner than steps are
# done. Until a line needs a number: `float(loss)`, `print(loss)`, `if loss < best`. Then Python waits for the device, and after
# that the device waits for Python. Let the batches take some time to prepare (here they sleep), and train twice: once as it
# comes to mind, and once with a loop that fetches ten losses in one go. `training_loop` is that loop; `fit` works in the same
# way.

# %%
matrix = jnp.eye(700) * 0.9


@jax.jit
def slow_step(state, batch):
    for _ in range(3):
        state = state @ matrix
    return state + batch, state[0, 0]


def prepared(batches, seconds=0.01):
    for _ in range(batches):
        time.sleep(seconds)  # a disk that is read
        yield jnp.float32(0)


def as_it_comes_to_mind(state, batches):
    losses = []
    for batch in batches:
        state, loss = slow_step(state, batch)
        losses.append(float(loss))  # waits
    return state, np.array(losses, np.float32)


state = jnp.eye(700)
slow_step(state, jnp.float32(0))
start = time.perf_counter()
list(prepared(20))
preparing = (time.perf_counter() - start) / 20
print(f"{'preparing alone':20} {20 * preparing:.2f} s for 20 batches")
together = partial(training_loop, slow_step, log_every=10)
spent, returned = {"float at each step": np.inf, "fetched together": np.inf}, {}
for _ in range(3):  # in turn, and the quickest of three: other programs run on this computer, too
    for name, loop in zip(spent, (as_it_comes_to_mind, together), strict=True):
        start = time.perf_counter()
        _, returned[name] = loop(state, prepared(20))
        spent[name] = min(spent[name], time.perf_counter() - start)
for name, losses in returned.items():
    print(f"{name:20} {spent[name]:.2f} s for 20 steps; the last number returned is {losses[-1]:.2e}")
assert np.array_equal(*returned.values()), "the same numbers"
print(f"the first takes {spent['float at each step'] / spent['fetched together']:.1f} times as long")

# %% [markdown]
# The numbers are the same, so nothing tells you but the clock. Where did the time go? Two lengths are enough to draw it: how
# long a batch is prepared, and how long a step computes. The rest is a rule: a step begins when its batch is there *and* the
# step before is done.


# %%
PREPARES, COMPUTES, WAITS = "Python prepares a batch", "the device computes a step", "Python waits for losses"


def who_waits(preparing, computing, log_every, count):
    """Bars (row, what, start, length) for so many batches: what Python does, and what the device does."""
    python = device = 0.0
    bars = []
    for number in range(1, count + 1):
        bars.append((1, PREPARES, python, preparing))
        python += preparing
        device = max(device, python)
        bars.append((0, COMPUTES, device, computing))
        device += computing
        if number % log_every == 0 or number == count:
            bars.append((1, WAITS, python, device - python))
            python = device
    return bars


took = []
for _ in range(10):
    start = time.perf_counter()
    jax.block_until_ready(slow_step(state, jnp.float32(0)))
    took.append(time.perf_counter() - start)
lengths = {"preparing": 1e3 * preparing, "computing": 1e3 * min(took)}
figure, axes = plt.subplots(2, 1, figsize=(9.4, 3.6), sharex=True)
colours = {PREPARES: figures.COLOURS[0], COMPUTES: figures.COLOURS[1], WAITS: "0.85"}
for axis, (name, every) in zip(axes, {"float at each step": 1, "fetched together": 10}.items(), strict=True):
    for row, what, begin, length in who_waits(**lengths, log_every=every, count=6):
        axis.barh(row, length, left=begin, color=colours[what], edgecolor="white")
    *_, (_, _, begin, length) = who_waits(**lengths, log_every=every, count=20)
    axis.set(yticks=(0, 1), yticklabels=("device", "Python"), title=f"{name}: for 20 batches, {(begin + length) / 1e3:.2f} s")
    axis.grid(visible=False)
axes[1].set(xlabel="milliseconds, for 6 batches")
patches = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in colours.values()]
figure.legend(patches, colours, ncols=3, loc="outside lower center")
plt.show()

# %% [markdown]
# With `float` at each step preparing and computing take turns, and whoever is not at work waits for the other (grey: Python;
# white: the device). Fetched together, batches are prepared while the device computes, and Python waits once for all six. Above
# each picture stands what the rule gives for 20 batches, with a wait every ten in the lower one: compare it with your clock.
# How much there is to save depends on the machine: at most half, where both take the same time. On eight chips it is eight that
# wait.
#
# ## Trap 3: a tracer that leaks
#
# You met this in lesson 01. Here is where it happens in training: running statistics. You want the mean of all data so far, and
# append to a list inside of a jitted function. The list keeps a tracer, and the next calls run no Python at all.
#
# The cure is the rule of lesson 01, too: what a function remembers is an argument and a result. `update_moments` takes the
# number of examples, their mean and the sum of their squared differences from it, and returns the new ones. With $n$ examples
# of mean $m$ and squares $S$ before, and $k$ new ones of mean $m'$ and squares $S'$:
#
# $$N = n + k, \qquad \text{mean} = m + \frac{k}{N} (m' - m), \qquad \text{squares} = S + S' + \frac{n k}{N} (m' - m)^2$$
#
# The last term is there because squares about another centre $c$ are larger by $n (m - c)^2$, and both sums have to move to
# the common mean.

# %%
kept = []


@jax.jit
def leaky(x):
    kept.append(x.mean())
    return x * 2


for part in np.arange(12.0, dtype=np.float32).reshape(3, 4):
    leaky(jnp.asarray(part))
print(f"three calls, and the list has {len(kept)} entry: {type(kept[0]).__name__}")
try:
    print(kept[0] + 1)
except jax.errors.UnexpectedTracerError as error:
    message = str(error).splitlines()[0]
    print(f"UnexpectedTracerError: {message[:110]} …")
assert len(kept) == 1

moments = jnp.zeros((), jnp.int32), jnp.zeros(()), jnp.zeros(())
update = jax.jit(update_moments)  # once, before the loop: a new jit each time might be a new program each time
for part in np.arange(12.0, dtype=np.float32).reshape(3, 4):
    moments = update(moments, jnp.asarray(part))
seen_so_far, mean, squares = moments
print(f"carried along: {seen_so_far} numbers, mean {mean:.2f}, variance {squares / seen_so_far:.2f}")
assert int(seen_so_far) == 12 and np.isclose(mean, 5.5) and np.isclose(squares / seen_so_far, np.arange(12).var())

# %% [markdown]
# Our function takes examples. The same formula puts the moments of *two devices* together, if the other device's three numbers
# come in place of those of the new examples: nothing in it knows which came first.
#
# So: *what changes when one chip becomes eight?* Not the mathematics, and hardly the program. Arrays get a place; a step gets a
# sum. Whether it pays is decided by bytes: those of the weights, where you split the batch; those of the activations, where you
# split the network. And whatever makes one chip wait now makes eight.
#
# ## Try
#
# 1. Let `loss` be the *sum* over examples, not the mean. Which one line of `step` has to change, so that the step is still that
#    of one device with this loss?
# 2. In `placed`, split the network over `mesh_of(2)`, and the batch over its other axis at once. Predict the bytes for 256
#    examples and 512 hidden units, then count.
# 3. In `slow_step`, give the state's memory away (`donate_argnums=0`), and make a new state before each call of a loop. Does
#    anything change in either, and why may `state` not be used a second time now?
#
# **Exercise:** write `data_parallel_step`, `pad_to_bucket`, `training_loop` and `update_moments` yourself. In the folder of the
# course, `python -m exercises next` says where to begin, and `python -m pytest exercises/11_scale` tests what you have written.
