# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Attention: how does a network know where to look?
#
# Translate a name, letter by letter. At each letter you look back at the original, now here, now there, seldom at all of it.
# A recurrent network cannot look back: all that it has read is in one state of fixed size. **Attention** can. You will build it
# from a look-up in a table, see why its scores are divided by a root, watch it find the right place by itself, and then train
# a **Transformer**, which is made of little else, to write English names in Ukrainian, beside three simpler methods.
#
# Needed: lessons 03 to 06 (layers, optimisers, recurrence). You need not read Ukrainian. Time: about a minute to run on two
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
import dataclasses
from collections import Counter, defaultdict

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx

import nn
from lessons import figures
from nn.data.translation import pairs
from nn.layers import attention_weights, dot_product_attention, rotary, sinusoidal_positions, softmax
from nn.training import bootstrap_means, softmax_cross_entropy, translation_loss

figures.use_lesson_style()
_ = nn.training.enable_compilation_cache()

# %% [markdown]
# ## A table that answers questions it was never asked
#
# A Python dictionary looks a **key** up and gives its **value**. It knows its keys and nothing between. Here is a table of the
# temperature at each full hour of a day. How warm was it at half past two?
#
# Make the look-up soft. Write each hour as the arrow that a 24-hour clock shows: that is its key. Your question is an arrow
# too, the **query**. Its product with a key says how well the two agree: largest where they point the same way. Softmax makes
# *weights* of these scores, positive and with sum 1, and the answer is the mean of all values with those weights. Every key is
# asked; those that fit are heard.


# %%
def arrow(hour):
    """Where the hand of a 24-hour clock points: (…,) hours → (…, 2)."""
    angle = 2 * jnp.pi * jnp.asarray(hour) / 24
    return jnp.stack([jnp.sin(angle), jnp.cos(angle)], axis=-1)


hours = jnp.arange(24)
keys = arrow(hours)
values = 15 - 6 * jnp.cos(2 * jnp.pi * (hours - 3) / 24) + jnp.where(hours == 17, -4.0, 0.0)  # a shower at five


def look_up(hour, sharpness):
    """The soft look-up: the answer, and how much of each key's value is in it."""
    weights = softmax(sharpness * arrow(hour) @ keys.T)
    return weights @ values, weights


asked = jnp.linspace(0, 23, 200)
_, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.4))
left.plot(hours, values, "o", color="0.4", label="the table")
for sharpness in (0, 10, 1000):
    left.plot(asked, look_up(asked, sharpness)[0], label=f"sharpness {sharpness}")
left.set(xlabel="hour", ylabel="degrees", title="The answers")
left.legend(fontsize="small")
for sharpness, colour in zip((0, 10, 1000), figures.COLOURS, strict=False):
    right.plot(hours, look_up(14.5, sharpness)[1], "o-", color=colour, markersize=3)
right.set(xlabel="hour of the key", ylabel="weight", title="Who is heard at half past two (colours as on the left)")
plt.show()

answer, weights = look_up(14.5, 1000)
parts = [f"{weights[hour]:.2f} of {hour}:00 ({values[hour]:.2f})" for hour in (14, 15)]
print(f"at 14:30: {answer:.2f} degrees, made of {parts[0]} and {parts[1]}")
assert jnp.allclose(look_up(hours, 10_000)[0], values, atol=0.01), "sharp enough, it is the dictionary again"
assert jnp.allclose(look_up(hours, 0)[0], values.mean(), atol=1e-4), "with no sharpness every key is heard alike"

# %% [markdown]
# A soft look-up can be trained: its answer changes smoothly with query, keys and values, and so there is a gradient. That of a
# dictionary is zero nearly everywhere.
#
# ## The equation
#
# Put the queries into the rows of a matrix $Q$, the keys into $K$, the values into $V$. All look-ups at once are
#
# $$\text{attention}(Q, K, V) = \text{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right) V,$$
#
# with $d$ the length of a query, the **depth** (Vaswani et al. 2017, "Attention Is All You Need", eq. 1). The softmax
# runs along each row, over the keys. The root takes the place of the sharpness, and its reason comes next.


# %%
def attention(query, key, value, mask=None):
    """(queries, depth), (keys, depth), (keys, features) → (queries, features)."""
    scores = query @ key.T / jnp.sqrt(query.shape[-1])
    if mask is not None:
        scores = jnp.where(mask, scores, -1e30)  # e to the power of this is 0
    return softmax(scores) @ value


random_keys = jax.random.split(jax.random.key(0), 3)
query, key, value = (jax.random.normal(k, (6, 8)) for k in random_keys)
ours = attention(query, key, value)
library = dot_product_attention(query[:, None], key[:, None], value[:, None])[:, 0]  # the library has an axis for heads
print(f"largest difference from the library's function: {abs(ours - library).max():.7f}")
assert jnp.allclose(ours, library, atol=1e-5)

# %% [markdown]
# ## Why the root?
#
# Take queries and keys whose numbers are random, with mean 0 and variance 1, as they are at the start of training. A score is a
# sum of $d$ products, so that its variance is $d$: long vectors give large scores, and softmax of large scores gives nearly all
# weight to one key. Is that bad? Look at the slopes. When a score $z_k$ moves, its own weight moves by
# $\partial p_k / \partial z_k = p_k (1 - p_k)$, which is near 0 if $p_k$ is near 0 *or* near 1. A look-up that is sure of
# itself before it has learned anything cannot learn.


# %%
@jax.jit
def how_sure(scores):
    """The largest weight, and the mean slope ∂p/∂z, over softmaxes along the last axis."""
    weights = softmax(scores)
    return weights.max(-1).mean(), (weights * (1 - weights)).mean()


depths = [1, 4, 16, 64, 256, 1024]
spread, plain, divided = [], [], []
for depth in depths:
    random = np.random.default_rng(depth)
    queries, keys_of_each = random.normal(size=(300, 1, depth)), random.normal(size=(300, 16, depth))
    scores = (queries * keys_of_each).sum(-1)  # 300 queries, each with 16 keys of its own
    spread.append(scores.std())
    plain.append([float(number) for number in how_sure(scores)])
    divided.append([float(number) for number in how_sure(scores / depth**0.5)])
    print(f"depth {depth:4d}: scores spread by {spread[-1]:5.1f}, √depth is {depth**0.5:5.1f}")

_, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.4))
for axis, i, label in ((left, 0, "largest of 16 weights"), (right, 1, "mean slope")):
    curves = {"plain": (depths, [row[i] for row in plain]), "÷ √depth": (depths, [row[i] for row in divided])}
    figures.plot_curves(curves, axis=axis, xlabel="depth", ylabel=label, logx=True)
left.set(title="How sure it is before it learns", ylim=(0, 1.05))
right.set(title="How much a score can still change", ylim=(0, None))
plt.show()

# %% [markdown]
# Without the root a look-up with long vectors has made up its mind, at random, and its slopes are nearly gone. With the root it
# begins as soft as a short one, whatever the depth.
#
# ## Who may be asked: masks
#
# Sometimes a key must not be heard. Two cases are everywhere:
#
# - **Padding.** Sentences of one batch are filled up to one length. What was filled in is not text.
# - **Causality.** A network that guesses the next letter must not see it. Query $i$ may see keys $0 \dots i$ only.
#
# A **mask** says for each query and each key whether it may be seen. It works on the *scores*: a forbidden one becomes
# hugely negative, and softmax makes 0 of it. To zero the weights after the softmax is a famous mistake: what is left does
# not sum to 1.

# %%
causal = nn.layers.causal_mask(6)
padded = nn.layers.padding_mask(jnp.array([4]), 6)[0, 0]  # four real keys of six
panels = {"causal": causal, "four real keys": jnp.broadcast_to(padded, (6, 6)), "both": causal & padded}
_, axes = plt.subplots(1, 3, figsize=(7.2, 2.6))
for axis, (title, mask) in zip(axes, panels.items(), strict=True):
    axis.imshow(mask, cmap="Greens", vmin=0, vmax=1.4)
    axis.set(xlabel="key", ylabel="query", title=title, xticks=range(6), yticks=range(6))
    axis.grid(visible=False)
plt.suptitle("Green: may be seen", fontsize=10)
plt.show()

forbidden = (jnp.arange(6) > 2)[:, None]
changed = attention(query, jnp.where(forbidden, 99.0, key), jnp.where(forbidden, -99.0, value), causal)
before = attention(query, key, value, causal)
late = softmax(query @ key.T / jnp.sqrt(8)) * causal
print("keys 3, 4 and 5 replaced by nonsense; largest change in the answers to each query:")
print(" ".join(f"{float(change):.3f}" for change in abs(changed - before).max(1)))
print("mask after the softmax; the weights of each query sum to", " ".join(f"{float(total):.2f}" for total in late.sum(1)))
assert jnp.array_equal(changed[:3], before[:3]), "queries 0 to 2 never see keys 3 to 5"
assert float(late.sum(1).min()) < 0.5

# %% [markdown]
# ## A set, not a sequence
#
# In **self-attention** the sentence asks itself: queries, keys and values all come from the same vectors, each through a linear
# map of its own. Now shuffle the sentence. What comes out?

# %%
x = jax.random.normal(jax.random.key(1), (6, 8))
maps = jax.random.normal(jax.random.key(2), (3, 8, 8)) / jnp.sqrt(8)


def self_attention(x):
    return attention(x @ maps[0], x @ maps[1], x @ maps[2])


shuffle = jnp.array([3, 0, 5, 1, 4, 2])
difference = float(abs(self_attention(x[shuffle]) - self_attention(x)[shuffle]).max())
print(f"shuffled before or after: largest difference {difference:.7f}")
assert difference < 1e-5

# %% [markdown]
# The same answers, shuffled: it is **permutation-equivariant**. "Dog bites man" and "man bites dog" are one to it. Where a word
# stands must be written into its vector. Two ways:
#
# - **Sinusoidal positions** are added to the vectors. Position $p$ is a row of clock hands, some fast, some slow, each given by
#   its sine and its cosine: $\sin(p / 10000^{2i/d})$ and $\cos(p / 10000^{2i/d})$. To move on by $k$ places is to turn every
#   hand by an angle that depends on $k$ alone. That is a linear map: a network can learn "three places back".
# - **Rotary positions** (Su et al. 2021) turn the queries and keys themselves, pair of numbers by pair of numbers. The
#   product of two arrows depends on the angle *between* them, and so on the distance of the two places only.

# %%
_, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.2))
picture = left.imshow(sinusoidal_positions(60, 32).T, aspect="auto", cmap="RdBu_r")
left.set(xlabel="position", ylabel="feature", title="Sinusoidal: fast clocks above, slow ones below")
left.grid(visible=False)
plt.colorbar(picture, ax=left)

asking, asked_for = jax.random.normal(jax.random.key(3), (2, 1, 1, 64))
curves = {}
for start in (0, 7, 200):
    places = start + jnp.arange(40)
    turned = rotary(jnp.broadcast_to(asked_for, (40, 1, 64)), places)[:, 0]
    curves[f"asked from {start}"] = turned @ rotary(asking, jnp.array([start]))[0, 0] / 8
for (name, curve), width in zip(curves.items(), (6, 3.5, 1.2), strict=True):
    right.plot(curve, linewidth=width, alpha=0.8, label=name)
right.set(xlabel="how many places further", ylabel="score", title="Rotary: one curve, from wherever you ask")
right.legend(fontsize="small")
plt.show()
for curve in curves.values():
    assert jnp.allclose(curve, curves["asked from 0"], atol=0.01)

# %% [markdown]
# ## Does it find the place?
#
# A task with a known answer: read ten random digits, and write them backwards. Output 0 must be digit 9, output 1 digit
# 8, and so on. Whoever solves it *must* look at the right place, and we can check where it looks. The network: a vector
# for each digit (a table of learned vectors is called an **embedding**), plus positions, one attention, one linear map to
# ten scores. Train it once with positions and once without.

# %%
LENGTH, FEATURES = 10, 32


def first_weights(seed):
    """An embedding, the three linear maps and the output map, all drawn at random."""
    drawn = jax.random.split(jax.random.key(seed), 5)
    shapes = dict(
        embedding=(10, FEATURES), query=(FEATURES,) * 2, key=(FEATURES,) * 2, value=(FEATURES,) * 2, out=(FEATURES, 10)
    )
    return {name: jax.random.normal(k, shape) / FEATURES**0.5 for k, (name, shape) in zip(drawn, shapes.items(), strict=True)}


def reader(weights, digits, positions):
    """Scores for each output digit (batch, 10, 10), and the attention weights (batch, 10, 10)."""
    x = weights["embedding"][digits] + positions
    query, key, value = (x @ weights[name] for name in ("query", "key", "value"))
    looks = attention_weights(query[:, :, None], key[:, :, None])[:, 0]  # one head
    return looks @ value @ weights["out"], looks


def backwards_loss(weights, digits, positions):
    scores, _ = reader(weights, digits, positions)
    return softmax_cross_entropy(scores, digits[:, ::-1]).mean()


adam = optax.adam(1e-2)


@jax.jit
@jax.vmap  # three networks from three seeds at once
def train(seed):
    """Trained with positions and without; of each the share of right digits, and the map, on digits it has not seen."""

    def trained(positions):
        def step(carry, key):
            weights, state = carry
            digits = jax.random.randint(key, (32, LENGTH), 0, 10)  # never the same twice: nothing to memorise
            gradient = jax.grad(backwards_loss)(weights, digits, positions)
            update, state = adam.update(gradient, state)
            return (optax.apply_updates(weights, update), state), None

        weights = first_weights(seed)
        steps = jax.random.split(jax.random.key(seed), 400)
        (weights, _), _ = jax.lax.scan(step, (weights, adam.init(weights)), steps)
        digits = jax.random.randint(jax.random.key(seed + 1000), (500, LENGTH), 0, 10)
        scores, looks = reader(weights, digits, positions)
        return (scores.argmax(-1) == digits[:, ::-1]).mean(), looks.mean(0)

    clocks = sinusoidal_positions(LENGTH, FEATURES)
    return jax.vmap(trained)(jnp.stack([clocks, jnp.zeros_like(clocks)]))


shares, looks = train(jnp.arange(3))  # (seeds, 2) and (seeds, 2, outputs, inputs)
at_the_place = jnp.trace(looks[..., ::-1], axis1=-2, axis2=-1) / LENGTH
for i, name in enumerate(("with positions", "without positions")):
    print(f"{name:17}: right digits, three seeds:", *(f"{one:4.0%}" for one in shares[:, i]), end="; ")
    print("weight on the right place:", *(f"{one:4.0%}" for one in at_the_place[:, i]))

_, axes = plt.subplots(1, 3, figsize=(9.6, 3.2))
backwards = jnp.eye(LENGTH)[::-1]
shown = {"what it should be": backwards, "learned with positions": looks[0, 0], "learned without": looks[0, 1]}
for axis, (title, image) in zip(axes, shown.items(), strict=True):
    axis.imshow(image, cmap="Greens", vmin=0, vmax=1)
    axis.set(xlabel="input digit", ylabel="output digit", title=title)
    axis.grid(visible=False)
plt.show()

# %% [markdown]
# A picture of the weights like this is an **attention map**. Nobody told the network where to look; the map grew from the loss
# alone. Without positions it learns which digits there are and not where: it spreads its weight, and guesses among them.
#
# ## Several heads
#
# One attention gives each position *one* mean. To hear the letter before and the end of the word at once takes two.
# **Multi-head attention** splits the vectors into shorter ones, runs one attention on each, the **heads**, and maps all results
# together by one more linear map. `nn.layers.MultiHeadAttention` owns the four maps; all else is the function from above.

# %%
heads = nn.layers.MultiHeadAttention(num_heads=2, in_features=8, rngs=nnx.Rngs(0))
for name in ("query", "key", "value", "out"):
    print(f"{name:5} kernel {getattr(heads, name).kernel.shape}")
split = [getattr(heads, name)(x) for name in ("query", "key", "value")]  # each (6 positions, 2 heads, depth 4)
by_hand = jnp.concatenate([attention(*(part[:, h] for part in split)) for h in range(2)], axis=-1)
by_hand = by_hand @ heads.out.kernel.reshape(8, 8) + heads.out.bias
print(f"two attentions side by side by hand: largest difference {abs(heads(x) - by_hand).max():.7f}")
assert jnp.allclose(heads(x), by_hand, atol=1e-5)

# %% [markdown]
# ## Real names
#
# The task: English names of languages, countries, scripts and currencies, to be written in Ukrainian. Translators of the Debian
# project did ten thousand of them. A fifth is held out: the names of things of which *no* name is among the training names.

# %%
LONGEST = 16  # letters; longer names take more time than a lesson has


def short(split):
    everything = pairs(nn.data.load("english_ukrainian", split))
    kept = [pair for pair in everything if max(map(len, pair)) <= LONGEST]
    print(f"{split}: {len(everything):,} names, {len(kept):,} of them short")
    return kept


names, test_names = short("train"), short("test")
several = np.array([" " in english for english, _ in test_names])
print(f"{several.mean():.0%} of the test names have more than one word. Some names:")
for wanted in (0, 1):
    print("; ".join(f"{e} → {u}" for e, u in [pair for pair in names if (" " in pair[0]) == wanted][:6]))
assert not {english for english, _ in names} & {english for english, _ in test_names}

# %% [markdown]
# Two things happen at once. Most words are *spelled*: letter by letter into another alphabet, but not one for one (sh is ш; ya
# is я). Some are *translated* (Northern is північна). And in names of two words the first one often goes behind the other, in
# brackets.
#
# Each letter becomes a number, a **token**. Four more tokens are needed: padding behind the end, a start, an end, and one
# for letters that training never saw.

# %%
PAD, START, END, UNKNOWN = range(4)


@dataclasses.dataclass
class Alphabet:
    letters: list[str]

    def encode(self, text):
        return [self.letters.index(letter) + 4 if letter in self.letters else UNKNOWN for letter in text] + [END]

    def decode(self, tokens):
        tokens = [*tokens, END]
        return "".join(self.letters[token - 4] if token >= 4 else "?" for token in tokens[: tokens.index(END)])


english, ukrainian = (Alphabet(sorted(set("".join(texts)))) for texts in zip(*names, strict=True))


def padded_to(length, sequences):
    """(sequences, length), filled up with PAD, and how many tokens of each are real."""
    table = np.full((len(sequences), length), PAD)
    for row, tokens in zip(table, sequences, strict=True):
        row[: len(tokens)] = tokens
    return table, np.array([len(tokens) for tokens in sequences])


def as_batch(pairs):
    source, source_lengths = padded_to(LONGEST + 1, [english.encode(e) for e, _ in pairs])
    target, target_lengths = padded_to(LONGEST + 2, [[START, *ukrainian.encode(u)] for _, u in pairs])
    return dict(source=source, source_lengths=source_lengths, target=target, target_lengths=target_lengths)


print(f"{len(english.letters)} English letters and signs, {len(ukrainian.letters)} Ukrainian ones")
print("Akha →", english.encode("Akha"), "→", english.decode(english.encode("Akha")))
assert all(english.decode(english.encode(e)) == e for e, _ in names[:100])

# %% [markdown]
# ## The encoder and the decoder
#
# The Transformer of the paper has two halves:
#
# - The **encoder** reads the English name. In each of its layers every letter asks all letters (self-attention), then
#   goes through a small feedforward network of its own. Out comes one vector for each letter, which knows its neighbours.
# - The **decoder** writes the Ukrainian name. Each letter asks those *before it* (causal self-attention), then asks the
#   encoder's vectors (**cross-attention**: queries from here, keys and values from there), then goes through a
#   feedforward network. A last map gives scores for the next letter.
#
# In training the decoder is given the true letters before each place, and all places are guessed at once; the causal mask
# keeps it honest. The loss is the cross-entropy of the next letter. In use it writes one letter, reads its own letter,
# and goes on until it writes the end. What is added around every part (residuals, as in lesson 05, and layer norm, as in
# lesson 04) is what makes it trainable.

# %%
config = nn.models.TransformerConfig(
    source_vocabulary=len(english.letters) + 4,
    target_vocabulary=len(ukrainian.letters) + 4,
    features=64,
    heads=2,
    layers=1,
    hidden=128,
    dropout=0.0,
    max_length=LONGEST + 2,
)
model = nn.models.Transformer(config, rngs=nnx.Rngs(0))
count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
print(f"{count:,} weights; the smaller model of the paper has 65 million (its table 3)")

STEPS = 1500
optimizer = optax.adam(optax.warmup_cosine_decay_schedule(0, 3e-3, 100, STEPS))
training_set = nn.data.Dataset.from_arrays(as_batch(names))
model.train()
history = nn.training.fit(
    model, training_set.batches(16, seed=0), optimizer=optimizer, steps=STEPS, loss=translation_loss, log_every=100
)
model.eval()
_, axis = plt.subplots()
axis.plot(history["step"], history["loss"])
axis.set(xlabel="step", ylabel="nats per letter", title="Training loss", ylim=(0, None))
plt.show()

# %% [markdown]
# ## Three simpler methods
#
# - **Copy** the English name: with another alphabet that can hardly be right. It is the zero of the scale.
# - **The letter table**: for each English letter the Ukrainian one that most often stands in its place, counted in the training
#   names of one word that have the same length in both languages.
# - **The nearest name**: the translation of the training name that shares most pairs of neighbouring letters.
#
# Two scores: the share of names that are right to the last letter, and the **letter error rate**: how many letters must be
# inserted, deleted or replaced to make the answer right (the *edit distance*), over the number of letters in the right answers.


# %%
def edit_distance(one, other):
    """The fewest insertions, deletions and replacements that make `other` of `one`."""
    row = list(range(len(other) + 1))  # from nothing to each beginning of `other`
    for i, a in enumerate(one, start=1):
        above, row = row, [i]
        for j, b in enumerate(other, start=1):
            row.append(min(row[-1] + 1, above[j] + 1, above[j - 1] + (a != b)))
    return row[-1]


assert edit_distance("kitten", "sitting") == 3 and edit_distance("", "abc") == 3

counts = defaultdict(Counter)
for e, u in names:
    if len(e) == len(u) and " " not in e:
        for a, b in zip(e, u, strict=True):
            counts[a][b] += 1
table = {letter: counted.most_common(1)[0][0] for letter, counted in counts.items()}


def letter_pairs(texts):
    """Which pairs of neighbouring letters are in each text, as rows of length 1."""
    rows = np.zeros((len(texts), 64 * 64), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for a, b in zip(f" {text}", f"{text} ", strict=True):
            row[(ord(a) % 64) * 64 + ord(b) % 64] = 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def translate(texts):
    """The network's own writing, letter by letter."""
    source, lengths = padded_to(LONGEST + 1, [english.encode(text) for text in texts])
    written = model.translate(source, source_lengths=lengths, start=START, end=END, count=LONGEST + 1)
    return [ukrainian.decode(tokens) for tokens in np.asarray(written)]


asked, wanted = zip(*test_names, strict=True)
nearest = (letter_pairs(asked) @ letter_pairs([e for e, _ in names]).T).argmax(1)
answers = {
    "copy": list(asked),
    "nearest name": [names[i][1] for i in nearest],
    "letter table": ["".join(table.get(letter, letter) for letter in text) for text in asked],
    "Transformer": translate(asked),
}
right = {method: np.array([a == w for a, w in zip(answer, wanted, strict=True)]) for method, answer in answers.items()}
letters = np.array([len(w) for w in wanted])
errors = {
    method: np.array([edit_distance(a, w) for a, w in zip(answer, wanted, strict=True)]) for method, answer in answers.items()
}


def error_rate(method, chosen=slice(None)):
    return errors[method][chosen].sum() / letters[chosen].sum()


print("on held-out names      all right   letter errors   right: one word   several words")
for method in answers:
    one, more = right[method][~several].mean(), right[method][several].mean()
    print(f"{method:22} {right[method].mean():9.1%} {error_rate(method):15.1%} {one:17.1%} {more:15.1%}")

# %% [markdown]
# The difference to the letter table, name by name, with a 95% interval from resampled test names (lesson 01). It holds
# the luck of the test names, not that of the random start: there is one training run here. And the question of memory:
# how does the network do on names that it was trained on?

# %%
gains = right["Transformer"].astype(np.float32) - right["letter table"]
low, high = np.quantile(bootstrap_means(jax.random.key(0), jnp.asarray(gains)), [0.025, 0.975])
print(f"right by the network less right by the table: {gains.mean():.1%}, 95% interval [{low:.1%}, {high:.1%}]")

again = names[: len(test_names)]
remembered = np.mean([a == u for a, (_, u) in zip(translate([e for e, _ in again]), again, strict=True)])
print(f"right on names from training {remembered:.1%}, on held-out names {right['Transformer'].mean():.1%}")

for verdict in (True, False):
    print("\nright:" if verdict else "\nwrong, and what it should be:")
    for some in (np.flatnonzero((right["Transformer"] == verdict) & (several == more))[:8] for more in (False, True)):
        print("; ".join(f"{asked[i]} → {answers['Transformer'][i]}" + ("" if verdict else f" [{wanted[i]}]") for i in some))

# %% [markdown]
# Read the wrong ones. Many are near: another spelling, that a second translator might have chosen. Others are not: of two words
# the network makes one that sounds like both. It is tiny, it has seen some thousands of names, a few times each, and it is not
# done learning: even of the names that it was trained on it gets many wrong. It knows how names are spelled; the whole words
# that it translates are those that it met often.
#
# ## Where does it look?
#
# The cross-attention of each head, for held-out names that came out right. Rows are the letters it writes, from top to bottom;
# columns are the letters it reads.

# %%
look = nnx.jit(lambda model, source, target, lengths: model.attention_maps(source, target, source_lengths=lengths))


def attention_maps(some):
    """Where each head looks, for several pairs: (pairs, heads, letters written, letters read), padding included."""
    batch = {name: jnp.asarray(array) for name, array in as_batch(some).items()}
    maps = look(model, batch["source"], batch["target"][:, :-1], batch["source_lengths"])
    return np.asarray(maps[0])  # of the one layer


correct = [pair for pair, good in zip(test_names, right["Transformer"], strict=True) if good]
word = next(pair for pair in correct if "sh" in pair[0] and len(pair[0]) >= 7)
turned = next(pair for pair in correct if ", " in pair[0] and "ern" in pair[0])
figure, axes = plt.subplots(2, 2, figsize=(9.6, 8.4))
for row, pair, maps in zip(axes, (word, turned), attention_maps([word, turned]), strict=True):
    for head, (axis, image) in enumerate(zip(row, maps, strict=True)):
        axis.imshow(image[: len(pair[1]) + 1, : len(pair[0]) + 1], cmap="Greens", vmin=0, vmax=1)
        axis.set_xticks(range(len(pair[0]) + 1), [*pair[0].replace(" ", "␣"), "■"])
        axis.set_yticks(range(len(pair[1]) + 1), [*pair[1].replace(" ", "␣"), "■"])
        axis.set(title=f"{pair[0]} → {pair[1]}, head {head}")
        axis.grid(visible=False)
plt.show()

# %%
spelled = [(e, u) for e, u in correct if len(e) == len(u) >= 6 and " " not in e][:100]
near = []
for (e, _), image in zip(spelled, attention_maps(spelled).mean(1), strict=True):
    most_watched = image[: len(e)].argmax(1)
    near.append(np.mean(abs(most_watched - np.arange(len(e))) <= 1))
print(
    f"{len(near)} names with as many letters in both: the most watched letter is the one to be spelled, or its neighbour, "
    f"in {np.mean(near):.0%}"
)

# %% [markdown]
# ## What we claimed, checked

# %%
assert all(abs(s / d**0.5 - 1) < 0.25 for s, d in zip(spread[2:], depths[2:], strict=True)), (
    "scores spread like the root of the depth"
)
assert plain[-1][0] > 0.9 and plain[-1][1] < 0.01, "plain scores: sure, and without slopes"
assert divided[-1][0] < 0.5 and divided[-1][1] > 3 * plain[-1][1], "divided ones: soft, with slopes"
assert shares[:, 0].min() > 0.95 and at_the_place[:, 0].min() > 0.5, "it finds the place"
assert shares[:, 1].max() < 0.45 and at_the_place[:, 1].max() < 0.2, "and cannot without positions"
assert all(right["Transformer"].mean() > right[method].mean() + 0.05 for method in answers if method != "Transformer")
assert all(error_rate("Transformer") < error_rate(method) - 0.03 for method in answers if method != "Transformer")
assert low > 0.03, "more names right than with the table, whichever names are there to test"
assert right["letter table"][several].mean() < 0.02 and right["Transformer"][several].mean() > 0.08
assert remembered < right["Transformer"].mean() + 0.25, "it spells more than it remembers"
assert np.mean(near) > 0.8, "it looks where it spells"

# %% [markdown]
# So: *how does a network know where to look?* Each place asks a question, each place has a key, and the loss shapes both
# until they fit. Where things stand is written into the vectors, or it is not known at all.
#
# ## Try
#
# 1. Give the reader of digits another task: to *sort* them (targets `jnp.sort(digits, axis=1)`). Which of its looks
#    cannot be known from the position alone? How far does one attention get?
# 2. Let the queries of the toy have no positions, and the keys keep theirs. What do you expect in the map?
# 3. Train the Transformer with four heads, or with two layers, or for as many steps again. Which of these helps with names of
#    several words? Use a part of the *training* names to choose: the test names are for the end.
#
# **Exercise:** write `attention_weights`, `dot_product_attention`, `causal_mask`, `padding_mask`, `sinusoidal_positions` and
# `rotary` yourself. In the folder of the course, `python -m exercises next` says where to begin, and
# `python -m pytest exercises/08_attention` tests what you have written.
