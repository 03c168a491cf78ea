# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Kernels: why does the same arithmetic take many times as long?
#
# Two programs do the same multiplications, on the same machine, and return the same numbers. One of them takes many times as
# long as the other. No trick of algebra is in it: what differs is how often a number is *fetched*. In this lesson you measure
# the two limits of your own machine, count the bytes of a program by hand, and use the count: for a product made piece by
# piece, for an attention that never stores its scores, and for the gradient of a convolution. At the end you read a **kernel**:
# a small program that itself says what is fetched, and when.
#
# Needed: lessons 01 (jit), 05 (convolution) and 08 (attention). Time: about a minute to run on two cores. Seconds differ from
# machine to machine, so what is claimed below are counts, and ratios so large that no machine should turn them round.

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
import math
import statistics
import time
from functools import lru_cache, partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from jax import export
from jax.experimental import pallas as pl

import nn
from lessons import figures
from nn.kernels.attention import flash_attention
from nn.kernels.attention import online_softmax as library_step
from nn.kernels.convolution import convolve_reference
from nn.kernels.softmax import softmax
from nn.kernels.tiles import attainable, matmul_intensity, tiled_matmul
from nn.layers import conv

figures.use_lesson_style()
_ = nn.training.enable_compilation_cache()

# %% [markdown]
# ## The riddle
#
# A layer of 3072 × 3072 weights, and 128 inputs. They go through one by one, or eight at a time, or all at once. Each weight
# meets each input exactly once, whatever the group. (`jax.lax.map(f, x)`, below, is a loop inside the program: `f` for one
# entry of `x` after the other.)
#
# First a stopwatch, `race`. On a CPU it counts the seconds that the processor's cores spend on *us*: two cores for a second are
# two seconds. A clock on the wall would also count the time in which they work for others. On a GPU or TPU nobody counts that,
# and the clock on the wall must do.
#
# `race` compiles first, so that compiling is not in the times: `jax.jit(f).lower(x)` writes the program down for arguments such
# as `x`, and `.compile()` has **XLA**, the compiler behind `jit`, make machine code of it. Then it runs the programs in turns,
# throws the first round away, and keeps the middle one of each program's times (the median): some runs are disturbed, and some
# look too short, for the count of a second core comes late. On a busy computer all may be disturbed. So what this lesson says
# about times it does not assert: `by_the_clock` prints whether it was so. If it was not, run the cell again in a quiet moment.
# (`in_place` puts a result where its argument was. The argument's memory is given away, `donate_argnums`, and the argument
# cannot be used again.)


# %%
def race(programs, x, *others, in_place=False):
    """Seconds that each program takes for x and the others, the median of its runs.

    in_place: the result takes the place of x, and is the next x. To ask for new memory may take longer than to fill it.
    """
    clock = time.process_time if jax.default_backend() == "cpu" else time.perf_counter
    donated = (0,) if in_place else ()
    compiled = {name: jax.jit(run, donate_argnums=donated).lower(x, *others).compile() for name, run in programs.items()}
    times = {name: [] for name in programs}
    while sum(map(sum, times.values())) < 0.5 or min(map(len, times.values())) < 4:  # short programs more often
        for name, run in compiled.items():
            start = clock()
            result = jax.block_until_ready(run(x, *others))  # JAX answers before it is done
            times[name].append(clock() - start)
            x = result if in_place else x
    return {name: statistics.median(took[1:]) for name, took in times.items()}


def by_the_clock(holds, claim):
    """Prints a claim about times, and whether they bear it out."""
    print(f"{'measured here' if holds else 'NOT MEASURED HERE, run this cell again'}: {claim}")


def in_groups(x, w, rows):
    """x w, so many rows of x at a time."""
    return jax.lax.map(lambda group: group @ w, x.reshape(-1, rows, x.shape[1])).reshape(len(x), -1)


FEATURES, INPUTS = 3072, 128
weights = jax.random.normal(jax.random.key(0), (FEATURES, FEATURES)) / FEATURES**0.5
inputs = jax.random.normal(jax.random.key(1), (INPUTS, FEATURES))
operations = 2 * INPUTS * FEATURES**2  # a multiplication and an addition for each input and weight

group_seconds = race({rows: partial(in_groups, rows=rows) for rows in (1, 8, INPUTS)}, inputs, weights)
print(f"weights: {weights.nbytes / 2**20:.0f} MiB; operations: {operations / 1e9:.1f} billion, whatever the group")
print("inputs at a time   milliseconds   billion operations a second")
for rows, took in group_seconds.items():
    print(f"{rows:16d} {1e3 * took:14.1f} {operations / took / 1e9:29.1f}")
slowdown = group_seconds[1] / group_seconds[INPUTS]
print(f"one by one takes {slowdown:.0f} times as long as all at once")

one_by_one, at_once = (jax.jit(partial(in_groups, rows=rows))(inputs, weights) for rows in (1, INPUTS))
assert jnp.allclose(one_by_one, at_once, atol=1e-2), "the same numbers"
by_the_clock(slowdown > 2, "the same operations, and at least twice the time")

# %% [markdown]
# The operations are the same. What is not: one by one, the program reads all weights 128 times. They do not fit the small
# memories beside the arithmetic (**caches**; the nearest hold a few MiB at most), so each time they come from farther away. All
# at once, a weight is read, meets 128 inputs, and is done.
#
# ## Two limits
#
# A machine has two: how many **operations** it does in a second, and how many **bytes** it moves in a second between far memory
# and near memory. Measure both on yours. For the first, a product of large matrices, the best-tuned program there is. For the
# second, add 1 to a long array: each number comes, is touched once, and goes back. (On a CPU our seconds are those of one core
# at work, so these are limits of one core.)

# %%
NUMBERS = 2**24  # 64 MiB of float32
square = jnp.ones((1024, 1024))
peak = 2 * 1024**3 / race({"product": jnp.matmul}, square, square)["product"]
bandwidth = 2 * 4 * NUMBERS / race({"add 1": lambda x: x + 1}, jnp.ones(NUMBERS), in_place=True)["add 1"]  # to and fro
ridge = peak / bandwidth
print(f"{peak / 1e9:.0f} billion operations and {bandwidth / 1e9:.1f} billion bytes a second")
print(f"in the time in which one number of 4 bytes is moved, the machine could do {4 * ridge:.0f} operations")
by_the_clock(4 * ridge > 2, "to add 1 keeps the arithmetic less than half busy")

# %% [markdown]
# So a program that does one operation for each number that it moves uses a small part of the machine. What counts is the
# **operational intensity**: operations for each byte moved. With intensity $I$, peak $P$ and bandwidth $B$, no program can do
# more operations a second than
#
# $$\min(P,\; I \cdot B).$$
#
# Drawn, it is a slope and a flat part: the **roofline** (Williams, Waterman and Patterson 2009). They meet at $I = P / B$, the
# bend (`ridge` in the code). Under the slope bytes decide and arithmetic is free; under the flat part it is the other way
# round.
#
# Is arithmetic really free? Here are programs with any intensity that we like: they fetch a number, do $x \leftarrow a x + b$
# so many times, and put it back. Sixteen steps are sixteen times the arithmetic of one step. And the bytes? As it is *written*,
# each multiplication and each addition reads an array and makes a new one. But `jax.jit` **fuses** them: it makes one program
# of many, in which the number in between stays where it is. XLA counts the bytes for us (`cost_analysis`), of the program as it
# is written and as it is compiled. It needs no numbers for that: `jax.ShapeDtypeStruct` stands for an array, and has only its
# shape and dtype.


# %%
def steps(count):
    def program(x, a, b):
        for _ in range(count):
            x = x * a + b
        return x

    return program


a, b, long_array = jnp.float32(0.999), jnp.float32(0.001), jax.ShapeDtypeStruct((NUMBERS,), jnp.float32)
chains = race({count: steps(count) for count in (1, 4, 16, 64)}, jnp.ones(NUMBERS), a, b, in_place=True)
moved = {}
print("steps   MiB moved, as written   as compiled   milliseconds   times as long as one step")
for count, took in chains.items():
    lowered = jax.jit(steps(count)).lower(long_array, a, b)
    written, moved[count] = (form.cost_analysis()["bytes accessed"] / 2**20 for form in (lowered, lowered.compile()))
    print(f"{count:5d} {written:23,.0f} {moved[count]:13,.0f} {1e3 * took:14.1f} {took / chains[1]:27.1f}")
apart = 16 * chains[1]
print(f"sixteen programs of one step each take {1e3 * apart:.0f} ms, {apart / chains[16]:.0f} times as long as one of 16 steps")
assert math.isclose(moved[16], moved[1], rel_tol=0.01), "fused, sixteen steps move what one step moves"
assert math.isclose(moved[1] * 2**20, 8 * NUMBERS, rel_tol=0.01), "each number once to and once fro"
by_the_clock(chains[16] < 8 * chains[1], "sixteen times the arithmetic, nowhere near sixteen times the time")

# %% [markdown]
# Sixteen programs of one step each let all numbers come and go sixteen times; one program of sixteen steps, once. So what a
# compiler gains on element-by-element work is mostly bytes. (With more and more steps arithmetic decides at last. From 16 to 64
# steps the time may even grow more than the arithmetic does. Each step must wait for the one before it, and a processor fills
# such waits with other numbers' steps, which is harder the longer the chains are. That is the usual reason; our counts cannot
# show it.)
#
# Now put the programs under the roof, and those of the riddle with them. Their bytes can be counted on paper: inputs in groups
# of $r$ read all weights $128 / r$ times; each input comes once, and each result goes once. `matmul_intensity` does that count
# for a result that is made in pieces, or **tiles**, of some rows and some columns; a group of $r$ inputs is a tile of $r$ rows
# and all columns. Softmax is there, too. We give it five operations for each number: compare, subtract, exponential, add,
# divide.

# %%
points = {f"{count} step{'s' * (count > 1)}": (2 * count / 8, 2 * count * NUMBERS / took) for count, took in chains.items()}
for rows, took in group_seconds.items():
    intensity = matmul_intensity(INPUTS, FEATURES, FEATURES, rows=rows, columns=FEATURES)
    points[f"{rows} at a time"] = (intensity, operations / took)
scores = jax.random.normal(jax.random.key(2), (4096, 4096))
softmax_seconds = race({"softmax": softmax}, jnp.copy(scores), in_place=True)["softmax"]
points["softmax"] = (5 / 8, 5 * scores.size / softmax_seconds)  # five operations and 8 bytes for each number

machine = dict(operations_per_second=peak, bytes_per_second=bandwidth)
across = np.geomspace(0.1, 300, 200)
_, axis = plt.subplots(figsize=(7.4, 4.4))
axis.loglog(across, [attainable(i, **machine) / 1e9 for i in across], color="0.3")
note: dict[str, Any] = dict(textcoords="offset points", fontsize="small", color="0.3")
axis.annotate("bytes decide", (ridge / 10, peak / 10 / 1e9), (-6, 4), ha="right", **note)
axis.annotate("operations decide", (4 * ridge, peak / 1e9), (0, 6), ha="center", **note)
for family, colour in zip((" step", " at a time", "softmax"), figures.COLOURS, strict=False):
    for name, (intensity, speed) in points.items():
        if family in name:
            axis.loglog(intensity, speed / 1e9, "o", color=colour)
            axis.annotate(name, (intensity, speed / 1e9), (6, -10), **{**note, "color": colour})
axis.set(xlabel="operations for each byte moved", ylabel="billion operations a second", title="The roofline of this machine")
axis.margins(y=0.15)
plt.show()

print("program           operations a byte   of what the roof allows")
for name, (intensity, speed) in points.items():
    print(f"{name:16} {intensity:18.2f} {speed / attainable(intensity, **machine):20.0%}")
assert points["128 at a time"][0] > 20 * points["1 at a time"][0]

# %% [markdown]
# Read it from the left. What lies left of the bend and close to the roof cannot be made faster by better arithmetic, only by
# moving less. What lies well *under* the roof wastes something else: softmax, for one, needs exponentials, which are many
# operations each (we counted one), and visits its rows more than once. The picture says how much is wasted, and not why: that
# takes another measurement. A point a little above the roof is not magic: some of its numbers were still near from the run
# before, or the roof was measured at a worse moment.
#
# ## A tile by hand
#
# The product of two matrices is the best case there is: $2n^3$ operations on $3n^2$ numbers. But not if you take it as it is
# defined, one result after another: each result reads a row and a column, $2n$ numbers for $2n$ operations. So make a tile of
# the result at a time, $r \times c$ sums. A tile needs $r$ rows of $x$ and $c$ columns of $w$, and each number that is fetched
# is used $c$ times, or $r$ times. In all, $x$ is read $n / c$ times, $w$ is read $n / r$ times, and each result is written
# once. With 4 bytes a number, the operations for each byte are
#
# $$I = \frac{2 n^3}{4\,(n^3 / c + n^3 / r + n^2)}.$$
#
# That is `matmul_intensity`. A square tile of side $r$ has about $r / 4$ operations a byte: twice the side, twice the
# intensity.
#
# Do not take our word. Python has a small memory that forgets what was not used for longest: `lru_cache`, the way that caches
# of machines work, roughly. Let it hold 90 numbers, multiply two 48 × 48 matrices through it, count what has to come from far,
# and compare that with the formula.


# %%
def fetched(n, side, near=90):
    """Numbers that come from far in an n × n product in tiles of side × side, with a near memory for so many numbers."""
    fetch = lru_cache(maxsize=near)(lambda matrix, row, column: None)
    for i, j in product(range(0, n, side), range(0, n, side)):  # every tile …
        for s in range(n):  # … takes n steps, and in each of them
            for p, q in product(range(i, i + side), range(j, j + side)):  # result[p, q] += x[p, s] * w[s, q]
                for number in (("x", p, s), ("w", s, q), ("result", p, q)):
                    fetch(*number)
    return fetch.cache_info().misses


counted = {side: fetched(48, side) for side in (1, 2, 4, 8, 12)}
print("tile       numbers from far   operations a byte   the formula")
for side, misses in counted.items():
    formula = matmul_intensity(48, 48, 48, rows=side, columns=side)
    print(f"{side:2d} × {side:<2d} {misses:20,} {2 * 48**3 / (4 * misses):19.2f} {formula:13.2f}")
for side in (1, 2, 4, 8):
    assert math.isclose(2 * 48**3 / (4 * counted[side]), matmul_intensity(48, 48, 48, rows=side, columns=side))
assert counted[12] > counted[2], "too large a tile does not fit, and is no better than a tiny one"

# %% [markdown]
# The count is the formula, to the last number, as long as the tile fits: an $8 \times 8$ tile has 64 sums, and needs 8 numbers
# of each matrix at a time, 80 in all. The $12 \times 12$ tile has 144 sums and does not fit. Each sum is thrown out before it
# is needed again. Whoever writes a kernel looks for the largest tile that fits, and every near memory has a size of its own.
#
# With arrays, a tile is a sum of products of slices: some rows of $x$, some columns of $w$, and a piece of the steps $s$ at a
# time. `nn.kernels.tiles.tiled_matmul` has three loops and nothing else. (It is there to be read. `jnp.matmul` runs tiles that
# somebody tuned.)

# %%
x, w = jax.random.normal(jax.random.key(3), (2, 50, 50))
first_tile = sum(x[:16, s : s + 8] @ w[s : s + 8, :16] for s in range(0, 50, 8))
print(f"one tile by hand: largest difference {abs(first_tile - (x @ w)[:16, :16]).max():.6f}")
assert jnp.allclose(first_tile, (x @ w)[:16, :16], atol=1e-2)
assert jnp.allclose(tiled_matmul(x, w, tile=(16, 16, 8)), x @ w, atol=1e-2), "50 = 3 · 16 + 2: the last tiles are smaller"

# %% [markdown]
# ## The online softmax
#
# Attention (lesson 08) has a product, a softmax, and another product. In between stand the scores, one for each query and key:
# for 4096 tokens and 8 heads 512 MiB. Could it be done in tiles, so that they are never written down?
#
# The softmax is in the way. It divides by a sum over the *whole* row, and it takes the largest score of the *whole* row off
# first, so that no exponential overflows. A tile does not know them yet. But a sum with a wrong maximum is easily mended:
#
# $$\sum_i e^{s_i - m_\text{new}} = e^{m_\text{old} - m_\text{new}} \sum_i e^{s_i - m_\text{old}}.$$
#
# So carry three things along a row: the largest score so far, $m$; the sum of exponentials, $z$; and the sum of exponentials
# times values, $a$. When a larger score comes, both sums shrink by one factor (Milakov and Gimelshein 2018). At the end, $a /
# z$ is the attention. `meet` is one such step. The table follows one query that meets six keys, two at a time. (The library's
# step is `online_softmax`; the cell compares the two.)


# %%
def meet(state, scores, values):
    """One piece of the online softmax: (m, z, a) of each row, before and after it has met these keys."""
    m, z, a = state
    largest = jnp.maximum(m, scores.max(axis=1, keepdims=True))
    p, shrink = jnp.exp(scores - largest), jnp.exp(m - largest)
    return largest, z * shrink + p.sum(axis=1, keepdims=True), a * shrink + p @ values


def nothing_met(rows, depth):
    # The lowest finite number: −∞ would do, were −∞ − (−∞) not NaN.
    return jnp.full((rows, 1), jnp.finfo(jnp.float32).min), jnp.zeros((rows, 1)), jnp.zeros((rows, depth))


row, row_values = jnp.array([[1.0, 0.0, 4.0, 2.0, 90.0, 89.0]]), jnp.arange(6.0)[:, None]
state = nothing_met(1, 1)
print("scores met      m         z        a     a / z   softmax of these alone")
for first in (0, 2, 4):
    before, state = state, meet(state, row[:, first : first + 2], row_values[first : first + 2])
    so_far = (jax.nn.softmax(row[:, : first + 2]) @ row_values[: first + 2]).item()
    m, z, a = (number.item() for number in state)
    print(f"{first + 2:10d} {m:6.0f} {z:9.4f} {a:8.4f} {a / z:9.4f} {so_far:12.4f}")
    assert math.isclose(a / z, so_far, rel_tol=1e-5), "it is the softmax of what was met, after every piece"
library_state = library_step(before, row[:, 4:], row_values[4:])
assert all(jnp.allclose(one, other) for one, other in zip(state, library_state, strict=True))
assert jnp.isinf(jnp.exp(row)).any(), "and without taking m off, e to the power of 90 is more than float32 holds"

# %% [markdown]
# ## Flash attention
#
# That is all there is to it (Dao et al. 2022). Take a block of queries; meet the keys block by block; divide at the end. In the
# code `map` goes over blocks of queries, and `scan` over blocks of keys. Ask the compiler how much memory each form needs
# beside its arguments and its result: `memory_analysis` says so before anything runs. We ask for the **slopes**, too, which
# training needs: the gradient for queries, keys and values. At the end the cell counts products of matrices: `jax.make_jaxpr`
# lists the operations that JAX has noted down for a function, its **jaxpr**, and `dot_general` is a product.


# %%
def equation(query, key, value):
    return jax.nn.softmax(query @ key.T / math.sqrt(query.shape[1])) @ value


def flash(query, key, value, block=128):
    """(length, depth) each; the scores are never there all at once."""
    pieces = key.reshape(-1, block, key.shape[1]), value.reshape(-1, block, value.shape[1])

    def rows(q):
        def step(state, piece):
            k, v = piece
            return meet(state, q @ k.T / math.sqrt(q.shape[1]), v), None

        (_, z, a), _ = jax.lax.scan(step, nothing_met(block, value.shape[1]), pieces)
        return a / z

    return jax.lax.map(rows, query.reshape(-1, block, query.shape[1])).reshape(len(query), -1)


def library(query, key, value):
    heads = (array[:, None] for array in (query, key, value))  # (length, heads, depth)
    return flash_attention(*heads, implementation="xla")[:, 0]


def slopes(attention):
    return jax.grad(lambda *arrays: (attention(*arrays) ** 2).sum(), argnums=(0, 1, 2))


def extra_bytes(program, length, depth=64):
    arrays = [jax.ShapeDtypeStruct((length, depth), jnp.float32)] * 3
    return jax.jit(program).lower(*arrays).compile().memory_analysis().temp_size_in_bytes


queries, keys, values = jax.random.normal(jax.random.key(4), (3, 512, 64))
for attention in (flash, library):
    assert jnp.allclose(attention(queries, keys, values), equation(queries, keys, values), atol=1e-2)

lengths = [512, 1024, 2048]  # longer ones XLA may give to a library that counts its memory itself
forms = {
    "equation": equation,
    "flash by hand": flash,
    "equation, slopes": slopes(equation),
    "flash by hand, slopes": slopes(flash),
    "library's flash, slopes": slopes(library),
}
memory = {name: [extra_bytes(form, length) for length in lengths] for name, form in forms.items()}
print(f"{'MiB beside arguments and result':32}", *(f"{length:8d}" for length in lengths))
for name, needed in memory.items():
    print(f"{name:32}", *(f"{size / 2**20:8.1f}" for size in needed))
curves = {name: (lengths, np.array(needed) / 2**20) for name, needed in memory.items()}
_, axis = plt.subplots(figsize=(8.4, 4.0))
figures.plot_curves(
    curves, axis=axis, xlabel="tokens", ylabel="MiB", title="Memory beside arguments and result, one head", logx=True, logy=True
)
axis.set_yticks(ticks := (0.25, 1, 4, 16, 64), [f"{tick:g}" for tick in ticks])
axis.minorticks_off()
plt.show()

growth = {name: needed[-1] / needed[-2] for name, needed in memory.items()}
print(f"{lengths[-1]} tokens need, of the memory of {lengths[-2]},")
for name, times in growth.items():
    print(f"{times:5.1f} times ({name})")
arrays = [jax.ShapeDtypeStruct((lengths[-1], 64), jnp.float32)] * 3  # as long as loops are: short ones are written out
products = {name: str(jax.make_jaxpr(form)(*arrays)).count("dot_general[") for name, form in forms.items()}
print(
    "products of matrices:", ", ".join(f"{products[name]} ({name})" for name in ("equation, slopes", "library's flash, slopes"))
)

# %% [markdown]
# The equation needs four times the memory for twice the length. Ours hardly grows. But look at its *slopes*: they grow nearly
# fourfold again, and need about as much as the equation's! Reverse mode keeps what each step of the loop did, and so all scores
# are stored after all, only in pieces.
#
# The library's backward pass is written by hand. It keeps one number for each row, $L = m + \log z$, and makes the weights
# again when they are needed, piece by piece: $p = e^{s - L}$. That is one product of matrices more, seven instead of six (two
# of them forward), for less than a tenth of the memory at the greatest length. Whether it saves time, too, depends on the
# machine; we did not time it here. You will find the same trade, computing again what could have been stored, wherever memory
# is short. (At 512 tokens its curve starts higher: so few blocks are written out without a loop on a CPU, and each block of
# queries meets all keys at once.)

# %%
assert growth["equation"] > 3 and growth["equation, slopes"] > 3, "memory like the square of the length"
assert growth["flash by hand"] < 2.5 and growth["library's flash, slopes"] < 2.5, "memory like the length, or less"
assert growth["flash by hand, slopes"] > 3, "differentiated blindly, the scores come back"
assert memory["equation, slopes"][-1] > 10 * memory["library's flash, slopes"][-1], "less than a tenth of the memory"
assert products["equation, slopes"] == 6 and products["library's flash, slopes"] == 7, "scores are made twice"
assert 4096**2 * 8 * 4 == 512 * 2**20, "the scores of 4096 tokens and 8 heads"

# %% [markdown]
# ## The gradient of a convolution
#
# A convolution of 3 × 3 windows from $C$ to $O$ channels (lesson 05) is a product in disguise: write the nine pixels of each
# window into one row of a long matrix, $9C$ wide, and multiply it with the kernel $W$. (A convolution's kernel is its weights.
# The kernel of this lesson's title is a program. The word has both meanings.) The gradient of a loss $\ell$ for $W$ is then the
# product of the same long matrix, turned, with $g$, the slopes of $\ell$ for the convolution's result:
#
# $$\frac{\partial \ell}{\partial W} = \sum_{\text{images}}\ \sum_{\text{places}} \text{window}^\top g.$$
#
# A small result, of very long matrices! Written down, the windows are nine times as large as the images, for each pixel stands
# in nine of them. XLA's own form does not write them down. It says: this sum is a convolution, too, with the slopes for a
# window. That window is as large as the whole image, as the jaxpr shows. Is it a good form? A question for the clock.
#
# **Cache blocking** stands between the two: make the windows of *one image*, which are few enough for a near memory, multiply,
# add the product to the sum, and forget them. Which is the quickest? (`jax.vjp(f, W)`, in the code, is what `jax.grad` is made
# of: it gives $f(W)$, and a function that turns $g$ into the gradient for $W$.)


# %%
def windows(images):
    """All 3 × 3 windows of (n, height, width, C), zeros around each image, as rows: (places, 9 C)."""
    _, height, width, channels = images.shape
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [padded[:, i : i + height, j : j + width] for i, j in product(range(3), range(3))]
    return jnp.concatenate(shifted, axis=-1).reshape(-1, 9 * channels)


def gradient(convolution, images, g):
    kernel = jnp.zeros((3, 3, images.shape[-1], g.shape[-1]))
    return jax.vjp(partial(convolution, images), kernel)[1](g)[0]


def blocked_gradient(images, g, block):
    """The kernel's gradient, with the windows of so many images at a time."""

    def add(total, some):
        some_images, some_g = some
        return total + windows(some_images).T @ some_g.reshape(-1, g.shape[-1]), None

    blocks = [array.reshape(-1, block, *array.shape[1:]) for array in (images, g)]
    total, _ = jax.lax.scan(add, jnp.zeros((9 * images.shape[-1], g.shape[-1])), blocks)
    return total.reshape(3, 3, images.shape[-1], -1)


images = jax.random.normal(jax.random.key(5), (128, 28, 28, 32))
g = jax.random.normal(jax.random.key(6), (128, 28, 28, 64)) / 100
xla_gradient = partial(gradient, partial(convolve_reference, strides=(1, 1), pads=((1, 1), (1, 1))))
(*_, last) = [step for step in jax.make_jaxpr(xla_gradient)(images, g).eqns if step.primitive.name == "conv_general_dilated"]
sides = [last.invars[1].aval.shape[axis] for axis in last.params["dimension_numbers"].rhs_spec[2:]]
print(f"images {images.nbytes / 2**20:.0f} MiB, windows {windows(images).nbytes / 2**20:.0f} MiB; XLA's own window: {sides}")
assert sides == [28, 28], "the window of XLA's own form is the whole image"

gradients = {"XLA's own": xla_gradient}
gradients |= {f"windows of {count} at a time": partial(blocked_gradient, block=count) for count in (len(images), 8, 1)}
gradients |= {"the library's": partial(gradient, conv)}
gradient_seconds, extra = race(gradients, images, g), {}
print(f"\n{'':26} milliseconds   MiB beside arguments and result")
for name, run in gradients.items():
    compiled = jax.jit(run).lower(images, g).compile()
    extra[name] = compiled.memory_analysis().temp_size_in_bytes / 2**20
    print(f"{name:26} {1e3 * gradient_seconds[name]:12.0f} {extra[name]:14.1f}")
    assert jnp.allclose(compiled(images, g), xla_gradient(images, g), atol=1e-2)
assert extra[f"windows of {len(images)} at a time"] > 2.5 * extra["windows of 1 at a time"], "all windows at once are large"

# %% [markdown]
# All windows at once need by far the most memory. In blocks of one image, most of what is left is copies that XLA makes of the
# images and of $g$. The times depend on the machine more than anything else in this lesson, so look at yours, and claim nothing
# from them for another. They depend on the size, too: make them 64 images, in the cell above, and XLA's own may be the
# quickest. The library's `conv` takes blocks for large batches on a CPU, because they were quicker for most of those that were
# measured; such a choice has to be measured again with each new machine and compiler. Elsewhere it leaves the choice to XLA: on
# a GPU or a TPU a loop over small blocks would keep most of the chip waiting. That is why `nn.kernels` chooses by platform.
#
# ## A kernel, line by line
#
# So far XLA decided what is fetched, and we gave it a shape to follow. **Pallas** is the part of JAX in which you decide. A
# kernel is a program for one *block*. Here is one for the softmax of rows:


# %%
def softmax_of_a_block(x_ref, p_ref):
    x = x_ref[...]  # read: the whole block, from near memory, where it was put for us
    e = jnp.exp(x - x.max(axis=1, keepdims=True))  # plain jax.numpy, on a block
    p_ref[...] = e / e.sum(axis=1, keepdims=True)  # write: from here it is carried back


def rows_softmax(x, block, interpret):
    whole_rows = pl.BlockSpec((block, x.shape[1]), lambda i: (i, 0))
    return pl.pallas_call(
        softmax_of_a_block,
        grid=(pl.cdiv(x.shape[0], block),),
        in_specs=[whole_rows],
        out_specs=whole_rows,
        out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype),
        interpret=interpret,
    )(x)


some_rows = scores[:50, :300]
ours = rows_softmax(some_rows, block=16, interpret=True)
print(f"largest difference from the equation: {abs(ours - jax.nn.softmax(some_rows)).max():.9f}")
assert jnp.allclose(ours, jax.nn.softmax(some_rows), atol=1e-6)
assert jnp.allclose(softmax(some_rows, implementation="mosaic", interpret=True), ours, atol=1e-6), "the library's kernel"

# %% [markdown]
# - `x_ref` and `p_ref` are not arrays, they are places. `[...]` reads, and assigning to it writes. No other program's block
#   can be seen.
# - `grid=(4,)`: four programs, for 50 rows in blocks of 16. `pl.cdiv` divides and rounds up.
# - `pl.BlockSpec(shape, where)`: of an array, program `i` is given the block of this shape at `where(i)`. It counts in
#   *blocks*, not in rows: program 2 has block (2, 0), which begins at row 32.
# - The last block sticks out of the array by 14 rows. What is read there is anything; what is written there is thrown away. No
#   row looks at another one, so it does no harm. (In a sum over *rows* it would.)
# - `interpret=True`: XLA runs the programs one after the other on any machine, slowly. It is for finding errors, not for speed.
#   (`implementation="mosaic"` names the library's own kernel, by the part of Pallas that makes programs for a TPU.)
#
# A row is read once and written once: 8 bytes a number, and the kernel says so itself. The equation's form is fused by XLA, as
# well as it sees fit. Which program has which block? Let each write its own number:


# %%
def who(y_ref):
    y_ref[...] = jnp.full(y_ref.shape, 10 * pl.program_id(0) + pl.program_id(1))


numbers = pl.pallas_call(
    who,
    grid=(2, 3),
    out_specs=pl.BlockSpec((2, 4), lambda i, j: (i, j)),
    out_shape=jax.ShapeDtypeStruct((4, 12), jnp.int32),
    interpret=True,
)()
print(np.array2string(np.asarray(numbers), formatter={"int": "{:02d}".format}))
assert numbers[2, 4] == 11, "row 2 and column 4 are in the block of program (1, 1)"

# %% [markdown]
# Without `interpret` the same kernel is for a TPU. You need not have one to try: `jax.export` translates a program for a
# platform that is not there.

# %%
for_tpu = jax.jit(partial(rows_softmax, block=16, interpret=False))
program = export.export(for_tpu, platforms=["tpu"])(jax.ShapeDtypeStruct((50, 300), jnp.float32)).mlir_module()
print(f"{len(program):,} characters, with {program.count('@tpu_custom_call')} kernel for a TPU in them")
assert program.count("@tpu_custom_call") == 1

# %% [markdown]
# That shows that JAX can translate the kernel, and nothing about its speed; a TPU's own compiler has not seen it yet. The
# library's Pallas kernels went one step further: they were run interpreted, and compiled for machines that were not there. They
# have never run on a real one, and until they have, `nn.kernels` leaves the choice to XLA unless you name a form. A kernel that
# was not measured is a guess.
#
# So: *why does the same arithmetic take many times as long?* Because numbers are fetched again that could have been kept. Count
# the bytes before you look at the operations. Then keep what is near while it is near: by fusing, by tiles, by carrying a
# little state along, and by computing again what is cheaper to make than to fetch.
#
# ## Try
#
# 1. Let the riddle's weights be 256 × 256, and the inputs 8192. How much slower is one by one now? Where do the weights live?
# 2. In `fetched`, swap the loops: let `s` run outermost, and the tiles within it. What stays near now, what does not, and
#    which count do you expect for tiles of 8 × 8?
# 3. Put `jax.checkpoint` around `step` in `flash`: of each step only what goes in is kept, and the rest is computed again on
#    the way back. What becomes of the memory of its slopes, and why is it still not the library's?
#
# **Exercise:** write `matmul_intensity`, `tiled_matmul`, `online_softmax` and `logsumexp` (a Pallas kernel) yourself. In the
# folder of the course, `python -m exercises next` says where to begin, and `python -m pytest exercises/10_kernels` tests what
# you have written.
