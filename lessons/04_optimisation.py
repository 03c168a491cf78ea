# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Optimisation: why do two networks of the same size learn so differently?
#
# Two networks have the same layers, the same number of weights, the same digits to learn from and the same number of steps.
# One learns to read; the other is guessing at the end as it was at the beginning. Nothing in a drawing of the two would tell
# you which is which. You will find four things that do: *how it steps*, *where it begins*, *how its layers keep their numbers
# in hand*, and *what keeps it from learning by heart*. For each you will measure what it is worth, and twice the answer will
# be: here, nothing.
#
# Needed: lesson 03 (layers, loss, batches, `fit`, intervals). Time: about a minute to run on two cores.

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
from operator import itemgetter

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx

import nn
from lessons import figures
from nn.layers import batch_norm, batch_statistics, group_norm, instance_norm, layer_norm, relu
from nn.training import adam, adamw, clip_by_global_norm, evaluate, momentum, sgd, warmup_cosine_decay_schedule
from transfer.report import mean_interval

figures.use_lesson_style()
_ = nn.training.enable_compilation_cache()  # what was compiled once is not compiled again

# %% [markdown]
# ## The two networks
#
# We take lesson 03's 1,000 training digits, and its 797 others to test on. Of the 1,000 we learn from 800 only. The other
# 200 are **validation** digits: whatever has to be chosen, a learning rate or when to stop, is chosen by how it does on
# those. The test digits choose nothing, and so nothing is fitted to them.

# %%
digits = nn.data.load("digits", "train").map(nn.data.as_vectors)
x, y = digits.arrays().values()
test_x, test_y = nn.data.load("digits", "test").map(nn.data.as_vectors).arrays().values()
held_x, held_y = x[800:], y[800:]
seeds = range(5)

# %% [markdown]
# This lesson trains more than 150 small networks. `fit` would take minutes for that: each of its steps goes back to Python.
# So here is the same loop once more, compiled as one piece. `jax.lax.scan` is a `for` over batches that carries something
# along: here the weights and the optimizer's memory.


# %%
def network(seed, hidden, start=2.0, **choices):
    """An MLP whose kernels begin with the variance start / fan-in; 2 is he_normal, what the library begins with."""
    config = nn.models.MLPConfig(in_features=64, hidden=hidden, out_features=10, **choices)
    model = nn.models.MLP(config, rngs=nnx.Rngs(seed))
    for layer in model.hidden:
        layer.kernel[...] *= np.float32(np.sqrt(start / 2))
    return model


@partial(jax.jit, static_argnums=(0, 1))
def run(graphdef, make, weights, rest, rate, batches):
    """A network through all its batches, in stretches: its weights and other state after each of them, and all losses."""
    optimizer = make(lambda step: rate)

    def step(carry, batch):
        weights, rest, memory = carry

        def loss(weights):
            model = nnx.merge(graphdef, weights, rest, copy=True)
            value, _ = nn.training.classification_loss(model, batch)
            return value, nnx.split(model, nnx.Param, ...)[2]  # running averages move, random numbers are used up

        (value, rest), gradients = jax.value_and_grad(loss, has_aux=True)(weights)
        updates, memory = optimizer.update(gradients, memory, weights)
        return (optax.apply_updates(weights, updates), rest, memory), value

    def stretch(carry, batches):
        carry, losses = jax.lax.scan(step, carry, batches)
        return carry, (carry[:2], losses)

    return jax.lax.scan(stretch, (weights, rest, optimizer.init(weights)), batches)[1]


def train(model, make, rate, seed, data=None, steps=200):
    """Trains a model in place. Returns its losses, and its (weights, other state) after every 50 steps."""
    images, labels = (x[:800], y[:800]) if data is None else data
    random = np.random.default_rng(seed)
    order = np.concatenate([random.permutation(len(labels)) for _ in range(1 + 32 * steps // len(labels))])[: 32 * steps]
    batches = {"image": images[order.reshape(-1, 50, 32)], "label": labels[order.reshape(-1, 50, 32)]}
    graphdef, weights, rest = nnx.split(model, nnx.Param, ...)
    after, losses = run(graphdef, make, weights, rest, rate, batches)
    stretches = [jax.tree.map(itemgetter(i), after) for i in range(steps // 50)]
    nnx.update(model, *stretches[-1])
    return np.ravel(losses), stretches


def smooth(losses):
    """The means of ten losses each, and the step at which each ten end."""
    return np.arange(10, len(losses) + 1, 10), losses.reshape(-1, 10).mean(1)


# %% [markdown]
# Now the two. Both have ten hidden layers of 64 units. The kernels of the second begin as those of the first, times ¼.

# %%
deep = (64,) * 10
curves, pair = {}, {}
for name, start in {"one": 2.0, "the other": 2.0 / 16}.items():
    model = network(0, deep, start)
    losses, _ = train(model, adam, 1e-3, seed=0)
    curves[name], pair[name] = smooth(losses), evaluate(model, test_x, test_y)
title = f"Right on test digits: one {pair['one']:.0%}, the other {pair['the other']:.0%}"
figures.plot_curves(curves, ylabel="training loss (nats)", title=title)
plt.show()

# %% [markdown]
# ## How it steps
#
# Lesson 03 went downhill: $w \leftarrow w - \eta g$, with $g$ the gradient and $\eta$ the **learning rate**. Where is that
# hard? In a *ravine*: steep across, flat along. Here is one with two weights, 25 times as curved across as along:
#
# $$f(w) = \tfrac12 \left(w_1^2 + 25\, w_2^2\right), \qquad g = (w_1,\; 25\, w_2).$$
#
# A step multiplies $w_1$ by $1 - \eta$ and $w_2$ by $1 - 25\eta$. Above $\eta = 2/25$ the second factor is below −1: every
# step lands further up the other side. Below it, $w_1$ creeps. One number has to serve both directions.
#
# Two ways out, each a line or two.
#
# **Momentum** (Polyak 1964) remembers where it was going, $v \leftarrow \mu v + g$, and steps along $v$. Across the ravine
# the gradients alternate and cancel in $v$; along it they agree and add up.
#
# **Adam** (Kingma and Ba 2015) keeps two running means, $m$ of the gradients and $s$ of their squares, and steps by
# $m / \sqrt{s}$: each weight is measured with its own gradients. Both means begin at 0 and are at first too small, so each is
# divided by what it lacks, $1 - \beta^t$ after $t$ steps. That is the **bias correction**.


# %%
def sgd_by_hand(g, memory, t):
    return g, memory


def momentum_by_hand(g, v, t, mu=0.8):
    v = mu * v + g
    return v, v


def adam_by_hand(g, memory, t, b1=0.9, b2=0.999):
    m, s = memory
    m, s = b1 * m + (1 - b1) * g, b2 * s + (1 - b2) * g**2
    return (m / (1 - b1**t)) / (jnp.sqrt(s / (1 - b2**t)) + 1e-8), (m, s)


def ravine(w):
    return 0.5 * (w[0] ** 2 + 25 * w[1] ** 2)


@partial(jax.jit, static_argnums=0)
def walk(direction, memory, rate):
    """The 50 places that an optimizer visits. `jax.lax.scan` is a loop that is compiled as one piece."""

    def step(carry, t):
        w, memory = carry
        towards, memory = direction(jax.grad(ravine)(w), memory, t)
        return (w - rate * towards, memory), w

    return jax.lax.scan(step, (jnp.array([-9.0, 1.5]), memory), jnp.arange(1.0, 51.0))[1]


walkers = {
    "gradient descent": (sgd_by_hand, jnp.zeros(2)),
    "momentum": (momentum_by_hand, jnp.zeros(2)),
    "Adam": (adam_by_hand, (jnp.zeros(2), jnp.zeros(2))),
}
across, up = np.meshgrid(np.linspace(-10, 3, 120), np.linspace(-2.2, 2.2, 80))
figure, axes = plt.subplots(3, 1, figsize=(7, 6.6), sharex=True)
ends, paths = {}, {}
for axis, (name, (direction, memory)) in zip(axes, walkers.items(), strict=True):
    # Each gets the rate that brings it lowest: a comparison at one common rate would compare the rates.
    candidates = {rate: walk(direction, memory, rate) for rate in (0.02, 0.04, 0.06, 0.075, 0.1, 0.3, 0.6, 1.0)}
    lowest = {rate: float(ravine(visited[-1])) for rate, visited in candidates.items()}
    rate = min(lowest, key=lambda rate: lowest[rate] if np.isfinite(lowest[rate]) else np.inf)
    ends[name], paths[name] = lowest[rate], candidates[rate]
    axis.contour(across, up, 0.5 * (across**2 + 25 * up**2), levels=[0.5, 2, 8, 20, 40, 80], colors="0.8", linewidths=1)
    axis.plot(*candidates[rate].T, "o-", markersize=3, linewidth=1)
    axis.plot(0, 0, "k*", markersize=9)
    axis.set(ylim=(-2.2, 2.2), ylabel="$w_2$", title=f"{name}: rate {rate:g}, height {ends[name]:.1e} after 49 steps")
axes[-1].set_xlabel("$w_1$")
plt.show()

too_fast = {rate: float(ravine(walk(sgd_by_hand, jnp.zeros(2), rate)[-1])) for rate in (0.95 * 2 / 25, 1.05 * 2 / 25)}
print("gradient descent:", *(f"rate {rate:.3f} ends at {height:.2g}" for rate, height in too_fast.items()), sep="  ")

# %% [markdown]
# The star is the bottom. Gradient descent zigzags and creeps. Momentum runs along the ravine and swings in. Adam goes at
# either slope alike, and circles the bottom for a while, because its steps do not shrink by themselves as the slope does. In
# a bowl as simple as this one it is the last of the three.
#
# In the library these are `nn.training.sgd`, `momentum` and `adam`: the same equations for a whole network of weights. `fit`
# takes them, and takes those of the package `optax`, which the rest of this course trains with. Are they the same thing?


# %%
@partial(jax.jit, static_argnums=0)
def path_of(optimizer):
    """The same walk with an optimizer of the library or of optax: `init` makes its memory, `update` its step."""
    w = jnp.array([-9.0, 1.5])
    state, visited = optimizer.init(w), []
    for _ in range(8):
        visited.append(w)
        step, state = optimizer.update(jax.grad(ravine)(w), state)
        w = optax.apply_updates(w, step)
    return jnp.stack(visited)


by_hand = walk(adam_by_hand, (jnp.zeros(2), jnp.zeros(2)), 0.3)[:8]
print("Adam by hand and the library's:", float(abs(by_hand - path_of(adam(0.3))).max()))
print("the library's and optax's:     ", float(abs(path_of(adam(0.3)) - path_of(optax.adam(0.3))).max()))
assert jnp.allclose(by_hand, path_of(adam(0.3)), atol=1e-4)
assert jnp.allclose(path_of(adam(0.3)), path_of(optax.adam(0.3)), atol=1e-4)
assert jnp.allclose(path_of(momentum(0.04)), path_of(optax.sgd(0.04, momentum=0.9)), atol=1e-4)

# %% [markdown]
# ### On digits, fairly
#
# A network with two hidden layers of 64, 200 steps. First try a few learning rates for each, on validation digits, from two
# seeds. Then take each one's best, and train five fresh networks with it.

# %%
makers = {"SGD": sgd, "momentum": momentum, "Adam": adam}
rates = {
    "SGD": (0.01, 0.03, 0.1, 0.3, 1.0),
    "momentum": (0.003, 0.01, 0.03, 0.1, 0.3),
    "Adam": (0.001, 0.003, 0.01, 0.03, 0.1),
}
tried, chosen, tested, reached = {}, {}, {}, {}


def tries(make, rate, seeds):
    """Networks trained from these seeds, and the first step at which each one's loss, ten steps' mean, is below 0.5."""
    models = [network(seed, (64, 64)) for seed in seeds]
    lines = [smooth(train(model, make, rate, seed)[0]) for model, seed in zip(models, seeds, strict=True)]
    return models, [int(steps[np.argmax(means < 0.5)]) for steps, means in lines]


for name, make in makers.items():
    tried[name] = []
    for rate in rates[name]:
        models, _ = tries(make, rate, seeds=(100, 101))
        tried[name].append(np.mean([evaluate(model, held_x, held_y) for model in models]))
    chosen[name] = rates[name][int(np.argmax(tried[name]))]
    models, reached[name] = tries(make, chosen[name], seeds)
    tested[name] = np.array([evaluate(model, test_x, test_y) for model in models])

figure, axis = plt.subplots()
for name in makers:
    axis.plot(rates[name], [100 * share for share in tried[name]], "o-", label=name)
axis.set(xscale="log", xlabel="learning rate", ylabel="right on validation digits (%)", title="One number decides the order")
axis.legend()
plt.show()

for name, rate in chosen.items():
    interval = mean_interval(tested[name])
    print(f"{name:9s} rate {rate:<6g} test {interval.mean:.1%} [{interval.low:.1%}, {interval.high:.1%}]", end="   ")
    print("steps to a loss of 0.5:", *reached[name])
difference = mean_interval(tested["Adam"] - tested["SGD"])
print(f"Adam − SGD: {100 * difference.mean:+.1f} points [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]")
same_rate = [tried[name][rates[name].index(0.01)] for name in makers]
print("at the common rate 0.01, on validation digits:", *(f"{n} {a:.0%}" for n, a in zip(makers, same_rate, strict=True)))

# %% [markdown]
# Two lessons in one picture. At one common rate the three look worlds apart, and you could publish that. It would say that
# 0.01 is a number that suits Adam. With *its own* rate for each, what is left of the difference in accuracy is a few points
# at most. What Adam does buy here is time: the steps to a loss of 0.5. On harder ground, deep networks and attention above all,
# a gap in time becomes a gap in what can be trained at all.
#
# ## Where it begins
#
# Back to ten layers. Lesson 03 sent a signal through relu layers and saw it die or explode. What matters for learning is
# what comes *back*: the gradient of the loss by each layer's kernel. Here it is for five beginnings: all zeros, too small,
# variance 1 / fan-in (LeCun: right for layers without a relu), 2 / fan-in (He: for relu), too large.

# %%
starts = {"zeros": 0.0, "1/8": 1 / 8, "1 (LeCun)": 1.0, "2 (He)": 2.0, "8": 8.0}


@nnx.jit  # jax.jit for functions of a whole model
def spreads(model):
    """The spread of the signal behind each hidden layer, and of the loss's gradient by its kernel."""
    signal, signals = x[:200], []
    for layer in model.hidden:
        signal = relu(layer(signal))
        signals.append(signal.std())
    loss = partial(nn.training.classification_loss, batch={"image": x[:200], "label": y[:200]})
    gradients, _ = nnx.grad(loss, has_aux=True)(model)
    return jnp.stack(signals), jnp.stack([gradients["hidden"][i]["kernel"][...].std() for i in range(len(model.hidden))])


figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
depth, back, forth = np.arange(1, 11), {}, {}
for name, start in starts.items():
    forth[name], back[name] = map(np.asarray, spreads(network(0, deep, start)))
shown = [name for name in starts if name != "zeros"]  # a logarithm has no place for 0
figures.plot_curves({name: (depth, forth[name]) for name in shown}, axis=left, xlabel="layer", logy=True)
figures.plot_curves({name: (depth, back[name]) for name in shown}, axis=right, xlabel="layer", logy=True)
left.set(title="Signal on the way in", ylabel="spread")
right.set(title="Gradient by each layer's kernel", ylabel="spread")
plt.show()

begun = {}
for name, start in starts.items():
    models = [network(seed, deep, start) for seed in range(2)]
    for seed, model in enumerate(models):
        train(model, adam, 1e-3, seed)
    begun[name] = np.mean([evaluate(model, test_x, test_y) for model in models])
    print(f"{name:10s} first gradient {back[name][0]:8.1e}   right on test digits after training {begun[name]:.0%}")

# %% [markdown]
# - **Zeros**: the gradient is not small, it is 0, and stays 0. A layer's gradient is a product with the kernels behind it and
#   the signals before it; here both are 0. And were all weights equal but not 0, all units of a layer would get the same
#   gradient and stay copies of each other. Randomness is there to tell units apart.
# - **Too small**: the signal is gone after a few layers, and the gradient is tiny in *all* of them: what the way in has not
#   lost yet, the way back loses. Adam, which divides by the gradient's own size, gets something out of it nevertheless.
# - **LeCun** is right for a layer whose output goes on as it is; relu drops half of the signal's power, ten times over. With
#   Adam it gets by here, a little behind.
# - **He** keeps both level. That is the network that learned.
# - **Too large**: the scores are enormous and the network is sure of nonsense from the first step.
#
# The size of the first random numbers was the whole difference between "one" and "the other".
#
# ## How layers keep their numbers in hand
#
# A good beginning is lost as the weights move. **Normalization** puts it back at every step: between a layer and its relu,
# take off the mean and divide by the spread,
#
# $$\hat{x} = \frac{x - \text{mean}}{\sqrt{\text{variance} + \epsilon}},$$
#
# then let the network choose a scale and a shift of its own. The kinds differ in one thing only: *whose* mean and variance.
# Here are three, written out, for signals with axes (example, position, feature); the positions may be the pixels of an
# image. The variance divides by $n$: it describes these numbers, it does not estimate those of others.

# %%
signal = jnp.asarray(np.random.default_rng(0).normal(1, 2, (3, 4, 6)), jnp.float32)


def normalized(x, axes, epsilon):
    return (x - x.mean(axes, keepdims=True)) / jnp.sqrt(x.var(axes, keepdims=True) + epsilon)


def batch_norm_of_batch(x):
    return batch_norm(x, *batch_statistics(x))


assert jnp.allclose(normalized(signal, (0, 1), 1e-5), batch_norm_of_batch(signal), atol=1e-4)
assert jnp.allclose(normalized(signal, 2, 1e-6), layer_norm(signal), atol=1e-4)
assert jnp.allclose(normalized(signal, 1, 1e-6), instance_norm(signal), atol=1e-4)

# %% [markdown]
# Which numbers share their statistics? Ask the gradient: the normalized number marked with a dot depends on exactly those
# that are in its mean and variance. Each block below is an example, each row a position, each column a feature.

# %%
kinds = {
    "batch norm": batch_norm_of_batch,
    "layer norm": layer_norm,
    "group norm, 3 groups": partial(group_norm, num_groups=3),
    "instance norm": instance_norm,
}
figure, axes = plt.subplots(1, 4, figsize=(10, 4.2))
shared = {}
for axis, (name, kind) in zip(axes, kinds.items(), strict=True):
    slopes = jax.jit(jax.grad(lambda x, kind=kind: kind(x)[1, 2, 3]))(signal)
    shared[name] = np.asarray(abs(slopes) > 1e-7)
    rows = np.full((3 * 5 - 1, 6), np.nan)  # a blank row between two examples
    for example in range(3):
        rows[5 * example : 5 * example + 4] = np.where(shared[name][example], 1, 0.12)
    axis.imshow(rows, cmap="Blues", vmin=0, vmax=1.4)
    axis.plot(3, 5 + 2, "o", color=figures.COLOURS[1])
    axis.set(xticks=[], yticks=[1.5, 6.5, 11.5], title=f"{name}\n{shared[name].sum()} of {signal.size}", xlabel="features")
    axis.set_yticklabels([f"example {i}" for i in range(3)] if name == "batch norm" else [])
    axis.grid(visible=False)
    axis.tick_params(length=0)
plt.show()

# %% [markdown]
# Only batch norm looks across examples. So what a network with batch norm says of one digit depends on which others are in
# the batch, and there has to be a second way for use, when there may be no batch: running averages of the means and
# variances that it saw while training. The other three need none.
#
# Does it help? Ten layers again, three beginnings, and Adam at the rate that they had so far. In the last line the running
# averages of batch norm are computed anew after training, from the training digits.

# %%
scales = {"0.1": 0.1, "2 (He)": 2.0, "32": 32.0}
normed = {}
for kind in (None, "layer", "batch"):
    for name, start in scales.items():
        models = [network(seed, deep, start, normalization=kind) for seed in range(2)]
        for seed, model in enumerate(models):
            train(model, adam, 1e-3, seed)
        normed[kind or "none", name] = np.mean([evaluate(model, test_x, test_y) for model in models])
        if kind == "batch":
            for model in models:
                for norm in model.norms:
                    norm.momentum = 0.0  # keep nothing of the old averages: the next batch is all that counts
                model.train()
                model(jnp.asarray(x[:800]))  # one pass over the digits that it learned from
            renewed = [evaluate(model, test_x, test_y) for model in models]
            normed["batch, averages renewed", name] = np.mean(renewed)

print("right on test digits, by the variance of the first kernels · fan-in")
print(f"{'':26s}", *(f"{name:>8s}" for name in scales))
for row in dict.fromkeys(kind for kind, _ in normed):
    print(f"{row:26s}", *(f"{normed[row, name]:8.0%}" for name in scales))

# %% [markdown]
# Read it by rows. Without normalization only He's start works. With layer norm it hardly matters how the kernels begin: a
# kernel ten times as large gives a signal ten times as large, and the division takes that off again. And with He's start
# layer norm gains little or nothing: *the good beginning was already good.* What it buys is that you need not find it.
#
# Batch norm tells two stories. With its running averages it can look hopeless. Yet one pass over the training digits, which
# changes no weight and only renews the averages, brings some of it back, and from the smallest start nearly all: the network
# had learned, and its averages had not kept up. Each step keeps 99% of the old average, and 200 steps are not long for that.
# If a network with batch norm does well in training and badly in use, look there first.
#
# ## When a step is too long
#
# The same ten layers with momentum. At a rate that is a little too bold the loss jumps: a step lands where the slope is
# enormous, and the next step is enormous too. Two remedies:
#
# - **Clipping** (Pascanu et al. 2013): if the gradient, all weights together as one long vector, is longer than some length,
#   shrink it to that length. The direction stays.
# - A **schedule**: the rate is a function of the step. **Warmup** begins near 0 and rises, so that the first steps, on the
#   roughest ground, are short. Then the rate falls along half a cosine, so that the last steps are short too and the network
#   can settle (Loshchilov and Hutter 2017).

# %%
shape = warmup_cosine_decay_schedule(0.0, 1.0, warmup_steps=30, decay_steps=200)
_, axis = plt.subplots(figsize=(6, 2.4))
axis.plot(np.arange(200), jax.vmap(shape)(jnp.arange(200)))
axis.set(xlabel="step", ylabel="share of the top rate", title="Up in a line, down along half a cosine")
plt.show()

remedies = {
    "neither": momentum,
    "clipped": lambda rate: optax.chain(clip_by_global_norm(1.0), momentum(rate)),  # one after the other
    "scheduled": lambda rate: momentum(lambda step: rate(step) * shape(step)),
}
remedied, jumps = {}, {}
for name, make in remedies.items():
    for rate in (0.003, 0.05):
        models = [network(seed, deep) for seed in seeds]
        lines = [train(model, make, rate, seed)[0] for seed, model in zip(seeds, models, strict=True)]
        remedied[name, rate] = np.array([evaluate(model, test_x, test_y) for model in models])
        jumps[name] = smooth(lines[0])

figures.plot_curves(jumps, ylabel="training loss (nats)", title="Momentum, rate 0.05, ten layers")
plt.show()
for (name, rate), accuracies in remedied.items():
    print(f"{name:10s} rate {rate:<6g}", "right on test digits:", *(f"{a:.0%}" for a in accuracies))

# %% [markdown]
# At the bold rate clipping helps under every seed, and the schedule helps on the whole. At the careful rate there was nothing
# to mend, and the length that we clip to makes almost every step shorter than it should be: there, clipping *costs*. A remedy
# is for a disease. The point of both is that they let you use the bold rate.
#
# ## What keeps it from learning by heart
#
# So far we asked whether a network can learn its 800 digits. Now: what does it make of digits that it has not seen? Take 200
# to learn from. A network with 64 hidden units gets every one of them right, and misses some of the test digits. The
# difference between the two is the **generalization gap**. What is done to narrow it is called **regularization**:
#
# - **Weight decay**: at each step every weight also shrinks a little towards 0. A weight has to be earned. (With Adam the
#   shrinking is kept apart from the gradient: `adamw`, Loshchilov and Hutter 2019.)
# - **Dropout** (Srivastava et al. 2014): in each training step silence a random part of the hidden units, so that none can rely
#   on one other being there. The rest are scaled up, which keeps the mean; nothing is silenced in use.
# - **Early stopping**: look at the validation digits after 50, 100, 200 and 400 steps, and keep the weights that did best on
#   them.
# - **Augmentation**: add copies of the digits that are changed in ways that do not change what they are. Here: moved by up to
#   a pixel.
# - **More data**: 400 digits instead of 200.
#
# We do all of it twice. Once as it is; once with 30% of the labels *wrong*, those of the validation digits too, as when a
# tired person labelled them. Strengths and lengths are chosen on the validation digits, for each seed by itself. Each method
# has the same five random starts and digits as "nothing", so that we can look at paired differences.


# %%
def moved(images, random):
    """Each 8×8 image, moved by at most a pixel each way; what comes in at the edge is black."""
    padded = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    places = random.integers(0, 3, (len(images), 2))
    return np.stack([image[i : i + 8, j : j + 8] for image, (i, j) in zip(padded, places, strict=True)]).reshape(-1, 64)


def material(seed, wrong):
    """The 1,000 training digits in an order of the seed's own, a share of their labels wrong."""
    random = np.random.default_rng(seed)
    order = random.permutation(1000)
    labels = np.where(random.random(1000) < wrong, (y + random.integers(1, 10, 1000)) % 10, y).astype(np.int32)
    return x[order], labels[order], random


def outcomes(wrong, *, count=200, copies=0, make=adam, dropout=0.0, ends=(400,)):
    """Shares right, (seeds, ends, 3): of the labels learned from, of the validation labels, of the test labels."""
    shares = []
    for seed in seeds:
        images, labels, random = material(seed, wrong)
        model = network(seed, (64,), dropout=dropout)
        more = [moved(images[:count], random) for _ in range(copies)]
        data = np.concatenate([images[:count], *more]), np.tile(labels[:count], 1 + copies)
        _, stretches = train(model, make, 1e-2, seed, data, steps=400)
        parts = ((images[:count], labels[:count]), (images[800:], labels[800:]), (test_x, test_y))
        for end in ends:
            nnx.update(model, *stretches[end // 50 - 1])
            shares.append([evaluate(model, *part) for part in parts])
    return np.reshape(shares, (len(seeds), len(ends), 3))


decays = [partial(adamw, weight_decay=decay) for decay in (0.1, 1.0)]
every_end = (50, 100, 200, 400)
results, along = {}, {}
for wrong in (0.0, 0.3):
    along[wrong] = outcomes(wrong, ends=every_end)
    candidates = {
        "nothing": along[wrong][:, -1:],
        "weight decay": np.concatenate([outcomes(wrong, make=make) for make in decays], axis=1),
        "dropout": np.concatenate([outcomes(wrong, dropout=rate) for rate in (0.2, 0.5)], axis=1),
        "early stopping": along[wrong],
        "moved copies": outcomes(wrong, copies=7),
        "twice the digits": outcomes(wrong, count=400),
    }
    for name, shares in candidates.items():
        best = shares[:, :, 1].argmax(1)  # chosen on validation digits, for each seed by itself
        results[wrong, name] = shares[np.arange(len(seeds)), best]

figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True)
for axis, (wrong, title) in zip(axes, {0.0: "Labels as they are", 0.3: "30% of the labels wrong"}.items(), strict=True):
    lines = {name: (every_end, 100 * along[wrong][:, :, part].mean(0)) for name, part in {"learned from": 0, "test": 2}.items()}
    figures.plot_curves(lines, axis=axis, ylabel="right (%)" if wrong == 0 else "", title=title)
plt.show()

figure, axes = plt.subplots(1, 2, figsize=(10.5, 3), sharey=True)
gains, methods = {}, [name for name in candidates if name != "nothing"]
for axis, (wrong, title) in zip(axes, {0.0: "labels as they are", 0.3: "30% of the labels wrong"}.items(), strict=True):
    nothing = results[wrong, "nothing"]
    print(
        f"{title}: nothing is right on {nothing[:, 0].mean():.0%} of what it learned, {nothing[:, 2].mean():.1%} of test digits"
    )
    for name in methods:
        gains[wrong, name] = mean_interval(100 * (results[wrong, name] - nothing)[:, 2])
        learned = results[wrong, name][:, 0].mean()
        gain = gains[wrong, name]
        print(f"   {name:17s}{gain.mean:+6.1f} points [{gain.low:+5.1f}, {gain.high:+5.1f}]   learned {learned:.0%} of its own")
    rows = {name: (g.mean, g.low, g.high) for (w, name), g in gains.items() if w == wrong}
    figures.plot_intervals(rows, axis=axis, reference=0, xlabel="gain over nothing, test digits (points)", title=title)
plt.show()

# %% [markdown]
# Above, "nothing" as it trains: with wrong labels the test digits get worse while the labels it learns from go on getting
# better. That is **overfitting**, to see with your own eyes. Below, what each method gains over "nothing", at its end.
#
# With clean labels the famous methods are worth nothing that five seeds could show; grey means that the interval holds 0.
# The network has learned everything by heart and reads well all the same: with nothing false to remember, remembering does
# little harm. And moved copies *hurt*: these digits are all centred, the test digits too, so that the copies teach what is
# never asked. Only more digits help. Augmentation is a claim about the data, and this one is of no use here.
#
# With 30% wrong labels everything helps, and by a lot, for now there is something not to remember. Look at the last column:
# "nothing" has learned even the false labels. The methods differ in how, and agree in what they do: they make learning by
# heart dearer than learning what the digits have in common. The simplest of them, to stop in time, is among the best.
#
# ## What we claimed, checked

# %%
assert pair["one"] > pair["the other"] + 0.3, "the beginning decides"
assert ends["momentum"] < ends["gradient descent"] / 10, "momentum runs along the ravine"
slow, fast = too_fast.values()
assert slow < 10 < 1e3 < fast, "2 / curvature is the limit"
assert ends["Adam"] > max(ends["momentum"], ends["gradient descent"]), "in a simple bowl Adam is last"
assert same_rate[2] > same_rate[0] + 0.1, "at one common rate SGD looks bad"
assert all(abs(tested["Adam"].mean() - tested[name].mean()) < 0.08 for name in makers), "at its own, it is not"
assert max(reached["Adam"]) < min(reached["SGD"]), "Adam gets there in fewer steps, under every seed"
assert back["zeros"].max() == 0, "zeros: no gradient at all"
assert back["1/8"][0] < 1e-3 * back["2 (He)"][0] < back["2 (He)"][0] < 1e-3 * back["8"][0], "it dies, lives, explodes"
assert begun["2 (He)"] > max(begun["1/8"], begun["8"]) + 0.1, "too small and too large learn worse"
assert begun["zeros"] < 0.2, "zeros learn nothing"
rows, columns, features = shared["layer norm"].nonzero()
assert set(rows) == {1} and set(columns) == {2} and len(features) == 6, "layer norm: one row of one example"
assert {name: int(s.sum()) for name, s in shared.items()} == {
    "batch norm": 12, "layer norm": 6, "group norm, 3 groups": 8, "instance norm": 4,
}, "whose statistics they are"  # fmt: skip
for name in ("0.1", "32"):
    assert normed["layer", name] > normed["none", name] + 0.1, "layer norm mends a bad beginning"
assert abs(normed["layer", "2 (He)"] - normed["none", "2 (He)"]) < 0.06, "a good one needs no mending"
assert normed["batch, averages renewed", "0.1"] > normed["batch", "0.1"] + 0.2, "running averages can lag behind"
assert (remedied["clipped", 0.05] > remedied["neither", 0.05] + 0.05).all(), "clipping helps at a bold rate"
assert remedied["scheduled", 0.05].mean() > remedied["neither", 0.05].mean(), "a schedule does, on the whole"
assert (remedied["clipped", 0.003] < remedied["neither", 0.003]).all(), "and clipping costs at a careful one"
assert results[0.0, "nothing"][:, 0].min() > 0.99, "a network learns by heart"
assert abs(gains[0.0, "weight decay"].mean) < 2 and abs(gains[0.0, "dropout"].mean) < 2, "clean labels: next to nothing"
assert gains[0.0, "moved copies"].mean < -0.5 < 0.5 < gains[0.0, "twice the digits"].mean, "copies hurt, digits help"
assert results[0.3, "nothing"][:, 0].mean() > 0.97, "it learns false labels too"
for name in methods:
    assert gains[0.3, name].mean > 3, "with false labels all of them help"
for name in ("weight decay", "dropout", "early stopping"):
    assert gains[0.3, name].low > 0, "and of these three not even the luck of the seed is in doubt"

# %% [markdown]
# ## Try
#
# 1. Give the ravine a curvature of 400 in place of 25. How many steps does each optimizer need to get below 0.01? For gradient
#    descent the number grows with the ratio of the curvatures, for momentum with its root; do you find that?
# 2. Train the ten layers from He's start with `sgd` in place of Adam. Which learning rate would you take, and how does layer
#    norm change the answer?
# 3. Make 60% of the labels wrong, then 85%. How far can a network be misled and still read? Which method holds out longest?
#
# **Exercise:** write `momentum_step`, `adamw_step`, `warmup_cosine_decay_schedule`, `clip_gradients`, `layer_norm` and
# `dropout` yourself. In the folder of the course, `python -m exercises next` says where to begin, and
# `python -m pytest exercises/04_optimisation` tests what you have written.
