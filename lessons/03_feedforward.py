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
# You will build a network that can, from two steps of arithmetic (a weighted sum, and a cut at zero), see *why* it can, and
# then use the same network to read handwriting, beside two simpler methods that keep it honest.
#
# Needed: lesson 01 (arrays, gradients, keys, `jit`). Time: about half a minute to run on two cores.

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
from functools import partial
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
_ = nn.training.enable_compilation_cache()  # what was compiled once is not compiled again

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
# training points is the **loss**: one number, smaller is better. (Its unit is the *nat*, since the logarithm is the natural
# one.)

# %%
belief = jnp.linspace(0.01, 1, 100)
_, axis = plt.subplots()
axis.plot(belief, -jnp.log(belief))
axis.set(
    xlabel="the probability that we gave to the right answer", ylabel="cross-entropy (nats)", title="Sure and wrong costs most"
)
plt.show()

scores = jnp.array([2.0, 0.5])
first, second = softmax(scores)
print(f"scores 2.0 and 0.5 → probabilities {first:.3f} and {second:.3f}")
for right in (0, 1):
    print(f"if the right answer is {right}: cross-entropy {softmax_cross_entropy(scores, jnp.array(right)):.3f} nats")

# %% [markdown]
# ## Learning: downhill, step by step
#
# The **gradient** of the loss says, for every weight, how the loss changes when that weight grows a little (lesson 01).
# `jax.value_and_grad(f)` is a function that returns the value of `f` and its gradient. **Gradient descent** takes a small
# step against the gradient, and repeats:
#
# $$w \leftarrow w - \eta \, \frac{\partial\,\text{loss}}{\partial w},$$
#
# where $\eta$ is the **learning rate**, the size of the step.
#
# The network below is a list of layers, each a pair (kernel, bias). With one layer in the list it is the weighted sums from
# above; the line with `activation` plays no part yet. Two things in it are new:
#
# - `jax.tree.map(f, a, b)` applies `f` to every array in a nested list, with its partner in the other.
# - `he_normal` draws a kernel from a key; how large its numbers are, and why, comes below.


# %%
def network(layers, x, activation=relu):
    """Scores for points x: (points, 2) → (points, classes)."""
    *hidden, (last_kernel, last_bias) = layers
    for kernel, bias in hidden:
        x = activation(linear(x, kernel, bias))
    return linear(x, last_kernel, last_bias)


def start(*sizes, seed=0):
    """Random kernels and zero biases for layers of these sizes. The seed makes the key: it fixes the random numbers."""
    keys = jax.random.split(jax.random.key(seed), len(sizes) - 1)
    shapes = pairwise(sizes)  # (2, 8, 2) → (2, 8), (8, 2)
    return [(he_normal()(key, shape), jnp.zeros(shape[1])) for key, shape in zip(keys, shapes, strict=True)]


def loss(layers, activation=relu):
    return softmax_cross_entropy(network(layers, points, activation), labels).mean()


@partial(jax.jit, static_argnames="activation")
def step(layers, learning_rate, activation):
    value, gradient = jax.value_and_grad(loss)(layers, activation)
    return jax.tree.map(lambda weight, slope: weight - learning_rate * slope, layers, gradient), value


def train(layers, steps=2000, learning_rate=1.0, activation=relu):
    losses = []
    for _ in range(steps):
        layers, value = step(layers, learning_rate, activation)
        losses.append(value)
    return layers, np.array(losses)


def accuracy(layers, activation=relu):
    """The share of test points whose larger score is the right one."""
    return float((network(layers, test_points, activation).argmax(-1) == test_labels).mean())


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
title = f"One layer: {accuracy(one_layer):.0%} right"
figures.decision_regions(axis, lambda x: softmax(network(one_layer, x)), test_points, test_labels, title=title)
plt.show()

# %% [markdown]
# The dots are the test points, the colour is what the network says, paler where it is less sure; on the black line both
# scores are equal. A ruler's edge: the place where two weighted sums are equal is always a straight line.
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
difference = float(abs(stacked - folded).max())
print(f"largest difference between two layers and one: {difference:.7f} (32-bit numbers are rounded at the seventh digit)")
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
# up folded sheets. With enough folds they come as close as you like to any continuous landscape on a bounded piece of the
# plane (Leshno et al. 1993, "Multilayer feedforward networks with a nonpolynomial activation function can approximate any
# function").

# %%
few, _ = train(start(2, 8, 2))
many, many_losses = train(start(2, 32, 2))
across, up = np.meshgrid(np.linspace(-1.1, 1.1, 80), np.linspace(-1.1, 1.1, 80))
plane = jnp.asarray(np.stack([across.ravel(), up.ravel()], axis=1), jnp.float32)

folds = np.asarray(relu(linear(plane, *few[0])).T.reshape(-1, 80, 80))
figure, axes = plt.subplots(2, 4, figsize=(8.4, 4.4))
for unit, (axis, fold) in enumerate(zip(axes.flat, folds, strict=True)):
    axis.contourf(across, up, fold, levels=12, cmap="Greens")
    axis.contour(across, up, fold, levels=[1e-3], colors="black", linewidths=1)
    axis.scatter(*points.T, s=1, color="0.45")
    axis.set(xticks=[], yticks=[], title=f"hidden unit {unit}")
plt.suptitle("Eight hidden units over the plane: 0 on one side of the fold (black), rising on the other", fontsize=10)
plt.show()

figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.4))
for axis, layers, name in zip(
    axes, (one_layer, few, many), ("no hidden unit", "8 hidden units", "32 hidden units"), strict=True
):
    title = f"{name}: {accuracy(layers):.0%} right"
    figures.decision_regions(axis, lambda x, layers=layers: softmax(network(layers, x)), test_points, test_labels, title=title)
plt.show()

# %% [markdown]
# Eight folds follow the spirals part of the way; the border is made of straight pieces, and you can count its corners. With
# 32 there are enough pieces to follow both spirals to the middle. That is the answer to the question at the top: *straight
# lines make a curve when you may bend them, and have enough of them.* (This is one random start; others are below, under
# "Try".)
#
# Is it the bend, or just the larger number of weights? Take the same network of 32, with nothing at all in the place of
# relu, and train it the same way.


# %%
def nothing(z):
    return z


straight, straight_losses = train(start(2, 32, 2), activation=nothing)
print(f"32 units {accuracy(many):.0%}, without the bend {accuracy(straight, nothing):.0%}; one layer {accuracy(one_layer):.0%}")

_, axis = plt.subplots()
axis.axhline(np.log(2), color="0.6", linewidth=1, linestyle="--")
axis.annotate("guessing", (2000, np.log(2)), (0, 4), textcoords="offset points", ha="right", fontsize="small", color="0.4")
axis.plot(one_layer_losses, linewidth=4, alpha=0.4, label="one layer")
axis.plot(straight_losses, label="32 units without the bend")
axis.plot(many_losses, label="32 units with the bend")
axis.set(xlabel="step", ylabel="loss (nats)", title="Without the bend there is soon nothing left to learn")
axis.legend(fontsize="small")
plt.show()

# %% [markdown]
# ## Where to begin
#
# The kernels began as random numbers. How large? Send a signal through twenty layers and look at its spread (its standard
# deviation) on the way. A unit adds up many inputs, so the spread of its output grows with their number, the **fan-in**;
# and relu throws half of it away. A variance of $2 / \text{fan-in}$ makes up for both (He et al. 2015, eq. 10): that is
# `he_normal`. Too small, and the signal is gone before it arrives; too large, and it explodes. The gradient on the way back
# fares the same: on the right is its size where it arrives at the input. (Lesson 04 goes on from here.)


# %%
def through_layers(x, scale, depth, width=256):
    """The signal behind each of `depth` relu layers, whose kernels have the variance scale / fan-in."""
    signals = []
    for key in jax.random.split(jax.random.key(1), depth):
        x = relu(x @ (jax.random.normal(key, (width, width)) * jnp.sqrt(scale / width)))
        signals.append(x)
    return signals


signal = jax.random.normal(jax.random.key(0), (200, 256))
depths = [1, 5, 10, 15, 20]
spreads, slopes = {}, {}
for name, scale in {"0.5 / fan-in": 0.5, "2 / fan-in (He)": 2.0, "8 / fan-in": 8.0}.items():
    signals = through_layers(signal, scale, depth=20)
    spreads[name] = (depths, [float(signals[depth - 1].std()) for depth in depths])
    gradients = [jax.grad(lambda x, d=depth, v=scale: through_layers(x, v, d)[-1].sum())(signal) for depth in depths]
    slopes[name] = (depths, [float(gradient.std()) for gradient in gradients])

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
figures.plot_curves(spreads, axis=left, xlabel="layers", ylabel="spread of the signal", logy=True, title="On the way in")
figures.plot_curves(slopes, axis=right, xlabel="layers", ylabel="spread of the gradient", logy=True, title="On the way back")
for axis in (left, right):
    axis.set_xticks(depths)
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
# them, so that many more steps fit into the same time. And the steps come from **Adam** (Kingma and Ba 2015, "Adam: a
# method for stochastic optimization"), which gives every weight a step size of its own; it comes from the library `optax`.
#
# Is a hidden layer worth anything here? Compare with a network that has none. One run proves little: another random start
# gives another accuracy. So we train each **five times**, from five seeds, and look at the differences. Both get all the
# steps they can use: a baseline that is stopped early makes anything look good.

# %%
adam = optax.adam(1e-2)


def trained(hidden, seed):
    config = nn.models.MLPConfig(in_features=64, hidden=hidden, out_features=10)
    model = nn.models.MLP(config, rngs=nnx.Rngs(seed))  # Rngs: the keys that this model draws from
    history = nn.training.fit(model, digits.batches(64, seed=seed), optimizer=adam, steps=1500)
    return model, history


runs = {name: [trained(hidden, seed) for seed in range(5)] for name, hidden in {"none": (), "one of 128": (128,)}.items()}
without, with_one = (
    np.array([nn.training.evaluate(model, test_x, test_y) for model, _ in runs[name]]) for name in ("none", "one of 128")
)
curves = {f"hidden layer: {name}": (history["step"], history["loss"]) for name, [(_, history), *_] in runs.items()}
figures.plot_curves(curves, ylabel="training loss (nats)", logy=True, title="Seed 0: does either still gain from more steps?")
plt.show()

print("seed                ", *(f"{seed:7d}" for seed in range(5)))
print("no hidden layer     ", *(f"{a:7.1%}" for a in without))
print("one hidden layer    ", *(f"{a:7.1%}" for a in with_one))

# %% [markdown]
# The hidden layer wins under every seed. By how much? Take the five differences: their mean, and a **95% interval** around
# it. If we did the whole comparison again and again with other seeds, 95 in 100 such intervals would hold the mean of all
# the differences there could be. Where an interval stays clear of 0, the luck of the seed is an unlikely explanation. (The
# luck of *which 797 digits* we test on is not in it. Eight digits are one point.)
#
# And a baseline that has no weights at all: for each test digit, find the most similar training digit, and say what that
# one was. This is the **nearest neighbour**.

# %%
from transfer.report import mean_interval

gain = mean_interval(with_one - without)
print(f"gain from a hidden layer: {100 * gain.mean:.1f} points, 95% interval [{100 * gain.low:.1f}, {100 * gain.high:.1f}]")

squared_distances = ((test_x[:, None] - x[None]) ** 2).sum(-1)
nearest_accuracy = float((y[squared_distances.argmin(1)] == test_y).mean())
weights = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(runs["one of 128"][0][0], nnx.Param)))
print(f"nearest neighbour {nearest_accuracy:.1%}, with {x.size:,} stored pixels")
print(f"one hidden layer  {with_one.mean():.1%}, with {weights:,} weights, mean of five seeds")

intervals = {name: mean_interval(values) for name, values in {"no hidden layer": without, "one hidden layer": with_one}.items()}
figures.plot_intervals(
    {name: (100 * i.mean, 100 * i.low, 100 * i.high) for name, i in intervals.items()},
    reference=100 * nearest_accuracy,
    xlabel="right on test digits (%)",
    title="Dashed: the nearest neighbour",
)
plt.show()

# %% [markdown]
# Did you expect that? **The network and two lines of nearest neighbour are about level.** A thousand small, clean, centred
# digits are few enough to remember and alike enough to compare pixel by pixel. The network needs a sixth of the numbers,
# and no training digit any more once it is trained; lesson 05 tests what happens where pixels that mean the same lie in
# different places. But the baseline cost two lines. Always run it.
#
# Which digits does the network get wrong?

# %%
model, _ = runs["one of 128"][0]
scores = nn.training.predict(model, test_x)
wrong = np.flatnonzero(scores.argmax(-1) != test_y)
figures.show_images(
    test_x[wrong[:10]].reshape(-1, 8, 8), [f"{test_y[i]} as {scores[i].argmax()}" for i in wrong[:10]], columns=10
)
plt.show()
print(
    f'{len(wrong)} of {len(test_y)} wrong. Here the first ten; "{test_y[wrong[0]]} as {scores[wrong[0]].argmax()}" is', end=" "
)
print(f"a {test_y[wrong[0]]} that the network read as {scores[wrong[0]].argmax()}.")

# %% [markdown]
# ## What we claimed, checked
#
# Each sentence above that can be wrong is a line here. If a line fails, the lesson is wrong, not you.

# %%
assert accuracy(one_layer) < 0.75, "one layer cannot separate spirals"
assert accuracy(straight, nothing) < 0.75, "nor can 32 units without a bend"
assert accuracy(one_layer) + 0.1 < accuracy(few) < accuracy(many), "more folds follow the spirals better"
assert accuracy(many) > 0.95, "32 of them do"
for curve in (spreads, slopes):
    small, fair, large = (values[-1] for _, values in curve.values())
    assert small < 1e-3 and 0.1 < fair < 10 and large > 1e3, "signal and gradient die, keep their size, explode"
assert gain.low > 0, "a hidden layer helps to read digits"
assert abs(nearest_accuracy - with_one.mean()) < 0.015, "and is about level with the nearest neighbour"
assert weights < x.size / 5, "with fewer numbers to keep"

# %% [markdown]
# ## Try
#
# 1. Train `start(2, 4, 2)` on the spirals, from seeds 0 to 4. How many corners can the border have? Does every seed find the
#    same one?
# 2. Begin with kernels of zeros: `[(0 * kernel, bias) for kernel, bias in start(2, 32, 2)]`. What do the 32 hidden units look
#    like after training, and why?
# 3. Give the nearest neighbour and the network only 100 digits each. Who suffers more?
#
# **Exercise:** write `linear`, `relu`, `softmax`, `softmax_cross_entropy` and `variance_scaling` yourself. In the folder of
# the course, `python -m exercises next` says where to begin, and `python -m pytest exercises/03_feedforward` tests what you
# have written.
