# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Machine learning beside deep learning: which, when?
#
# Is it true that deep learning needs a lot of data and a GPU but finds its own features, while classical machine learning is
# quick, and somebody has to design the features? Everybody has heard it; how would you find out? Here we measure it, on small
# tasks, and do not always get the answer that a book on deep learning would like.
#
# **Machine learning** finds a rule from examples. **Deep learning** is the part of it whose rule is a network of layers, all
# trained together. In this lesson a network is a box: examples in, answers out. Lesson 03 opens it.
#
# Needed: lesson 01 (arrays, gradient descent, the bootstrap's idea of chance). Time: about a minute to run on two cores.

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
import inspect
import tempfile
import time

import jax
import joblib
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.svm import SVC

import nn
from lessons import figures
from transfer.report import mean_interval

figures.use_lesson_style()
_ = nn.training.enable_compilation_cache()  # what was compiled once is not compiled again

# %% [markdown]
# ## Four steps
#
# Whatever the method, the work has four steps: **feed** it examples, **train**, **test and deploy**, **use the model**. Here
# they are once, in full, for both kinds. The task is to read digits: images of 8×8 pixels, each with its **label**, 0 to 9.
#
# **1. Feed.** Training examples to learn from; test examples that nobody learns from, since anyone can be right about answers
# they were told. A network is fed in small portions, **batches**.

# %%
train, test = (nn.data.load("digits", split).map(nn.data.as_vectors) for split in ("train", "test"))
x, y = train.arrays().values()
test_x, test_y = test.arrays().values()
batches = train.batches(50, seed=0)
figures.show_images(x[:10].reshape(-1, 8, 8), y[:10])
plt.show()
print(f"{len(x)} to learn from, {len(test_x)} to test on; each is {x.shape[1]} numbers from {x.min():.0f} to {x.max():.0f}")

# %% [markdown]
# **2. Train.** The classical method here is a **support vector machine** (Cortes and Vapnik 1995): it answers by similarity to
# those training examples that lie near a border between two classes. The network is the library's `MLP` with 128 hidden units;
# `fit` is gradient descent, and **Adam** a way to choose the size of its steps (lesson 04).

# %%
adam = optax.adam(2e-3)


def network(inputs, outputs, seed=0):
    """A box with random weights, from `inputs` numbers to `outputs` numbers."""
    config = nn.models.MLPConfig(in_features=inputs, hidden=(128,), out_features=outputs)
    return nn.models.MLP(config, rngs=nnx.Rngs(seed))


machine = SVC(C=10).fit(x, y)
model = network(64, 10)
history = nn.training.fit(model, batches, optimizer=adam, steps=400)

# %% [markdown]
# **3. Test and deploy.** How many *test* digits are right? If that is good enough, what was learned goes into a file. A
# network's weights are plain numbers, in a format without code in it (`safetensors`); scikit-learn's models are pickled Python
# objects, which one should load only from people one trusts, and into the same version of the library.

# %%
temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
machine_right = float((machine.predict(test_x) == test_y).mean())
model_right = nn.training.evaluate(model, test_x, test_y)
print(f"right on test digits: support vector machine {machine_right:.1%}, network {model_right:.1%}")

nn.training.save_weights(model, folder / "network.safetensors")
joblib.dump(machine, folder / "machine.joblib")
for path in sorted(folder.iterdir()):
    print(f"{path.name:22s}{path.stat().st_size / 1000:8.0f} KB")

# %% [markdown]
# **4. Use the model.** Somewhere else: a fresh process that knows nothing of this notebook. It gets the files and some images,
# and answers.

# %%
np.save(folder / "images.npy", test_x[:8])
PROGRAM = """
import sys, joblib, numpy as np, nn
from flax import nnx
folder = sys.argv[1]
images = np.load(folder + "/images.npy")
model = nn.models.MLP(nn.models.MLPConfig(in_features=64, hidden=(128,), out_features=10), rngs=nnx.Rngs(1))
nn.training.load_weights(model, folder + "/network.safetensors")
print(*nn.training.predict(model, images).argmax(1))
print(*joblib.load(folder + "/machine.joblib").predict(images))
"""


def elsewhere(program, *arguments):
    """What a program prints in a process of its own, on the CPU: one process at a time may hold a TPU."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=root, env={**os.environ, "JAX_PLATFORMS": "cpu"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


network_says, machine_says = elsewhere(PROGRAM, folder)
print("network, elsewhere:", network_says, "  support vector machine:", machine_says, "  labels:", *test_y[:8])
here = nn.training.predict(model, test_x[:8]).argmax(1)
temporary.cleanup()

# %% [markdown]
# ## How many examples does each need?
#
# Two sets: these digits, and digits of 28×28 pixels from MNIST. From each we learn with few examples and with many. Beside
# the two methods above:
#
# - **nearest neighbour**: find the most similar training image, and say what that one was. No training at all.
# - **random forest** (Breiman 2001): many trees of yes-or-no questions about single pixels, each grown on other examples;
#   they vote.
# - a support vector machine (SVM) on **features made by hand**. Somebody thought about images: a digit is made of strokes,
#   and a stroke has edges, which have directions; and moving it by a pixel does not matter. So: in each cell of a 4×4 grid,
#   count how strong the edges are in each of nine directions. (This is a short form of the histogram of oriented gradients,
#   Dalal and Triggs 2005.)


# %%
def edges(images, bins=9, grid=4):
    """Hand-made features of flat square images: strength of edges by direction in each cell, normalized over 2×2 cells."""
    side = round(images.shape[1] ** 0.5)
    up, across = np.gradient(images.reshape(-1, side, side), axis=(1, 2))
    strength, angle = np.hypot(up, across), np.arctan2(up, across) % np.pi / np.pi * bins  # an edge has no front and back
    lower, share = np.floor(angle).astype(int) % bins, angle % 1
    cell, cells = side // grid, []
    for direction in range(bins):  # an edge between two directions counts for both
        part = strength * np.where(lower == direction, 1 - share, np.where((lower + 1) % bins == direction, share, 0))
        cells.append(part.reshape(-1, grid, cell, grid, cell).sum((2, 4)))
    stacked = np.stack(cells, -1)
    blocks = np.concatenate([stacked[:, i : grid - 1 + i, j : grid - 1 + j] for i in (0, 1) for j in (0, 1)], -1)
    return (blocks / np.sqrt((blocks**2).sum(-1, keepdims=True) + 0.01)).reshape(len(images), -1).astype(np.float32)


def by_network(x, y, test_x, seed, steps=300):
    """Trains on (x, y), and says what the test images are."""
    model = network(x.shape[1], 10, seed)
    data = nn.data.Dataset.from_arrays({"image": x, "label": y})
    nn.training.fit(model, data.batches(50, seed=seed), optimizer=adam, steps=steps)
    return nn.training.predict(model, test_x).argmax(1)


def by_neighbour(x, y, test_x, seed):
    return KNeighborsClassifier(1).fit(x, y).predict(test_x)


def by_forest(x, y, test_x, seed):
    return RandomForestClassifier(50, random_state=seed).fit(x, y).predict(test_x)


def by_svm(x, y, test_x, seed):
    return SVC(C=10).fit(x, y).predict(test_x)


METHODS = {  # name → (what it sees, how it answers)
    "nearest neighbour": ("pixels", by_neighbour),
    "random forest": ("pixels", by_forest),
    "SVM": ("pixels", by_svm),
    "SVM, hand-made": ("edges", by_svm),
    "network": ("pixels", by_network),
}

# %% [markdown]
# One run proves little: other examples, other numbers. So each size is drawn **five times**, from five seeds, and under one
# seed all methods get the same examples. That makes their results **pairs**: look at the *differences* under each seed, since
# an unlucky draw is unlucky for all, and drops out. Around the mean of the five differences we put a **95% interval**
# (Student 1908): if we did it all again and again, 95 in 100 such intervals would hold the mean of all the differences there
# could be. An interval that holds 0 shows nothing.
#
# The settings were fixed beforehand and are the same for all sizes. Nobody was tuned on the test images.

# %%
SEEDS, SIZES = range(5), (50, 200, 800)


class Task:
    """A set of images, as pixels and as hand-made features: (training, test) of each."""

    def __init__(self, name):
        (x, self.y), (test_x, self.test_y) = (
            nn.data.load(name, split).map(nn.data.as_vectors).arrays().values() for split in ("train", "test")
        )
        self.views = {"pixels": (x, test_x), "edges": (edges(x), edges(test_x))}

    def drawn(self, size, seed):
        """Which training images everyone learns from under one seed."""
        return np.random.default_rng(seed).permutation(len(self.y))[:size]


tasks = {"digits (8×8)": Task("digits"), "MNIST (28×28)": Task("mnist_5k")}
right, seconds = {}, {}  # (task, method, size) → a number for each seed
for name, task in tasks.items():
    for method, (view, answer) in METHODS.items():
        images, test_images = task.views[view]
        for size in SIZES:
            shares, times = [], []
            for seed in SEEDS:
                drawn = task.drawn(size, seed)
                begin = time.perf_counter()
                says = answer(images[drawn], task.y[drawn], test_images, seed)
                times.append(time.perf_counter() - begin)
                shares.append(float((says == task.test_y).mean()))
            right[name, method, size], seconds[name, method, size] = np.array(shares), np.median(times)

_, axes = plt.subplots(1, 2, figsize=(10.5, 4))
for axis, name in zip(axes, tasks, strict=True):
    curves = {method: (SIZES, [100 * right[name, method, size].mean() for size in SIZES]) for method in METHODS}
    figures.plot_curves(curves, axis=axis, logx=True, xlabel="training images", ylabel="right on test images (%)", title=name)
plt.show()

# %%
over_best, over_forest = {}, {}  # what the network gains, in points
print("right on test images (%), with", *SIZES, "training images")
for name in tasks:
    print(name)
    for method in METHODS:
        print(f"  {method:18s}", *(f"{100 * right[name, method, size].mean():6.1f}" for size in SIZES))
for name in tasks:
    for size in SIZES:
        others = [method for method in METHODS if method != "network"]
        rival = max(others, key=lambda method, name=name, size=size: right[name, method, size].mean())
        over_best[name, size] = gain = mean_interval(100 * (right[name, "network", size] - right[name, rival, size]))
        over_forest[name, size] = mean_interval(100 * (right[name, "network", size] - right[name, "random forest", size]))
        print(f"{name}, {size}: network − {rival}: {gain.mean:+.1f} points, 95% interval [{gain.low:+.1f}, {gain.high:+.1f}]")

mnist = tasks["MNIST (28×28)"]
drawn = mnist.drawn(800, 0)
longer = by_network(mnist.views["pixels"][0][drawn], mnist.y[drawn], mnist.views["pixels"][1], 0, steps=1200)
patience = 100 * (float((longer == mnist.test_y).mean()) - right["MNIST (28×28)", "network", 800][0])
print(f"four times as many steps would change the network's result by {patience:+.1f} points (seed 0, 800 images)")

# %% [markdown]
# **The network wins nowhere here.** With up to 800 images somebody's knowledge of edges, or plain similarity, does as well
# or better. (The rival in each line is the best of four *after* the fact, which flatters it a little.) It is not last,
# either: with 50 images it beats the forest on both sets. And every method still climbs; what far larger sets would do, these
# do not show. The networks of lesson 05, which have something of that knowledge built in, are another matter.
#
# So is knowledge by hand simply better? It is, *where it is true*.
#
# ## Features by hand, features learned
#
# Move the pixels of all images to other places, in the same way for every image. You could not read them any more, but nothing
# is lost: each pixel is still there. A method that looks at pixels one by one, or compares them one by one, cannot tell the
# difference. The hand-made features can: they were made for neighbouring pixels that belong together.

# %%
order = np.random.default_rng(0).permutation(784)
images, test_images = mnist.views["pixels"]
figures.show_images(np.concatenate([images[:5], images[:5][:, order]]).reshape(-1, 28, 28), columns=10)
plt.show()
moved, moved_test = images[:, order], test_images[:, order]
views = {"network": (moved, moved_test), "SVM, hand-made": (edges(moved), edges(moved_test))}
moved_right = {
    method: np.array(
        [
            (METHODS[method][1](view[drawn], mnist.y[drawn], test_view, seed) == mnist.test_y).mean()
            for seed in SEEDS
            for drawn in [mnist.drawn(800, seed)]
        ]
    )
    for method, (view, test_view) in views.items()
}
lost = {m: mean_interval(100 * (moved_right[m] - right["MNIST (28×28)", m, 800])) for m in views}
after_move = mean_interval(100 * (moved_right["network"] - moved_right["SVM, hand-made"]))
figures.plot_intervals(
    {f"{m}: moved − in place": (v.mean, v.low, v.high) for m, v in lost.items()}
    | {"moved: network − SVM, hand-made": (after_move.mean, after_move.low, after_move.high)},
    reference=0, xlabel="points", title="When the pixels are moved (800 images, five seeds)",
)  # fmt: skip
plt.show()

# %% [markdown]
# Now the network is ahead of the same hand-made features that beat it above. It learned what it needed; they assumed it.
# That is what *learned features* means, and it is worth most where nobody knows what to assume.
#
# What do learned features look like from outside? The last numbers in the box before the answer are its features. Give them to
# the simplest method there is, the nearest neighbour.

# %%
by_features = {"pixels": [], "hand-made": [], "learned": []}
for seed in range(3):
    drawn = mnist.drawn(800, seed)
    model = network(784, 10, seed)
    data = nn.data.Dataset.from_arrays({"image": images[drawn], "label": mnist.y[drawn]})
    nn.training.fit(model, data.batches(50, seed=seed), optimizer=adam, steps=300)
    learned = [nn.training.predict(model, some, method="features") for some in (images, test_images)]
    for name, (view, test_view) in zip(by_features, (mnist.views["pixels"], mnist.views["edges"], learned), strict=True):
        by_features[name].append((by_neighbour(view[drawn], mnist.y[drawn], test_view, seed) == mnist.test_y).mean())
for name, shares in by_features.items():
    print(f"nearest neighbour in {name:10s}{100 * np.mean(shares):5.1f}% right")
learned_gain = mean_interval(100 * (np.array(by_features["learned"]) - by_features["pixels"]))
print(f"learned − pixels: {learned_gain.mean:+.1f} points, 95% interval [{learned_gain.low:+.1f}, {learned_gain.high:+.1f}]")

# %% [markdown]
# ## Steps by hand, or end to end
#
# Real images are not centred. Put each digit anywhere on a larger sheet. **By hand** this takes three steps, each with its own
# idea: *find* the digit (the box around all bright pixels), *cut it out*, and *recognise* it by its edges. **End to end** one
# network gets the whole sheet and must find out by itself. Then let some dust fall on the sheets: three bright pixels.


# %%
def sheets(digits, seed, dust):
    """28×28 digits, each somewhere on a sheet of 40×40, with `dust` bright pixels."""
    random = np.random.default_rng(seed)
    sheet = np.zeros((len(digits), 40, 40), np.float32)
    for page, digit in zip(sheet, digits.reshape(-1, 28, 28), strict=True):
        top, left = random.integers(0, 13, 2)
        page[top : top + 28, left : left + 28] = digit
        page[tuple(random.integers(0, 40, (2, dust)))] = 1
    return sheet


def cut_out(sheet):
    """28×28 pixels around the middle of the box that holds all bright pixels."""
    found = np.empty((len(sheet), 28, 28), np.float32)
    for place, page in enumerate(sheet):
        rows, columns = np.nonzero(page > 0.3)
        top, left = (int(np.clip((where.min() + where.max()) / 2 - 13.5, 0, 12)) for where in (rows, columns))
        found[place] = page[top : top + 28, left : left + 28]
    return found.reshape(len(sheet), -1)


by_dust = {}  # (dust, way) → share right for each of three seeds
for dust in (0, 3):
    for seed in range(3):
        drawn = mnist.drawn(1000, seed)
        pages, test_pages = sheets(images[drawn], seed, dust), sheets(test_images[:500], 100 + seed, dust)
        by_hand = by_svm(edges(cut_out(pages)), mnist.y[drawn], edges(cut_out(test_pages)), seed)
        end_to_end = by_network(pages.reshape(-1, 1600), mnist.y[drawn], test_pages.reshape(-1, 1600), seed)
        for way, says in {"three steps by hand": by_hand, "end to end": end_to_end}.items():
            by_dust.setdefault((dust, way), []).append((says == mnist.test_y[:500]).mean())
figures.show_images(np.concatenate([sheets(images[:5], 0, dust) for dust in (0, 3)]), columns=10)
plt.show()
dust_costs = {}
for way in ("three steps by hand", "end to end"):
    clean, dusty = (np.array(by_dust[dust, way]) for dust in (0, 3))
    dust_costs[way] = mean_interval(100 * (dusty - clean))
    print(f"{way:20s} clean {clean.mean():.1%}, with dust {dusty.mean():.1%}: {dust_costs[way].mean:+.1f} points")

# %% [markdown]
# By hand is far ahead, with 1,000 sheets: finding the digit is one line for us, and hard to find out from examples. But a
# chain of steps is as strong as its weakest. A few specks of dust ruin the first step, and the others, which were right, are
# handed the wrong piece. The network has no such step, and loses much less. With a better first step (clean the sheet, then
# look) the chain is well again, and somebody has more to maintain.
#
# ## What can come out?
#
# So far, a class. But a network may have as many outputs as you like, and they may mean what you like. Show it the upper half
# of a digit, and let it paint the lower: 392 numbers. Can only a network do that? Beside it: **ridge regression** (a weighted
# sum of the inputs for each output, its weights kept small), the lower half of the nearest upper half, and the mean.

# %%
drawn = mnist.drawn(1000, 0)
upper, lower, test_upper, test_lower = images[drawn, :392], images[drawn, 392:], test_images[:, :392], test_images[:, 392:]


def painting_loss(model, batch):
    return nn.training.mean_squared_error(model(batch["upper"]), batch["lower"]).mean()


painter = network(392, 392)
halves = nn.data.Dataset.from_arrays({"upper": upper, "lower": lower})
nn.training.fit(painter, halves.batches(50, seed=0), optimizer=adam, steps=400, loss=painting_loss)
nearest = NearestNeighbors(n_neighbors=1).fit(upper).kneighbors(test_upper, return_distance=False)[:, 0]
painted = {
    "network": nn.training.predict(painter, test_upper),
    "ridge": Ridge(alpha=30.0).fit(upper, lower).predict(test_upper),
    "nearest": lower[nearest],
    "mean": np.broadcast_to(lower.mean(0), test_lower.shape),
}
painting_error = {name: float(((half - test_lower) ** 2).mean()) for name, half in painted.items()}
for name, error in painting_error.items():
    print(f"{name:10s}mean squared error {error:.4f}")
rows = {"true": test_lower} | painted
shown = np.concatenate([np.concatenate([test_upper[:8], half[:8]], 1) for half in rows.values()]).reshape(-1, 28, 28)
figures.show_images(shown.clip(0, 1), [name if i == 0 else "" for name in rows for i in range(8)], columns=8)
plt.show()

# %% [markdown]
# Network and ridge regression are about level, well ahead of the mean. (The nearest half is sharper than either, and often
# wrong; squared error does not reward sharpness.) So *many numbers out* is not what sets networks apart. It is what they can be
# built into: sentences of any length, pictures from noise. Those are lessons to come.
#
# ## Time, and hardware
#
# How long did training and answering take together, above, and what was it worth?

# %%
_, axis = plt.subplots()
for method, colour in zip(METHODS, figures.COLOURS, strict=False):
    spent = [seconds["MNIST (28×28)", method, size] for size in SIZES]
    axis.plot(spent, [100 * right["MNIST (28×28)", method, size].mean() for size in SIZES], "o-", color=colour, label=method)
axis.set(xscale="log", xlabel="seconds to train and to answer", ylabel="right on test images (%)")
axis.set_title("MNIST with 50, 200 and 800 training images")
axis.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# Times are of this machine, and the hand-made features were made beforehand. The network takes as long with 50 images as with
# 800: it is given a number of steps, and not more of them for more images. The others do more work with more images.
#
# And how much does hardware help? The same work, in a process that may use one core and in one that may use two; and, if this
# machine has an accelerator (a GPU or a TPU), the network there.


# %%
def work_seconds(cores):
    """Seconds for a forest of 24 trees, and for 10 steps of a wider network, in this process: the best of two tries."""
    import time

    import jax
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier

    random = np.random.default_rng(0)
    x, y = random.normal(size=(1000, 784)).astype(np.float32), random.integers(0, 10, 1000)

    def forest():
        RandomForestClassifier(24, n_jobs=cores, random_state=0).fit(x, y)

    def loss(weights):
        hidden = jax.nn.relu(x @ weights[0])
        return -jax.nn.log_softmax(hidden @ weights[1])[np.arange(1000), y].mean()

    step = jax.jit(lambda w: jax.tree.map(lambda a, g: a - 0.1 * g, w, jax.grad(loss)(w)))
    start = step([random.normal(0, 0.05, shape).astype(np.float32) for shape in ((784, 1024), (1024, 10))])

    def network():
        weights = start  # compiled already
        for _ in range(10):
            weights = step(weights)
        jax.block_until_ready(weights)

    best = []
    for work in (forest, network):
        tries = []
        for _ in range(2):
            begin = time.perf_counter()
            work()
            tries.append(time.perf_counter() - begin)
        best.append(min(tries))
    return best


RESTRICTED = """
import os, sys
cores = int(sys.argv[1])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])  # before JAX counts them
"""
available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
if available > 1:
    program = f"{RESTRICTED}\n{inspect.getsource(work_seconds)}\nprint(*work_seconds(cores))"
    one_core, two_cores = (np.array(elsewhere(program, cores)[0].split(), float) for cores in (1, 2))
    for name, one, two in zip(("random forest", "network"), one_core, two_cores, strict=True):
        print(f"{name:14s} two cores are {one / two:.1f} times as fast as one")
else:
    one_core = np.array(work_seconds(1))
    print("There is one core, or none that could be chosen: nothing to compare.")
if jax.default_backend() == "cpu":
    print("No accelerator here: on a GPU or a TPU this cell compares it with one core.")
else:
    print(f"network: the {jax.default_backend()} is {one_core[1] / work_seconds(1)[1]:.0f} times as fast as one core")

# %% [markdown]
# (Other programs that are running take their share of the cores, so these ratios vary.) A forest's trees, and the numbers of a
# matrix product, are computed independently of each other: both can use more cores. Only the matrix products run on an
# accelerator, without a change to the program. At the size of this lesson neither is needed.
#
# ## The comparison, as measured
#
# | question | here |
# |---|---|
# | data | on up to 800 images the network is never ahead of the best other method; all still climb |
# | features | by hand: best where the idea behind them is true; learned: no worse where it is not |
# | steps | by hand: far ahead with few examples; a broken step costs the whole chain, and end to end much less |
# | outputs | the network can paint half an image, and so can ridge regression |
# | time | seconds at most; the network's does not grow with the number of images, the others' does |
# | hardware | see the ratios above |
#
# Which, when? With little data and an idea that is true, begin with a classical method on features that hold that idea. Always
# run it as a **baseline**: a network that cannot beat it has not earned its place. A network is worth trying where nobody knows
# good features, where the answer is not one number, and where examples are many. The rest of the course is about those.
#
# ## What we claimed, checked

# %%
assert network_says.split() == [str(digit) for digit in here], "deployed, the network says what it said here"
assert machine_says.split() == [str(digit) for digit in machine.predict(test_x[:8])], "and so does the other"
assert min(machine_right, model_right) > 0.93, "both are worth deploying"
for (name, size), gain in over_best.items():
    assert gain.low < 0, f"the network is not ahead of the best other method ({name}, {size})"
for name in tasks:
    assert over_forest[name, 50].low > 0, "with 50 images it beats the forest"
    for method in METHODS:
        means = [right[name, method, size].mean() for size in SIZES]
        assert means[0] + 0.03 < means[1] and means[1] + 0.01 < means[2], f"{method} climbs to the end"
assert abs(patience) < 4, "and was not stopped too early"
assert over_best["MNIST (28×28)", 800].high < 0, "hand-made features beat it"
assert lost["SVM, hand-made"].high < -5 < lost["network"].low, (
    "until the pixels are moved: that costs them, and not the network"
)
assert after_move.low > 0, "and the network is ahead"
assert learned_gain.low > 0, "learned features beat pixels"
assert np.mean(by_dust[0, "three steps by hand"]) > np.mean(by_dust[0, "end to end"]) + 0.1, "by hand is far ahead"
assert dust_costs["three steps by hand"].mean < dust_costs["end to end"].mean - 3, "and dust costs it more"
for name in ("network", "ridge"):
    assert painting_error[name] < 0.85 * painting_error["mean"], f"{name} paints better than the mean"
assert 0.8 < painting_error["network"] / painting_error["ridge"] < 1.2, "and the two are about level"

# %% [markdown]
# ## Try
#
# 1. Mend the first step by hand: ignore bright pixels without bright neighbours. How much of what the dust cost comes back?
# 2. Let the sizes go to 4,000 for MNIST. Does the network come closer to the hand-made features? How many more images would it
#    need, if both went on as they do?
# 3. Train the network on the *hand-made* features. Is it the features or the method that wins above?
#
# **Exercise:** this lesson has none of its own; those of lesson 01 go on with `python -m exercises next`.
