# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Arrays, gradients, randomness and jit: what does JAX ask of you?
#
# Why does JAX, which looks like NumPy, refuse `x[0] = 1`, want a key for every random number, and print your message once
# though you called the function ten times? All three have one reason, and it buys three things: the derivative of any
# function that you can write, a version of it for many inputs at once, and a version that is compiled. You will see how the
# first is possible by building it yourself: a program that differentiates programs, in fewer than a hundred lines.
#
# Needed: Python, NumPy arrays, and what a derivative is. Time: under half a minute to run on two cores.

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
import textwrap
import time
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import nn
from lessons import figures

figures.use_lesson_style()
_ = nn.training.enable_compilation_cache()  # what was compiled once is not compiled again

# %% [markdown]
# ## Arrays that do not change
#
# `jax.numpy`, by custom `jnp`, has NumPy's functions under NumPy's names. The first difference is the one that people meet
# first. We catch the error, to read it and go on.


# %%
def refused(attempt):
    """Runs what will be refused, prints the first line of the error, and returns the error's name."""
    try:
        attempt()
    except Exception as error:
        print(textwrap.fill(f"{type(error).__name__}: {str(error).splitlines()[0]}", 110))
        return type(error).__name__
    raise AssertionError("This was not refused.")


x = jnp.arange(5.0)


def change_in_place():
    x[0] = 9.0


errors = [refused(change_in_place)]
changed = x.at[0].set(9.0)
print("a changed copy:", changed, " the old one:", x)

# %% [markdown]
# **The first classic error.** A JAX array never changes; `x.at[0].set(9.0)` makes a new one. (`.at[…].add`, `.multiply` and
# `.max` are there, too.)
#
# The reason is that JAX works on **pure functions**: what comes out depends on the arguments alone, and nothing else happens.
# A pure function may be differentiated, run for a thousand inputs at once, compiled, sent to another chip, or run twice,
# and nobody can tell. A function that changes an array behind its caller's back may not. Keep that sentence; the rest of
# this lesson is what follows from it.
#
# ## Shapes
#
# Arrays of different shapes can be combined when their shapes fit: line the shapes up at their *ends*; each pair of sizes
# must be equal, or one of them 1, or missing. A size of 1, or a missing one, is repeated. This is **broadcasting**. It
# replaces loops: here are the distances from three places to each of four, without one.

# %%
here, there = jnp.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]), jnp.array([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0], [0.0, 1.0]])
difference = here[:, None] - there[None]
distances = jnp.sqrt((difference**2).sum(-1))
print(f"{here[:, None].shape} − {there[None].shape} → {difference.shape}, summed over the last axis → {distances.shape}")
print(distances.round(2))

# %% [markdown]
# It can also bite, without a sound. Here is a prediction that is right in every place, and its mean squared error:

# %%
target = jnp.array([1.0, 2.0, 3.0, 4.0])  # shape (4,)
prediction = target[:, None]  # shape (4, 1), as a layer with one output returns it
wrong_error = ((prediction - target) ** 2).mean()
right_error = ((prediction[:, 0] - target) ** 2).mean()
print(
    f"error of a perfect prediction: {wrong_error}, because {prediction.shape} − {target.shape} → {(prediction - target).shape}"
)
print(f"with the same shape on both sides: {right_error}")
with jax.numpy_rank_promotion("raise"):  # no silent new axes: our tests run like this
    refused(lambda: prediction - target)

# %% [markdown]
# Print shapes. Most mistakes in deep learning are mistakes of shape, and this kind even trains, badly.
#
# ## Seven digits
#
# JAX computes in **float32**: numbers of 32 bits, about seven digits, where NumPy has 64 bits and about sixteen. Networks
# do not mind, and the hardware is faster. But try to measure a slope with it. The slope of $f$ at $x$ is about
#
# $$\frac{f(x + h) - f(x)}{h} \qquad\text{or}\qquad \frac{f(x + h) - f(x - h)}{2h},$$
#
# looking to one side or to both, with a small step $h$. The smaller, the better?

# %%
steps = 10.0 ** np.arange(-14, 0.5, 0.5)
slope_errors = {}
for name, precision in {"64 bits": np.float64, "32 bits": np.float32}.items():
    h, one = steps.astype(precision), precision(1)
    both_sides = (np.sin(one + h) - np.sin(one - h)) / (2 * h)
    slope_errors[f"both sides, {name}"] = abs(both_sides - np.cos(1.0))
    if precision is np.float64:
        slope_errors[f"one side, {name}"] = abs((np.sin(one + h) - np.sin(one)) / h - np.cos(1.0))

_, axis = plt.subplots()
for name, errors_of_slopes in slope_errors.items():
    axis.loglog(steps, np.maximum(errors_of_slopes, 1e-13), label=name)
axis.set(xlabel="step h", ylabel="error of the slope", title="The slope of sin at 1, measured")
axis.legend(fontsize="small")
plt.show()
best = {name: errors_of_slopes.min() for name, errors_of_slopes in slope_errors.items()}
print("smallest error:", ", ".join(f"{name} {error:.0e}" for name, error in best.items()))
print("1 + 0.00000001 in 32 bits:", np.float32(1) + np.float32(1e-8))

# %% [markdown]
# Read it from the right. As the step shrinks, the error falls: with $h$ for one side, faster, with $h^2$, for both. Then it
# rises again, since $f(x + h)$ and $f(x - h)$ agree in nearly all of their digits, and the difference is what rounding has
# left of them. In 32 bits a measured slope is good to four or five digits, and only with the best step, which nobody tells
# you. So differences are for *checking* slopes, on both sides, in 64 bits. (The library has them as
# `nn.autodiff.numerical_gradient`.)
#
# ## Gradients
#
# `jax.grad(f)` is a new function: the derivative of `f`. Not measured, and no formula either, but computed by the chain
# rule, as exact as `f` itself. It can be applied again. `jax.vmap(f)` is a new function, too: `f`, for an array of inputs at
# once; more of it below.


# %%
def wave(x):
    return jnp.sin(3 * x) * jnp.exp(-(x**2) / 2)


across = jnp.linspace(-3, 3, 200)
slope, curvature = jax.grad(wave), jax.grad(jax.grad(wave))
heights, slopes = wave(across), jax.vmap(slope)(across)

curvatures = jax.vmap(curvature)(across)
_, axis = plt.subplots()
for name, values in {"f": heights, "jax.grad(f)": slopes, "jax.grad(jax.grad(f))": curvatures}.items():
    axis.plot(across, values, label=name)
axis.set(xlabel="x", ylabel="value", title="f(x) = sin(3x) · exp(−x²/2) and its derivatives")
axis.legend(fontsize="small", loc="lower left")
plt.show()

by_differences_of_wave = nn.autodiff.numerical_gradient(lambda x: np.sin(3 * x) * np.exp(-(x**2) / 2), 0.5)
print(f"slope at 0.5: jax.grad {slope(0.5):.6f}, measured in 64 bits {by_differences_of_wave:.6f}")

# %% [markdown]
# How can a program know the derivative of a program? Let us build it.
#
# ## Write down what you did
#
# Take $z = x y + \tanh(x)$ at $x = 0.5$, $y = 2$. Computing it takes three operations, and each is easy to differentiate
# *alone*. So each operation shall make a **node** that holds three things:
#
# - the **value** that came out;
# - its **parents**, the nodes that went in;
# - its **pullback**: if the end result changes $g$ times as fast as *this* value, how fast does it change with each *parent*?
#   For a product $ab$ the answer is $(g b, g a)$: the factor on the other side. For a sum it is $(g, g)$; for $\tanh$ it is
#   $g\,(1 - \tanh^2)$.


# %%
class Node:
    """A value, the nodes that it was computed from, and how a gradient goes back to them."""

    def __init__(self, value, parents=(), pullback=lambda g: ()):
        self.value, self.parents, self.pullback = np.asarray(value, np.float64), parents, pullback


def plus(a, b):
    return Node(a.value + b.value, (a, b), lambda g: (g, g))


def times(a, b):
    return Node(a.value * b.value, (a, b), lambda g: (g * b.value, g * a.value))


def bend(a):
    y = np.tanh(a.value)
    return Node(y, (a,), lambda g: (g * (1 - y**2),))


x, y = Node(0.5), Node(2.0)
product, bent = times(x, y), bend(x)
z = plus(product, bent)
print(f"z = {z.value:.4f}")

# %% [markdown]
# The value went forwards, and left a **graph**: nodes, each with arrows to it from its parents. The gradient goes backwards
# through it. It begins at the end with 1, since $\partial z / \partial z = 1$. Each node, once its own gradient is known,
# asks its pullback what to send to its parents. And here is the one thing to be careful about: $x$ was used **twice**, so two
# messages come back to it, and its gradient is their **sum**.
#
# A node may be asked only when all messages to it have arrived, that is, after everyone who used it. So: list the nodes such
# that each stands behind its parents (a **topological order**), and read the list from its end.


# %%
def topological_order(output):
    """All nodes behind a value, each once, parents first."""
    order, entered = [], set()

    def visit(node):
        if node not in entered:
            entered.add(node)
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(output)
    return order


def backward(tape):
    """Node → the gradient of the tape's last node by it."""
    gradients = {tape[-1]: np.ones(())}
    for node in reversed(tape):
        for parent, g in zip(node.parents, node.pullback(gradients[node]), strict=True):
            gradients[parent] = gradients[parent] + g if parent in gradients else g
    return gradients


gradients = backward(topological_order(z))
names = {x: "x", y: "y", product: "x · y", bent: "tanh(x)", z: "z"}
places = {x: (0, 0.5), y: (0, 2), product: (1.3, 1.7), bent: (1.3, 0), z: (2.6, 1)}


def draw_graph(axis):
    """Each node with its value and its gradient, and an arrow from each parent."""
    for node, (right, up) in places.items():
        for parent in node.parents:
            axis.annotate(
                "", (right, up), places[parent],
                arrowprops={"arrowstyle": "-|>", "color": "0.5", "shrinkA": 38, "shrinkB": 42},
            )  # fmt: skip
        axis.text(right, up + 0.2, names[node], ha="center", va="center", fontweight="bold")
        axis.text(right, up - 0.02, f"value {node.value:.3f}", ha="center", va="center", color=figures.COLOURS[0], fontsize=9)
        axis.text(
            right, up - 0.22, f"gradient {gradients[node]:.3f}", ha="center", va="center", color=figures.COLOURS[1], fontsize=9
        )
    axis.set(xlim=(-0.5, 3.1), ylim=(-0.5, 2.5), title="Values go right along the arrows; gradients come back against them")
    axis.set_axis_off()


_, axis = plt.subplots(figsize=(7, 3))
draw_graph(axis)
plt.show()
by_jax = jax.grad(lambda x, y: x * y + jnp.tanh(x), argnums=(0, 1))(0.5, 2.0)
print(f"ours: {gradients[x]:.6f} {gradients[y]:.6f}; jax.grad: {by_jax[0]:.6f} {by_jax[1]:.6f}")
print(f"x by hand: {y.value:.0f} from the product + {1 - bent.value**2:.6f} from tanh")

# %% [markdown]
# That is all of it. This is **reverse-mode automatic differentiation** (Linnainmaa 1976), which books on networks call
# *backpropagation*.
#
# ## From numbers to arrays
#
# Two things are new with arrays. A number that broadcasting copied into many places was *used* in many places, so its
# gradient is the sum of what comes back from them: `unbroadcast` sums over the axes that broadcasting made. And the matrix
# product has a pullback of its own, worth checking on paper by its shapes: for $C = AB$ it is $(g B^\top, A^\top g)$. The rest
# is bookkeeping, so that we may write `x * y + 1`.


# %%
def unbroadcast(g, shape):
    """Sums the gradient by a broadcast array over the places that each number was copied to."""
    g = np.asarray(g)
    g = np.asarray(g.sum(axis=tuple(range(g.ndim - len(shape)))))  # axes that were not there
    return g.sum(axis=tuple(i for i, size in enumerate(shape) if size == 1), keepdims=True)  # axes that were stretched


def elementwise(value, *inputs):
    """A node from pairs (parent, slope). The chain rule multiplies by the slope, element by element."""

    def pullback(g):
        return tuple(unbroadcast(g * slope, parent.value.shape) for parent, slope in inputs)

    return ArrayNode(value, tuple(parent for parent, _ in inputs), pullback)


def as_node(value):
    return value if isinstance(value, ArrayNode) else ArrayNode(value)


class ArrayNode(Node):
    """A node that can be written with + − * / @ and **."""

    __array_ufunc__ = None  # NumPy shall leave `array * node` to the node

    def __add__(self, other):
        other = as_node(other)
        return elementwise(self.value + other.value, (self, 1.0), (other, 1.0))

    def __mul__(self, other):
        other = as_node(other)
        return elementwise(self.value * other.value, (self, other.value), (other, self.value))

    def __pow__(self, n):
        return elementwise(self.value**n, (self, n * self.value ** (n - 1)))

    def __matmul__(self, other):
        a, b = self.value, as_node(other).value
        return ArrayNode(a @ b, (self, as_node(other)), lambda g: (g @ b.T, a.T @ g))

    def __rmatmul__(self, other):
        return as_node(other) @ self

    def __sub__(self, other):
        return self + as_node(other) * -1.0

    def __truediv__(self, other):
        return self * as_node(other) ** -1

    def __neg__(self):
        return self * -1.0

    __radd__, __rmul__ = __add__, __mul__

    def sum(self):
        return ArrayNode(self.value.sum(), (self,), lambda g: (np.full(self.value.shape, g),))

    def mean(self):
        return self.sum() / self.value.size


def exp(a):
    y = np.exp(a.value)
    return elementwise(y, (a, y))


def log(a):
    return elementwise(np.log(a.value), (a, 1 / a.value))


def tanh(a):
    y = np.tanh(a.value)
    return elementwise(y, (a, 1 - y**2))


def value_and_grad(function):
    """A function of arrays that returns the value of `function` and its gradients by each of them."""

    def both(*arrays):
        inputs = [ArrayNode(array) for array in arrays]
        output = function(*inputs)
        gradients = backward(topological_order(output))
        return float(output.value), [gradients[node] for node in inputs]

    return both


def lines_of(part):
    """Lines written for a function, or for the methods of a class."""
    if inspect.isclass(part):
        return 1 + sum(map(lines_of, {method for method in vars(part).values() if inspect.isfunction(method)}))
    return sum(1 for line in inspect.getsource(part).splitlines() if line.strip())


parts = [Node, topological_order, backward, unbroadcast, elementwise, as_node, ArrayNode, exp, log, tanh, value_and_grad]
lines = sum(map(lines_of, parts))
print(f"A program that differentiates programs, in {lines} lines.")

# %% [markdown]
# Does it agree with `jax.grad`, and do both agree with what can be measured? Write each function once, and hand it the
# operations to use: ours, or those of `jnp`.

# %%
OURS = SimpleNamespace(exp=exp, log=log, tanh=tanh)
random = np.random.default_rng(0)
matrix, row, first, second = (random.normal(size=shape) for shape in ((4, 3), (1, 3), (3, 2), (2, 3)))
signs = np.array([[1.0, -1.0], [-1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
examples = {
    "a value used four times": (lambda m, a: (a * a * a + a).sum(), [matrix]),
    "a row, broadcast": (lambda m, a, b: ((a - b) ** 2 / (b * b + 1)).sum(), [matrix, row]),
    "two layers": (lambda m, a, v, w: m.tanh(m.tanh(a @ v) @ w).mean(), [matrix, first, second]),
    "logistic loss": (lambda m, a, v: m.log(1 + m.exp(-(a @ v) * signs)).mean(), [matrix, first]),
}


def largest_difference(some, others):
    return max(float(abs(np.asarray(one) - np.asarray(other)).max()) for one, other in zip(some, others, strict=True))


from_jax, from_differences = [], []
for name, (function, arrays) in examples.items():
    _, by_ours = value_and_grad(lambda *nodes, f=function: f(OURS, *nodes))(*arrays)
    by_jax = jax.grad(lambda *xs, f=function: f(jnp, *xs), argnums=tuple(range(len(arrays))))(*map(jnp.asarray, arrays))
    by_differences = [
        nn.autodiff.numerical_gradient(
            lambda moved, f=function, i=i, xs=arrays: f(np, *(moved if i == j else x for j, x in enumerate(xs))), array
        )
        for i, array in enumerate(arrays)
    ]
    from_jax.append(largest_difference(by_ours, by_jax))
    from_differences.append(largest_difference(by_ours, by_differences))
    print(f"{name:25s} from jax.grad {from_jax[-1]:.0e}   from finite differences {from_differences[-1]:.0e}")

# %% [markdown]
# Both columns are rounding, of `jax.grad` in 32 bits and of differences in 64. (The library keeps this program as
# `nn.autodiff`, with a few more operations, and a topological order that does not call itself: Python stops a function that
# calls itself a thousand times.)
#
# ## Learning with it
#
# A real use: tell handwritten 3s from 8s. Each digit is 8×8 = 64 numbers. With a weight for each and a constant, the
# weighted sum is the **score**: positive for an 8, negative for a 3. The **logistic loss** $\log(1 + e^{-s \cdot
# \text{score}})$, with $s = +1$ for an 8 and $-1$ for a 3, is near 0 if the score is large and has the right sign, and
# grows with how wrong it is. Then **gradient descent**: again and again, subtract a little of the gradient from the weights.
# We do it twice, with the gradients of our hundred lines and with those of `jax.grad`.


# %%
def threes_and_eights(split):
    """Pixels (n, 64) from 0 to 1, and a column of signs: +1 for an 8, −1 for a 3."""
    images, labels = nn.data.load("digits", split).map(nn.data.as_vectors).arrays().values()
    chosen = (labels == 3) | (labels == 8)
    return images[chosen], np.where(labels[chosen] == 8, 1.0, -1.0).astype(np.float32)[:, None]


pixels, signs_8 = threes_and_eights("train")
test_pixels, test_signs = threes_and_eights("test")
figures.show_images(pixels[:10].reshape(-1, 8, 8), ["8" if sign > 0 else "3" for sign in signs_8[:10, 0]])
plt.show()


def logistic_loss(m, weights, constant):
    return m.log(1 + m.exp(-(pixels @ weights + constant) * signs_8)).mean()


def descend(gradient_of, weights, constant, steps=200, rate=1.0):
    """The losses on the way down, and where it ended."""
    losses = []
    for _ in range(steps):
        loss, (by_weights, by_constant) = gradient_of(weights, constant)
        weights, constant = weights - rate * by_weights, constant - rate * by_constant
        losses.append(float(loss))
    return np.array(losses), weights, constant


by_ours = value_and_grad(lambda w, c: logistic_loss(OURS, w, c))
by_jax = jax.value_and_grad(lambda w, c: logistic_loss(jnp, w, c), argnums=(0, 1))
our_losses, our_weights, our_constant = descend(by_ours, np.zeros((64, 1)), np.zeros((1, 1)))
jax_losses, jax_weights, jax_constant = descend(jax.jit(by_jax), jnp.zeros((64, 1)), jnp.zeros((1, 1)))


def share_right(scores):
    return float((np.sign(scores) == test_signs).mean())


ours_right = share_right(test_pixels @ our_weights + our_constant)
jax_right = share_right(test_pixels @ np.asarray(jax_weights) + np.asarray(jax_constant))
mean_3, mean_8 = (pixels[signs_8[:, 0] == sign].mean(0) for sign in (-1, 1))
nearer_8 = ((test_pixels - mean_3) ** 2).sum(1) - ((test_pixels - mean_8) ** 2).sum(1)
baseline_right = share_right(nearer_8[:, None])
print(f"loss after 200 steps: ours {our_losses[-1]:.6f}, jax.grad {jax_losses[-1]:.6f}")
print(f"right on {len(test_pixels)} other digits: ours {ours_right:.1%}, jax.grad {jax_right:.1%}")
print(f"baseline, the nearer of the mean 3 and the mean 8: {baseline_right:.1%}")

_, (left, right) = plt.subplots(1, 2, figsize=(8, 3), width_ratios=[2, 1])
left.plot(our_losses, linewidth=5, alpha=0.4, label="our gradients")
left.plot(jax_losses, linestyle="--", label="jax.grad")
left.set(xlabel="step", ylabel="loss", title="The same way down")
left.legend()
largest = float(abs(our_weights).max())
right.imshow(our_weights.reshape(8, 8), cmap="RdBu_r", vmin=-largest, vmax=largest)
right.set(xticks=[], yticks=[], title="Weights: red speaks for 8")
right.grid(visible=False)
plt.show()

# %% [markdown]
# The same losses, and the same digits right. Why go backwards at all, and not measure the 65 slopes? Count. A slope needs
# two evaluations of the loss, so 65 of them need 130. Going backwards gives *all* gradients for the price of a few evaluations,
# however many weights there are. With a million weights there is no choice.


# %%
def seconds(function, *arguments, repeat=5):
    """The best of a few tries. JAX returns before the work is done; block_until_ready waits for it."""
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - begin)
    return min(times)


calls = 0


def counted(parameters):
    global calls
    calls += 1
    return logistic_loss(np, parameters[:64, None], parameters[64])


one_gradient = {
    "finite differences": seconds(lambda: nn.autodiff.numerical_gradient(counted, np.zeros(65)), repeat=1),
    "our program": seconds(by_ours, np.zeros((64, 1)), np.zeros((1, 1))),
}
print(f"evaluations for one measured gradient: {calls}")
for name, taken in one_gradient.items():
    print(f"one gradient by {name:20s}{1000 * taken:8.2f} ms")

# %% [markdown]
# ## Randomness
#
# `np.random.normal()` gives another number at every call. So it is not pure: it reads and changes a hidden state. JAX has no
# hidden state. Every random function takes a **key**, and the same key gives the same numbers, today, tomorrow, and on another
# machine. New keys are split from old ones: `jax.random.split(key)`.
#
# The price is that *you* must not use a key twice. Nobody complains if you do:

# %%
key = jax.random.key(0)
one, other = jax.random.split(key)
twice = jax.random.normal(key, (300,)), jax.random.normal(key, (300,))  # a mistake
split = jax.random.normal(one, (300,)), jax.random.normal(other, (300,))
correlations = [float(jnp.corrcoef(*pair)[0, 1]) for pair in (twice, split)]

_, axes = plt.subplots(1, 2, figsize=(7, 3.2))
for axis, pair, name, correlation in zip(
    axes, (twice, split), ("one key, used twice", "two keys, split"), correlations, strict=True
):
    axis.scatter(*pair, s=8)
    axis.set(xlabel="first 300 numbers", ylabel="second 300 numbers", title=f"{name}: correlation {correlation:.2f}")
plt.show()

# %% [markdown]
# A good use for many keys: *how sure is that accuracy?* It is a mean over the test digits that we happen to have. Draw as many
# digits from them again, with replacement, so that some come twice and some not at all, and take the mean; do it a thousand
# times, each time with a key of its own. The spread of those means shows what other test digits might have given (Efron
# 1979; it is called the **bootstrap**). It takes one function for *one* key, and `jax.vmap`, which turns it into a function of
# a thousand keys.

# %%
right_or_wrong = jnp.asarray(np.sign(test_pixels @ our_weights + our_constant) == test_signs, jnp.float32)[:, 0]


def resampled_mean(key):
    drawn = jax.random.randint(key, right_or_wrong.shape, 0, len(right_or_wrong))
    return right_or_wrong[drawn].mean()


means = jax.vmap(resampled_mean)(jax.random.split(jax.random.key(1), 1000))
low, high = np.percentile(means, [2.5, 97.5])
the_same = bool(jnp.allclose(means, nn.training.bootstrap_means(jax.random.key(1), right_or_wrong, 1000)))
print(f"right {ours_right:.1%}; 95% of the resamples lie from {low:.1%} to {high:.1%}")
print("nn.training.bootstrap_means says the same:", the_same)

# %% [markdown]
# ## vmap: write it for one
#
# `vmap` asks where the axis of many is: `in_axes=(None, 0, 0)` says "the same weights for all, one digit and one sign each".
# With `jax.grad` inside, it answers a question that is hard to ask otherwise: what would *each single digit* change about
# the weights? The digits that pull hardest are those that the weights get wrong, or nearly.


# %%
def loss_of_one(weights, digit, sign):
    return jnp.log(1 + jnp.exp(-(digit @ weights[:, 0] + our_constant[0, 0]) * sign[0]))


gradient_of_each = jax.vmap(jax.grad(loss_of_one), in_axes=(None, 0, 0))(jnp.asarray(our_weights), pixels, signs_8)
pull = np.sqrt((np.asarray(gradient_of_each) ** 2).sum((1, 2)))
_, (of_the_mean, _) = by_ours(our_weights, our_constant)
print(
    f"{len(pixels)} gradients of shape {gradient_of_each.shape[1:]}; largest difference of their mean from the gradient of the"
)
print(f"mean loss: {float(abs(gradient_of_each.mean(0) - of_the_mean).max()):.0e}")
hardest = np.argsort(pull)[::-1][:10]
figures.show_images(
    pixels[hardest].reshape(-1, 8, 8), [f"{'8' if signs_8[i] > 0 else '3'}, pull {pull[i]:.1f}" for i in hardest]
)
plt.show()

# %% [markdown]
# ## jit: what happens once
#
# `jax.jit(f)` compiles `f`. To do so, JAX calls your Python function *once*, not with numbers but with **tracers**: stand-ins
# that have a shape and a type, and write down what is done to them. (Our `ArrayNode` is such a thing, only with numbers in
# it.) What was written down is compiled. From then on your Python code is not run at all.

# %%
shapes = []


@jax.jit
def double(x):
    print("  tracing with", x)
    shapes.append(x.shape)
    return 2 * x


for size in (3, 3, 4, 3):
    print(f"a call with {size} numbers")
    double(jnp.ones(size))
print(f"4 calls, traced and compiled {len(shapes)} times, once for each shape: {shapes}")

# %% [markdown]
# So a `print` in a compiled function speaks once for each new *shape* (or type), and never again. (`jax.debug.print` speaks
# every time.) Each new shape costs a compilation, which is why batches should all be of one size. And what a function reads
# from outside is frozen into what was written down:

# %%
rate = 0.5


@jax.jit
def scaled(x):
    return rate * x  # not pure: `rate` is no argument


before = float(scaled(1.0))
rate = 100.0
after = float(scaled(1.0))
print(f"with rate 0.5: {before}; with rate 100: {after}")

# %% [markdown]
# No error, and a wrong number. Pass what changes as an argument.
#
# **The second classic error.** A tracer has no value, so Python cannot decide an `if` by it:


# %%
@jax.jit
def absolute(x):
    if x < 0:
        return -x
    return x


errors.append(refused(lambda: absolute(-1.0)))


@jax.jit
def absolute_by_where(x):
    return jnp.where(x < 0, -x, x)  # computes both, and chooses, element by element


@jax.jit
def absolute_by_cond(x):
    return jax.lax.cond(x < 0, lambda x: -x, lambda x: x, x)  # one decision for the whole, and one branch is run


print(absolute_by_where(jnp.array([-1.0, 0.0, 2.0])), absolute_by_cond(-1.0))

# %% [markdown]
# `jnp.where` chooses number by number, `jax.lax.cond` chooses what to run. An `if` on a *shape*, or on an argument named in
# `static_argnames`, is fine: those are known when the function is traced.
#
# **The third classic error.** A tracer that gets out. It is a stand-in in a play that is over:

# %%
kept = []


@jax.jit
def remember(x):
    kept.append(x)  # not pure
    return 2 * x


remember(1.0)
errors.append(refused(lambda: kept[0] + 1))

# %% [markdown]
# The cure is always the same: *return* what you want to keep.
#
# ## What does it buy?
#
# The gradient of the loss above, again, before and after `jit`. The first call of a compiled function traces and compiles, and
# is slow. (JAX can keep what it compiled on disk; then a first call is less slow the next time you run this.) Every later call
# skips Python, and is fast. Times differ from machine to machine; the order of things does not.

# %%
start_weights, start_constant = jnp.zeros((64, 1)), jnp.zeros((1, 1))
fresh = jax.jit(lambda w, c: by_jax(w, c))  # not compiled yet
first_call = seconds(fresh, start_weights, start_constant, repeat=1)
later_call = seconds(fresh, start_weights, start_constant, repeat=50)
without_jit = seconds(by_jax, start_weights, start_constant, repeat=3)
one_gradient |= {"jax.grad, no jit": without_jit, "jit, first call": first_call, "jit, later calls": later_call}

_, axis = plt.subplots(figsize=(6, 2.6))
axis.plot([1000 * taken for taken in one_gradient.values()], list(one_gradient), "o")
axis.set(xscale="log", xlabel="milliseconds", title="One gradient by 65 parameters")
axis.invert_yaxis()
plt.show()
print(f"jit: {without_jit / later_call:.0f} times as fast as without.")
print(f"The first call took as long as {first_call / later_call:.0f} later ones.")

# %% [markdown]
# Our hundred lines do well here: the arrays are small, and NumPy starts at once, where JAX without `jit` is slow to start each
# operation. `jit` turns the whole gradient into one program. And that program is what runs on a GPU or a TPU, unchanged.
#
# ## What we claimed, checked

# %%
names_of_errors = ["TypeError", "TracerBoolConversionError", "UnexpectedTracerError"]
assert errors == names_of_errors, "the three classic errors"
assert wrong_error > 1 and right_error == 0, "broadcasting makes a perfect prediction look bad"
assert best["both sides, 64 bits"] < best["one side, 64 bits"] < 1e-6 < best["both sides, 32 bits"], "32 bits cannot measure"
assert slope_errors["both sides, 64 bits"][0] > 1e-4, "and the smallest step is not the best"
assert abs(slope(0.5) - by_differences_of_wave) < 1e-4, "jax.grad is the slope"
assert lines < 100, "in fewer than a hundred lines"
assert max(from_jax) < 1e-4 and max(from_differences) < 1e-7, "our gradients are right"
assert abs(our_losses - jax_losses).max() < 1e-4, "and lead the same way down as those of jax.grad"
assert ours_right == jax_right > max(baseline_right, 0.9), "to the same digits right, more than the baseline's"
assert calls == 2 * 65, "two evaluations a slope"
assert one_gradient["finite differences"] > 3 * one_gradient["our program"], "going backwards is cheaper"
assert correlations[0] > 0.999 and abs(correlations[1]) < 0.25, "a key used twice is a copy"
assert the_same and low < ours_right < high, "the bootstrap surrounds the accuracy"
assert shapes == [(3,), (4,)], "traced once for each shape"
assert before == after == 0.5, "what is read from outside is frozen"
assert first_call > 3 * later_call and without_jit > 3 * later_call, "jit is slow once, then fast"

# %% [markdown]
# ## Try
#
# 1. Give our program a `sin` (a value and a slope: two lines), and compare. Why can ours not be applied twice, as
#    `jax.grad(jax.grad(f))` can? What would the pullbacks have to return?
# 2. Replace `gradients[parent] + g` by `g` alone in `backward`. Which of the four examples still agree with `jax.grad`, and
#    does the fit still go down?
# 3. Write a loop of 1,000 multiplications in a compiled function, once as a Python `for`, once as `jax.lax.fori_loop`. How long
#    does the first call take, and why?
#
# **Exercise:** write `numerical_gradient`, `bootstrap_means`, `unbroadcast`, `topological_order` and `backward` yourself. In
# the folder of the course, `python -m exercises next` says where to begin, and `python -m pytest exercises/01_arrays` tests
# what you have written.
