# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Choosing a source: which network do you start from?
#
# Ten pretrained networks lie on a shelf. You have 400 labelled pictures of your own, and time to build on *one* of the ten.
# Which? You could take the one that is best at its own task, or the one that has seen the most pictures, or try them all. Or
# you could ask each a question that costs no training: *what do you make of my pictures?*
#
# By the end you will have turned the answers into numbers in four ways, know how often the numbers are right, and where they
# lead you astray.
#
# Needed: lessons 03 (cross-entropy, intervals) and 12 (pretraining, features, linear probe). Time: about a minute on two
# cores.

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
from scipy.special import softmax
from scipy.stats import weightedtau

import nn
from lessons import figures
from nn.data.glyphs import CHARACTERS
from transfer import extract_features
from transfer.experiments import run
from transfer.experiments.source_choice import (
    SHELF,
    SOURCE_CHOICE,
    UNTRAINED,
    fine_tuned_accuracy,
    pretrained,
    scores,
    shelf,
    source,
    target,
)
from transfer.report import mean_interval, outcomes
from transfer.transferability import cka, h_score, leep, log_evidence, log_me, nce

figures.use_lesson_style()
_ = nn.training.enable_compilation_cache()  # what was compiled once is not compiled again

# %% [markdown]
# ## The shelf
#
# Ten copies of one network (16×16 pixels → 128 → 128 → 64 features → scores), each trained on something else; the task of
# each is its **source**. Some are plainly good ideas, some plainly bad: MNIST with its pixels shuffled (one shuffle for all
# pictures), with its labels shuffled, and one network that has learned *nothing*: it is as random as all ten were.
#
# Your **target**: handwritten digits from another collection, 40 labelled pictures of each.

# %%
SEED, SHOTS = 0, 40
x, y, test_x, test_y = target(SEED, SHOTS)
trained = [name for name in SHELF if name != UNTRAINED]

pictures, titles = [], []
for name in trained:
    source_x, source_y = source(SEED, name, "train")
    pictures += [source_x[source_y == c][i] for i in range(2) for c in range(5)]  # two of each of its first five classes
    titles += [name, *[""] * 9]
figures.show_images(np.reshape(pictures, (-1, 16, 16)), columns=10)
for axis, title in zip(plt.gcf().axes, titles, strict=True):
    axis.text(-0.15, 0.5, title, transform=axis.transAxes, ha="right", va="center", fontsize=8)
plt.show()
figures.show_images(x.reshape(-1, 16, 16)[::20], columns=10)
plt.suptitle("The target", fontsize=10)
plt.show()

began = time.perf_counter()
networks = {name: pretrained(SEED, name) for name in SHELF}
print(f"pretraining took {time.perf_counter() - began:.0f} s; in real life somebody else has paid for it\n")
print("                          pictures   right at its own task")
own_accuracy = {}
for name in trained:
    own_x, own_y = source(SEED, name, "test")
    own_accuracy[name] = nn.training.evaluate(networks[name], own_x[:400], own_y[:400])
    print(f"{name:24s}{len(source(SEED, name, 'train')[1]):10,d}{own_accuracy[name]:12.0%}")

# %% [markdown]
# That is what a shelf in real life tells you about a network: how many pictures, how good at its own task. The network for
# MNIST's 0 to 4 has an easy task, and leads. Does that make it the best start for *ten* digits?
#
# ## A first score: what do you call my pictures?
#
# Take the network for Latin letters. It has never seen a digit. Show it your 400 anyway, and write down which letter it says.

# %%
LETTERS = CHARACTERS[:39]
letter_network = networks["Latin letters"]
probabilities = softmax(nn.training.predict(letter_network, x).astype(np.float64), axis=1)
guesses = probabilities.argmax(1)

counts = np.zeros((10, 39))
np.add.at(counts, (y, guesses), 1)  # counts[digit, letter]
common = np.flatnonzero(counts.sum(0) >= 6)
plt.figure(figsize=(7.5, 3.2))
plt.imshow(counts[:, common], cmap="Blues", aspect="auto")
plt.xticks(range(len(common)), [LETTERS[letter] for letter in common])
plt.yticks(range(10))
plt.grid(visible=False)
plt.colorbar(label="pictures")
plt.gca().set(xlabel="the letter that the network says", ylabel="the digit that it is", title="Your digits, read as letters")
plt.show()

# %% [markdown]
# It does not guess wildly. Some columns have one dark cell: what the network calls by that letter is mostly one digit. Others
# have two or three. So its answer tells something about the digit. How much? Say it calls a picture z. Of all your pictures
# that it calls z, the share $P(y \mid z)$ are the digit $y$. If you bet with these odds, lesson 03's cross-entropy says how
# surprised you are by the right digit. Its mean, with a minus, so that larger is better, is the **NCE** (negative conditional
# entropy; Tran et al. 2019).

# %%
odds = counts / np.maximum(counts.sum(0), 1)  # each column sums to 1
nce_by_hand = np.log(odds[y, guesses]).mean()
print(f"NCE by hand {nce_by_hand:.4f}, the library's {nce(guesses, y):.4f}")
print(f"knowing nothing would be −log 10 = {-np.log(10):.4f}; always knowing the digit, 0")

# %% [markdown]
# The network says more than one letter: it gives each a probability. **LEEP** (log expected empirical prediction; Nguyen et
# al. 2020) uses them all. In place of counting a picture once, at its best guess, let it count in every column by its
# probability. Then the odds for a new picture are the columns' odds, mixed by what the network makes of it:
# $p(y \mid x) = \sum_z P(y \mid z)\,p(z \mid x)$.

# %%
joint = np.eye(10)[y].T @ probabilities / len(y)  # P(digit, letter)
odds = joint / joint.sum(0)  # P(digit | letter): each column sums to 1
leep_by_hand = np.log((probabilities @ odds.T)[np.arange(len(y)), y]).mean()
print(f"LEEP by hand {leep_by_hand:.4f}, the library's {leep(probabilities, y):.4f}")

new_probabilities = softmax(nn.training.predict(letter_network, test_x).astype(np.float64), axis=1)
by_letters = ((new_probabilities @ odds.T).argmax(1) == test_y).mean()
print(f"new digits that these odds get right: {by_letters:.0%}, by a network that knows letters only, and without training")

# %% [markdown]
# ## A second score: do your features tell my classes apart?
#
# NCE and LEEP ask the network's *head*. But the head is the part that you will throw away. What you keep is the 64
# **features** before it. So look at one of them, for a picture of each digit: it is useful if it differs between digits and
# not within them. The **share of variance between classes** says it in one number: the variance of the ten class means, over
# the variance of all. It is 0 if every digit has the same mean, 1 if the feature never varies within a digit.

# %%
features = extract_features(letter_network, x).astype(np.float64)
class_means = np.stack([features[y == c].mean(0) for c in range(10)])[y]  # for every picture its class's mean
used = features.var(0) > 0  # some features are 0 for every picture
shares = np.where(used, class_means.var(0) / np.where(used, features.var(0), 1), np.nan)

figure, axes = plt.subplots(1, 2, figsize=(8.5, 2.9))
jitter = np.random.default_rng(0).uniform(-0.25, 0.25, len(y))
for axis, feature, which in zip(axes, (np.nanargmax(shares), np.nanargmin(shares)), ("best", "worst"), strict=True):
    axis.scatter(y + jitter, features[:, feature], s=4, alpha=0.5)
    axis.plot(range(10), [features[y == c, feature].mean() for c in range(10)], "_", color="black", markersize=14)
    axis.set(xticks=range(10), xlabel="digit", title=f"the {which} feature: share {shares[feature]:.2f}")
axes[0].set_ylabel("feature")
plt.show()

# %% [markdown]
# The **H-score** (Bao et al. 2019) is that share for all features together. Adding up the 64 shares would count twice what two
# features say both, so variances become covariance matrices, and the ratio an inverse:
# $\mathrm{tr}(\Sigma^{-1} \Sigma_B)$, with $\Sigma$ the covariance of the features and $\Sigma_B$ that of the class means. Its
# most is 9: ten means span nine directions.

# %%
sigma, sigma_between = np.cov(features.T), np.cov(class_means.T)
h_by_hand = np.trace(np.linalg.pinv(sigma, rcond=1e-10) @ sigma_between)  # pinv: the inverse, where there is one
print(
    f"H-score by hand {h_by_hand:.4f}, the library's {h_score(features, y):.4f}; the shares add up to {np.nansum(shares):.1f}"
)

# %% [markdown]
# ## A third score: evidence
#
# The most direct question would be: *train a linear head on the features, how well does it do?* On the pictures that it is
# trained on, too well: with enough features it can learn any labels by heart. Bayes has a way around it. Do not fit the
# weights. Say only that they are small and random, each from a normal distribution with variance $1/\alpha$, and that the
# targets (1 for "it is a 3", 0 for "it is not") come with noise of variance $1/\beta$. Before any fitting, how probable were
# the targets that we see? That is the **evidence**.
#
# The targets are sums of random numbers, so they are normal, with mean 0 and covariance $I/\beta + F F^\top/\alpha$, where a
# row of $F$ is a picture's features. Features that could explain *everything* spread their bets too thin: they promise little
# to what really came. So there is a price on flexibility, and no held-out pictures are needed.

# %%
is_a_3 = (y == 3).astype(float)
alpha, beta = 300.0, 30.0
covariance = np.eye(len(y)) / beta + features @ features.T / alpha
_, log_determinant = np.linalg.slogdet(covariance)
quadratic = is_a_3 @ np.linalg.solve(covariance, is_a_3)
by_hand = -0.5 * (len(y) * np.log(2 * np.pi) + log_determinant + quadratic)
print(f"log evidence by hand {by_hand:.3f}, the library's {log_evidence(features, is_a_3, alpha=alpha, beta=beta):.3f}")

# Many α and β at once: along the eigenvectors of F Fᵀ the targets are independent, each with a variance of its own.
stiffness, noise = np.logspace(0, 6, 25), np.logspace(0.8, 2.2, 15)  # α and β


def log_evidences(features, targets):
    """For each α (row), β (column) and column of targets the log evidence, per picture."""
    eigenvalues, directions = np.linalg.eigh(features @ features.T)
    along = (directions.T @ targets) ** 2
    variances = 1 / noise[:, None] + eigenvalues.clip(0) / stiffness[:, None, None]
    return -0.5 * (np.log(2 * np.pi * variances).sum(-1)[..., None] + (1 / variances) @ along) / len(targets)


curves, peaks = {}, {}
for name in ("MNIST", "Latin letters", "MNIST, labels shuffled"):
    surface = log_evidences(extract_features(networks[name], x).astype(np.float64), is_a_3[:, None])[..., 0]
    curves[name], peaks[name] = (stiffness, surface.max(1)), surface.max()  # for each α the best β
axis = figures.plot_curves(curves, logx=True, xlabel="α: how small the weights are to be", ylabel="log evidence per picture")
axis.set_xticks([1, 1e2, 1e4, 1e6], ["1", "100", "10⁴", "10⁶"])
axis.set(title="Is it a 3?", xlim=(0.7, 1.4e6))
plt.show()

# %% [markdown]
# To the left the weights may be anything, to the right they must be almost 0; the best lies between. **LogME** (logarithm of
# the maximum evidence; You et al. 2021) takes the top of the hill, over α and β, and averages over "is it a 0?" to "is it a
# 9?". The library climbs it by a rule that needs a handful of small steps.

# %%
log_me_by_grid = log_evidences(features, np.eye(10)[y]).max((0, 1)).mean()
print(f"LogME: the best of a grid {log_me_by_grid:.4f}, the library's {log_me(features, y):.4f}")

# %% [markdown]
# ## All ten
#
# Now ask every network, and then do what a score is to save us: train a head on each, on frozen features, with all 400
# pictures, and test it on 797 new ones. A good score puts the networks in the order that the accuracies turn out to have.

# %%
candidates = shelf(SEED, SHOTS)  # each with its scores and what came of it


def weighted_tau(one, other):
    """How well two orders agree; what it is, you read below."""
    tau, _ = weightedtau(one, other)
    return tau


figure, axes = plt.subplots(1, 4, figsize=(11, 3.4), sharey=True)
for axis, kind in zip(axes, ("LogME", "H-score", "LEEP", "source accuracy"), strict=True):
    for candidate in candidates:
        axis.plot(candidate.known[kind], 100 * candidate.accuracy, "o", markersize=6)
    tau = weighted_tau([c.known[kind] for c in candidates], [c.accuracy for c in candidates])
    axis.set(xlabel=kind, title=f"τ = {tau:.2f}")
axes[0].set_ylabel("linear probe, right (%)")
figure.legend([c.source for c in candidates], loc="outside lower center", ncols=5, fontsize="small")
plt.show()

# %% [markdown]
# The number above each picture says how well two orders agree: **Kendall's τ**. Take every pair of networks. If the score and
# the accuracy put the two in the same order, it counts +1, if in opposite orders −1; τ is the mean. So 1 is the same order
# throughout, −1 the reverse, 0 no relation. As you want the best network and do not care which is the worst, we use the
# *weighted* τ, in which pairs near the top count for more.

# %%
scored = np.array([candidate.known["LogME"] for candidate in candidates])
reached = np.array([candidate.accuracy for candidate in candidates])
pairs = [(i, j) for i in range(10) for j in range(i)]
agreement = [np.sign(scored[i] - scored[j]) * np.sign(reached[i] - reached[j]) for i, j in pairs]
print(f"LogME: {agreement.count(1)} pairs in the right order, {agreement.count(-1)} in the wrong one")
print(f"τ = {np.mean(agreement):.2f}, weighted {weighted_tau(scored, reached):.2f}")

# %% [markdown]
# ## Five seeds
#
# One shelf is one draw. So make five: another random start for the networks, other shuffles, other 400 pictures. And add
# two rivals that need no score:
#
# - *source accuracy*, *source images*: what the shelf's label says;
# - a **trial**: for each network, train a head on four fifths of your labelled pictures and test it on the last fifth. No
#   test picture is touched. It costs ten trainings.

# %%
results = run(SOURCE_CHOICE, seeds=5, shots=(SHOTS,))
rows = {row.method.name: row for row in outcomes(results)}
ways = ("LogME", "H-score", "LEEP", "NCE", "source accuracy", "source images", "trial")


def order_agreement(way, truth):
    """Weighted τ of a way to choose with what came of the networks, under each seed, and its interval."""
    return mean_interval([weighted_tau([c.known[way] for c in shelf(s, SHOTS)], truth(s)) for s in range(5)])


def probed(s):
    return [candidate.accuracy for candidate in shelf(s, SHOTS)]


taus = {way: order_agreement(way, probed) for way in ways}
gains = {way: rows[way].comparison for way in ways}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2))
figures.plot_intervals(
    {way: (t.mean, t.low, t.high) for way, t in taus.items()}, axis=left, reference=0, xlabel="weighted τ", title="Right order?"
)
figures.plot_intervals(
    {way: (100 * g.mean, 100 * g.low, 100 * g.high) for way, g in gains.items()},
    axis=right,
    reference=0,
    xlabel="points over a blind pick",
    title="What is its first choice worth?",
)
plt.show()

best, blind = rows["the best there is"].accuracy.mean, rows["blindly"].accuracy.mean
regret = {way: best - rows[way].accuracy.mean for way in ways}
print(f"a probe on the best of the ten gets {best:.1%} right, on one drawn blindly {blind:.1%}")
print("way to choose       τ                     accuracy   regret (points below the best)")
for way in ways:
    t = taus[way]
    print(f"{way:17s}{t.mean:+.2f} [{t.low:+.2f}, {t.high:+.2f}]{rows[way].accuracy.mean:11.1%}{100 * regret[way]:10.1f}")

# %% [markdown]
# Blue intervals stay clear of 0. Read from the label up. *Best at its own task* is a bad reason: 0 to 4 is easy, and easy tasks
# teach little. *Most pictures* ties four networks, two of which are the bad ideas, and is worse than a blind pick. All four
# scores, which ask the network about *your* pictures, help. The trial, for which ten heads had to be trained, helps too; its
# intervals overlap with theirs: 80 held-out pictures leave much to luck.
#
# ## What did it cost?
#
# A score needs one pass of your pictures through each network, forwards. Training needs many, and each also backwards, which is
# about two passes more. These networks are so small that either is done in seconds. With a large one the passes are what
# you wait for, so count those.

# %%
fine_tuned = {s: [fine_tuned_accuracy(s, name, SHOTS) for name in SHELF] for s in range(5)}
settings = SOURCE_CHOICE.configuration
passes = {"scores": len(x), "fine-tuning": 3 * settings["steps"] * settings["batch_size"]}
print(f"passes of a picture through one network: scores {passes['scores']:,}, fine-tuning {passes['fine-tuning']:,}")

# %% [markdown]
# ## Where it misleads
#
# **Fine-tune everything.** The scores look at features as they are. If all of the network is trained on your pictures, the
# features move, and what they were matters less. (Where an interval holds 0, no order has been shown.)

# %%
tuned_taus = {way: order_agreement(way, lambda s: fine_tuned[s]) for way in ways}
mean_probed = np.mean([probed(s) for s in range(5)], axis=0)
mean_tuned = np.mean(list(fine_tuned.values()), axis=0)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1.3, 1))
order = np.argsort(-mean_probed)
for label, mean in (("linear probe", mean_probed), ("all of it trained", mean_tuned)):
    left.plot(100 * mean[order], range(10), "o", label=label)
left.set_yticks(range(10), [SHELF[i] for i in order])
left.invert_yaxis()
left.set(xlabel="right on new digits (%), mean of five seeds")
left.legend()
figures.plot_intervals(
    {way: (t.mean, t.low, t.high) for way, t in tuned_taus.items()},
    axis=right,
    reference=0,
    xlabel="weighted τ",
    title="Right order, all of it trained?",
)
plt.show()
spread = {"linear probe": np.ptp(mean_probed), "all of it trained": np.ptp(mean_tuned)}
for label, points in spread.items():
    print(f"{label:18s}{100 * points:5.1f} points between the best and the worst network")

# %% [markdown]
# Look at *nothing*, the network that has learned nothing. For a probe it is a poor choice; trained as a whole it is among the
# best. With 400 pictures and so small a network, pretraining gives no head start that training would not make up for.
#
# **Too few pictures.** With 5 pictures of each digit there are 50 pictures and 64 features. Then *any* labels can be read off
# the features exactly, also wrong ones, and the H-score is at its most for nearly every network. LogME has its price on
# flexibility and still tells them apart.

# %%
few_x, few_y, *_ = target(SEED, 5)
wrong_y = np.random.default_rng(0).permutation(few_y)
few = {name: scores(network, few_x, few_y) for name, network in networks.items()}
nonsense = {name: scores(network, few_x, wrong_y) for name, network in networks.items()}
print("50 pictures               H-score  (labels shuffled)     LogME  (labels shuffled)")
for name in SHELF:
    h, wrong_h = few[name]["H-score"], nonsense[name]["H-score"]
    evidence, wrong_evidence = few[name]["LogME"], nonsense[name]["LogME"]
    print(f"{name:24s}{h:9.2f}{wrong_h:12.2f}{evidence:16.3f}{wrong_evidence:12.3f}")

# %% [markdown]
# The column to look at is the one in brackets: there the labels of your 50 pictures are shuffled, and there is nothing to
# find.
#
# ## Which networks see alike?
#
# One more question that can be put to two networks without any labels: do they see the same? Their features cannot be
# compared one by one, for the units of a network have no names. But if one network has two pictures close together, has the
# other, too? **CKA** (centred kernel alignment; Kornblith et al. 2019) compares all such pairs: take the mean of each feature
# off; then $\|Y^\top X\|^2 / (\|X^\top X\| \, \|Y^\top Y\|)$ is 1 if the two are the same up to a rotation and a scale, and 0
# if they have nothing in common.

# %%
seen = {name: extract_features(network, x).astype(np.float64) for name, network in networks.items()}
a, b = (f - f.mean(0) for f in (seen["MNIST"], seen["Latin letters"]))
cka_by_hand = np.linalg.norm(b.T @ a) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
print(f"CKA by hand {cka_by_hand:.4f}, the library's {cka(seen['MNIST'], seen['Latin letters']):.4f}")

alike = np.array([[cka(seen[one], seen[other]) for other in SHELF] for one in SHELF])
plt.figure(figsize=(6.6, 4.6))
plt.imshow(alike, cmap="viridis", vmin=0, vmax=1)
plt.xticks(range(10), SHELF, rotation=40, ha="right", fontsize=8)
plt.yticks(range(10), SHELF, fontsize=8)
for i in range(10):
    for j in range(10):
        plt.text(
            j, i, f"{alike[i, j]:.1f}", ha="center", va="center", fontsize=7, color="white" if alike[i, j] < 0.6 else "black"
        )
plt.grid(visible=False)
plt.title("CKA of each two networks, on your pictures")
plt.show()

# %% [markdown]
# The sources leave their mark: MNIST and a part of it see alike, Latin and Greek letters do. But alike is not good: CKA knows
# no labels, and the two bad ideas are more like each other than like MNIST. It says where trying a second network would tell
# little that the first did not.
#
# ## What we claimed, checked

# %%
assert own_accuracy["MNIST, 0 to 4"] > own_accuracy["MNIST"], "0 to 4 is the easier task"
assert np.isclose(nce_by_hand, nce(guesses, y)) and np.isclose(leep_by_hand, leep(probabilities, y)), "by hand, the same"
assert np.isclose(h_by_hand, h_score(features, y), atol=1e-3) and h_by_hand < np.nansum(shares), "shares count things twice"
assert np.isclose(by_hand, log_evidence(features, is_a_3, alpha=alpha, beta=beta)), "evidence by hand"
assert -0.01 < log_me_by_grid - log_me(features, y) < 1e-6, "nothing on the grid is above the top that the library finds"
assert np.isclose(cka_by_hand, cka(seen["MNIST"], seen["Latin letters"])), "CKA by hand"
assert nce_by_hand > -np.log(10) + 0.5 and by_letters > 0.3, "letters tell much about digits"
assert all(0 < np.argmax(curve) < len(stiffness) - 1 for _, curve in curves.values()), "the best lies between"
assert peaks["MNIST"] > peaks["MNIST, labels shuffled"], "and is higher for a better source"
for way in ("LogME", "H-score", "LEEP", "NCE"):
    assert taus[way].low > 0, f"{way} tells the order better than chance"
    assert gains[way].mean > 0.02, f"the first choice of {way} is better than a blind one"
assert gains["H-score"].low > 0 and gains["NCE"].low > 0, "and that was not the luck of the seeds"
assert gains["source images"].high < 0, "the most pictures are worse than a blind pick"
assert taus["trial"].low < max(taus[way].high for way in ("LogME", "H-score", "LEEP", "NCE")), "the trial overlaps"
for way in ("source accuracy", "source images"):
    assert taus[way].mean < min(taus[score].mean for score in ("LogME", "H-score", "LEEP", "NCE")), f"{way} tells less"
assert sum(len(source(SEED, name, "train")[1]) == 4000 for name in trained) == 4, "four tie for the most pictures"
assert spread["all of it trained"] < spread["linear probe"] / 3, "trained as a whole they are much more alike"
for way in ("LogME", "H-score", "LEEP"):
    assert tuned_taus[way].mean < taus[way].mean - 0.1, f"and {way} tells less of their order"
assert mean_tuned[-1] > np.median(mean_tuned) and mean_probed[-1] < np.median(mean_probed), "nothing: poor, then good"
full = [name for name in SHELF if few[name]["H-score"] > 9 - 1e-6]
assert len(full) >= 4, "50 pictures: the H-score is at its most for many networks"
assert min(nonsense[name]["H-score"] for name in full) > 9 - 1e-6, "and for them with wrong labels, too"
assert all(few[name]["LogME"] > nonsense[name]["LogME"] for name in full), "LogME is not"
one, other = SHELF.index("MNIST, pixels shuffled"), SHELF.index("MNIST, labels shuffled")
assert alike[0, 1] > alike[0, one] + 0.2 and alike[7, 8] > alike[7, one] + 0.1, "MNIST and its part, Latin and Greek letters"
assert alike[one, other] > max(alike[0, one], alike[0, other]) + 0.1, "and the two bad ideas are alike"
assert passes["fine-tuning"] > 30 * passes["scores"], "to ask is cheaper than to try"

# %% [markdown]
# So: *which network do you start from?* Not from the one that is best at its own task. Ask each what it makes of your
# pictures; it costs one pass. If the features are to stay as they are, the answers are a good guide. If you can afford to train
# everything, they are not, and here it hardly mattered where you began.
#
# ## Try
#
# 1. Put two more networks on the shelf: one trained on Latin letters *and* printed digits, one on MNIST with a tenth of the
#    labels shuffled. Guess their places first.
# 2. Score the networks by the features of the *first* hidden layer (`nnx.clone` one and shorten its list `hidden`). Which
#    sources gain? Is a good first layer rarer than a good last one?
# 3. Choose by the mean rank of LogME and NCE. Is it better than either? Count seeds, and mind that you have seen the answer.
#
# **Exercise:** `pytest exercises/15_choosing_a_source`: write `nce`, `leep`, `h_score`, `cka` and `log_evidence` yourself.
# `python -m exercises next` says where to begin.
