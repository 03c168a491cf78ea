# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Feedforward networks: how do straight lines make a curve?
#
# Two spirals lie in a plane, one of each colour. Give me any point: which spiral does it belong to? A ruler will not do.
# You will build a network that can, from two lines of arithmetic, see *why* it can, and then use the same network to read
# handwriting, beside two simpler methods that keep it honest.
#
# Needed: arrays, and what a derivative is. Time: about half a minute to run on a laptop.

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
import time
from itertools import pairwise

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx

import nn
from lessons import figures
from nn.layers import he_normal, linear, relu, softmax
from nn.training import softmax_cross_entropy

figures.use_lesson_style()
nn.training.enable_compilation_cache()

# %% [markdown]
# ## The problem
#
# Each example is a point: two numbers, its **features**. Each has a **label**, the spiral that it lies on, 0 or 1. We learn
# from 400 points (the **training** points) and judge on 400 others (the **test** points) that the network never learns
# from: anyone can be right about answers they were told.


# %%
def spirals(count, seed):
    """Points on two spirals that wind around each other, with a little noise, and which spiral each is on."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    turn = 3 * np.pi * np.sqrt(random.uniform(0.02, 1, count))
    angle = turn + np.pi * labels
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * turn[:, None] / (3 * np.pi)
    points += random.normal(0, 0.03, points.shape)
    return jnp.asarray(points, jnp.float32), jnp.asarray(labels)


points, labels = spirals(400, seed=0)
test_points, test_labels = spirals(400, seed=1)

figure, axis = plt.subplots(figsize=(3.6, 3.6))
for spiral in (0, 1):
    axis.scatter(*points[labels == spiral].T, s=12, label=f"spiral {spiral}")
axis.set(xticks=[], yticks=[], title="Which spiral?")
axis.legend(loc="upper right", fontsize="small")
plt.show()

# %% [markdown]
# ## One layer: weighted sums
#
# Give each spiral a **score**: a weighted sum of the two features, plus a constant. The larger score wins. With the weights
# of all scores side by side in a matrix $W$ (the **kernel**) and the constants in a vector $b$ (the **bias**), all scores
# of all points are one line:
#
# $$\text{scores} = x W + b.$$
#
# This is a **linear layer**. In the library it is the function `nn.layers.linear`, whose whole body is that line.

# %%
kernel = jnp.array([[1.0, -1.0], [0.5, 0.0]])  # two features in, two scores out
bias = jnp.array([0.0, 0.2])
print("points", points.shape, "→ scores", linear(points, kernel, bias).shape)
print("by hand the same:", bool(jnp.allclose(linear(points, kernel, bias), points @ kernel + bias)))

# %% [markdown]
# ## How wrong is it?
#
# Scores can be any numbers. **Softmax** makes them probabilities: positive, and summing to 1,
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}.$$
#
# And the **cross-entropy** says how surprised we are by the right answer when we believed in $p$: $-\log p_\text{right}$.
# It is 0 if we were sure and right, and grows without end as we get more sure of something false. Its mean over the
# training points is the **loss**: one number, smaller is better.

# %%
belief = jnp.linspace(0.01, 1, 100)
figures.plot_curves(
    {"surprise": (belief, -jnp.log(belief))},
    xlabel="probability that we gave the right answer",
    ylabel="cross-entropy (nats)",
    title="Sure and wrong costs most",
)
plt.show()

scores = jnp.array([2.0, 0.5])
print("scores", scores, "→ probabilities", softmax(scores).round(3), "→ sum", softmax(scores).sum())
for right in (0, 1):
    print(f"if the right answer is {right}: cross-entropy {softmax_cross_entropy(scores, jnp.array(right)):.3f} nats")

# %% [markdown]
# ## Learning: downhill, step by step
#
# The **gradient** of the loss says, for every weight, how the loss changes when that weight grows a little. JAX works it
# out: `jax.value_and_grad(f)` is a function that returns the value of `f` and its gradient. **Gradient descent** takes a
# small step against the gradient, and repeats:
#
# $$w \leftarrow w - \eta \, \frac{\partial\,\text{loss}}{\partial w},$$
#
# where $\eta$ is the **learning rate**, the size of the step. `jax.jit` compiles the step, so that a thousand of them take
# a moment. The network below is a list of layers, each a pair (kernel, bias); with one layer in the list it is the linear
# classifier from above. The line with `relu` plays no part yet.


# %%
def network(layers, x):
    """Scores for points x: (points, 2) → (points, classes)."""
    *hidden, last = layers
    for kernel, bias in hidden:
        x = relu(linear(x, kernel, bias))
    return linear(x, *last)


def start(*sizes, seed=0):
    """Random kernels and zero biases for layers of these sizes."""
    keys = jax.random.split(jax.random.key(seed), len(sizes) - 1)
    shapes = pairwise(sizes)  # (2, 8, 2) → (2, 8), (8, 2)
    return [(he_normal()(key, shape), jnp.zeros(shape[1])) for key, shape in zip(keys, shapes, strict=True)]


def loss(layers):
    return softmax_cross_entropy(network(layers, points), labels).mean()


@jax.jit
def step(layers, learning_rate):
    value, gradient = jax.value_and_grad(loss)(layers)
    return jax.tree.map(lambda weight, slope: weight - learning_rate * slope, layers, gradient), value


def train(layers, steps=2000, learning_rate=1.0):
    losses = []
    for _ in range(steps):
        layers, value = step(layers, learning_rate)
        losses.append(value)
    return layers, np.array(losses)


def accuracy(layers):
    """The share of test points whose larger score is the right one."""
    return float((network(layers, test_points).argmax(-1) == test_labels).mean())


# %% [markdown]
# Is that gradient right? Check one number of it by hand: nudge a weight by a little, see how much the loss moves.

# %%
layers = start(2, 2)
(slope, _), *_ = jax.grad(loss)(layers)
nudge = 1e-2
(kernel, bias) = layers[0]
more, less = (loss([(kernel.at[0, 1].add(sign * nudge), bias)]) for sign in (1, -1))
print(f"gradient of one weight: {slope[0, 1]:.5f}; by nudging it: {(more - less) / (2 * nudge):.5f}")
assert abs(slope[0, 1] - (more - less) / (2 * nudge)) < 1e-3

# %%
one_layer, one_layer_losses = train(start(2, 2))
print(f"one layer: {accuracy(one_layer):.0%} of test points right; guessing would give 50%")

figure, axis = plt.subplots(figsize=(3.6, 3.6))
figures.decision_regions(
    axis, lambda x: softmax(network(one_layer, x)), points, labels, title=f"One layer: {accuracy(one_layer):.0%}"
)
plt.show()

# %% [markdown]
# A ruler's edge, as promised. The place where two weighted sums are equal is always a straight line.
#
# ## Would two layers help?
#
# Feed the first layer's outputs to a second. But a weighted sum of weighted sums is a weighted sum:
#
# $$(x W_1 + b_1)\, W_2 + b_2 = x\,(W_1 W_2) + (b_1 W_2 + b_2).$$
#
# Two linear layers are one linear layer. A hundred are, too. The computer agrees:

# %%
(w1, b1), (w2, b2) = start(2, 8, 2, seed=1)
stacked = linear(linear(points, w1, b1), w2, b2)
folded = linear(points, w1 @ w2, b1 @ w2 + b2)
print("largest difference between two layers and one:", float(abs(stacked - folded).max()))
assert jnp.allclose(stacked, folded, atol=1e-4)

# %% [markdown]
# ## The bend
#
# So put something between them that is *not* a weighted sum. The simplest thing that works is to cut off at zero,
#
# $$\text{relu}(z) = \max(z, 0),$$
#
# the **rectified linear unit**. A function that stands between layers like this is called an **activation**; the numbers
# that come out of it are **hidden units**, hidden because nobody tells us what they should be.
#
# One hidden unit is a sheet of paper folded once along a line: flat on one side, sloping on the other. The last layer adds
# up folded sheets. With enough folds you can approximate any landscape (Cybenko 1989 proved this for another bend, Leshno
# et al. 1993 for any that is not a polynomial).

# %%
few, _ = train(start(2, 8, 2))
many, many_losses = train(start(2, 32, 2))
across, up = np.meshgrid(np.linspace(-1.1, 1.1, 80), np.linspace(-1.1, 1.1, 80))
plane = jnp.asarray(np.stack([across.ravel(), up.ravel()], axis=1), jnp.float32)

folds = relu(linear(plane, *few[0])).T.reshape(-1, 80, 80)
figures.show_images(folds[:, ::-1], [f"unit {i}" for i in range(8)], columns=8)
plt.suptitle("Eight hidden units over the plane: black is 0, each is folded once", fontsize=10)
plt.show()

figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.4))
for axis, layers, name in zip(
    axes, (one_layer, few, many), ("no hidden unit", "8 hidden units", "32 hidden units"), strict=True
):
    title = f"{name}: {accuracy(layers):.0%}"
    figures.decision_regions(axis, lambda x, layers=layers: softmax(network(layers, x)), points, labels, title=title)
plt.show()

# %% [markdown]
# Eight folds follow the spirals part of the way; the border is made of straight pieces, and you can count the corners. With
# 32 it looks round. That is the answer to the question at the top: *straight lines make a curve when you may bend them, and
# have enough of them.*
#
# Only the bend made the difference. Here is the same network of 32 with the relu taken away, trained the same way:


# %%
def without_bend(layers, x):
    for kernel, bias in layers:
        x = linear(x, kernel, bias)
    return x


@jax.jit
def step_without_bend(layers):
    gradient = jax.grad(lambda w: softmax_cross_entropy(without_bend(w, points), labels).mean())(layers)
    return jax.tree.map(lambda weight, slope: weight - 0.1 * slope, layers, gradient)


straight = start(2, 32, 2)
for _ in range(2000):
    straight = step_without_bend(straight)
straight_accuracy = float((without_bend(straight, test_points).argmax(-1) == test_labels).mean())
print(f"with the bend {accuracy(many):.0%}, without {straight_accuracy:.0%}, one layer {accuracy(one_layer):.0%}")

figures.plot_curves(
    {"one layer": one_layer_losses, "32 hidden units": many_losses},
    ylabel="loss (nats)",
    title="Training: one layer soon has nothing left to learn",
)
plt.show()

# %% [markdown]
# ## Where to begin
#
# The kernels began as random numbers. How large? Send a signal through twenty layers and look at its spread (its standard
# deviation) on the way. A unit adds up many inputs, so the spread of its output grows with their number, the **fan-in**;
# and relu throws half of it away. A variance of $2 / \text{fan-in}$ makes up for both (He et al. 2015, eq. 10): that is
# `he_normal`. Too small, and the signal is gone before it arrives; too large, and it explodes. Gradients suffer the same on
# the way back.


# %%
def spread_through(scale, depth=20, width=256):
    """The standard deviation of the signal behind each layer, when kernels have the variance scale / fan-in."""
    keys = jax.random.split(jax.random.key(0), depth + 1)
    x = jax.random.normal(keys[0], (200, width))
    spreads = []
    for key in keys[1:]:
        x = relu(x @ (jax.random.normal(key, (width, width)) * jnp.sqrt(scale / width)))
        spreads.append(float(x.std()))
    return spreads


spreads = {"variance 0.5 / fan-in": 0.5, "2 / fan-in (He)": 2.0, "8 / fan-in": 8.0}
spreads = {name: (range(1, 21), spread_through(scale)) for name, scale in spreads.items()}
figures.plot_curves(spreads, xlabel="layer", ylabel="spread of the signal", logy=True, title="Twenty layers deep")
plt.show()

# %% [markdown]
# ## The module
#
# The library's `MLP` (multilayer perceptron, the old name for what you just built) is that network as an object that owns
# its weights. Hand it the weights you trained and it says the same:

# %%
module = nn.models.MLP(nn.models.MLPConfig(in_features=2, hidden=(32,), out_features=2), rngs=nnx.Rngs(0))
module.hidden[0].kernel[...], module.hidden[0].bias[...] = many[0]
module.head.kernel[...], module.head.bias[...] = many[1]
print("largest difference:", float(abs(module(test_points) - network(many, test_points)).max()))
assert jnp.allclose(module(test_points), network(many, test_points), atol=1e-4)

# %% [markdown]
# ## Reading handwriting
#
# Now a real task: 1,797 handwritten digits of 8×8 pixels, 1,000 to learn from and 797 to test on. `nn.data.load` is the one
# door to data in this course; `as_vectors` makes each image one row of 64 numbers from 0 to 1.

# %%
digits = nn.data.load("digits", "train").map(nn.data.as_vectors)
x, y = digits.arrays().values()
test_x, test_y = nn.data.load("digits", "test").map(nn.data.as_vectors).arrays().values()
figures.show_images(x[:20].reshape(-1, 8, 8), y[:20], columns=10)
plt.show()

# %% [markdown]
# `nn.training.fit` is the loop you wrote, with two additions. Each step looks at a **batch** of 64 digits instead of all of
# them, which is quicker and works as well. And the steps come from **Adam** (Kingma and Ba 2015), which gives every weight
# a step size of its own; it comes from the library `optax`.
#
# Is a hidden layer worth anything here? Compare with a network that has none. One run proves little: another random start
# gives another accuracy. So we train each **five times**, from five seeds, and look at the differences.

# %%
adam = optax.adam(1e-3)


def trained(hidden, seed):
    config = nn.models.MLPConfig(in_features=64, hidden=hidden, out_features=10)
    model = nn.models.MLP(config, rngs=nnx.Rngs(seed))
    nn.training.fit(model, digits.batches(64, seed=seed), optimizer=adam, steps=600)
    return model


began = time.perf_counter()
linear_models = [trained((), seed) for seed in range(5)]
deep_models = [trained((128, 128), seed) for seed in range(5)]
training_time = time.perf_counter() - began

linear_accuracy = np.array([nn.training.evaluate(model, test_x, test_y) for model in linear_models])
deep_accuracy = np.array([nn.training.evaluate(model, test_x, test_y) for model in deep_models])
print("seed            ", *range(5), sep="       ")
print("no hidden layer ", *(f"{a:7.1%}" for a in linear_accuracy))
print("two hidden layers", *(f"{a:6.1%} " for a in deep_accuracy))

# %% [markdown]
# The two hidden layers win under every seed. To say by how much, take the five differences: their mean, and a **95%
# interval** around it. If we did the whole comparison again and again, with other seeds, 95 in 100 such intervals would
# hold the true mean difference. An interval that stays clear of 0 means: the difference is not luck.
#
# And a baseline that has no weights at all: for each test digit, find the most similar training digit, and say what that
# one was. This is the **nearest neighbour**.

# %%
from transfer.report import mean_interval

gain = mean_interval(deep_accuracy - linear_accuracy)
print(f"gain from two hidden layers: {100 * gain.mean:.1f} points, 95% interval [{100 * gain.low:.1f}, {100 * gain.high:.1f}]")

squared_distances = ((test_x[:, None] - x[None]) ** 2).sum(-1)
nearest_accuracy = (y[squared_distances.argmin(1)] == test_y).mean()
print(f"nearest neighbour: {nearest_accuracy:.1%}; two hidden layers, mean of five: {deep_accuracy.mean():.1%}")

shown = {name: (m.mean, m.low, m.high) for name, m in (
    ("no hidden layer", mean_interval(linear_accuracy)),
    ("two hidden layers", mean_interval(deep_accuracy)),
)}  # fmt: skip
axis = figures.plot_intervals(shown, reference=nearest_accuracy, xlabel="test accuracy", title="Dashed: the nearest neighbour")
plt.show()

# %% [markdown]
# Did you expect that? **The network does not beat the nearest neighbour.** A thousand small, clean, centred digits are few
# enough to remember and alike enough to compare pixel by pixel. The network has squeezed them into far fewer numbers per
# answer, it needs no training digit any more once it is trained, and it will get ahead where pixels that mean the same lie
# in different places (lesson 05). But the baseline cost two lines. Always run it.
#
# Which digits does the network get wrong?

# %%
model = deep_models[0]
scores = nn.training.predict(model, test_x)
wrong = np.flatnonzero(scores.argmax(-1) != test_y)
figures.show_images(
    test_x[wrong[:10]].reshape(-1, 8, 8), [f"{test_y[i]} as {scores[i].argmax()}" for i in wrong[:10]], columns=10
)
plt.show()

# %% [markdown]
# ## What we claimed, checked
#
# Each sentence above that can be wrong is a line here. If a line fails, the lesson is wrong, not you.

# %%
assert accuracy(one_layer) < 0.75, "one layer cannot separate spirals"
assert straight_accuracy < 0.75, "nor can many, without a bend"
assert accuracy(one_layer) + 0.1 < accuracy(few) < accuracy(many), "more folds follow the spirals better"
assert accuracy(many) > 0.95, "32 of them do"
(small, fair, large) = (spread[-1] for _, spread in spreads.values())
assert small < 1e-3 and 0.1 < fair < 10 and large > 1e3, "the signal dies, keeps its size, explodes"
assert gain.low > 0, "hidden layers help to read digits"
assert nearest_accuracy > deep_accuracy.mean() - 0.01, "but do not beat the nearest neighbour here"

# %% [markdown]
# ## Try
#
# 1. Train `start(2, 4, 2)` on the spirals, from seeds 0 to 4. How many corners can the border have? Does every seed find the
#    same one?
# 2. Begin with kernels of zeros: `[(0 * kernel, bias) for kernel, bias in start(2, 32, 2)]`. What do the 32 hidden units look
#    like after training, and why?
# 3. Give the nearest neighbour and the network only 100 digits each. Who suffers more?
#
# **Exercise:** `pytest exercises/03_feedforward`: write `linear`, `relu`, `softmax`, `softmax_cross_entropy` and
# `variance_scaling` yourself. `python -m exercises next` says where to begin.
