# %% [markdown]
# # Recurrence: how can a network remember?
#
# You read this sentence one word at a time, and at its end you still know how it began. The networks so far cannot do that:
# they are shown all of a picture at once, and of the picture before it they know nothing. Here a network gets one thing after
# the other, and has to carry with it what it will need. (The window of lesson 05 saw two frames of a film at a time, and
# nothing before them.) How long can it hold on to something, and what makes it forget?
#
# By the end you will have measured that, built the cells that remember longer, and used them to forecast the sun, to
# tell languages apart by a name, and to invent names.
#
# Needed: lesson 03 (layers, loss, Adam, `fit`), lesson 04 (initialisation, clipping). Time: about a minute to run on two cores.

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

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import nn
from lessons import figures
from nn.data.translation import pairs
from nn.layers import gru_step, lecun_normal, lstm_step, orthogonal, simple_step
from nn.training import softmax_cross_entropy

figures.use_lesson_style()
_ = nn.training.enable_compilation_cache()  # what was compiled once is not compiled again

# %% [markdown]
# ## A loop with a memory
#
# Take one number $h$, the **state**, and at every step mix a little of it with what comes in:
#
# $$h_t = u\,h_{t-1} + x_t.$$
#
# Send in a single 1 and then zeros, and watch what is left of it. The state is fed back in at every step: that is what
# *recurrent* means.


# %%
def echo(u, steps=30):
    """What is left at each step of a 1 that came in at step 0."""
    h, left = 0.0, []
    for t in range(steps):
        h = u * h + (1.0 if t == 0 else 0.0)
        left.append(h)
    return left


figures.plot_curves({f"u = {u}": echo(u) for u in (0.7, 0.9, 1.0, 1.05)}, ylabel="state", title="The echo of one input")
plt.show()

# %% [markdown]
# At $u = 1$ it is kept for ever; a little less and it dies away, a little more and it grows without end. Keep this
# picture in mind: the rest of the lesson is about it.
#
# A **recurrent network** does the same with a whole vector of state, a matrix $U$ in the place of $u$, a matrix $W$ for
# the input, and a bend that keeps the state between −1 and 1:
#
# $$h_t = \tanh(x_t W + h_{t-1} U + b).$$
#
# This is `nn.layers.simple_step` (Elman 1990, "Finding structure in time"). The same $W$, $U$ and $b$ serve every step,
# so the network can read a sequence of any length. Written out, step under step, it is a feedforward network with one
# layer for each step and the same weights in all of them: it is **unrolled**. So everything that holds for deep
# networks holds for long sequences.

# %%
keys = jax.random.split(jax.random.key(0), 4)
inputs, hidden, steps = 5, 16, 50
kernel, recurrent, bias = lecun_normal()(keys[0], (inputs, hidden)), orthogonal(keys[1], (hidden, hidden)), jnp.zeros(hidden)
sequence = jax.random.normal(keys[2], (steps, inputs))

h = jnp.zeros(hidden)
for x in sequence:  # by hand
    h = jnp.tanh(x @ kernel + h @ recurrent + bias)


# %% [markdown]
# `jax.lax.scan` is that loop as one operation: it carries something from step to step, and is compiled as one step
# instead of fifty. `nn.layers.SimpleCell` is the step as an object that owns its weights, and `nn.layers.RNN` walks
# with it.


# %%
def step(h, x):
    h = simple_step(h, x, kernel, recurrent, bias)
    return h, h  # what is carried on, what is noted down


last, states = jax.lax.scan(step, jnp.zeros(hidden), sequence)

cell = nn.layers.SimpleCell(inputs, hidden, rngs=nnx.Rngs(0))
cell.dense_i.kernel[...], cell.dense_i.bias[...], cell.dense_h.kernel[...] = kernel, bias, recurrent
outputs = nn.layers.RNN(cell)(sequence)
print("by hand and by scan:", float(abs(h - last).max()), " scan and RNN:", float(abs(states - outputs).max()))
assert jnp.allclose(h, last, atol=1e-4) and jnp.allclose(states, outputs, atol=1e-4)

# %% [markdown]
# ## What reaches back
#
# To learn that something at step 0 matters at step 50, the gradient has to travel back through fifty layers. Does it
# arrive? Measure it. Add a nudge $e_t$ to the state at every step, all of them 0, and ask JAX for the gradient of the
# last state by each nudge: one backward pass says how much every step of the past still counts. The network is as it
# begins, untrained.
#
# Everything depends on $U$. Take normal numbers of a spread of gain / √16. Without the tanh a gain of 1 would keep a vector's
# length on average, a gain of 0.5 halve it, and one of 3 enlarge it; the tanh flattens what grows large. And take an
# **orthogonal** matrix, which turns a vector without changing its length. The input is turned down to a tenth, so that the
# tanh stays nearly straight.


# %%
def reach(step, state, xs, seed=0):
    """How long the gradient of the last state is at each step of the past, from the nearest to the farthest."""
    weights = jax.random.normal(jax.random.key(seed), jax.tree.leaves(state)[0].shape)  # a random direction to look in

    def final(nudges):
        def nudged(state, now):
            x, nudge = now
            return step(jax.tree.map(jnp.add, state, nudge), x), None

        end, _ = jax.lax.scan(nudged, state, (xs, nudges))
        return (jax.tree.leaves(end)[-1] * weights).sum()

    nudges = jax.tree.map(lambda leaf: jnp.zeros((len(xs), *leaf.shape)), state)
    gradient = jax.jit(jax.grad(final))(nudges)
    return np.sqrt(sum((np.asarray(leaf) ** 2).sum(-1) for leaf in jax.tree.leaves(gradient)))[::-1]


def simple_with(recurrent):
    return lambda h, x: simple_step(h, x, 0.1 * kernel, recurrent, bias)  # a quiet input, that leaves the tanh nearly straight


def normal_matrix(gain):
    return gain * jax.random.normal(keys[3], (hidden, hidden)) / jnp.sqrt(hidden)


zeros = jnp.zeros(hidden)
reaches = {
    "normal, gain 0.5": reach(simple_with(normal_matrix(0.5)), zeros, sequence),
    "normal, gain 3": reach(simple_with(normal_matrix(3.0)), zeros, sequence),
    "orthogonal": reach(simple_with(recurrent), zeros, sequence),
}
back = np.arange(1, steps + 1)
curves = {name: (back, curve) for name, curve in reaches.items()}
figures.plot_curves(
    curves,
    xlabel="steps into the past",
    ylabel="length of the gradient",
    logy=True,
    title="What reaches back, by the matrix U",
)
plt.show()
for name, curve in reaches.items():
    print(f"{name:18s} 1 step back {curve[0]:8.2g}   {steps} steps back {curve[-1]:8.2g}")

# %% [markdown]
# The echo again, with logarithms: the gradient **vanishes** or **explodes**, by a factor at every step (Bengio, Simard
# and Frasconi 1994, "Learning long-term dependencies with gradient descent is difficult"). In the first network what
# happened fifty steps ago counts for nothing: it will never learn that it mattered. The second gets gradients of any
# size. That is why our cells begin with an orthogonal $U$. It is a good beginning and no more: every bend of the tanh
# takes a little away, and training moves $U$.
#
# ## Exploding: the cliff, and clipping
#
# An exploding gradient is easily mended. Here is the smallest network with the trouble: one unit, $h \leftarrow \tanh(w h +
# b)$, fifty steps from $h = 0.5$, and the wish that it ends at $-0.4$. Its loss over $w$ and $b$ has a cliff: on one side the
# state runs to one end, on the other to the other. At the edge a hair of $w$ or $b$ decides which, since each of the fifty
# steps enlarges the difference: the gradient is huge. A step of gradient descent that begins there, at a learning rate of
# 0.3, is thrown far out of the picture. **Clipping** (lesson 04) keeps the gradient's direction and cuts its length down to
# at most 1 (Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks", whose figure 6 this
# is, with another bend).


# %%
def cliff(weights):
    """The loss of fifty steps with one unit, of weights (w, b)."""
    w, b = weights
    h, _ = jax.lax.scan(lambda h, _: (jnp.tanh(w * h + b), None), jnp.array(0.5), length=50)
    return (h + 0.4) ** 2


grid_w, grid_b = np.meshgrid(np.linspace(1, 4, 120), np.linspace(-1.6, 0.1, 120))
landscape = jax.jit(jax.vmap(cliff))((jnp.asarray(grid_w.ravel()), jnp.asarray(grid_b.ravel()))).reshape(grid_w.shape)
slope = jax.jit(jax.vmap(jax.grad(cliff)))((jnp.asarray(grid_w.ravel()), jnp.asarray(grid_b.ravel())))
steepness = jnp.sqrt(slope[0] ** 2 + slope[1] ** 2)
edge = int(jnp.argmax(steepness))
edge_point = jnp.array([grid_w.ravel()[edge], grid_b.ravel()[edge]])
gradient = jnp.stack(jax.grad(cliff)(tuple(edge_point)))
clipped = nn.training.clip_gradients(gradient, 1.0)
print(f"length of the gradient at the edge {jnp.linalg.norm(gradient):.0f}, its median {jnp.median(steepness):.2g}")
print(f"clipped {jnp.linalg.norm(clipped):.1f}")

figure, axis = plt.subplots(figsize=(6.4, 3.6))
shown = axis.contourf(grid_w, grid_b, landscape, levels=20, cmap="Greens")
figure.colorbar(shown, label="loss")
axis.plot(*edge_point, "o", color="black")
target = edge_point - 0.3 * clipped
axis.annotate(
    "", tuple(target), tuple(edge_point), arrowprops={"arrowstyle": "->", "color": figures.COLOURS[0], "linewidth": 2}
)
axis.annotate("clipped", tuple(target), (8, -6), textcoords="offset points", color=figures.COLOURS[0])
axis.set(xlabel="w", ylabel="b", title="The edge of a cliff, and a clipped step from it")
plt.show()

# %% [markdown]
# Clipping does nothing against *vanishing*, nor would stretching: a weight's gradient is a sum over all steps, in which what
# is near drowns what is far, and to make the sum longer changes no share. For that the network itself has to change.
#
# ## Gates
#
# The echo was kept where $u = 1$. So let the network decide, for each number in its memory and at each step, how much to
# keep: a **gate**, a number between 0 (shut) and 1 (open) that comes out of a **sigmoid**, $\sigma(a) = 1 / (1 + e^{-a})$:
# far below 0 it is nearly 0, at 0 it is ½, far above nearly 1. The **LSTM** (long short-term memory; Hochreiter and
# Schmidhuber 1997, the forget gate from Gers, Schmidhuber and Cummins 2000) has a memory $c$, the *cell*, beside the state
# $h$ that it shows to others:
#
# $$c_t = f \odot c_{t-1} + i \odot g, \qquad h_t = o \odot \tanh c_t.$$
#
# The candidate $g$ (through a tanh) is what it could write; the *input gate* $i$ says how much of it is written, the *forget
# gate* $f$ how much of the old is kept, the *output gate* $o$ how much is shown. For a state of 16 numbers $W$ has 4 · 16
# columns: $x_t W + h_{t-1} U + b$ is cut into four pieces, in the order $i, f, g, o$; three go through a sigmoid, $g$ through
# a tanh. $\odot$ multiplies number by number.
#
# The **GRU** (gated recurrent unit; Cho et al. 2014) does with one state and two gates: the *update gate* $z$ mixes old
# and new, the *reset gate* $r$ says how much of the old the candidate $n$ may see,
#
# $$h_t = z \odot h_{t-1} + (1 - z) \odot n, \qquad n = \tanh\bigl(x_t W_n + b_n + r \odot (h_{t-1} U_n)\bigr).$$
#
# Here three pieces stand side by side, $r$, $z$ and $n$; $r = \sigma(x_t W_r + h_{t-1} U_r + b_r)$, and $z$ likewise. In both
# cells the second piece is the gate that keeps. They are `lstm_step` and `gru_step`, a few lines each. With $f = 1$ and $i =
# 0$ the cell is carried on as it is, and the gradient with it. But a gate *begins* half open: what goes into its sigmoid is
# about 0, and $\tfrac12 \cdot \tfrac12 \cdot \tfrac12 \cdots$ is soon gone. A bias of 3 on the gate that keeps opens it to
# 95% from the start. (That was proposed for the forget gate together with the gate itself.)


# %%
def gate_weights(key, gates, keep):
    """Random weights of a step, and a bias of `keep` on the second gate, the one that keeps."""
    for_inputs, for_states = jax.random.split(key, (2, gates))
    kernel = jnp.concatenate([lecun_normal()(key, (inputs, hidden)) for key in for_inputs], axis=1)
    recurrent = jnp.concatenate([orthogonal(key, (hidden, hidden)) for key in for_states], axis=1)
    bias = jnp.zeros((gates, hidden)).at[1:2].set(keep).ravel()
    return kernel, recurrent, bias


def gated(step, gates, keep):
    kernel, recurrent, bias = gate_weights(keys[0], gates, keep)
    return lambda state, x: step(state, x, 0.1 * kernel, recurrent, bias)


gated_reaches = {
    "simple, orthogonal": reaches["orthogonal"],
    "LSTM": reach(gated(lstm_step, 4, 0.0), (zeros, zeros), sequence),
    "LSTM, forget gate opened": reach(gated(lstm_step, 4, 3.0), (zeros, zeros), sequence),
    "GRU": reach(gated(gru_step, 3, 0.0), zeros, sequence),
    "GRU, update gate opened": reach(gated(gru_step, 3, 3.0), zeros, sequence),
}
curves = {name: (back, curve) for name, curve in gated_reaches.items()}
figures.plot_curves(
    curves,
    xlabel="steps into the past",
    ylabel="length of the gradient",
    logy=True,
    title="What reaches back, by the cell",
)
plt.show()
for name, curve in gated_reaches.items():
    print(f"{name:26s} {steps} steps back {curve[-1]:8.2g}")

# %% [markdown]
# Begun half open, both cells are *worse* than the simple one: what they are praised for is nothing that they begin with.
# Opened, they hand the gradient on. (The opened LSTM's falls at first and then grows: what is kept comes back in through $h$
# and the matrices as well, and on much longer sequences it would explode. Its curve counts nudges of $c$ and of $h$
# together.)
#
# ## Does it remember?
#
# A gradient that arrives is not yet a memory. So set a task that has no other way. A sequence has 31 steps of five numbers.
# The first four are 0 but once: so many steps before the last one, the **delay**, the one that stands for the symbol is 1.
# The fifth is noise at every step. After the last step the network has to say which symbol it was. Guessing is right for one
# in four.
#
# Three memories of 16 numbers each get 200 batches of 16 sequences, with Adam and clipping, at four delays and from five seeds.
# `jax.vmap` trains all twenty networks of a kind at once.

# %%
DELAYS, SEEDS = jnp.array([5, 10, 20, 30]), range(5)
LENGTH, SYMBOLS = 31, inputs - 1  # the last input is the noise
adam = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(2e-2))


def draw(seed, *shape):
    """Which symbol each sequence shows, (*shape,), and noise for its every step, (*shape, time)."""
    random = np.random.default_rng(seed)
    return jnp.asarray(random.integers(0, SYMBOLS, shape)), jnp.asarray(random.normal(size=(*shape, LENGTH)), jnp.float32)


def show_and_wait(symbol, noise, delay):
    """Sequences (time, count, symbols + 1): a symbol shown `delay` steps before the end, noise in the last channel."""
    now = jnp.arange(LENGTH)[:, None, None] == LENGTH - 1 - delay
    return jnp.concatenate([now * jax.nn.one_hot(symbol, SYMBOLS), noise.T[..., None]], axis=-1)


def states_of(step, weights, x):
    """The state behind every step, (time, count, units)."""

    def walk(h, x):
        h = step(h, x, *weights["step"])
        return h, h

    return jax.lax.scan(walk, jnp.zeros((x.shape[1], hidden)), x)[1]


def remember(step, weights, batches, delay):
    """Weights that were trained on these batches, of this delay."""

    def loss(weights, symbol, noise):
        last = states_of(step, weights, show_and_wait(symbol, noise, delay))[-1]
        return softmax_cross_entropy(last @ weights["head"], symbol).mean()

    def train(both, batch):
        weights, memory = both
        updates, memory = adam.update(jax.grad(loss)(weights, *batch), memory)
        return (optax.apply_updates(weights, updates), memory), None

    (weights, _), _ = jax.lax.scan(train, (weights, adam.init(weights)), batches)
    return weights


def share_right(step, weights, delay):
    """Of 200 new sequences."""
    symbol, noise = draw(999, 200)
    last = states_of(step, weights, show_and_wait(symbol, noise, delay))[-1]
    return ((last @ weights["head"]).argmax(-1) == symbol).mean()


@partial(jax.jit, static_argnums=0)
def experiment(step, begun, batches):
    """The share right and the weights of every delay (first axis) and every seed."""

    def one(delay, weights, batches):
        weights = remember(step, weights, batches, delay)
        return share_right(step, weights, delay), weights

    over_seeds = jax.vmap(one, in_axes=(None, 0, 0))
    return jax.vmap(over_seeds, in_axes=(0, None, None))(DELAYS, begun, batches)


def stack(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


remembered = {}
batches = stack([draw(seed, 200, 16) for seed in SEEDS])
memories = {"simple": (simple_step, 1, 0.0), "GRU": (gru_step, 3, 0.0), "GRU, update gate opened": (gru_step, 3, 3.0)}
for name, (cell_step, gates, keep) in memories.items():
    head = jnp.zeros((hidden, SYMBOLS))  # at first every symbol is as likely as the others
    begun = stack([{"step": gate_weights(jax.random.key(seed), gates, keep), "head": head} for seed in SEEDS])
    right, learned = experiment(cell_step, begun, batches)
    remembered[name] = np.asarray(right).T  # (seeds, delays)

print("share right; delay                          ", *(f"{delay:6d}" for delay in DELAYS.tolist()))
for name, right in remembered.items():
    for label, shares in {"mean of five seeds": right.mean(0), "the worst seed": right.min(0)}.items():
        print(f"{name:26s}{label:20s}", *(f"{share:6.0%}" for share in shares))
curves = {name: (np.asarray(DELAYS), 100 * right.mean(0)) for name, right in remembered.items()}
axis = figures.plot_curves(curves, xlabel="delay (steps)", ylabel="symbols remembered (%)", title="Who still knows?")
axis.axhline(25, color="0.6", linewidth=1, linestyle="--")
axis.set(ylim=(0, 105), xticks=DELAYS.tolist())
plt.show()

# %% [markdown]
# The dashed line is guessing. For the two GRUs what the gradients foretold comes true: the one whose gate begins open has
# learned every delay under every seed; the same cell begun half open has not learned the longest under any. Of the simple
# network, begun with an orthogonal matrix, they foretold more than it keeps. Its gradient arrives, and yet it needs luck:
# look at its worst seeds. (One learning rate served all three; another might suit the simple network better.)
#
# ## A look inside
#
# The GRU that was trained last waits 30 steps: its symbol stands at step 0. On the left is one sequence: how open each of its
# sixteen update gates is at each step. In the middle is what stands in its memory meanwhile. On the right is the memory at
# the end of twenty other sequences, five of each symbol.

# %%
weights = jax.tree.map(lambda leaf: leaf[-1, 0], learned)  # the longest delay, seed 0
symbols, noise = draw(7, 60)
x = show_and_wait(symbols, noise, DELAYS[-1])
states = states_of(gru_step, weights, x)
before = jnp.concatenate([jnp.zeros((1, 60, hidden)), states[:-1]])
kernel, recurrent, bias = (leaf[..., hidden : 2 * hidden] for leaf in weights["step"])  # of the update gate
gate = nn.layers.sigmoid(x @ kernel + before @ recurrent + bias)
some = np.concatenate([np.flatnonzero(symbols == symbol)[:5] for symbol in range(SYMBOLS)])

figure, axes = plt.subplots(1, 3, figsize=(12, 3.4))
for axis, values, title, xlabel, options in (
    (axes[0], gate[:, 0], "Update gate: 1 keeps, 0 writes", "step", {"cmap": "Greens", "vmin": 0, "vmax": 1}),
    (axes[1], states[:, 0], "State", "step", {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}),
    (
        axes[2],
        states[-1, some],
        "Last state of 4 × 5 sequences",
        "sequence, by symbol",
        {"cmap": "RdBu_r", "vmin": -1, "vmax": 1},
    ),
):
    drawn = axis.imshow(values.T, aspect="auto", interpolation="nearest", **options)
    figure.colorbar(drawn, ax=axis)
    axis.set(xlabel=xlabel, ylabel="unit", title=title)
    axis.grid(visible=False)
axes[2].set_xticks([2, 7, 12, 17], ["0", "1", "2", "3"])
plt.show()
imprint, held = (float(abs(states[t]).mean()) for t in (0, -1))
print(f"mean gate {gate.mean():.2f}; mean size of a state: {imprint:.2f} at the symbol, {held:.2f} at the end")

# %% [markdown]
# You may have read that a gate shuts to let something in and then opens to keep it. This network does something else. At
# first most of its gates are open, and the faint imprint of the symbol is kept, while the loop makes it larger. Then some
# units shut their gates: they are written anew at every step, and yet they stand still, because the others make their
# candidate near −1 or 1 each time. It is the loop that remembers, not the gates alone. (One network, one seed: others may do
# it otherwise.) On the right each symbol has a pattern of its own, the same in all five sequences. Nobody told it to.
#
# ## Forecasting the sun
#
# Spots on the sun come and go in cycles of about eleven years, no two alike. The numbers of 1700 to 1958 are there to
# learn from, the fifty years after to test on: *forecast each year from all years before it*. For choices (how wide,
# how many years to look at) we set the last fifty years of the first part aside, the **validation** years. The test
# years choose nothing.
#
# (The networks below are the library's. Its gates begin half open, as those of other libraries do; whether it pays to open
# them here is for you to find out, below.)
#
# Two baselines know nothing: "as last year", and "as eleven years ago", the **seasonal naive** forecast. And one is
# linear: a weighted sum of the last $k$ years and a constant, fitted by least squares, called an **autoregression**
# (Yule 1927 invented it for this very series). Everything is fitted to square roots, in which high and low cycles swing
# alike.

# %%
years, spots = (
    np.concatenate([nn.data.load("sunspots", split).arrays()[field] for split in ("train", "test")])
    for field in ("year", "value")
)
past = len(nn.data.load("sunspots", "train"))
validation = past - 50
roots = np.sqrt(spots)
centre, spread = roots[:validation].mean(), roots[:validation].std()
series = ((roots - centre) / spread).astype(np.float32)


def error(forecast, first, last):
    """Root mean squared error, in spots, of forecasts of the years from `first` up to `last`."""
    return float(np.sqrt(((np.maximum(forecast * spread + centre, 0) ** 2 - spots[first:last]) ** 2).mean()))


def autoregression(order, first, last):
    """Forecasts of the years from `first` up to `last`, each from the `order` years before it; fitted to all before `first`."""
    rows = np.stack([series[i : len(series) - order + i] for i in range(order)], axis=1)  # row r foretells year r + order
    rows = np.c_[rows, np.ones(len(rows))]
    weights = np.linalg.lstsq(rows[: first - order], series[order:first], rcond=None)[0]
    return rows[first - order : last - order] @ weights


orders = range(1, 21)
order = min(orders, key=lambda order: error(autoregression(order, validation, past), validation, past))
linear_forecast = autoregression(order, past, len(series))
errors = {
    "as eleven years ago": error(series[past - 11 : -11], past, len(series)),
    "as last year": error(series[past - 1 : -1], past, len(series)),
    f"linear, of {order} years": error(linear_forecast, past, len(series)),
}
linear_validation = error(autoregression(order, validation, past), validation, past)

# %% [markdown]
# The network is `nn.models.Forecaster`: a GRU, and a linear layer on top that says after every year what it expects of the
# next. It learns from all stretches of 41 years; the first five forecasts of each, made from five years or fewer, do not
# count.

# %%
decaying_adam = optax.adamw(optax.cosine_decay_schedule(2e-2, 200), weight_decay=1e-3)


def forecast_loss(model, batch):
    return ((model(batch["years"][:, :-1]) - batch["years"][:, 1:])[:, 5:] ** 2).mean()


def trained_forecaster(width, seed, last):
    """A forecaster that has seen the years before `last`."""
    stretches = np.stack([series[i : i + 41, None] for i in range(last - 40)])
    data = nn.data.Dataset.from_arrays({"years": stretches})
    model = nn.models.Forecaster(nn.models.ForecasterConfig(cell="gru", hidden=(width,)), rngs=nnx.Rngs(seed))
    nn.training.fit(model, data.batches(32, seed=seed), optimizer=decaying_adam, steps=200, loss=forecast_loss)
    return model


def one_year_ahead(model, first, last):
    return nn.training.predict(model, series[None, :-1, None])[0, first - 1 : last - 1, 0]


on_validation = {}
for width in (8, 48):
    models = [trained_forecaster(width, seed, validation) for seed in range(3)]
    on_validation[width] = [error(one_year_ahead(model, validation, past), validation, past) for model in models]
    print(f"width {width:2d} on the validation years:", *(f"{value:5.1f}" for value in on_validation[width]))
width = min(on_validation, key=lambda width: np.mean(on_validation[width]))
print(f"linear on the validation years:  {linear_validation:.1f}\n")

forecasters = [trained_forecaster(width, seed, past) for seed in range(5)]
forecasts = [one_year_ahead(model, past, len(series)) for model in forecasters]
network_errors = np.array([error(forecast, past, len(series)) for forecast in forecasts])
print("on the test years, root mean squared error in spots:")
for name, value in errors.items():
    print(f"{name:24s}{value:6.1f}")
print(
    f"{f'GRU of width {width}':24s}{network_errors.mean():6.1f}  from five seeds:",
    *(f"{value:.1f}" for value in network_errors),
)

# %%
fed_back = forecasters[0].forecast(jnp.asarray(series[:past, None]), len(series) - past)[:, 0]
figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.6), sharey=True)
for axis, forecast, title in (
    (axes[0], forecasts[0], "One year ahead"),
    (axes[1], np.asarray(fed_back), "Fifty years ahead: its own forecasts fed back in"),
):
    axis.plot(years[past - 30 :], spots[past - 30 :], color="0.6", label="measured")
    axis.plot(years[past:], np.maximum(forecast * spread + centre, 0) ** 2, label="GRU")
    axis.set(xlabel="year", title=title)
axes[0].plot(years[past:], np.maximum(linear_forecast * spread + centre, 0) ** 2, linewidth=1, label="linear")
axes[0].set(ylabel="sunspots")
axes[0].legend(fontsize="small", loc="upper right")
plt.show()
fed_back_error = error(np.asarray(fed_back), past, len(series))
mean_error = float(np.sqrt(((spots[:past].mean() - spots[past:]) ** 2).mean()))
print(
    f"one year ahead {network_errors[0]:.1f}, fed back in {fed_back_error:.1f}; the mean of all earlier years {mean_error:.1f}"
)

# %% [markdown]
# **The linear one wins**, with ten numbers and a line of code, under every seed. But on the validation years the narrow
# network was ahead, under every seed. Seeds vary the network and not the years: which of the two is better depends on which
# fifty years you ask, and two stretches of fifty cannot settle it. What they do say: ten numbers are about as good as the
# network, both beat the naive forecasts by far, and a wider network is *worse* in years that it was not fitted to. On short
# series, always run the linear model first.
#
# On the right the network gets no measurement after 1958, only what it said itself. It keeps a rhythm, but its cycles are
# lower than any in the picture, and it does little better than somebody who says the mean of all earlier years fifty times
# over. It was trained for one year ahead, on measurements; on its own forecasts it is where it has never been, and every
# error is fed back in.
#
# ## Which language is this?
#
# A sequence of letters, and one answer for all of it. The set `country_names` holds the names of the world's countries in
# fifteen languages. A fifth of the *countries* is there to test, in all languages, so that no name is recognised because it
# was seen. Some names cannot be told: *Peru* is Peru in most of them. So nobody can be right always. The best would be to
# answer, for every spelling, the language that it most often has among the test names; a line below says how often that is
# right.
#
# The baseline is to count letters, without looking at their order, and to fit a linear classifier to the counts.

# %%
sets = {split: nn.data.load("country_names", split) for split in ("train", "test")}
languages = sets["train"].info.features["language"].names
texts = {split: [text.decode() for text in data.arrays()["translation"]] for split, data in sets.items()}
labels = {split: data.arrays()["language"].astype(np.int32) for split, data in sets.items()}

shared = {}
for text, label in zip(texts["test"], labels["test"], strict=True):
    shared.setdefault(text, []).append(label)
ceiling = sum(np.bincount(answers).max() for answers in shared.values()) / len(texts["test"])


def counting(longest):
    """The share that a linear classifier gets right from counts of groups of up to `longest` letters."""
    counts = CountVectorizer(analyzer="char", ngram_range=(1, longest), lowercase=False)
    model = make_pipeline(counts, LogisticRegression(solver="sag", tol=1e-2, random_state=0)).fit(
        texts["train"], labels["train"]
    )
    return float(model.score(texts["test"], labels["test"]))


letters_right = counting(1)
print(f"{len(texts['train']):,} names to learn from, {len(texts['test']):,} to test on")
print(f"nobody can be right more often than {ceiling:.1%}")
print(f"letter counts: {letters_right:.1%}; guessing: {1 / len(languages):.1%}")

# %% [markdown]
# `nn.models.SequenceClassifier` turns every letter into a vector (`nn.layers.Embed`: a table with a learned row for
# each letter), walks over the vectors with a GRU, and puts a linear layer on the state behind the last letter. Names
# differ in length: they are padded to 24 letters (the rest of a longer one is cut off), and the network is told how
# many are real, so that it does not read the padding.

# %%
LETTERS = 24
alphabet = {letter: i + 1 for i, letter in enumerate(sorted(set("".join(texts["train"]))))}  # 0: a letter never seen


def encode(texts):
    tokens = np.zeros((len(texts), LETTERS), np.int32)
    for row, text in zip(tokens, texts, strict=True):
        row[: len(text)] = [alphabet.get(letter, 0) for letter in text[:LETTERS]]
    return tokens, np.array([min(len(text), LETTERS) for text in texts], np.int32)


names, lengths = encode(texts["train"])
test_names, test_lengths = encode(texts["test"])
data = nn.data.Dataset.from_arrays({"tokens": names, "lengths": lengths, "label": labels["train"]})
language_adam = optax.adamw(optax.cosine_decay_schedule(1e-2, 500), weight_decay=1e-2)
config = nn.models.SequenceClassifierConfig(
    vocabulary=len(alphabet) + 1, features=16, cell="gru", hidden=(48,), out_features=len(languages)
)


def language_loss(model, batch):
    return softmax_cross_entropy(model(batch["tokens"], batch["lengths"]), batch["label"]).mean()


readers, language_right = [], []
for seed in range(2):
    reader = nn.models.SequenceClassifier(config, rngs=nnx.Rngs(seed))
    nn.training.fit(reader, data.batches(64, seed=seed), optimizer=language_adam, steps=500, loss=language_loss)
    readers.append(reader)
    language_right.append(nn.training.evaluate(reader, (test_names, test_lengths), labels["test"], batch_size=2048))
print("GRU, two seeds:", *(f"{share:.1%}" for share in language_right))

# %% [markdown]
# Order helps: the GRU knows more than the counts of letters do. Is it the network, or would any sight of the order do?
# Count pairs of neighbouring letters too, with the same linear classifier:

# %%
pairs_right = counting(2)
print(
    f"letters {letters_right:.1%}, letters and pairs {pairs_right:.1%}, GRU {np.mean(language_right):.1%}, best {ceiling:.1%}"
)

# %% [markdown]
# **The pairs win**, with a linear classifier that is fitted in less than a second. Order does help; this network, which has
# seen each name about six times, has not paid for itself. Whether it lacks names, training or width, this comparison does not
# tell: try it, below.
#
# Which languages does it take for each other? And when does it know? The network can be asked after every letter. (Two
# letters stand for a language: `de` is German, `el` Greek, `es` Spanish, `fi` Finnish, `it` Italian, `nl` Dutch, `pt`
# Portuguese, `ru` Russian, `sv` Swedish, `uk` Ukrainian.)

# %%
said = nn.training.predict(readers[0], (test_names, test_lengths), batch_size=2048).argmax(-1)
confused = nn.training.confusion_matrix(said, labels["test"], len(languages))
both_ways = np.triu(confused + confused.T, k=1)
for place in np.argsort(both_ways, axis=None)[::-1][:5]:
    one, other = np.unravel_index(place, both_ways.shape)
    print(f"{languages[one]} and {languages[other]} taken for each other {both_ways[one, other]} times")

word, answer = next(
    (text, languages[label])
    for text, label in zip(texts["test"], labels["test"], strict=True)
    if languages[label] == "nl" and 16 <= len(text) <= 22
)
tokens, (length,) = encode([word])
beginnings = np.repeat(tokens, length, axis=0)
chances = np.asarray(nn.layers.softmax(jnp.asarray(nn.training.predict(readers[0], (beginnings, np.arange(1, length + 1))))))
likely = np.argsort(chances.max(0))[::-1][:5]
axis = figures.plot_curves(
    {languages[language]: chances[:, language] for language in likely},
    xlabel="letters read",
    ylabel="probability",
    title=f"When does it know? The right answer is {answer}",
)
axis.set_xticks(range(length), list(word[:length]))
plt.show()

# %% [markdown]
# Do not believe the beginning of the curves. The network was trained on whole names, and never asked after three letters:
# there it may be quite sure of a language that does not even have these letters. What a network says of inputs unlike
# those that it has learned from means little.
#
# ## A network that writes
#
# Ask after every letter for the *next* letter, and you have a **language model**. It needs no labels, since every text is its
# own answer. And it can write: draw a letter with the probabilities that it gives, feed it back in, draw the next. (Divide
# its scores by a **temperature** of 0.7 before the softmax, and likely letters become likelier still, the names less wild. At
# 1 it draws exactly as it says.) Ours learns the names of the world's languages, thousands of them; a line break stands
# before and behind every name.
#
# How good is it? Count its surprise in **bits per letter** (nats, divided by $\log 2$) on names that it has not seen.
# The baseline knows only the last letter: it counts how often each letter follows each other one (a **bigram** model),
# with one more added to every count so that nothing is impossible.

# %%
WRITTEN = 20


def named_in(split):
    """English names as rows of tokens, a line break at both ends, and which tokens are real."""
    names = [pair[0] for pair in pairs(nn.data.load("english_ukrainian", split))]
    return ["\n" + name + "\n" for name in dict.fromkeys(names) if len(name) <= WRITTEN - 2]


known, unseen = named_in("train"), named_in("test")
characters = sorted(set("".join(known)))
number = {character: i for i, character in enumerate(characters)}


def to_tokens(names):
    tokens = np.zeros((len(names), WRITTEN), np.int32)
    for row, name in zip(tokens, names, strict=True):
        row[: len(name)] = [number[character] for character in name]
    return {"tokens": tokens, "mask": np.arange(WRITTEN) < np.array([len(name) for name in names])[:, None]}


training, held_out = to_tokens(known), to_tokens([name for name in unseen if set(name) <= set(characters)])
writer = nn.models.LanguageModel(
    nn.models.LanguageModelConfig(vocabulary=len(characters), features=16, cell="gru", hidden=(48,)), rngs=nnx.Rngs(0)
)
history = nn.training.fit(
    writer,
    nn.data.Dataset.from_arrays(training).batches(64, seed=0),
    loss=nn.training.next_token_loss,
    optimizer=language_adam,
    steps=500,
)

logits = nn.training.predict(writer, held_out["tokens"][:, :-1], batch_size=2048)
surprise = nn.training.masked_mean(
    softmax_cross_entropy(jnp.asarray(logits), held_out["tokens"][:, 1:]), held_out["mask"][:, 1:]
)
follows = np.ones((len(characters), len(characters)))
real = training["mask"][:, 1:]
np.add.at(follows, (training["tokens"][:, :-1][real], training["tokens"][:, 1:][real]), 1)
follows /= follows.sum(1, keepdims=True)
real = held_out["mask"][:, 1:]
bigram = -np.log2(follows[held_out["tokens"][:, :-1][real], held_out["tokens"][:, 1:][real]]).mean()
bits = float(surprise) / np.log(2)
print(f"{len(known):,} names to learn from, {len(held_out['tokens']):,} new ones")
print(f"bits per letter on the new ones: bigram {bigram:.2f}, GRU {bits:.2f}")
print(f"as unsure as a choice among {2**bigram:.0f} letters, and among {2**bits:.0f}")

# %%
start = np.full((200, 1), number["\n"])
written = np.asarray(writer.generate(start, WRITTEN, key=jax.random.key(0), temperature=0.7))
invented = ["".join(characters[token] for token in row[1:]).split("\n")[0] for row in written]
new = [name for name in dict.fromkeys(invented) if f"\n{name}\n" not in {*known, *unseen}]
print(f"{len(new)} of 200 are names that are on no list:", ", ".join(new[:24]))

# %% [markdown]
# Most of what it writes is no language, and sounds as if it were.
#
# ## Where recurrence stands
#
# A recurrent network reads one step after the other, so a long sequence takes long, however many cores wait beside it.
# And all that it knows of the past has to fit into one state. Lesson 08 lets a network look back at everything at once.
# Where steps arrive one by one and an answer is wanted after each (a sensor, a keyboard), a state of fixed size is what
# one wants.
#
# ## What we claimed, checked

# %%
assert reaches["normal, gain 0.5"][-1] < 1e-9 and reaches["normal, gain 3"][-1] > 1e3, "gradients vanish, or explode"
assert 1e-3 < reaches["orthogonal"][-1] / reaches["orthogonal"][0] < 1, "an orthogonal matrix keeps them in reach"
assert 0.3 * jnp.linalg.norm(gradient) > 100 > 100 * jnp.median(steepness), "a step from the edge leaves the picture"
assert abs(nn.layers.sigmoid(jnp.array(3.0)) - 0.95) < 0.005, "a bias of 3 opens a gate to 95%"
for kind in ("LSTM", "GRU"):
    assert gated_reaches[kind][-1] < 1e-2 * gated_reaches["simple, orthogonal"][-1], "a gate half open forgets"
for kind in ("LSTM, forget gate opened", "GRU, update gate opened"):
    assert gated_reaches[kind][-1] > 1e3 * gated_reaches[kind.split(",")[0]][-1], "an open one does not"
opened = gated_reaches["LSTM, forget gate opened"]
assert opened[-1] > 2 * opened[0], "an opened LSTM's gradient even grows"
assert remembered["GRU, update gate opened"].min() > 0.9 and remembered["GRU"][:, -1].max() < 0.6, "so it is with memories"
longer = remembered["simple"][:, 1:]
assert longer.min() < 0.7 and longer.max() > 0.9, "the simple network needs luck"
assert held > 3 * imprint and gate.mean() > 0.6, "a faint imprint is enlarged behind gates that are mostly open"
linear_error = errors[f"linear, of {order} years"]
assert order + 1 == 10 and 250 < past < 260 and len(series) - past == 50, "the numbers in the text"
assert linear_error < network_errors.min(), "the linear forecast wins"
assert np.mean(on_validation[width]) < linear_validation, "and on the validation years the network was ahead"
assert network_errors.max() < 0.8 * min(errors["as last year"], errors["as eleven years ago"]), "both beat the naive ones"
assert np.mean(on_validation[48]) > np.mean(on_validation[8]) + 1, "a wider network forecasts worse"
assert fed_back_error > 1.5 * network_errors[0] and fed_back_error > 0.7 * mean_error, "fed back in, it is worth little"
assert letters_right + 0.02 < np.mean(language_right) < ceiling, "order says more than letters do"
assert pairs_right > np.mean(language_right) + 0.015, "and pairs of letters say more than the network found"
assert bits < bigram - 0.3, "the network knows more than the last letter"
assert len(new) > 100, "and invents"

# %% [markdown]
# ## Try
#
# 1. Give the memory task an LSTM: `lstm_step` has two states, so `states_of` needs a pair. Begin its forget gate at
#    biases of 0, 1, 3 and 6. Is more always better?
# 2. Forecast `nn.data.load("co2")`, whose cycle is exactly one year: twelve steps. How good is "as twelve months ago,
#    plus last year's rise"? Can a network beat it, and what has to be taken out of the series first?
# 3. Let the reader of names walk in both directions (`bidirectional=True`). Is it worth the time? Which names does it
#    get right that it got wrong before? And does it catch up with the pairs of letters, if it may train for longer, or if
#    its gates begin open (a 3 in the middle third of its cell's `dense_i.bias`)?
#
# **Exercise:** write `simple_step`, `lstm_step`, `gru_step`, `reverse_sequences` and `last_outputs` yourself. In the folder
# of the course, `python -m exercises next` says where to begin, and `python -m pytest exercises/06_recurrence` tests what you
# have written.
