# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Pretraining: what is worth knowing before you start?
#
# You are shown one picture each of twenty letters that you have never seen, and asked to tell new pictures of them apart.
# You would do well, because you have seen *other* letters. Can a network do the same: learn on letters for which there are
# many pictures, and use that on letters for which there are hardly any?
#
# By the end you will have pretrained a network, reused it in three ways, and know which of your numbers to believe.
#
# Needed: lesson 03 (layers, loss, `fit`, intervals). Time: under a minute and a half to run on two cores.

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

import matplotlib.pyplot as plt
import numpy as np
from flax import nnx

import nn
from lessons import figures
from transfer import extract_features, fine_tune, freeze, linear_probe, prototype_accuracy, replace_head, shift_labels
from transfer.experiments import FEW_LABELS, few_labels, run
from transfer.experiments.images import images
from transfer.report import outcomes

figures.use_lesson_style()
nn.training.enable_compilation_cache()

# %% [markdown]
# ## The data: 137 characters
#
# Latin, Greek and Cyrillic letters, digits and signs, each drawn in twelve typefaces, then turned, slanted and stretched at
# random: 80 pictures of each to learn from, 40 to test on. We put 117 of them, chosen at random, on one side: the
# **source**. There we have all 80 pictures of each. The other 20 are the **target**: new classes, with one picture of each
# to learn from.

# %%
seed = 0
seen, new = few_labels.split_classes(seed)
x, y, test_x, test_y = few_labels.target(seed, shots=1)
source_x, source_y = images("glyphs", "train")

names = nn.data.load("glyphs", "train").info.features["label"].names
examples = [np.flatnonzero(source_y == c)[0] for c in seen[:30]]
figures.show_images(source_x[examples].reshape(-1, 16, 16), columns=15)
plt.suptitle("30 of the 117 source characters", fontsize=10)
plt.show()
figures.show_images(x.reshape(-1, 16, 16), columns=10)
plt.suptitle("The target: all that we get to learn 20 new characters from", fontsize=10)
plt.show()
print(f"source: {np.isin(source_y, seen).sum():,} labelled pictures; target: {len(x)} to learn from, {len(test_x)} to test on")

# %% [markdown]
# ## From scratch
#
# First without any help. A network of three hidden layers, trained on the 20 pictures alone. Guessing would be right for 1
# in 20.

# %%
untrained = few_labels.untrained(seed, classes=117)  # the network as it begins; its head is for the 117 source characters


def new_head(model):
    """A copy of the model with a fresh last layer for 20 classes, the same fresh layer for every model."""
    return replace_head(model, 20, rngs=nnx.Rngs(1000 + seed))


from_scratch = new_head(untrained)
fine_tune(from_scratch, x, y, steps=300, seed=seed)
scratch_accuracy = nn.training.evaluate(from_scratch, test_x, test_y)
print(f"right on its own 20 pictures: {nn.training.evaluate(from_scratch, x, y):.0%}; on new ones: {scratch_accuracy:.0%}")

# %% [markdown]
# It has learned its twenty pictures by heart and little about letters. With so few examples nothing tells it that a letter
# stays the same when it is slanted: that slant is in *no* picture it has seen twice.
#
# ## Pretraining
#
# Now teach the network the 117 source characters. That is **pretraining**: training for a task that we do not care about,
# to have a better start on the one that we do.

# %%
began = time.perf_counter()
pretrained = few_labels.pretrained(seed)
print(f"pretraining took {time.perf_counter() - began:.0f} s, and {np.isin(source_y, seen).sum():,} labels of other characters")

# %% [markdown]
# What has it learned that could be of use? The network is a chain, *pixels → hidden layers → scores*. The last hidden
# layer, before the scores, is called its **features**: 128 numbers for a picture. The scores are weighted sums of those, so
# training has had to arrange the features such that pictures of one character are alike and those of different characters
# are not.
#
# Does that hold for characters it has never seen? Take pairs of test pictures of the *new* characters, and ask how alike
# they are: the **cosine** of the angle between their features, 1 for the same direction, 0 for nothing in common.


# %%
def alikeness(features, labels):
    """Cosines of all pairs of different pictures: those of one class, those of two."""
    directions = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = directions @ directions.T
    same = labels[:, None] == labels[None]
    return cosines[same & ~np.eye(len(labels), dtype=bool)], cosines[~same]


pixels_alike = alikeness(test_x, test_y)
features_alike = alikeness(extract_features(pretrained, test_x), test_y)
figure, axes = plt.subplots(1, 2, figsize=(8.4, 2.8), sharey=True)
for axis, (same, different), title in zip(axes, (pixels_alike, features_alike), ("pixels", "pretrained features"), strict=True):
    axis.hist(same, bins=40, range=(0, 1), density=True, alpha=0.6, label="two pictures of one new character")
    axis.hist(different, bins=40, range=(0, 1), density=True, alpha=0.6, label="of two new characters")
    axis.set(xlabel="cosine", yticks=[], title=title)
axes[0].legend(loc="upper left", fontsize="small")
plt.show()


def overlap(same, different):
    """How often a pair of different characters looks more alike than a pair of the same: 50% if it tells nothing."""
    random = np.random.default_rng(0)
    return float((random.choice(different, 50_000) > random.choice(same, 50_000)).mean())


pixels_overlap, features_overlap = overlap(*pixels_alike), overlap(*features_alike)
print(f"a wrong pair looks more alike than a right one: pixels {pixels_overlap:.0%}, features {features_overlap:.0%}")

# %% [markdown]
# The two heaps are further apart in features than in pixels, for characters that the network was never shown. *That* is
# what transfers.
#
# ## Three ways to use it
#
# 1. **Fine-tune**: give the network a fresh last layer (its **head**: the old one scores 117 characters, now we need 20), and
#    train all of it on the new pictures.
# 2. **Linear probe**: train the head alone. The features are **frozen**: they do not move.
# 3. **Prototypes**: train nothing. Average the features of each class's pictures; that mean is the class's prototype. A new
#    picture belongs to the nearest (Snell et al. 2017).

# %%
fine_tuned = new_head(pretrained)
fine_tune(fine_tuned, x, y, steps=300, seed=seed)

probed = new_head(pretrained)
linear_probe(probed, x, y, steps=300, seed=seed)

features, test_features = extract_features(pretrained, x), extract_features(pretrained, test_x)
print(f"from scratch  {scratch_accuracy:.0%}")
print(f"fine-tuned    {nn.training.evaluate(fine_tuned, test_x, test_y):.0%}")
print(f"linear probe  {nn.training.evaluate(probed, test_x, test_y):.0%}")
print(f"prototypes    {prototype_accuracy(features, y, test_features, test_y, classes=20):.0%}")

# %% [markdown]
# The less we train, the better it gets! With one picture a class, training has nothing to go by, and whatever it changes in
# the features it can only spoil.
#
# ## Is it frozen?
#
# "They do not move" is a claim, so check it, to the last bit. `freeze` returns a filter that says which parameters are left
# to train; `fit` takes it as `wrt` (with respect to what the gradient is taken). `linear_probe` is a shortcut for this: it
# computes the features once.


# %%
def parameters(model):
    """Name → numbers, for every parameter."""
    return {".".join(map(str, path)): np.array(value[...]) for path, value in nnx.to_flat_state(nnx.state(model, nnx.Param))}


frozen = new_head(pretrained)
before = parameters(frozen)
fine_tune(frozen, x, y, steps=300, seed=seed, wrt=freeze(frozen, "hidden"))

moved = {name: not np.array_equal(before[name], after) for name, after in parameters(frozen).items()}
for name, has_moved in moved.items():
    print(f"{name:16s} {'moved' if has_moved else 'bit for bit as before'}")

# %% [markdown]
# ## Which of these numbers can you believe?
#
# All of the above is *one* run: one choice of 20 characters, one picture of each, one random start. Another seed gives
# other numbers, by ten points and more. Three things make an answer:
#
# - **Seeds, paired.** Run everything five times, from five seeds. Under each seed all methods get the same characters, pictures
#   and random start. So look at the *difference* to training from scratch under each seed: what was hard about that seed is
#   hard for both, and drops out.
# - **An interval** around the mean difference (lesson 03). If it holds 0, the answer is *inconclusive*, however nice the mean
#   looks.
# - **Controls.** Is it what the network *learned* that helps, or only how we use it? Do the same with a network that has
#   learned nothing: a linear probe on **random features**. And is the network needed at all? Take prototypes of the **raw
#   pixels**.
#
# This is the experiment `few_labels`, which `python -m transfer` runs too. The lesson runs five seeds.

# %%
results = run(FEW_LABELS, seeds=5, shots=(1, 5, 20))
rows = {(row.setting, row.method.name): row for row in outcomes(results)}

print("examples  method            accuracy   difference to scratch")
for (shots, name), row in rows.items():
    difference = row.comparison
    if difference is None:
        print(f"{shots:8d}  {name:16s}  {100 * row.accuracy.mean:5.1f} %")
    else:
        interval = f"{100 * difference.mean:+5.1f} points [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
        print(f"{shots:8d}  {name:16s}  {100 * row.accuracy.mean:5.1f} %   {interval}  {difference.verdict}")

# %%
shots = (1, 5, 20)
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.8))
curves = {
    name: (shots, [100 * rows[n, name].accuracy.mean for n in shots])
    for name in ("prototypes", "linear probe", "fine-tune", "scratch", "raw pixels", "random features")
}
figures.plot_curves(curves, axis=left, logx=True, xlabel="pictures of each new character", ylabel="right on new pictures (%)")
left.set_title("Five seeds, mean")
gains = {
    f"{name}, {n} each": tuple(100 * value for value in (comparison.mean, comparison.low, comparison.high))
    for n in shots
    for name in ("prototypes", "linear probe", "fine-tune", "random features")
    if (comparison := rows[n, name].comparison) is not None
}
figures.plot_intervals(gains, axis=right, reference=0, xlabel="difference to scratch (points)", title="Does it help?")
plt.show()

# %% [markdown]
# Read it from the controls up. Random features are no better than training from scratch: using frozen features is not the
# trick, *learned* features are. Raw pixels fall behind as examples come in. All three uses of pretraining help at every
# number of pictures. And the gain shrinks as pictures come in: with enough of your own data you need nobody else's. That is
# the rule with transfer, not the exception.
#
# ## It is not the labels' names
#
# A check that has caught many a bug. Rename the source classes: call character 0 "1", character 1 "2", and so on. Pictures
# that belong together still do, so the features must come out the same. The one place where a class has a number is the
# head, which has a column of weights for each. So if we rename the classes and move the columns of the head's random start
# along with them, training should take the very same path.


# %%
def features_after(steps, *, renamed):
    """Features of the new characters after some pretraining, with the source's classes under their own names or the next."""
    model, among_seen = few_labels.untrained(seed, classes=117), np.isin(source_y, seen)
    source_labels = few_labels.relabel(source_y[among_seen], seen)
    if renamed:
        source_labels = shift_labels(source_labels, 117)
        model.head.kernel[...] = np.roll(model.head.kernel[...], 1, axis=1)
    fine_tune(model, source_x[among_seen], source_labels, steps=steps, seed=seed)
    return extract_features(model, test_x)


own, renamed = (features_after(100, renamed=choice) for choice in (False, True))
apart = abs(own - renamed).max()
print(f"largest feature {own.max():.1f}, largest difference {apart:.6f}")

# %% [markdown]
# What is left is rounding: sums of 117 terms in another order. It also says what to take care of when you reuse a network:
# a fresh head has to be *fresh*. If it begins with the old head's random numbers, then its columns still fit the old
# classes in their old order, and the names do matter. So `replace_head` asks for random numbers of its own.
#
# ## What did it cost?
#
# Pretraining is not free: thousands of labelled pictures of other characters, and 1,500 steps where the target took 300.
# It pays when somebody has already done it, or when one pretraining serves many targets. And it can *hurt*, if the source
# teaches what is false of the target; the experiment `negative_transfer` plants such a case: `python -m transfer
# --experiment negative_transfer`.
#
# ## What we claimed, checked

# %%
assert scratch_accuracy < 0.6, "one picture a class is not enough from scratch"
assert features_overlap < pixels_overlap - 0.03, "features tell new characters apart better than pixels do"
assert [name for name, has_moved in moved.items() if has_moved] == ["head.bias", "head.kernel"], "the head moved, alone"
for n in shots:
    for name in ("prototypes", "linear probe", "fine-tune"):
        assert rows[n, name].comparison.low > 0, f"{name} helps with {n} pictures of each character"
    assert rows[n, "random features"].comparison.low < 0, "random features are no help"
first, last = (rows[n, "prototypes"].comparison for n in (1, 20))
assert first.low > last.high, "the gain of prototypes shrinks as pictures come in"
assert apart < 1e-3 * own.max(), "the names of the source's classes do not matter"

# %% [markdown]
# ## Try
#
# 1. Pretrain on 20 source characters instead of 117, or on 117 with only 10 pictures of each. Is it the number of characters or
#    the number of pictures that makes good features?
# 2. Use the features of an *earlier* layer for the prototypes: `nnx.clone` the model and shorten its list `hidden`. Which layer
#    serves new characters best?
# 3. Fine-tune with a tenth of the learning rate, or for 30 steps. Can you make it as good as the probe with one picture each?
#    How would you choose the number without looking at the test pictures?
#
# **Exercise:** `pytest exercises/03_feedforward` has the parts that every network here is made of; the exercises on
# transfer come with the lessons on it.
