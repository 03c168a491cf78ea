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
# Needed: lessons 03 (cross-entropy, intervals) and 12 (pretraining, features, linear probe). Time: under a minute to run on
# two cores.

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
    pick,
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
# Ten copies of one network (16×16 pixels → 128 → 128 → 64 features → a head with 39 outputs), each trained on something else;
# the task of each is its **source**. Some are plainly good ideas. Two are plainly bad, and there on purpose: MNIST with its
# pixels shuffled (one shuffle for all pictures) and MNIST with its labels shuffled. And one network has learned *nothing*: it
# is as random as all ten were when they began. Below, each row is a source, with two pictures of each of its first five
# classes.
#
# Your **target**: the digits of lesson 13, from another collection of handwriting, 40 labelled pictures of each.

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
plt.gcf().set_size_inches(9, 7)  # the names take some of the width
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
# That is what a shelf in real life tells you about a network: how many pictures, how good at its own task (on 400 new ones).
# The network for MNIST's 0 to 4 has an easy task, and leads. Does that make it the best start for *ten* digits?
#
# From here on a **score** is a number for a whole network, larger for one that promises more.
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
plt.gca().set(xlabel="the letter that the network says", ylabel="the digit that it is", title="Letters said at least six times")
plt.show()

# %% [markdown]
# It does not guess wildly. Some columns have one dark cell: what the network calls by that letter is mostly one digit. Others
# have two or three. So its answer tells something about the digit. How much? Say it calls a picture z. Of all your pictures
# that it calls z, the share $P(y \mid z)$ are the digit $y$. If you believe in these shares, lesson 03's cross-entropy says
# how surprised you are by the right digit. Its mean, with a minus, so that larger is better, is the **NCE** (negative
# conditional entropy; Tran et al. 2019).

# %%
digit_given_letter = counts / np.maximum(counts.sum(0), 1)  # each column sums to 1
nce_by_hand = np.log(digit_given_letter[y, guesses]).mean()
nce_of_nonsense = nce(guesses, np.random.default_rng(0).permutation(y))
print(f"NCE by hand {nce_by_hand:.4f}, the library's {nce(guesses, y):.4f}")
print(f"knowing nothing would be −log 10 = {-np.log(10):.4f}; always knowing the digit, 0")
print(f"a control, the same with your labels shuffled: {nce_of_nonsense:.4f}")

# %% [markdown]
# The control is above −log 10, although there is nothing to know: the shares were counted on the very pictures that they are
# judged by, and the more letters a network says, the more can look like knowledge by chance. The score itself is far above
# both.
#
# The network says more than one letter: it gives each a probability. **LEEP** (log expected empirical prediction; Nguyen et
# al. 2020) uses them all. In place of counting a picture once, at its best guess, let it count in every column by its
# probability. Then the chances of each digit for a picture are the columns' shares, mixed by what the network makes of it:
# $p(y \mid x) = \sum_z P(y \mid z)\,p(z \mid x)$.

# %%
joint = np.eye(10)[y].T @ probabilities / len(y)  # P(digit, letter)
digit_given_letter = joint / joint.sum(0)  # P(digit | letter): each column sums to 1
leep_by_hand = np.log((probabilities @ digit_given_letter.T)[np.arange(len(y)), y]).mean()
print(f"LEEP by hand {leep_by_hand:.4f}, the library's {leep(probabilities, y):.4f}\n")


def read_by_shares(network):
    """LEEP of a network on your pictures, and the share of new ones whose likeliest digit is right."""
    known, new = (softmax(nn.training.predict(network, images).astype(np.float64), axis=1) for images in (x, test_x))
    joint = np.eye(10)[y].T @ known
    return leep(known, y), ((new @ (joint / joint.sum(0)).T).argmax(1) == test_y).mean()


leep_of_letters, by_letters = read_by_shares(letter_network)
leep_of_nothing, by_nothing = read_by_shares(networks[UNTRAINED])
print(f"Latin letters  LEEP {leep_of_letters:.2f}, new digits read {by_letters:.0%}")
print(f"nothing        LEEP {leep_of_nothing:.2f}, new digits read {by_nothing:.0%}")

# %% [markdown]
# So the letters read most of the new digits, and nothing was trained. But look at the control before you are impressed: the
# network that has learned *nothing* reads many too. The columns' shares are averages over your 400 labelled pictures, and
# averages can read a little on any outputs (lesson 12's prototypes on raw pixels did). The difference is in how *sure* the
# chances are. Those of the untrained network are nearly even, and its LEEP is nearly that of knowing nothing.
#
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
    means = [features[y == c, feature].mean() for c in range(10)]
    axis.plot(range(10), means, "_", color="black", markersize=14, label="mean of the digit")
    axis.set(xticks=range(10), xlabel="digit", title=f"the {which} feature: share {shares[feature]:.2f}")
axes[0].set_ylabel("feature (dots: pictures)")
axes[0].legend(loc="upper left", fontsize="small")
plt.show()

# %% [markdown]
# The **H-score** (Bao et al. 2019) is that share for all features together. Adding up the 64 shares would count twice what two
# features say both. So in place of variances take **covariance matrices**: tables with the variance of each feature on the
# diagonal, and beside it, for each two features, how they vary together. Dividing becomes multiplying by an inverse, and adding
# up the shares becomes adding up a diagonal, which is called the trace, tr:
# $\mathrm{tr}(\Sigma^{-1} \Sigma_B)$, with $\Sigma$ the covariance of the features and $\Sigma_B$ that of the class means.
# Were no two features to vary together, it would be the sum of the shares. Its most is 9: ten means around their common mean
# span nine directions.

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
# trained on, too well: with enough features it can learn any labels by heart. Bayesian statistics has a way around it. Do
# not fit the weights. Say only that they are random, each from a normal distribution with mean 0 and variance $1/\alpha$, and
# that the targets (1 for "it is a 3", 0 for "it is not") come with noise of variance $1/\beta$. Before any fitting, how
# probable were the targets that we see? That is the **evidence**.
#
# The targets of your 400 pictures are then sums of random numbers, and jointly normal, with mean 0 and a 400×400 covariance
# $I/\beta + F F^\top/\alpha$, where a row of $F$ is a picture's features: two pictures with like features are promised like
# targets, and each has noise of its own. Features that could explain *everything* spread their bets too thin: they promise
# little to what really came. So there is a price on flexibility, and no held-out pictures are needed. (The evidence is the
# *density* of that normal distribution where the targets are. A density may be above 1, so its logarithm may be above 0.)

# %%
is_a_3 = (y == 3).astype(float)
alpha, beta = 300.0, 30.0  # any two numbers, to begin with
covariance = np.eye(len(y)) / beta + features @ features.T / alpha
_, log_determinant = np.linalg.slogdet(covariance)
quadratic = is_a_3 @ np.linalg.solve(covariance, is_a_3)
by_hand = -0.5 * (len(y) * np.log(2 * np.pi) + log_determinant + quadratic)
print(f"log evidence by hand {by_hand:.3f}, the library's {log_evidence(features, is_a_3, alpha=alpha, beta=beta):.3f}")

# Many α and β at once, and quickly: along the eigenvectors of F Fᵀ the targets are independent, each with its own variance.
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
# To the left the weights may be anything, to the right they must be almost 0; the best lies between. (Where along the axis,
# depends on how large a network's features are. Compare the *heights* of the tops.) **LogME** (logarithm of the maximum
# evidence; You et al. 2021) takes the top of the hill, over α and β, and averages over "is it a 0?" to "is it a 9?". The
# library climbs it by a rule that needs some ten small steps.

# %%
log_me_by_grid = log_evidences(features, np.eye(10)[y]).max((0, 1)).mean()
print(f"LogME: the best of a grid {log_me_by_grid:.4f}, the library's {log_me(features, y):.4f}")

# %% [markdown]
# ## All ten
#
# Now ask every network. Then train a head on each, on frozen features, with all 400 pictures, and test it on 797 new ones: a
# good score puts the networks in the order that these accuracies turn out to have.
#
# How well do two orders agree? **Kendall's τ**: take every pair of networks. If the score and the accuracy put the two in the
# same order, it counts +1, if in opposite orders −1; τ is the mean. So 1 is the same order throughout, −1 the reverse, 0 no
# relation. As you want the best network and do not care which is the worst, we use the *weighted* τ, in which pairs near the
# top count for more. (Of two that tie neither is before the other; `weightedtau` leaves them out and allows for it.)

# %%
candidates = shelf(SEED, SHOTS)  # each with its scores and what came of it


def weighted_tau(one, other):
    """How well two orders agree, mostly at the top."""
    tau, _ = weightedtau(one, other)
    return tau


figure, axes = plt.subplots(1, 4, figsize=(11, 3.4), sharey=True)
for axis, kind in zip(axes, ("LogME", "H-score", "LEEP", "source accuracy"), strict=True):
    for candidate in candidates:
        axis.plot(candidate.known[kind], 100 * candidate.accuracy, "o", markersize=6)
    tau = weighted_tau([c.known[kind] for c in candidates], [c.accuracy for c in candidates])
    axis.set(xlabel=kind, title=f"weighted τ = {tau:.2f}".replace("-", "−"))
axes[0].set_ylabel("linear probe, right (%)")
figure.legend([c.source for c in candidates], loc="outside lower center", ncols=5, fontsize="small")
plt.show()

scored = np.array([candidate.known["LogME"] for candidate in candidates])
reached = np.array([candidate.accuracy for candidate in candidates])
pairs = [(i, j) for i in range(10) for j in range(i)]
agreement = [np.sign(scored[i] - scored[j]) * np.sign(reached[i] - reached[j]) for i, j in pairs]
print(f"LogME: {agreement.count(1)} pairs in the right order, {agreement.count(-1)} in the wrong one")
print(f"τ = {np.mean(agreement):.2f}, weighted {weighted_tau(scored, reached):.2f}")

# %% [markdown]
# All scores see that the network of the shuffled labels, the lowest dot, is bad. LogME's τ is low all the same: of all ten it
# puts *0 to 4* first, and a wrong first place weighs most. (The network that learned nothing has no task of its own. Its source
# accuracy counts as 0.)
#
# ## Five seeds
#
# One shelf is one draw. So make five: another random start for the networks, other shuffles, another 400 of a thousand
# labelled digits. (MNIST, the letters and the 797 test pictures are the same five times; their luck is not in the intervals.)
# And add rivals that need no score:
#
# - *source accuracy*, *source images*: what the shelf's label says;
# - a **trial**: for each network, train a head on 32 of your 40 labelled pictures of each class and test it on the other 8. No
#   test picture is touched. It costs the training of ten heads.
#
# What a way to choose is worth is the accuracy of a probe on its first choice. The **regret** is how far that is below the best
# of the ten. The baseline is a **blind pick**: the mean of all ten.

# %%
results = run(SOURCE_CHOICE, seeds=5, shots=(SHOTS,))
rows = {row.method.name: row for row in outcomes(results)}
ways = ("LogME", "H-score", "LEEP", "NCE", "source accuracy", "source images", "trial")


def probed(s):
    return [candidate.accuracy for candidate in shelf(s, SHOTS)]


def order_agreement(way, truth, members=tuple(range(10))):
    """Weighted τ of a way to choose with what came of these networks, over five seeds, and its interval."""
    taus = []
    for s in range(5):
        known, came = [candidate.known[way] for candidate in shelf(s, SHOTS)], truth(s)
        taus.append(weighted_tau([known[i] for i in members], [came[i] for i in members]))
    return mean_interval(taus)


taus = {way: order_agreement(way, probed) for way in ways}
gains = {way: rows[way].comparison for way in ways}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2))
figures.plot_intervals(
    {way: (t.mean, t.low, t.high) for way, t in taus.items()},
    axis=left,
    reference=0,
    xlabel="weighted τ, 95% intervals",
    title="Right order?",
)
figures.plot_intervals(
    {way: (100 * g.mean, 100 * g.low, 100 * g.high) for way, g in gains.items()},
    axis=right,
    reference=0,
    xlabel="points over a blind pick, 95% intervals",
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
# Blue intervals stay clear of 0. Begin with what the shelf's label says. *Best at its own task* is a poor guide: under all five
# seeds it takes 0 to 4, whose task is easy, and five seeds do not show that to be better than a blind pick. *Most pictures*
# ties four networks, two of which are the bad ideas, and is worse than a blind pick. All four scores, which ask the network
# about *your* pictures, help. The trial helps too, and these seeds do not say whether more or less than they: 80 held-out
# pictures leave much to luck.
#
# But *whose merit is it?* We put the two bad ideas on the shelf ourselves, and you would not have needed a score to leave them
# there. Take them off, and ask again.

# %%
sensible = tuple(i for i, name in enumerate(SHELF) if "shuffled" not in name)


def worth(way):
    """Points that the first choice among the eight is worth over a blind pick among them, over five seeds."""
    among = [[shelf(s, SHOTS)[i] for i in sensible] for s in range(5)]
    return mean_interval(np.array([100 * (pick(eight, way) - np.mean([c.accuracy for c in eight])) for eight in among]))


sensible_taus = {way: order_agreement(way, probed, sensible) for way in ways}
sensible_gains = {way: worth(way) for way in ways}
print("eight networks    τ                     points over a blind pick of eight")
for way in ways:
    t, g = sensible_taus[way], sensible_gains[way]
    print(f"{way:18s}{t.mean:+.2f} [{t.low:+.2f}, {t.high:+.2f}]  {g.mean:+5.1f} [{g.low:+.1f}, {g.high:+.1f}]")

# %% [markdown]
# That is another picture. No score gains as much, for the networks that are left are more alike. The first choices of NCE and
# the H-score are still worth more than a blind pick. Those of LogME, LEEP and the trial are no longer shown to be: what they
# were good for was, above all, to leave out the bad ideas. And *most pictures* helps now; its failure had been our making. A
# rule is as good as the shelf that it is tried on. Ask that of every comparison of scores that you read.
#
# ## What did it cost?
#
# A score needs one pass of your pictures through each network, forwards. So does the trial: the features are frozen and
# computed once, and what is trained is a head, which costs next to nothing. Training *all* of a network needs many passes,
# and each also backwards, which is about two passes more. These networks are so small that all of it is done in seconds. With
# a large one the passes are what you wait for, so count those.

# %%
fine_tuned = {s: [fine_tuned_accuracy(s, name, SHOTS) for name in SHELF] for s in range(5)}
settings = SOURCE_CHOICE.configuration
passes = {"a score": len(x), "the trial of a head": len(x), "fine-tuning": 3 * settings["steps"] * settings["batch_size"]}
print("passes of a picture through one network: ", ", ".join(f"{what} {count:,}" for what, count in passes.items()))

# %% [markdown]
# So if you want a head on frozen features, a score saves little over trying one: no picture has to be held out, and no learning
# rate chosen. What would be worth saving is the *fine-tuning* of ten networks. Do the scores foretell that?
#
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
left.set(xlabel="right on new digits (%), mean of five seeds", title="The same ten networks, used in two ways")
left.legend()
figures.plot_intervals(
    {way: (t.mean, t.low, t.high) for way, t in tuned_taus.items()},
    axis=right,
    reference=0,
    xlabel="weighted τ, 95% intervals",
    title="Right order, where all of it is trained?",
)
plt.show()
spread = {"linear probe": np.ptp(mean_probed), "all of it trained": np.ptp(mean_tuned)}
for label, points in spread.items():
    print(f"{label:18s}{100 * points:5.1f} points between the best and the worst network")
leader = int(np.argmax(mean_tuned[:-1]))  # the best of the nine that have learned something, after the fact
lead = mean_interval([100 * (fine_tuned[s][leader] - fine_tuned[s][-1]) for s in range(5)])
print(f"all of it trained, {SHELF[leader]} less {UNTRAINED!r}: {lead.mean:+.1f} points [{lead.low:+.1f}, {lead.high:+.1f}]")

# %% [markdown]
# Look at *nothing*, the network that has learned nothing. For a probe it is a poor choice; trained as a whole it is among the
# best, and even the best of the other nine is not shown to be better. With 400 pictures and so small a network, pretraining
# gives no head start that we could see.
#
# **Too few pictures.** With 5 pictures of each digit there are 50 pictures and 64 features. Then *any* labels can be read off
# the features exactly, also wrong ones, and the H-score is at its most for most of the networks. LogME has its price on
# flexibility. Does it still tell right labels from shuffled ones? (One shelf.)

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
# Look at the columns in brackets: there the labels of your 50 pictures are shuffled, and there is nothing to find. Where the
# H-score was at its most, it still is. LogME is lower, and about the same for all ten. Only for the network that was itself
# trained on shuffled labels do the right labels look no better.
#
# ## Which networks see alike?
#
# One more question that can be put to two networks without any labels: do they see the same? Their features cannot be
# compared one by one, for the units of a network have no names. But if one network has two pictures close together, has the
# other, too? **CKA** (centred kernel alignment; Kornblith et al. 2019) compares all such pairs. Let the rows of $X$ and $Y$ be
# what the two networks make of each picture, less the mean of each feature, and $\|\cdot\|$ the root of the sum of all squared
# entries. Then $\|Y^\top X\|^2 / (\|X^\top X\| \, \|Y^\top Y\|)$ is 1 if the two are the same up to a rotation and a scale,
# and 0 if no feature of the one goes with a feature of the other.

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

gap = mean_interval([100 * (probed(s)[0] - probed(s)[2]) for s in range(5)])
print(f"a probe on MNIST's features less one on those of 0 to 4: {gap.mean:+.1f} points [{gap.low:+.1f}, {gap.high:+.1f}]")

# %% [markdown]
# First look at the last row, the control: a network that has learned nothing is already somewhat like most others, for they
# look at the same pictures and began at the same random numbers. Above that, the sources leave their mark: MNIST and a part of
# it see alike, Latin and Greek letters do. But alike is not good: CKA knows no labels, and the two bad ideas are more like each
# other than like MNIST. Nor is alike equally good: MNIST and its 0 to 4 see very much alike, and their probes are points apart.
#
# ## What we claimed, checked

# %%
assert max(own_accuracy, key=lambda name: own_accuracy[name]) == "MNIST, 0 to 4", "0 to 4 has an easy task, and leads"
assert np.isclose(nce_by_hand, nce(guesses, y)) and np.isclose(leep_by_hand, leep(probabilities, y)), "by hand, the same"
assert np.isclose(h_by_hand, h_score(features, y), atol=1e-3) and h_by_hand < np.nansum(shares), "shares count things twice"
assert np.isclose(by_hand, log_evidence(features, is_a_3, alpha=alpha, beta=beta)), "evidence by hand"
assert -0.01 < log_me_by_grid - log_me(features, y) < 1e-6, "nothing on the grid is above the top that the library finds"
assert np.isclose(cka_by_hand, cka(seen["MNIST"], seen["Latin letters"])), "CKA by hand"
assert nce_by_hand > nce_of_nonsense + 0.5 > -np.log(10) + 0.5, "letters tell much about digits, chance a little"
assert min(by_letters, by_nothing) > 0.3, "averages can read a little on any outputs"
assert -np.log(10) < leep_of_nothing < -np.log(10) + 0.1 < leep_of_letters - 0.5, "but not be sure"
assert candidates[int(np.argmax(scored))].source == "MNIST, 0 to 4" and np.argmin(reached) == np.argmin(scored), "LogME's order"
assert all(0 < np.argmax(curve) < len(stiffness) - 1 for _, curve in curves.values()), "the best lies between"
assert peaks["MNIST"] > peaks["MNIST, labels shuffled"], "and is higher for a better source"
for way in ("LogME", "H-score", "LEEP", "NCE"):
    assert taus[way].low > 0, f"{way} tells the order better than chance"
    assert gains[way].mean > 0.02, f"the first choice of {way} is better than a blind one"
assert gains["H-score"].low > 0 and gains["NCE"].low > 0, "and that was not the luck of the seeds"
assert gains["source images"].high < 0, "the most pictures are worse than a blind pick"
assert taus["trial"].low < max(taus[way].high for way in ("LogME", "H-score", "LEEP", "NCE")), "the trial overlaps"
for way in ("H-score", "NCE"):
    assert sensible_gains[way].low > 0, f"{way} helps without the bad ideas, too"
for way in ("LogME", "LEEP", "trial"):
    assert sensible_gains[way].low < 0, f"the first choice of {way} does not, for all we know"
assert sensible_gains["source images"].low > 0, "and the most pictures do"
assert gains["source accuracy"].low < 0, "the best at its own task is not shown to be better than a blind pick"
for s in range(5):
    assert max(shelf(s, SHOTS), key=lambda c: c.known["source accuracy"]).source == "MNIST, 0 to 4", "it is 0 to 4 every time"
for way in ("source accuracy", "source images"):
    assert taus[way].mean < min(taus[score].mean for score in ("LogME", "H-score", "LEEP", "NCE")), f"{way} tells less"
assert sum(len(source(SEED, name, "train")[1]) == 4000 for name in trained) == 4, "four tie for the most pictures"
assert spread["all of it trained"] < spread["linear probe"] / 3, "trained as a whole they are much more alike"
for way in ("LogME", "H-score", "LEEP"):
    assert tuned_taus[way].mean < taus[way].mean - 0.1, f"and {way} tells less of their order"
assert mean_tuned[-1] > np.median(mean_tuned) and mean_probed[-1] < np.median(mean_probed), "nothing: poor, then good"
assert lead.low < 0, "no network on the shelf is shown to be better than nothing"
full = [name for name in SHELF if few[name]["H-score"] > 9 - 1e-6]
assert len(full) >= 4, "50 pictures: the H-score is at its most for many networks"
assert min(nonsense[name]["H-score"] for name in full) > 9 - 1e-6, "and for them with wrong labels, too"
assert all(few[name]["LogME"] > nonsense[name]["LogME"] + 0.02 for name in full), "LogME is not"
assert np.ptp([nonsense[name]["LogME"] for name in SHELF]) < 0.02, "for shuffled labels it is about the same for all ten"
one, other = SHELF.index("MNIST, pixels shuffled"), SHELF.index("MNIST, labels shuffled")
assert alike[0, 1] > alike[0, one] + 0.2 and alike[7, 8] > alike[7, one] + 0.1, "MNIST and its part, Latin and Greek letters"
assert alike[0, 1] > alike[0, -1] + 0.1 and alike[7, 8] > alike[7, -1] + 0.05, "more than like a network that knows nothing"
assert alike[one, other] > max(alike[0, one], alike[0, other]) + 0.1, "and the two bad ideas are alike"
assert alike[0, 2] > 0.75 and gap.low > 2, "very much alike, and points apart"
assert passes["fine-tuning"] > 30 * passes["a score"], "to ask is cheaper than to fine-tune"

# %% [markdown]
# So: *which network do you start from?* Not from the one that is best at its own task. Ask each what it makes of your
# pictures; it costs one pass. If the features are to stay as they are, the answers keep you from the bad ideas, and two of
# the four also chose well among the rest of this shelf. If you can afford to train everything, they were no guide, and here
# it hardly mattered where you began.
#
# ## Try
#
# 1. Put two more networks on the shelf: one trained on Latin letters *and* printed digits, one on MNIST with a tenth of the
#    labels shuffled. Guess their places first.
# 2. Score the networks by the features of the *first* hidden layer (`nnx.clone` one and shorten its list `hidden`). Which
#    sources gain? Is a good first layer rarer than a good last one?
# 3. Choose by the mean rank of LogME and NCE. Is it better than either? Count seeds, and mind that you have seen the answer.
#
# **Exercise:** write `nce`, `leep`, `h_score`, `cka` and `log_evidence` yourself. In the folder of the course,
# `python -m exercises next` says where to begin, and `python -m pytest exercises/15_choosing_a_source` tests what you have
# written.
