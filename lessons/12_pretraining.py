# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Pretraining: what is worth knowing before you start?
#
# You are shown one picture each of twenty letters that you have never seen, then asked which letter each new picture shows.
# You would do well, because you have seen *other* letters. Can a network do the same: learn on letters for which there are
# many pictures, and use that on letters for which there are hardly any?
#
# By the end you will have pretrained a network, with labels and without, reused it in three ways, and know which of your
# numbers to believe.
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

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from flax import nnx

import nn
from lessons import figures
from transfer import extract_features, fine_tune, freeze, linear_probe, replace_head, shift_labels
from transfer.experiments import FEW_LABELS, few_labels, run, without_labels
from transfer.experiments.images import images
from transfer.experiments.without_labels import WITHOUT_LABELS
from transfer.pretraining import augment, mask_patches, nt_xent
from transfer.report import outcomes, paired_difference

figures.use_lesson_style()
_ = nn.training.enable_compilation_cache()  # what was compiled once is not compiled again

# %% [markdown]
# ## The data: 137 characters
#
# Latin, Greek and Cyrillic letters, digits and signs such as & and §, each drawn in twelve typefaces, then turned, slanted
# and stretched at random: 80 pictures of each to learn from, 40 to test on. We put 117 of these characters, chosen at random,
# on one side: the **source**. There we have all 80 pictures of each, with their labels. The other 20 characters are the
# **target**: new classes, with one picture of each to learn from. (Such a picture is called a **shot**: this is one-shot
# learning.)
#
# The 20 are not as new as those of a strange script would be: some have their small letter or their capital among the 117,
# and Я and я are drawn almost alike. That makes the task easier. The last line below counts them.

# %%
seed = 0
seen, new = few_labels.split_classes(seed)  # the numbers of the 117 characters and of the 20
x, y, test_x, test_y = few_labels.target(seed, shots=1)  # pictures of the 20 alone, with labels from 0 to 19
source_x, source_y = images("glyphs", "train")  # here still of all 137

names = nn.data.load("glyphs", "train").info.features["label"].names
examples = [np.flatnonzero(source_y == c)[0] for c in seen[:30]]
figures.show_images(source_x[examples].reshape(-1, 16, 16), columns=15)
plt.suptitle("30 of the 117 source characters", fontsize=10)
plt.show()
figures.show_images(x.reshape(-1, 16, 16), [names[character] for character in new], columns=10)
plt.suptitle("The target: all that we have to learn the 20 new characters from", fontsize=10)
plt.show()
print(f"source: {np.isin(source_y, seen).sum():,} labelled pictures; target: {len(x)} to learn from, {len(test_x)} to test on")
twins = [names[n] + names[s] for n in new for s in seen if names[n].lower() == names[s].lower()]
print(f"{len(twins)} of the 20 have their other case in the source:", *twins)

# %% [markdown]
# ## From scratch
#
# First without any help: a network trained on the 20 pictures alone. It reads 16×16 = 256 pixels, and has hidden layers of
# 256, 256 and 128 units. Its last layer gives a score to each class, and is called the **head**. `fine_tune` is lesson 03's
# `fit` with Adam, whose learning rate falls to 0 towards the end. Guessing would be right for 1 in 20.

# %%
untrained = few_labels.untrained(seed, classes=117)  # as it begins; its head scores the 117 source characters


def new_head(model):
    """A copy of the model with a fresh head for 20 classes, the same fresh head for every model."""
    return replace_head(model, 20, rngs=nnx.Rngs(1000 + seed))


from_scratch = new_head(untrained)
fine_tune(from_scratch, x, y, steps=300, seed=seed)
scratch_accuracy = nn.training.evaluate(from_scratch, test_x, test_y)
print(f"right on its own 20 pictures: {nn.training.evaluate(from_scratch, x, y):.0%}; on new ones: {scratch_accuracy:.0%}")

# %% [markdown]
# It has learned its twenty pictures by heart, and little about the characters: it has seen each at one slant only, and
# nothing told it that a character stays the same when it is slanted.
#
# ## Pretraining
#
# Now teach the network the 117 source characters. That is **pretraining**: training for a task that we do not care about,
# to have a better start on the one that we do. There is no trick to it: the same network, the same start, other pictures,
# and more steps.

# %%
among_seen = np.isin(source_y, seen)
source_x, source_labels = source_x[among_seen], few_labels.relabel(source_y[among_seen], seen)  # labels from 0 to 116

began = time.perf_counter()
pretrained = nnx.clone(untrained)
fine_tune(pretrained, source_x, source_labels, steps=few_labels.CONFIGURATION["pretraining_steps"], seed=seed)
steps, seconds = few_labels.CONFIGURATION["pretraining_steps"], {"labels": time.perf_counter() - began}
print(f"pretraining: {steps:,} steps of 64 pictures, {seconds['labels']:.0f} s, {len(source_labels):,} labels")

# %% [markdown]
# What has it learned that could be of use? The network is a chain, *pixels → hidden layers → scores*. The last hidden
# layer, before the scores, is called its **features**: 128 numbers for a picture. The scores are weighted sums of those, so
# training has had to arrange the features such that pictures of one character are alike and those of different characters
# are not.
#
# Does that hold for characters it has never seen? Take pairs of test pictures of the *new* characters, and ask how alike
# they are: the **cosine** of the angle between their features, 1 for the same direction, 0 for nothing in common. Then draw
# 50,000 pairs of either kind, and count how often two pictures of *different* characters, the wrong pair, look more alike than
# two of the same.


# %%
def directions(vectors):
    """Each row at length 1: then the cosine of two is the sum of their products."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def alikeness(vectors, labels):
    """Cosines of all pairs of different pictures: those of one character, those of two."""
    cosines = directions(vectors) @ directions(vectors).T
    same = labels[:, None] == labels[None]
    return cosines[same & ~np.eye(len(labels), dtype=bool)], cosines[~same]


def confusion(same, different):
    """How often a pair of different characters looks more alike than a pair of the same: 50% if it tells nothing."""
    random = np.random.default_rng(0)
    return float((random.choice(different, 50_000) > random.choice(same, 50_000)).mean())


spaces = {"pixels": test_x, "pretrained features": extract_features(pretrained, test_x)}
confused = {}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.1), sharey=True)
for axis, (name, vectors) in zip(axes, spaces.items(), strict=True):
    same, different = alikeness(vectors, test_y)
    confused[name] = confusion(same, different)
    axis.hist(same, bins=40, range=(0, 1), density=True, alpha=0.6, label="right: two pictures of one character")
    axis.hist(different, bins=40, range=(0, 1), density=True, alpha=0.6, label="wrong: pictures of two characters")
    axis.set(xlabel="cosine", yticks=[], title=f"{name}\nthe wrong pair looks more alike in {confused[name]:.0%}")
axes[0].set_ylabel("share of the pairs")
axes[0].legend(loc="upper left", fontsize="small")
plt.show()

# %% [markdown]
# The two histograms are further apart in features than in pixels, for characters that the network was never shown. So what
# it has learned is not only about the 117. *That* is what transfers.
#
# ## Three ways to use it
#
# 1. **Fine-tune**: give the network a fresh head (the old one scores 117 characters, now we need 20), and train all of it on
#    the new pictures.
# 2. **Linear probe**: give it a fresh head, and train that alone. The layers before it are **frozen**: they do not move, and
#    so the features of a picture stay what they are.
# 3. **Prototypes**: train nothing. Average the features of each class's pictures; that mean is the class's **prototype**. A
#    new picture gets the class of the nearest prototype (Snell et al. 2017, "Prototypical networks for few-shot learning").
#    Here the nearest is the one with the largest cosine. With one picture a class, that picture's features *are* the
#    prototype, and the method is lesson 03's nearest neighbour, in features instead of pixels.

# %%
fine_tuned = new_head(pretrained)
fine_tune(fine_tuned, x, y, steps=300, seed=seed)

probed = new_head(pretrained)
linear_probe(probed, x, y, steps=300, seed=seed)

features, test_features = (directions(extract_features(pretrained, pictures)) for pictures in (x, test_x))
prototypes = directions(np.stack([features[y == label].mean(0) for label in range(20)]))
nearest = (test_features @ prototypes.T).argmax(1)  # for each test picture, the prototype with the largest cosine

one_shot = {
    "scratch": scratch_accuracy,
    "fine-tune": nn.training.evaluate(fine_tuned, test_x, test_y),
    "linear probe": nn.training.evaluate(probed, test_x, test_y),
    "prototypes": float((nearest == test_y).mean()),
}
for name, accuracy in one_shot.items():
    print(f"{name:14s}{accuracy:.0%}")

# %% [markdown]
# With one picture each, the fewer numbers a method has to fit, the better it does. Fine-tuning fits all of the network and
# gains least. The probe fits the head alone. Prototypes fit nothing, and gain most. Do not make it a law: with more pictures
# the order changes, as you will see.
#
# ## Is it frozen?
#
# "They do not move" is a claim, so check it, to the last bit. The numbers that training may change (kernels and biases) are
# called **parameters**. `freeze(model, "hidden")` freezes the hidden layers, and returns a filter that says which parameters
# are left to train. `fine_tune` takes it as `wrt`: the gradient is taken *with respect to* those alone. `linear_probe` comes
# to the same, and is quicker: features that do not move need to be computed only once.


# %%
def parameters(model):
    """Name → numbers, for every parameter."""
    return {".".join(map(str, path)): np.array(value[...]) for path, value in nnx.to_flat_state(nnx.state(model, nnx.Param))}


frozen = new_head(pretrained)
before = parameters(frozen)
fine_tune(frozen, x, y, steps=300, seed=seed, learning_rate=1e-2, wrt=freeze(frozen, "hidden"))  # the probe's rate

moved = {name: not np.array_equal(before[name], after) for name, after in parameters(frozen).items()}
for name, has_moved in moved.items():
    print(f"{name:16s} {'moved' if has_moved else 'bit for bit as before'}")
frozen_accuracy = nn.training.evaluate(frozen, test_x, test_y)
print(f"right, with hidden layers frozen: {frozen_accuracy:.1%}; by `linear_probe`: {one_shot['linear probe']:.1%}")

# %% [markdown]
# ## Which of these numbers can you believe?
#
# All of the above is *one* run: one choice of 20 characters, one picture of each, one random start. Another seed gives
# other numbers; how different, the first line printed below will show. Three things turn such numbers into an answer:
#
# - **Seeds, paired.** Run everything five times, from five seeds. Under each seed all methods get the same characters, pictures
#   and random start. So look at the *difference* to training from scratch under each seed: an easy choice of characters is
#   easy for both, and drops out.
# - **An interval** around the mean difference (lesson 03). If it holds 0, the answer is *inconclusive*, however nice the mean
#   looks.
# - **Controls.** Is it what the network *learned* that helps, or only how we use it? Do the same with a network that has
#   learned nothing: a linear probe on **random features**. And is the network needed at all? Take prototypes of the **raw
#   pixels**.
#
# All this is kept as the experiment `few_labels`; `run` runs it here, and `python -m transfer --experiment few_labels` does on
# the command line. There it has one control more: a network pretrained on the same pictures, whose labels were dealt out at
# random. It takes five more pretrainings, so the lesson leaves it out.

# %%
shots = (1, 5, 20)
methods = [method.name for method in FEW_LABELS.methods if method.name != "shuffled labels"]
results = run(FEW_LABELS, seeds=5, shots=shots, methods=methods)
rows = {(row.setting, row.method.name): row for row in outcomes(results)}
print("prototypes, one picture each, five seeds:", *(f"{a:.0%}" for a in results.accuracies("prototypes", 1).values()))

curves = {name: (shots, [100 * rows[n, name].accuracy.mean for n in shots]) for name in methods}
figures.plot_curves(
    curves,
    logx=True,
    xlabel="pictures of each new character",
    ylabel="right on test pictures (%)",
    title="Accuracy, mean of five seeds",
)
plt.show()


def in_points(difference):
    return 100 * difference.mean, 100 * difference.low, 100 * difference.high


gains = {n: {name: in_points(rows[n, name].comparison) for name in methods[1:]} for n in shots}  # the first is scratch
figure, panels = plt.subplots(1, 3, figsize=(9.5, 2.7), sharex=True, sharey=True)
for axis, n in zip(panels, shots, strict=True):
    title = f"{n} picture{'s' if n > 1 else ''} of each"
    figures.plot_intervals(gains[n], axis=axis, reference=0, xlabel="points", title=title)
figure.suptitle("Gain over scratch, with its 95% interval; grey: the interval holds 0", fontsize=11)
plt.show()

print(f"accuracy (%)     {shots[0]:7d}{shots[1]:8d}{shots[2]:8d}   pictures each")
for name in methods:
    print(f"{name:16s} ", *(f"{100 * rows[n, name].accuracy.mean:7.1f}" for n in shots))
print("\ngain over scratch, in points, with one picture each")
for name, (gain, low, high) in gains[1].items():
    print(f"{name:16s} {gain:+7.1f} [{low:.1f}, {high:.1f}]")


def difference(method, rival, n):
    """Of two methods with n pictures each, under the same seeds."""
    return paired_difference(results.accuracies(method, n), results.accuracies(rival, n))


print("\nprobe − prototypes, in points")
over_prototypes = {n: difference("linear probe", "prototypes", n) for n in shots}
for n, change in over_prototypes.items():
    print("with {:2d} each {:+7.1f} [{:.1f}, {:.1f}]".format(n, *in_points(change)))

# %% [markdown]
# A grey interval holds 0: *inconclusive*. Look at the two controls first, the lower two rows. A probe on random features is
# far below a probe on learned ones, and nowhere better than training from scratch: it is not the freezing that helps, it is
# what the features have learned. Prototypes of raw pixels are far below prototypes of learned features. Beside the network
# from scratch they are undecided with few pictures, and worse with twenty. So the network is needed, too.
#
# Now the upper three rows. All three uses of pretraining help, with one picture of each character, with five and with twenty.
# Which is best depends on how many there are: with one, prototypes; with twenty, the probe has overtaken them. And from five
# to twenty every gain shrinks, for the network from scratch has more pictures to learn from. Would the gains ever reach 0?
# These pictures do not show it.
#
# ## It is not the labels' names
#
# A check worth having. Rename the source classes: call character 0 "1", character 1 "2", and so on, and the last one "0".
# Pictures that belong together still do, so the network should learn the same features. Where does a class have a number at
# all? In the head alone, which has a column of weights for each. So if we rename the classes *and* move the columns of the
# head's random start along with them, training should take the very same path. If we rename only, each class starts from
# another's column, and training ends elsewhere.


# %%
def features_after(steps, *, rename, move_columns):
    """Features of the new characters after a little pretraining."""
    model = nnx.clone(untrained)
    if move_columns:
        model.head.kernel[...] = np.roll(model.head.kernel[...], 1, axis=1)
    fine_tune(model, source_x, shift_labels(source_labels, 117) if rename else source_labels, steps=steps, seed=seed)
    return extract_features(model, test_x)


own = features_after(60, rename=False, move_columns=False)
apart = abs(own - features_after(60, rename=True, move_columns=True)).max()
control = abs(own - features_after(60, rename=True, move_columns=False)).max()
print(f"largest feature {own.max():.1f}; largest difference {apart:.6f} with the columns moved, {control:.1f} without")

# %% [markdown]
# With the columns moved, only rounding is left: sums of 117 terms in another order. So the names do not matter.
#
# This also says what to take care of when you reuse a network: a fresh head has to be *fresh*. The features grew up together
# with the old head's random start, column by column. Had the new head the same random numbers, new class 0 would begin where
# old class 0 began, and it would matter after all which class is called 0. So `replace_head` asks for random numbers of its
# own.
#
# ## And if nobody says which is which?
#
# The source's labels were somebody's work, thousands of them. Pictures without labels are cheap. Can a network learn from
# pictures alone what helps it with new characters? It needs a task whose right answers are in the pictures themselves. That
# is **self-supervised** pretraining. Two such tasks:
#
# 1. **Contrast.** Make two random **views** of each picture: moved, stretched, turned, with noise. Show the network one view,
#    and let it find the other among all other views of the batch (Chen et al. 2020, "SimCLR").
# 2. **Denoising.** Hide three pixels of ten, and let the network rebuild the picture (Vincent et al. 2008).
#
# GPT and BERT (lesson 09) learn in this way, too: their right answers are the letters of the text itself.

# %%
first = [np.flatnonzero(source_labels == label)[0] for label in range(12)]  # a picture of each of twelve characters
some = jnp.asarray(source_x[first]).reshape(-1, 16, 16, 1)
one, other = (augment(some, jax.random.key(number)) for number in (1, 2))
holed, holes = mask_patches(some, jax.random.key(3), patch=1, share=0.3)  # patches of one pixel
drawn = jnp.where(holes, 0.4, holed)  # the network sees 0 in a hole; black on black nobody would see it
rows_of_pictures = {"a picture": some, "a view": one, "another view": other, "with holes (grey)": drawn}
figures.show_images(jnp.concatenate(list(rows_of_pictures.values()))[..., 0].clip(0, 1), columns=12)
plt.suptitle("Each column from the top: " + ", ".join(rows_of_pictures), fontsize=10)
plt.show()

# %% [markdown]
# The loss of the contrast is that of a classification, in which every view asks: which of the others is my **partner**, the
# second view of the same picture? There are 2n views of n pictures. Take the cosine of a view with each of the 2n − 1 *others*,
# divide by a **temperature** (here ½: differences count double), and take the softmax: the chance of each to be the partner.
# The loss is −log of the right one's chance, the mean over all views. A view is not compared with itself: that cosine is
# always 1, and every view would be its own best partner, whatever the network does.
#
# By hand, on the pixels of the two rows of views above. They are 24, so that each has 23 others:


# %%
def contrast_by_hand(first, second, temperature):
    views = jnp.concatenate([first, second])
    views = views / jnp.linalg.norm(views, axis=1, keepdims=True)
    scores = views @ views.T / temperature
    scores = jnp.where(jnp.eye(len(views), dtype=bool), -jnp.inf, scores)  # exp(−∞) = 0: itself has no chance
    pictures = len(first)
    partners = jnp.concatenate([jnp.arange(pictures, 2 * pictures), jnp.arange(pictures)])
    chances = jax.nn.softmax(scores, axis=1)
    return -jnp.log(chances[jnp.arange(2 * pictures), partners]).mean()


pair = one.reshape(12, -1), other.reshape(12, -1)
by_hand, by_library = float(contrast_by_hand(*pair, 0.5)), float(nt_xent(*pair, 0.5))
print(f"on pixels: {by_hand:.4f} by hand, {by_library:.4f} from the library; guessing among 23 costs log 23 = {np.log(23):.4f}")

# %% [markdown]
# Now pretrain on the pictures of the 117 characters, without a label, for 400 steps. Then the same as above: a linear probe
# with the few labels of the 20 new ones, under the same five seeds. What do we compare with? With the probe on *random*
# features: the same probe, nothing learned. With the network from scratch. And with the one that was pretrained with labels.
# (The temperature is the paper's for small pictures. It, the views, the holes and the steps were not tuned on these numbers.)

# %%
for task in ("contrast", "denoising"):
    began = time.perf_counter()
    without_labels.pretrained(seed, task)  # it is kept for the run below; here it is only timed
    seconds[task] = time.perf_counter() - began
unlabelled = run(WITHOUT_LABELS, seeds=5, shots=(5, 20), methods=["contrastive", "denoising"])
ways = {  # how each network began, and where its numbers are: three come from the run above, under the same seeds
    "random features": (results, "random features"),
    "scratch": (results, "scratch"),
    "denoising, no labels": (unlabelled, "denoising"),
    "contrast, no labels": (unlabelled, "contrastive"),
    "with labels": (results, "linear probe"),
}


def accuracies(name, n):
    """With n pictures of each new character: seed → accuracy."""
    source, method = ways[name]
    return source.accuracies(method, n)


def gains_over(reference, n):
    """Of every other way, with n pictures each: the difference in points, and its interval."""
    others = [name for name in ways if name != reference]
    return {name: in_points(paired_difference(accuracies(name, n), accuracies(reference, n))) for name in others}


over_random = {n: gains_over("random features", n) for n in (5, 20)}
over_scratch = {n: gains_over("scratch", n) for n in (5, 20)}
for n in (5, 20):
    print(f"{f'{n} pictures of each':22s}{'right (%)':>9s}{'over random features':>24s}{'over scratch':>24s}")
    for name in ways:
        mean, gained = 100 * np.mean(list(accuracies(name, n).values())), (over_random[n], over_scratch[n])
        columns = ["{:+.1f} [{:.1f}, {:.1f}]".format(*over[name]) if name in over else "–" for over in gained]
        print(f"{name:22s}{mean:9.1f}{columns[0]:>24s}{columns[1]:>24s}")
    print()

figure, panels = plt.subplots(1, 2, figsize=(9, 2.4), sharex=True, sharey=True)
for axis, n in zip(panels, (5, 20), strict=True):
    figures.plot_intervals(over_random[n], axis=axis, reference=0, xlabel="points", title=f"{n} pictures of each")
figure.suptitle("Gain over a probe on random features, with its 95% interval; grey: the interval holds 0", fontsize=11)
plt.show()

# %% [markdown]
# **Contrast** teaches something: without a label, its features are worth more than random ones. Labels are worth far more
# still (that pretraining also had nearly four times the steps). But look at the last column. With five pictures each it is
# undecided whether the probe on contrast's features does better or worse than the network from scratch, all of which may move;
# with twenty it does worse. (It became famous with larger networks, and more than a hundred times as many pictures and steps;
# nothing here shows that.)
#
# **Denoising** is not seen to help: with five pictures each its interval holds 0, and with twenty its features do worse than
# random ones. Why might that be? To rebuild a picture you must know where its ink is, and that says little about which
# character it is. For contrast a picture and the same picture moved are one.
#
# And contrast is not for free: the views say *what does not matter* in a picture. That is knowledge about characters, which we
# put in by hand in place of labels. (Ours resemble what was done to the pictures when they were drawn: we
# knew what to choose.) Had we let the views be mirrored, "b" and "d" would have become one.
#
# ## What did it cost?

# %%
pictures = f"{len(source_labels):,} pictures"
unlabelled_steps = without_labels.CONFIGURATION["unlabelled_steps"]
print(f"with labels:     {pictures}, {len(source_labels):,} labels, {steps:,} steps, {seconds['labels']:.0f} s")
for task in ("contrast", "denoising"):
    print(f"{task + ':':16s} {pictures},     0 labels,   {unlabelled_steps:,} steps, {seconds[task]:.0f} s")
print(f"the target:         {len(x):,} pictures,    {len(y):,} labels,   {few_labels.CONFIGURATION['steps']:,} steps")

# %% [markdown]
# (The seconds hold the compilation.) Pretraining is not free: thousands of pictures of other characters, with labels or
# without, and more steps than the target took. It pays when somebody has already done it, or when one pretraining serves many
# targets. And it can *hurt*: train on digits whose labels say "8" under every 7, together with a few right ones, and you read
# digits worse than from the few alone. Lesson 14 is about that.
#
# ## What we claimed, checked

# %%
assert "Яя" in twins and len(twins) < 20, "some of the new characters have a near twin in the source"
assert scratch_accuracy < 0.6, "one picture a class is not enough from scratch"
assert confused["pretrained features"] < confused["pixels"] - 0.03, "features tell new characters apart better than pixels do"
assert [name for name, has_moved in moved.items() if has_moved] == ["head.bias", "head.kernel"], "the head moved, alone"
assert abs(frozen_accuracy - one_shot["linear probe"]) < 0.01, "and the shortcut is the same"
gain = {key: row.comparison for key, row in rows.items() if row.comparison is not None}  # (pictures, method) → interval
for n in shots:
    for name in ("prototypes", "linear probe", "fine-tune"):
        assert gain[n, name].low > 0, f"{name} helps with {n} pictures of each character"
    assert gain[n, "random features"].low < 0, "random features are no better than scratch"
    assert gain[n, "random features"].high < gain[n, "linear probe"].low, "learned features are"
    assert gain[n, "raw pixels"].high < gain[n, "prototypes"].low, "nor do pixels do what learned features do"
assert gain[20, "raw pixels"].high < 0, "with twenty they are behind scratch"
for name in ("prototypes", "linear probe", "fine-tune"):
    assert gain[20, name].mean < gain[5, name].mean, "the gain shrinks from 5 to 20 pictures"
assert difference("linear probe", "fine-tune", 1).low > 0 > over_prototypes[1].high, "one picture: train less"
assert over_prototypes[20].low > 0, "twenty: the probe overtakes"
assert apart < 1e-3 * control, "the names of the source's classes do not matter"
assert few_labels.CONFIGURATION["steps"] < unlabelled_steps < steps, "every pretraining took more steps than the target"
assert abs(by_hand - by_library) < 1e-5 and by_hand < np.log(23), "the contrast by hand is the library's"
for n in (5, 20):
    contrast, denoised, labelled = (over_random[n][f"{name} labels"] for name in ("contrast, no", "denoising, no", "with"))
    assert contrast[1] > 0, "contrast teaches something"
    assert denoised[0] < contrast[0] and contrast[2] < labelled[1], "more than denoising does, and less than labels"
    assert denoised[1] < 0, "denoising is not shown to help"
assert over_random[20]["denoising, no labels"][0] < 0 and 3.5 * unlabelled_steps < steps < 4 * unlabelled_steps
assert over_scratch[5]["contrast, no labels"][1] < 0, "with five it is not shown to beat the network from scratch"
assert over_scratch[20]["contrast, no labels"][2] < 0, "with twenty pictures each, all of the network does better"

# %% [markdown]
# ## Try
#
# 1. Is it the contrast, or the views? Train from scratch on *views* of the twenty pictures, new ones at every step. How much of
#    contrast's gain is left? Pretrain with views that are only moved, or only turned: which of the two does more? And is
#    contrast better than scratch once its network may move, too (`fine_tune` in place of the probe)?
# 2. Use the features of an *earlier* layer for the prototypes: `nnx.clone` the model and shorten its list `hidden`. Which layer
#    serves new characters best?
# 3. Train the head first and then everything, in two calls: `linear_probe`, then `fine_tune` with a small learning rate. With
#    twenty pictures each, is it better than either? How would you choose the rate without looking at the test pictures?
#
# **Exercise:** write `unit_length`, `class_prototypes`, `replace_head`, `shift_labels`, `nt_xent` and `mask_patches`
# yourself. In the folder of the course, `python -m exercises next` says where to begin, and
# `python -m pytest exercises/12_pretraining` tests what you have written.
