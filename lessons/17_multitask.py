# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Multitask learning: can one network learn two things at once?
#
# A spam filter for user A and one for user B: two tasks, and much in common. Why not train one network for both, on the mail
# of both? What the two share is then learned from twice the data. But A keeps the newsletters that B throws away. What
# happens where two tasks want opposite things of one network?
#
# By the end you will have trained two tasks together, measured when their gradients agree and when they fight, and found out
# *which part* of the network must not be shared.
#
# Needed: lessons 04 (`nnx.split`, gradients as trees), 12 (heads, the cosine, paired intervals) and 13 (the two kinds of
# digits). Time: about a minute and a half to run on two cores.

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

import nn
from lessons import figures
from nn.training import softmax_cross_entropy
from transfer import shift_labels
from transfer.experiments import run, two_tasks
from transfer.experiments.images import images
from transfer.experiments.two_tasks import TWO_TASKS
from transfer.multitask import gradient_cosine, project_conflicting, uncertainty_weighted
from transfer.report import outcomes, paired_difference

figures.use_lesson_style()
_ = nn.training.enable_compilation_cache()  # what was compiled once is not compiled again

# %% [markdown]
# ## Two tasks
#
# The **first task** is the one we care about: the digits of lesson 13, with five labels of each class, 50 in all. The **second
# task** is MNIST, with 4,000 labels. They are alike: the same ten classes, in two handwritings.
#
# And to see a conflict whose cause we know, we plant one. Shift the labels of MNIST by one: a 0 is now called "1", a 1 "2",
# …, a 9 "0". The pictures are the same, and so is what one has to see in them. Only what the answer is *called* has changed,
# as if user B called spam all that A calls mail.

# %%
seed = 0
x, y = two_tasks.target(seed, shots=5)
mnist_x, mnist_y = images("mnist_5k", "train")
shifted_y = shift_labels(mnist_y, 10)

order = [np.flatnonzero(mnist_y == digit)[0] for digit in range(10)]
figures.show_images(x[::5].reshape(-1, 16, 16), [f'"{label}"' for label in y[::5]])
plt.suptitle("The digits: one of five pictures of each class", fontsize=10)
plt.show()
figures.show_images(mnist_x[order].reshape(-1, 16, 16), [f'"{label}"' for label in shifted_y[order]])
plt.suptitle("MNIST in conflict: one picture of each class, labels shifted by one", fontsize=10)
plt.show()

# %% [markdown]
# ## One body, two heads
#
# Let two networks share all their hidden layers, the **body**, and give each task a last layer of its own, its **head**. That
# is called *hard parameter sharing*, the oldest form of multitask learning (Caruana 1997). For pictures x of either task, with
# the heads' biases left out:
#
# $$f = \text{body}(x), \qquad \text{scores}_0 = f\, W_0, \qquad \text{scores}_1 = f\, W_1.$$
#
# Each task has its own pictures and reads its own scores; the loss is the sum of the two tasks' losses. So the gradient that
# reaches a head is that of its own task, and the gradient that reaches the body is the *sum* of both. Let us see that by hand,
# for the network as it begins and 50 pictures of each task.

# %%
model = two_tasks.network(seed)
graph, weights = nnx.split(model, nnx.Param)
first = (jnp.asarray(x), jnp.asarray(y))
second = (jnp.asarray(mnist_x[:50]), jnp.asarray(mnist_y[:50]))


def loss_of(weights, batch, head):
    """One task's loss on its batch, through one of the heads."""
    pictures, labels = batch
    network = nnx.merge(graph, weights)
    features = network.body.features(pictures)
    return softmax_cross_entropy(network.heads[head](features), labels).mean()


def size(gradient):
    return float(jnp.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(gradient))))


g_first, g_second = jax.grad(loss_of)(weights, first, 0), jax.grad(loss_of)(weights, second, 1)
both = jax.grad(lambda weights: loss_of(weights, first, 0) + loss_of(weights, second, 1))(weights)
print("length of the gradient at    the body   head 0   head 1")
for name, gradient in {"first task": g_first, "second task": g_second, "both": both}.items():
    parts = (gradient["body"], gradient["heads"][0], gradient["heads"][1])
    print(f"{name:24s}", *(f"{size(part):11.3f}" for part in parts))
gap = max(
    float(abs(one + other - total).max())
    for one, other, total in zip(*map(jax.tree.leaves, (g_first, g_second, both)), strict=True)
)
print(f"the sum of the two gradients and the gradient of the sum differ by at most {gap:.0e}")

# %% [markdown]
# ## Do they agree?
#
# Where two gradients point the same way, a step for one task is a step for the other. Where they point against each other, each
# step for one undoes some of the other's. The **cosine** of the angle between them (lesson 12), all weights as one long vector,
# says which: above 0 they agree, below 0 they are in **conflict**.
#
# We train in four ways, by hand, and write the cosine down at each step: the tasks alike or in conflict, and each with two
# heads or through *one* head, as if they were one task. The cosine is that of the two gradients in the *body*, which is shared
# in all four. From step to step it jumps, as every batch of MNIST is another, and from seed to seed, as each has another
# network and other digits. So we take five seeds. A thin line in the picture is one of them, a mean over 25 steps; a thick line
# is the mean of the five. What is printed counts the single steps, and differences are paired by seed, with their 95%
# intervals.

# %%
adam = optax.adam(1e-3)


@partial(jax.jit, static_argnames="second_head")
def step(weights, memory, first, second, second_head):
    one, other = jax.grad(loss_of)(weights, first, 0), jax.grad(loss_of)(weights, second, second_head)
    cosine = gradient_cosine(one["body"], other["body"])
    updates, memory = adam.update(jax.tree.map(jnp.add, one, other), memory)
    return optax.apply_updates(weights, updates), memory, cosine


def cosines(seed, second_y, second_head, steps=150):
    """The cosine at each step of one seed, with MNIST labelled so and read through this head."""
    now, first = nnx.state(two_tasks.network(seed), nnx.Param), tuple(map(jnp.asarray, two_tasks.target(seed, shots=5)))
    memory, seen = adam.init(now), []
    for chosen in np.random.default_rng(seed).integers(len(second_y), size=(steps, 50)):
        second = (jnp.asarray(mnist_x[chosen]), jnp.asarray(second_y[chosen]))
        now, memory, cosine = step(now, memory, first, second, second_head)
        seen.append(cosine)
    return np.array(seen)


arms = {
    "alike, one head": (mnist_y, 0),
    "alike, two heads": (mnist_y, 1),
    "in conflict, two heads": (shifted_y, 1),
    "in conflict, one head": (shifted_y, 0),
}
measured = {name: np.stack([cosines(seed, *arm) for seed in range(5)]) for name, arm in arms.items()}  # (seeds, steps)

_, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True)
for axis, heads in zip(axes, ("one head", "two heads"), strict=True):
    for label, colour, line in (("alike", figures.COLOURS[0], "-"), ("in conflict", figures.COLOURS[1], "--")):
        smooth = np.stack([np.convolve(curve, np.ones(25) / 25, "valid") for curve in measured[f"{label}, {heads}"]])
        axis.plot(np.arange(24, 150), smooth.T, line, color=colour, linewidth=0.6, alpha=0.5)
        axis.plot(np.arange(24, 150), smooth.mean(0), line, color=colour, linewidth=2.5, label=label)
    axis.axhline(0, color="0.6", linewidth=1)
    axis.set(title=f"{heads.capitalize()}: do the tasks pull the same way?", xlabel="step")
axes[0].set_ylabel("cosine, mean of 25 steps")
axes[0].legend()
plt.show()

spans = {"first 20 steps": slice(0, 20), "last 50": slice(-50, None), "all": slice(None)}
mean_cosine = {(name, span): curves[:, steps].mean(1) for name, curves in measured.items() for span, steps in spans.items()}
against = {name: (curves < 0).mean() for name, curves in measured.items()}
print("mean cosine of          " + "".join(f"{span:>16s}" for span in spans) + "   below 0 in")
for name in measured:
    print(
        f"{name:24s}" + "".join(f"{mean_cosine[name, span].mean():+16.2f}" for span in spans), f"{against[name]:6.0%} of steps"
    )
by_seed = {which: dict(enumerate(cosines_of)) for which, cosines_of in mean_cosine.items()}
changed = {}
for heads in ("one head", "two heads"):
    for span in spans:
        c = paired_difference(by_seed[f"in conflict, {heads}", span], by_seed[f"alike, {heads}", span])
        changed[heads, span] = c
        print(f"{heads:9s} {span:14s} in conflict minus alike {c.mean:+.2f} [{c.low:+.2f}, {c.high:+.2f}]")
agreed = paired_difference(by_seed["in conflict, one head", "last 50"], dict.fromkeys(range(5), 0.0))  # beside 0
print(f"one head, last 50 steps, in conflict: {agreed.mean:+.2f} [{agreed.low:+.2f}, {agreed.high:+.2f}]")

# %% [markdown]
# Even tasks that are alike pull against each other at some steps. Through one head, tasks in conflict begin, in the mean, a
# little below 0, and below those that are alike, as one would expect. But later they *agree* more often than not! They agree
# less than tasks that are alike, yet the last interval is far above 0: both want the same strokes told apart. (And a head that
# hears two names for much the same picture may at first go half way to each, to which both tasks push it. That is a guess: it
# is not tested here.)
#
# With a head each it makes no difference that we can see whether the labels are shifted: the names are now each head's own
# affair. The curves run together, a little above 0: the tasks pull the body the same way, but only a little.
#
# Keep the picture in mind. A conflict about the *answer* need not be a conflict at every *step*.
#
# ## Gradient surgery
#
# Can one head be saved? **PCGrad** (Yu et al. 2020) takes from each gradient the part that works against the other:
#
# $$\text{where } g_1 \cdot g_2 < 0: \qquad g_1 \leftarrow g_1 - \frac{g_1 \cdot g_2}{|g_2|^2}\, g_2,$$
#
# and the same for $g_2$ against the old $g_1$; the step is taken along their sum. What is taken off is the part of $g_1$ that
# lies along $g_2$; what is left stands at a right angle to it. In two dimensions one sees that. The arrows are gradients (a
# step goes the opposite way, for all of them alike), and a step's **progress** for a task is the dot product of what we step
# along with that task's own gradient: above 0, its loss falls. (Dashed: the two gradients as they were.)

# %%
one, other = np.array([2.0, 0.3]), np.array([-0.9, 0.6])
along = one @ other
cut_one, cut_other = one - along / (other @ other) * other, other - along / (one @ one) * one
figure, axes = plt.subplots(1, 2, figsize=(8, 2.9))
for axis, arrows, title in (
    (axes[0], {"first": one, "second": other, "their sum": one + other}, "The sum: a step back for the second"),
    (axes[1], {"first": cut_one, "second": cut_other, "their sum": cut_one + cut_other}, "PCGrad: something for both"),
):
    for (name, arrow), colour in zip(arrows.items(), figures.COLOURS, strict=False):
        axis.annotate("", arrow, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2})
        side, offset = ("left", (4, 4)) if arrow[0] > 0 else ("right", (-4, 4))
        axis.annotate(name, arrow, offset, textcoords="offset points", ha=side, color=colour, fontsize="small")
    axis.set(xlim=(-1.8, 2.7), ylim=(-0.2, 2.1), aspect="equal", title=title, xlabel="first weight", ylabel="second weight")
for before, colour in zip((one, other), figures.COLOURS, strict=False):
    axes[1].plot(*zip((0, 0), before, strict=True), color=colour, linewidth=1, linestyle="--")  # as it was
plt.show()

tree_one, tree_other = {"w": jnp.asarray(one)}, {"w": jnp.asarray(other)}
by_hand, by_library = cut_one + cut_other, np.asarray(project_conflicting([tree_one, tree_other])["w"])
progress = {"sum": ((one + other) @ one, (one + other) @ other), "PCGrad": (by_library @ one, by_library @ other)}
for name, (for_first, for_second) in progress.items():
    print(f"{name:8s}progress for the first {for_first:+.2f}, for the second {for_second:+.2f}")

# %% [markdown]
# ## What shall a task weigh?
#
# A second question comes with every sum of losses: in what proportion? Kendall, Gal and Cipolla (2018) let the network learn
# it. Each task $i$ gets one more number $s_i$, learned like a weight, and its loss $L_i$ counts $e^{-s_i}$ times:
#
# $$\text{loss} = \sum_i \left( e^{-s_i} L_i + \tfrac{s_i}{2} \right).$$
#
# A large s makes the task count less, and costs s / 2. For a fixed loss L the slope in s, −e⁻ˢ L + ½, is 0 at s = log 2L, so
# the best weight e⁻ˢ is 1 / 2L: tasks with a large loss get a small one. The idea: a loss that stays large may be noise that
# nobody can learn, and should not drown the others.

# %%
for loss in (0.1, 1.0, 3.0):
    grid = np.linspace(-4, 4, 21)
    values = [float(uncertainty_weighted(jnp.array([loss]), jnp.array([s]))) for s in grid]
    best = grid[int(np.argmin(values))]
    print(f"L = {loss}: of 21 values of s, {best:+.1f} is best; log 2L = {np.log(2 * loss):+.2f}, weight {1 / (2 * loss):.2f}")

# %% [markdown]
# ## What it comes to
#
# Now the whole experiment: accuracy on 797 new digits, five seeds, always 300 steps, each on all 50 digits and, where MNIST
# takes part, 50 pictures of it. The baseline is the digits alone. In all rows with two heads MNIST has its own. "Weighed" is
# the loss above. Two controls deal MNIST's labels out at random, through the digits' head or to a head of their own: then a
# label is right one time in ten, by chance, and there is no rule in them to learn: nothing is left of MNIST but its pictures.
# In the picture the dashed line at 0 is the digits alone, and an interval that holds 0 is grey: it does not show a
# difference.

# %%
results = run(TWO_TASKS)
rows = {row.method.name: row for row in outcomes(results)}
gains = {name: (100 * c.mean, 100 * c.low, 100 * c.high) for name, row in rows.items() if (c := row.comparison) is not None}
figures.plot_intervals(gains, reference=0, xlabel="points over the digits alone", title="Reading digits with 50 labels")
plt.show()
for name, row in rows.items():
    difference = "{:+.1f} [{:.1f}, {:.1f}]".format(*gains[name]) if name in gains else "what the others are compared with"
    print(f"{name:32s}{100 * row.accuracy.mean:5.1f}%   {difference}")

# %% [markdown]
# The first row is the baseline, and all these differences are to it. Before we compare two rows with *each other*, let us
# compute that difference, too, paired by seed: that two intervals overlap, or that one is grey and the other is not, says
# little about it.

# %%
setting, between = results.settings[0], {}
for method, other_method in (
    ("one head, in conflict, PCGrad", "one head, in conflict"),
    ("one head, in conflict", "one head, shuffled labels"),
    ("two heads, in conflict", "one head, in conflict"),
    ("two heads, in conflict", "two heads"),
    ("two heads, weighed", "two heads"),
    ("one head", "two heads"),
):
    c = paired_difference(results.accuracies(method, setting), results.accuracies(other_method, setting))
    between[method, other_method] = (100 * c.mean, 100 * c.low, 100 * c.high)
    print(f"{method:30s}minus {other_method:26s}" + "{:+5.1f} [{:.1f}, {:.1f}]".format(*between[method, other_method]))

# %% [markdown]
# - **One head, alike: it helps.** 4,000 labels of MNIST say something about the digits, since they say it in the same words.
# - **One head, in conflict: it hurts**, by more than it helped. The same pictures, the same body, another name for each
#   class. Where a second task makes the first one worse, one speaks of **negative transfer**. And it is the *conflict*: labels
#   dealt out at random, through the same head, are wrong nine times in ten, and cost nothing that we can see. There is no rule
#   in them that could take the place of the digits' own. In shifted labels there is.
# - **PCGrad mends little of it:** about a point of the nine, though the interval is well above 0. It acts where gradients point
#   against each other, and mostly they do not (above: in the body). One head still has to call much the same
#   picture by two names. It can do so only by telling the two handwritings apart, and projecting gradients does not teach it
#   that.
# - **Two heads: the conflict is gone.** What was shared too much was the head. With a head each, shifted labels cost nothing
#   that we could measure, and it is no accident: a head of its own does not care what its classes are called (lesson 12).
# - But is the *help* still there? With two heads the interval holds 0, so five seeds do not show any. They do not show either
#   that one head helps *more* than two: the last line above holds 0 as well. Here we cannot say what carries the help.
# - **Weighing** the tasks changes next to nothing here, and labels dealt out at random to a head of their own neither help nor
#   harm by more than a point.
#
# So before you ask how to combine two tasks, ask whether they give the same answer to the same input. If they do, try sharing
# all, the head too. If they do not, give each its own head. As far as these seeds can tell, the user of a spam filter who
# disagrees with another user could share the body of a network with him and lose nothing, if each has a head. (Could: we tried
# it on digits, not on mail.)
#
# ## What we claimed, checked

# %%
assert gap < 1e-5, "the gradient of a sum is the sum of the gradients"
assert size(g_first["heads"][1]) == 0 == size(g_second["heads"][0]), "no task reaches the other's head"
assert changed["one head", "all"].high < 0, "through one head the labels count"
assert changed["one head", "first 20 steps"].high < 0, "from the beginning"
assert abs(mean_cosine["in conflict, one head", "first 20 steps"].mean()) < 0.15, "where they are about at right angles"
assert agreed.low > 0.05, "and yet they come to agree"
assert against["in conflict, one head"] < 0.4, "at most steps there is nothing for PCGrad to do"
assert abs(changed["two heads", "all"].mean) < 0.05, "with a head each the names do not count"
np.testing.assert_allclose(by_library, by_hand, rtol=1e-5)
assert progress["sum"][1] < 0 < min(progress["PCGrad"]), "the sum works against the second, PCGrad for both"
assert gains["one head"][1] > 0, "alike, through one head: it helps"
for name in ("one head, in conflict", "one head, in conflict, PCGrad"):
    assert gains[name][2] < -3, f"{name}: it hurts"
_, low, high = between["one head, in conflict, PCGrad", "one head, in conflict"]
assert low > 0 and high < 3, "PCGrad mends something, and little"
assert between["two heads, in conflict", "one head, in conflict"][1] > 3, "a head each, and the conflict is gone"
assert abs(between["two heads, in conflict", "two heads"][0]) < 2, "a head of its own does not care for names"
assert abs(between["two heads, weighed", "two heads"][0]) < 2, "weighing changes next to nothing"
for name in ("one head, shuffled labels", "two heads, shuffled labels"):
    assert abs(gains[name][0]) < 3, f"{name}: no help and no harm"
assert between["one head, in conflict", "one head, shuffled labels"][2] < -3, "it is the conflict that hurts, not the noise"

# %% [markdown]
# ## Try
#
# 1. Shift only some of the labels (`shift_labels(..., share=0.3)`), through one head. From which share on does it hurt? And
#    with two heads?
# 2. Give the digits one label a class, or twenty (`run(TWO_TASKS, shots=(1, 20))`). Where does sharing the body alone begin
#    to help?
# 3. A conflict can be cured from outside, too: keep one head, and give the network one more input, which is 0 for the digits
#    and 1 for MNIST. In the first layer that is no more than another bias for each task. Is it enough to turn a 0 into a "1"
#    at the other end? Try.
#
# **Exercise:** write `gradient_cosine`, `project_conflicting` and `uncertainty_weighted` yourself. In the folder of the
# course, `python -m exercises next` says where to begin, and `python -m pytest exercises/17_multitask` tests what you have
# written.
