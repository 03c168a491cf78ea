# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Fine-tuning: how much should move?
#
# You have a network that reads one kind of handwriting, and a hundred labelled pictures of another kind. You may train all of
# the network on the hundred, or its last layer alone, or something in between. Which? And what happens to what it could do
# before?
#
# By the end you will have looked at what moves when you train, found two ways in which a "frozen" network moves all the same,
# built an *adapter* by hand, and seen why the answer depends on which pictures come next.
#
# Needed: lesson 12 (pretraining, features, head, linear probe). Time: about a minute and a half to run on two cores.

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
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx

import nn
from lessons import figures
from nn.models import MLP, MLPConfig
from nn.training import cosine_adam, evaluate, fit, predict
from transfer import (
    Distillation,
    apply_lora,
    extract_features,
    fine_tune,
    freeze,
    gradual_unfreezing,
    load_pretrained,
    merge_lora,
    parameter_summary,
    replace_head,
    trainable_filter,
    unmerge_lora,
)
from transfer.experiments import LAYER_CURVE, how_much_moves, layer_curve, run
from transfer.experiments.how_much_moves import FINE_TUNING, FINE_TUNING_ELSEWHERE
from transfer.experiments.images import images
from transfer.fine_tuning import copy_layers
from transfer.report import mean_interval, outcomes, paired_difference

figures.use_lesson_style()
_ = nn.training.enable_compilation_cache()  # what was compiled once is not compiled again

# %% [markdown]
# ## Two kinds of digits
#
# The **source** is MNIST: 4,000 pictures to learn from. The **target** are the digits of lesson 03, written by other people,
# scanned at 8×8 pixels: ten of each class to learn from. Both are brought to 16×16. The question is the same for both, *which
# digit is this?*, but the pictures come from elsewhere: another **domain**.

# %%
seed = 0
source_x, source_y = images("mnist_5k", "train")
x, y = how_much_moves.target(seed, shots=10)
test_x, test_y = images("digits", "test")
source_test_x, source_test_y = images("mnist_5k", "test")

for pictures, labels, name in ((source_x, source_y, "MNIST, the source"), (x, y, "the digits, the target")):
    chosen = [np.flatnonzero(labels == digit)[i] for i in range(2) for digit in range(10)]
    figures.show_images(pictures[chosen].reshape(-1, 16, 16))
    plt.suptitle(name, fontsize=10)
    plt.show()

pretrained = how_much_moves.pretrained(seed)  # hidden layers of 256, 256 and 128 units, 1,000 steps on MNIST
before = evaluate(pretrained, source_test_x, source_test_y), evaluate(pretrained, test_x, test_y)
print(f"trained on MNIST: right on new pictures of MNIST {before[0]:.1%}, on the digits {before[1]:.1%}")

# %% [markdown]
# It reads its own domain well, and the other one much worse, although the ten classes are the same. From here on the network
# gets a fresh head for the digits, as it would if the classes were others (lesson 12), so that every way below starts alike.
#
# ## Look before you train: what will move?
#
# `freeze` (lesson 12) says which part of a network may move. `parameter_summary` shows what that comes to, *before* anything is
# trained: each parameter, whether it trains, and how many numbers the optimizer has to remember. (Adam keeps two for each
# number that it trains, lesson 04.) A pattern that froze too much or too little is seen here in a second, and in a loss curve
# never.

# %%
model = replace_head(pretrained, 10, rngs=nnx.Rngs(1000))
everything = parameter_summary(model, optimizer=optax.adam(1e-3))
head_only = parameter_summary(model, freeze(model, "hidden"), optimizer=optax.adam(1e-3))
print(head_only)
_ = freeze(model, ())  # frees everything again; the filter that it returns is not needed

# %% [markdown]
# ## Two ways in which the frozen moves
#
# In the network above only parameters can move. Many networks have more: **batch normalization** (lesson 04) keeps running
# averages, and moves them in every forward pass in training, whatever the optimizer does. **Dropout** silences other units each
# time. So "leave these parameters out of the optimizer" is not "freeze these layers". Here is a network that has both. We train
# its head alone, in two ways: once by selecting the head's parameters, once by `freeze`. Then we ask how far the *features* of
# the same ten pictures have moved.


# %%
def restless():
    config = MLPConfig(in_features=256, hidden=(64, 32), out_features=10, normalization="batch", dropout=0.2)
    return MLP(config, rngs=nnx.Rngs(0))


def moved_features(choose):
    """The largest change in ten pictures' features after the head alone was trained."""
    model = restless()
    old = extract_features(model, x[:10])
    fine_tune(model, x, y, steps=50, seed=0, learning_rate=1e-2, wrt=choose(model))
    return abs(extract_features(model, x[:10]) - old).max()


by_filter = moved_features(lambda model: trainable_filter(model, include="head"))
by_freezing = moved_features(lambda model: freeze(model, ("hidden", "norms", "dropouts")))
size = abs(extract_features(restless(), x[:10])).max()
print(f"largest change of a feature: the head selected {by_filter:.2f}, all else frozen {by_freezing:.2f}")
print(f"(the largest feature is {size:.2f})")

# %% [markdown]
# Selecting the head left every parameter of the body as it was, to the last bit, and its *features* moved all the same: the
# running averages had gone to the new pictures. `freeze` also holds those layers in evaluation mode, and keeps them there
# through a later `model.train()`.
#
# ## How far does each layer go?
#
# Now train everything on the hundred pictures, and measure how far each layer's weights have gone: the length of the change,
# relative to the length of the weights.


# %%
def kernels(model):
    return [np.asarray(layer.kernel[...]) for layer in (*model.hidden, model.head)]


def named_weights(model):
    return {".".join(map(str, path)): np.array(value[...]) for path, value in nnx.to_flat_state(nnx.state(model, nnx.Param))}


def distances(method):
    """How far each layer has gone from where it began; of the head, from its random start."""
    start = replace_head(pretrained, 10, rngs=how_much_moves.rngs(seed, how_much_moves.HEAD))
    pairs = zip(kernels(how_much_moves.trained(seed, 10, method)), kernels(start), strict=True)
    return [float(np.linalg.norm(new - old) / np.linalg.norm(old)) for new, old in pairs]


layers = ["hidden.0", "hidden.1", "hidden.2", "head"]
ways = ["fine-tune", "fine-tune, gently", "probe, then fine-tune", "L2-SP", "linear probe"]
gone = {way: distances(way) for way in ways}
figure, axis = plt.subplots(figsize=(7, 3))
for i, way in enumerate(ways):
    axis.bar(np.arange(4) + 0.17 * (i - 2), gone[way], width=0.17, label=way)
axis.set_xticks(range(4), layers)
axis.set(ylabel="change / size", title="How far the weights of each layer have gone")
axis.grid(visible=False, axis="x")
axis.legend(fontsize="small")
plt.show()
for way in ways:
    print(f"{way:24s}", *(f"{distance:6.3f}" for distance in gone[way]))
rates = {name: how_much_moves.CONFIGURATION[name] for name in ("learning_rate", "probe_learning_rate", "second_learning_rate")}
print(f"{how_much_moves.CONFIGURATION['steps']} steps each, the probe before LP-FT as many again; rates: {rates}")

# %% [markdown]
# The ways, and what each does to the layers below the head:
#
# - **Fine-tune** moves all of them. Its first steps are taken with a head that is still random, so the gradient that reaches
#   the features is random, too: it bends them to suit a head that is about to change.
# - **Probe, then fine-tune** (LP-FT) trains the head alone first, then everything with a smaller learning rate. When the
#   features begin to move, the head already fits, and little is left to bend (Kumar et al. 2022).
# - **L2-SP** adds to the loss how far each weight is from where it *started* (Li et al. 2018): α/2 · |w − w₀|². Ordinary weight
#   decay (lesson 04) pulls to 0 instead, away from what was pretrained.
#   In code: `fine_tune(model, x, y, ..., optimizer=optax.chain(l2_sp(0.02), cosine_adam(1e-3, 300)))`; the head is left alone.
# - The **linear probe** moves nothing but the head.
# - **Fine-tune, gently** is a control: all at once, at the small rate that LP-FT uses in its second part. It shows how much of
#   LP-FT's short way is due to the rate alone: a part, not all.
#
# ## A change of low rank
#
# Look at *what* fine-tuning changed in one layer. The change is a matrix as large as the layer's kernel. Any matrix is a sum of
# simple ones, a column times a row each, ordered by size: the **singular values** say how large each is. If the first few are
# much larger than the rest, the matrix is nearly one of **low rank**: a few columns and a few rows say it all.

# %%
fine_tuned = how_much_moves.trained(seed, 10, "fine-tune")
change = kernels(fine_tuned)[1] - kernels(pretrained)[1]
values = np.linalg.svd(change, compute_uv=False)
kernel_values = np.linalg.svd(kernels(pretrained)[1], compute_uv=False)
learned = kernels(pretrained)[1] - kernels(how_much_moves.untrained(seed))[1]
shares = {
    "what fine-tuning changed": values,
    "what pretraining changed": np.linalg.svd(learned, compute_uv=False),
    "the pretrained kernel": kernel_values,
}
curves = {name: (np.arange(1, 65), 100 * (np.cumsum(v**2) / (v**2).sum())[:64]) for name, v in shares.items()}
axis = figures.plot_curves(curves, xlabel="how many of the 256 directions", ylabel="share of all squares (%)")
axis.set_title("A change of a few directions (hidden.1)")
axis.set_ylim(0, 102)
plt.show()
first_four, first_ten = ({name: curve[1][count - 1] for name, curve in curves.items()} for count in (4, 10))
for name in curves:
    print(f"{name:26s}the first four hold {first_four[name]:.0f}%, the first ten {first_ten[name]:.0f}%")

# %% [markdown]
# What training changed, with a hundred pictures or before with 4,000, lies mostly in about ten directions, as many as there
# are classes. (The kernel itself is spread wide: its random start is in it.) So perhaps we need not learn a whole matrix of
# changes. Let us learn a thin one of 256 × 4, A, and one of 4 × 256, B: less than fine-tuning changed, for four directions
# hold half of that. We let the layer compute
#
# $$x W + b + \tfrac{\alpha}{r}\, x A B,$$
#
# with W and b as they were pretrained. This is **LoRA**, low-rank adaptation (Hu et al. 2022); r = 4 is its **rank**, and α,
# a number of your choice (not that of L2-SP), says how much the product counts. B begins at 0, so that at first nothing is
# changed at all. Such a small trainable piece beside a layer that stays is called an **adapter**.

# %%
weights, bias = pretrained.hidden[1].kernel[...], pretrained.hidden[1].bias[...]
a = nn.layers.lecun_normal()(jax.random.key(0), (256, 4))
b = jnp.zeros((4, 256))
inputs = jax.nn.relu(jnp.asarray(x) @ pretrained.hidden[0].kernel[...] + pretrained.hidden[0].bias[...])


def adapted(inputs, a, b, alpha=4.0):
    return inputs @ weights + bias + alpha / 4 * (inputs @ a) @ b


at_first = float(abs(adapted(inputs, a, b) - (inputs @ weights + bias)).max())
print(f"{a.size + b.size:,} numbers to train in place of {weights.size:,}; the outputs differ at first by {at_first}")

# %% [markdown]
# `apply_lora` does that to every linear layer that a pattern names, and returns the filter of what it added. Keep to that
# filter. LoRA's two matrices are parameters like all others, and so is W: a training loop that is told "train the parameters"
# trains all of them. The layers that `apply_lora` makes let no *gradient* through to W, but weight decay needs none.


# %%
def base_moved(use_filter):
    """How far the pretrained weights go under AdamW, which shrinks whatever it is given."""
    model = replace_head(pretrained, 10, rngs=nnx.Rngs(1000))
    added = apply_lora(model, "hidden", rank=4, rngs=nnx.Rngs(1))
    wrt = nnx.Any(added, trainable_filter(model, include="head")) if use_filter else nnx.Param
    fine_tune(model, x, y, steps=50, seed=0, optimizer=decaying, wrt=wrt)
    return float(abs(model.hidden[1].kernel[...] - weights).max())


decaying = optax.adamw(3e-3, weight_decay=0.1)
leaks = {name: base_moved(name == "the filter") for name in ("the filter", "every parameter")}
for name, moved in leaks.items():
    print(f"trained {name:16s} the pretrained kernel moved by {moved:.4f}")

with_lora = how_much_moves.trained(seed, 10, "LoRA")
lora_summary = parameter_summary(with_lora, trainable_filter(with_lora, include=("*.lora_a", "*.lora_b", "head")))
apart = with_lora(jnp.asarray(x))
merge_lora(with_lora)
merged_gap = float(abs(with_lora(jnp.asarray(x)) - apart).max())
unmerge_lora(with_lora)
unmerged_gap = float(abs(with_lora(jnp.asarray(x)) - apart).max())
print(f"LoRA and a head: {lora_summary.trainable:,} of {everything.trainable:,} numbers train")
print(f"scores change by {merged_gap:.6f} when A B is merged into W, and by {unmerged_gap} when it is taken out again")

# %% [markdown]
# `merge_lora` puts the product into the kernel when training is over: the layer then costs what it cost before. One large
# network can serve many tasks, each with two thin matrices of its own.
#
# ## So, how much should move?
#
# Five seeds, each with its own pretrained network and its own hundred pictures; all ways get the same. The rates and α were
# fixed beforehand. One more control stands beside them, "fine-tune, shuffled". It is fine-tuned, too, but from a network that
# has learned MNIST's pictures with their labels *shuffled*, dealt out at random: as many pictures and steps, and nothing in the
# labels to learn about digits. First the test that one would do: new pictures of the *target*.

# %%
here, elsewhere = run(FINE_TUNING), run(FINE_TUNING_ELSEWHERE)


def gains(results):
    rows = {row.method.name: row for row in outcomes(results)}
    differences = {name: row.comparison for name, row in rows.items() if row.comparison is not None}
    return {name: (100 * c.mean, 100 * c.low, 100 * c.high) for name, c in differences.items()}, rows


def show(gain, rows):
    for name, row in rows.items():
        difference = "{:+.1f} [{:.1f}, {:.1f}]".format(*gain[name]) if name in gain else "what the others are compared with"
        print(f"{name:24s}{100 * row.accuracy.mean:5.1f}%   {difference}")


gain_here, rows_here = gains(here)
figures.plot_intervals(
    gain_here, reference=0, xlabel="points over training from scratch", title="On new pictures of the target"
)
plt.show()
show(gain_here, rows_here)

# %% [markdown]
# Grey intervals hold 0. With a hundred pictures of its own the target hardly needs the source: whatever we do with
# it, the differences are within a point or two, and mostly grey, even where the source's labels were shuffled. (A head on
# random features is worse.) If this were all, you would fine-tune and be done.
#
# Now take *the same networks*, and show them MNIST again. Since they were pretrained no label has told them anything about
# MNIST (the network from scratch and random features have never seen it). A network in use meets that: its last training was
# on the newest pictures, and then old ones come back. (Here the differences are to *fine-tuning*.)

# %%
gain_elsewhere, rows_elsewhere = gains(elsewhere)
figures.plot_intervals(gain_elsewhere, reference=0, xlabel="points over fine-tuning", title="On pictures of the source")
plt.show()
show(gain_elsewhere, rows_elsewhere)

# %% [markdown]
# Here the ways that hold on to what was pretrained all keep more than fine-tuning does: the linear probe, which gained
# nothing on the target, LP-FT, L2-SP and LoRA. **What moves less keeps more.** (How they rank among each other, five seeds do
# not say.) Is it only the smaller rate? No: fine-tuning at LP-FT's rate, a control, keeps hardly more than fine-tuning. (All of
# them read MNIST worse than the pretrained network did: their heads are new, and have learned from a hundred pictures of
# other digits.)
#
# And the other two controls. A probe on random features is the worst of all: to leave a network alone is worth something only
# if it has learned something. Fine-tuned from shuffled labels, a network reads MNIST no better than one from scratch, though it
# had seen all 4,000 pictures. So it is not the pictures alone: what is kept is what their *labels* taught.
#
# So "which way is best?" has no answer before you say *on which pictures*. On pictures like the hundred, these five seeds do
# not decide. If the old pictures may come back, hold on to what was pretrained: here it cost little.
#
# ## Which layers are worth keeping?
#
# So far a layer either moved or stayed. But *which* layers could stay? Yosinski et al. (2014) asked it for photographs; here it
# is for printed characters (lesson 12). Deal 136 of them into two halves of 68, A and B, and train a network on each. Now take
# a new network, copy into it the first n of A's four hidden layers, freeze them, and train the rest on B. If a layer has
# learned something about characters in general, freezing it costs B nothing. If it has learned something about A, it costs.
#
# `copy_layers(source, target, "hidden.0")` is a copy of the target that has the source's layer. By hand, for n = 2:

# %%
network_of_a, fresh = layer_curve.base(seed, layer_curve.A), layer_curve.untrained(seed, layer_curve.FRESH)
two_of_a = copy_layers(network_of_a, fresh, ("hidden.0", "hidden.1"))
same = [np.array_equal(two_of_a.hidden[n].kernel[...], network_of_a.hidden[n].kernel[...]) for n in range(4)]
print("layers that are A's:", [f"hidden.{layer}" for layer, is_theirs in enumerate(same) if is_theirs])
print(parameter_summary(two_of_a, freeze(two_of_a, ("hidden.0", "hidden.1")), optimizer=optax.adam(2e-3)))

# %% [markdown]
# Five seeds, each with its own halves. Two controls stand beside A's layers, frozen, too: as many *random* ones, and as many of
# *B's own*, from a network that was trained on B. After the copying all networks get as much training on B as the one that has
# nothing copied.

# %%
frozen_arms = ("A frozen", "B frozen", "random frozen")
curve = run(LAYER_CURVE, methods=frozen_arms)
of_layers = {(row.method.name, row.setting): row for row in outcomes(curve)}
counts, on_b = curve.settings, 100 * of_layers["B", 1].accuracy.mean
lines, costs = {}, {}
for name in frozen_arms:
    reached = [of_layers[name, n].accuracy for n in counts]
    costs[name] = [of_layers[name, n].comparison for n in counts]
    lines[name] = (counts, [100 * a.mean for a in reached], [100 * a.low for a in reached], [100 * a.high for a in reached])
costs["A − B, both frozen"] = [
    paired_difference(curve.accuracies("A frozen", n), curve.accuracies("B frozen", n)) for n in counts
]
axis = figures.plot_curves(lines, xlabel="n, hidden layers copied and frozen", ylabel="right on new pictures of B (%)")
axis.axhline(on_b, color="0.4", linewidth=1, linestyle="--")
axis.text(1, on_b + 1, "nothing copied", color="0.4", fontsize="small")
axis.set(ylim=(0, on_b + 8), xticks=counts, title="Mean of five seeds, and its 95% interval")
plt.show()


def points(difference):
    return f"{100 * difference.mean:+.1f} [{100 * difference.low:.1f}, {100 * difference.high:.1f}]"


print(f"trained on B alone, nothing copied: {on_b:.1f}%. With the first n layers copied and frozen, points over that:")
print(" " * 20, *(f"{f'n = {n}':>21s}" for n in counts))
for name, differences in costs.items():
    print(f"{name:20s}", *(f"{points(difference):>21s}" for difference in differences))

# %% [markdown]
# The dashed line is the network that learned B alone. Every layer of A costs something, the first a few points already. From
# one layer to three the price changes little; all four cost clearly more. About half of that last price B's own layers pay,
# too: it is the price of taking a network apart, and letting what is left fit what stays. The last row is without it: what is
# lost because the characters were others. Random layers cost far more at every n: what A has learned is worth much, even where
# it does not quite fit. (The bands hold what seeds differ by; the printed differences are paired, and do not.)
#
# And if A's layers may *move* on? Then they start B off. Two controls again. Is it what A's labels taught? Copy layers of a
# network that saw A's pictures with their labels shuffled. And training longer on B might be worth as much: compare with B's
# own four layers, copied and trained on in the same way.

# %%
moving_arms = ("A moving", "A shuffled moving", "B moving")
moving = run(LAYER_CURVE, shots=(4,), methods=moving_arms)  # `shots` are layers copied, in this experiment
a_moving, a_shuffled, b_moving = (moving.accuracies(name, 4) for name in moving_arms)
b_alone = moving.accuracies("B", 4)
extra = {
    "A's layers − B alone": paired_difference(a_moving, b_alone),
    "A's, shuffled − B alone": paired_difference(a_shuffled, b_alone),
    "A's layers − A's, shuffled": paired_difference(a_moving, a_shuffled),
    "B's own layers − B alone": paired_difference(b_moving, b_alone),
    "A's layers − B's own": paired_difference(a_moving, b_moving),
}
print("All four layers copied, and everything moves. Difference in points:")
for name, difference in extra.items():
    print(f"{name:30s}{points(difference)}")

# %% [markdown]
# Allowed to move, A's layers no longer cost anything: they help, with as many steps on B as B alone had. And it is what A's
# labels taught them: without that, layers that have seen the same pictures as often do not help. So this is transfer. B's own
# layers help more: they have had twice the training on B, and that is worth more here than what A knows. So do not ask only
# "is it better than nothing copied?", but also "is it better than training longer on what I have?" (Yosinski et al. found that
# A's layers helped more than B's own; they had more than a million photographs.)
#
# How much of this picture is due to short training? These networks are small and see few examples, so what they copy is not
# finished either. `python -m transfer --experiment layer_curve_longer` takes networks twice as wide and ten times as many
# examples, and some five minutes: too long for a lesson. There A's first layer costs nothing that shows, and the layers cost
# more and more from the second to the fourth.
#
# ## One layer at a time
#
# Between "all at once" and "the head alone" there is also a way in time: first the head, then one more layer every few steps
# (Howard and Ruder 2018). `gradual_unfreezing` is an optimizer that does that: what a layer's Adam remembers begins when the
# layer begins, and what those before it remember is carried on.

# %%
starts = {"head": 0, "hidden.2": 30, "hidden.1": 60, "hidden.0": 90}
checks, journey = (15, 45, 75, 105), {layer: [] for layer in starts}
for steps in checks:
    model = replace_head(pretrained, 10, rngs=nnx.Rngs(1000))
    start = kernels(model)
    fine_tune(model, x, y, steps=steps, seed=0, optimizer=gradual_unfreezing(model, optax.adam(1e-3), starts))
    for layer, new, old in zip(layers, kernels(model), start, strict=True):
        journey[layer].append(float(abs(new - old).max()))
print("largest change after", *(f"{steps:8d}" for steps in checks), "steps")
for layer, changes in journey.items():
    print(f"{layer:20s}", *(f"{change:8.4f}" for change in changes))

# %% [markdown]
# ## A small network that learns from a large one
#
# The fine-tuned network may be too large for where it is to run. **Distillation** (Hinton et al. 2015) trains a small one, the
# student, to say what the large one, the teacher, says: not only which class, but the chances of all ten. And it needs no
# labels: there are 900 more digits whose labels we do not look at; the teacher says what they are, rightly or wrongly.
#
# Three students, each with 16 hidden units. One learns from the hundred labels; one from what the teacher says of the same
# hundred digits; one from what the teacher says of the 900 others. The chances are compared at a **temperature** of 2: scores
# are halved before the softmax, on both sides, which makes small chances larger, and so easier to learn from.

# %%
all_digits, _ = images("digits", "train")


def student(seed):
    return MLP(MLPConfig(in_features=256, hidden=(16,), out_features=10), rngs=nnx.Rngs(seed))


def students(seed):
    """Test accuracy of the three students, and of their teacher."""
    teacher = how_much_moves.trained(seed, 10, "probe, then fine-tune")
    labelled_x, labelled_y = how_much_moves.target(seed, 10)
    known = {row.tobytes() for row in labelled_x}
    others = np.stack([row for row in all_digits if row.tobytes() not in known])
    taught = [student(seed) for _ in range(3)]
    fine_tune(taught[0], labelled_x, labelled_y, steps=600, seed=seed, learning_rate=3e-3)
    for model, pictures in zip(taught[1:], (labelled_x, others), strict=True):
        data = nn.data.Dataset.from_arrays({"image": pictures, "teacher_logits": predict(teacher, pictures)})
        fit(model, data.batches(64, seed=seed), optimizer=cosine_adam(3e-3, 600), steps=600, loss=Distillation(weight=1.0))
    return [evaluate(model, test_x, test_y) for model in (*taught, teacher)]


taught = 100 * np.array([students(seed) for seed in range(5)])
sizes = [parameter_summary(model).trainable for model in (pretrained, student(0))]
print(f"weights: teacher {sizes[0]:,}, student {sizes[1]:,}")
lessons_of = ("a hundred labels", "the teacher, same hundred", "the teacher, 900 others", "the teacher itself")
taught_gains = {}
for i, name in enumerate(lessons_of):
    gain = taught_gains[name] = mean_interval(taught[:, i] - taught[:, 0])
    difference = f"{gain.mean:+.1f} [{gain.low:.1f}, {gain.high:.1f}] over a hundred labels" if i else ""
    print(f"{name:28s}{taught[:, i].mean():.1f}%  {difference}")

# %% [markdown]
# The last student has never seen a label, and comes near its teacher. Whether the teacher's chances say more than labels do,
# the second row asks: same pictures, chances in place of labels. The rest of the gain is the 900 pictures, which only a
# teacher can put to use.
#
# ## A checkpoint that does not fit
#
# One more accident, and the most expensive, for it makes no noise: weights that arrive under other names. What is not found
# stays random, training starts, and the result is a little disappointing. `load_pretrained` refuses, and lists everything
# that does not fit. Told the right names, it loads; asked for a report, it loads what fits and gives you the list. Here
# somebody called the hidden layers `layers`:

# %%
weights_by_name = {name.replace("hidden", "layers"): array for name, array in named_weights(pretrained).items()}
other = how_much_moves.untrained(1)
try:
    load_pretrained(other, weights_by_name)
except ValueError as error:
    refusal = str(error)
print(refusal, "\n")
report = load_pretrained(other, weights_by_name, rename={"layers": "hidden"})
print(f"with the names put right: {len(report.loaded)} loaded, {len(report.missing)} missing")

# %% [markdown]
# ## What we claimed, checked

# %%
assert before[0] > 0.9 and before[1] < before[0] - 0.15, "the pretrained network reads its own domain, and the other one worse"
assert head_only.trainable == 128 * 10 + 10 and head_only.optimizer_numbers == 2 * head_only.trainable, "the head alone trains"
assert by_filter > 0.1 and by_freezing == 0, "a filter holds the parameters, freezing holds the features"
assert gone["linear probe"][:3] == [0, 0, 0], "the probe moves the head alone"
for way in ("probe, then fine-tune", "L2-SP"):
    assert all(less < more for less, more in zip(gone[way][:3], gone["fine-tune"][:3], strict=True)), f"{way} moves less"
for changed in ("what fine-tuning changed", "what pretraining changed"):
    assert first_ten[changed] > 60 > 3 * first_ten["the pretrained kernel"], f"{changed} lies in few directions"
assert at_first == 0 and leaks["the filter"] == 0 < leaks["every parameter"], "LoRA's base stays, under its own filter"
assert merged_gap < 1e-3 and unmerged_gap == 0, "merged is the same to rounding, unmerged exactly"
assert lora_summary.trainable < 0.1 * everything.trainable
assert max(abs(mean) for name, (mean, _, _) in gain_here.items() if name != "random features") < 4, "little to choose, here"
for way in ("linear probe", "probe, then fine-tune", "L2-SP", "LoRA"):
    assert gain_elsewhere[way][1] > 0, f"{way} keeps more than fine-tuning"
assert gain_elsewhere["fine-tune, gently"][0] < gain_elsewhere["probe, then fine-tune"][1], "a smaller rate alone does not"
assert gain_elsewhere["random features"][2] < 0 and gain_elsewhere["scratch"][2] < 0, "it is what was pretrained that is kept"
assert gain_elsewhere["fine-tune, shuffled"][2] < 0, "and what the labels taught"
from_shuffled, from_scratch = (rows_elsewhere[name].accuracy.mean for name in ("fine-tune, shuffled", "scratch"))
assert from_shuffled < from_scratch + 0.03, "without them the pictures are no better than nothing"
assert same == [True, True, False, False]
first, *_, last = costs["A frozen"]
assert last.high < 0 and last.mean < first.mean - 0.04, "the last layers cost, and more than the first"
for learned, random in zip(costs["A frozen"], costs["random frozen"], strict=True):
    assert random.high < learned.low, "as many random layers cost more"
assert first.high < 0 and costs["A frozen"][2].mean > first.mean - 0.08 > last.mean, "little between one layer and three"
assert 0.25 < costs["B frozen"][-1].mean / last.mean < 0.75 and costs["A − B, both frozen"][-1].high < 0, "half the last price"
assert extra["A's layers − B alone"].low > 0 and extra["A's layers − A's, shuffled"].low > 0, "what A's labels taught helps"
assert extra["A's, shuffled − B alone"].mean < 0.01, "without it nothing is gained"
assert extra["B's own layers − B alone"].low > 0, "and so does longer training on B"
assert extra["A's layers − B's own"].mean < 0, "more"
for layer, changes in journey.items():
    for change, steps in zip(changes, checks, strict=True):
        assert (change > 0) == (steps > starts[layer]), f"{layer} joins at its own step"
assert taught_gains["the teacher, 900 others"].low > 0 and sizes[1] < sizes[0] / 30, (
    "a teacher and pictures are worth something"
)
assert "missing: hidden.0.kernel" in refusal and "unexpected: layers.0.kernel" in refusal and report.complete

# %% [markdown]
# ## Try
#
# 1. Give fine-tuning a smaller learning rate, or fewer steps: `how_much_moves.CONFIGURATION`. Does it keep more of MNIST?
#    What does it pay for that on the digits? (Choose on held-out training pictures, not on the test pictures.)
# 2. LoRA of rank 1, 4, 16 and 64: how much does each reach here and elsewhere? At which rank is it fine-tuning again?
# 3. `layerwise_lr_decay` gives each layer its own learning rate, smaller further down. Put it in
#    place of L2-SP in the experiment. Where does it come to lie?
# 4. And if B alone is trained twice as long in one go, nothing copied? Give `layer_curve.CONFIGURATION["steps"]` 600 for the
#    network from scratch (`layer_curve.trained(layer_curve.untrained(seed, layer_curve.B), seed, layer_curve.B)`). Does it
#    reach more than B's own layers, copied and trained on? Which of the two starts again from a new head, and a high rate?
#
# **Exercise:** write `matches`, `trains`, `what_moved`, `lora`, `l2_sp` and `distillation_loss` yourself. In the folder of
# the course, `python -m exercises next` says where to begin, and `python -m pytest exercises/13_fine_tuning` tests what you
# have written.
