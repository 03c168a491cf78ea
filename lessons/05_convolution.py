# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Convolution: what does a network see that looks through a small window?
#
# Move a handwritten 7 three pixels to the right. For you it is the same 7. To the networks of lessons 03 and 04 it is ink in
# places where a 7 never had any. In this lesson a network looks at an image through a small window, which it slides over all
# places. You will build that window, train networks of it, find out what they gain and what they do *not* gain, and look at
# what they have learned to see, in images and in films.
#
# Needed: lessons 03 and 04. Time: under a minute and a half to run on two cores.

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
from functools import partial

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx
from sklearn.datasets import load_sample_image

import nn
from lessons import figures
from nn.layers import (
    Conv,
    Linear,
    batch_norm,
    batch_statistics,
    conv,
    conv2d,
    global_avg_pool,
    he_normal,
    linear,
    max_pool,
    normal,
    receptive_field,
    relu,
)
from nn.training import cosine_adam, evaluate, fit, predict, softmax_cross_entropy
from transfer.report import mean_interval

figures.use_lesson_style()
_ = nn.training.enable_compilation_cache()  # what was compiled once is not compiled again

# %% [markdown]
# ## A digit, moved
#
# Handwritten digits again, larger ones: 28×28 pixels, 4,000 to learn from and 1,000 to test on. The ink stands in the middle
# with a margin of about four pixels, so that we can move a digit by up to four without cutting much off it. A quarter of the
# test digits is moved to the right, a quarter to the left, a quarter down and a quarter up. What moves out of the picture is
# lost, and on the other side black background comes in (pixels of value 0).
#
# First the two methods you know: the nearest neighbour and an MLP, trained from three seeds. (Learning rates in this lesson
# were chosen on 500 of the training digits, as in lesson 04; that search is not repeated here. `cosine_adam` is Adam with a
# rate that falls to 0.)

# %%
train = nn.data.load("mnist_5k", "train").map(nn.data.as_images)
x, y = train.arrays().values()
test_x, test_y = nn.data.load("mnist_5k", "test").map(nn.data.as_images).arrays().values()
seeds = range(3)


def shift(images, down, across):
    """Images (n, height, width, 1), moved so many pixels down and to the right; background, 0, comes in."""
    height, width = images.shape[1:3]
    far = max(abs(down), abs(across))
    padded = np.pad(images, ((0, 0), (far, far), (far, far), (0, 0)))
    return padded[:, far - down : far - down + height, far - across : far - across + width]


def moved(images, pixels):
    """Every image moved by so many pixels: the first to the right, the next to the left, down, up, right again …"""
    result = np.empty_like(images)
    for turn, (down, across) in enumerate([(0, 1), (0, -1), (1, 0), (-1, 0)]):
        result[turn::4] = shift(images[turn::4], pixels * down, pixels * across)
    return result


distances = range(5)
moved_tests = [moved(test_x, pixels) for pixels in distances]
examples = [images[digit] for digit in (4, 9) for images in moved_tests]  # one that moves to the right, one to the left
figures.show_images(np.stack(examples), [f"moved by {pixels}" for pixels in distances] * 2, columns=5)
plt.show()


# %%
def vectors(images):
    return images.reshape(len(images), -1)


def mlp(seed):
    config = nn.models.MLPConfig(in_features=784, hidden=(120, 84), out_features=10)
    return nn.models.MLP(config, rngs=nnx.Rngs(seed))


def nearest(stored, asked):
    """Which stored vector b is nearest to each asked one a: |a − b|² = |a|² − 2 a·b + |b|², and |a|² decides nothing."""
    return ((stored**2).sum(1) - 2 * asked @ stored.T).argmin(1)


def weights(model):
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))


def train_all(make, data, learning_rate, steps, batch_size=32):
    """Three networks, from three seeds: their starts and the order of the digits."""
    models, optimizer = [make(seed) for seed in seeds], cosine_adam(learning_rate, steps)
    for seed, model in zip(seeds, models, strict=True):
        fit(model, data.batches(batch_size, seed=seed), optimizer=optimizer, steps=steps)
    return models


def when_moved(models, prepare=lambda images: images):
    """Accuracies on the moved test digits: (seeds, distances)."""
    return np.array([[evaluate(model, prepare(images), test_y) for images in moved_tests] for model in models])


mlps = train_all(mlp, train.map(lambda arrays: {**arrays, "image": vectors(arrays["image"])}), 3e-3, steps=750)
accuracies = {
    "nearest neighbour": np.array([[(y[nearest(vectors(x), vectors(t))] == test_y).mean() for t in moved_tests]]),
    "MLP": when_moved(mlps, vectors),
}
print(f"moved by             {'':5s}", *(f"{pixels:7d}" for pixels in distances))
for name, rows in accuracies.items():
    print(f"{name:26s}", *(f"{a:7.1%}" for a in rows.mean(0)))

# %% [markdown]
# Four pixels, and little is left. Nothing in either method knows which pixels are neighbours: shuffle the pixels of all images,
# in the same way for each, and both would do just as well as before. All that they know of images, they know by having seen
# ink at *that* place.
#
# ## A window
#
# So look at a small piece of the image at a time, and look at all pieces alike. A **window** of 3×3 pixels lies on the image.
# Multiply each pixel under it with a weight, add up: one number. Move the window by one pixel, do it again. The weights
# (the **kernel**, or **filter**) are the same at all places. With image $x$ and kernel $k$,
#
# $$y_{p,q} = \sum_{i,j} x_{p+i,\;q+j}\; k_{i,j}.$$
#
# This is a **convolution**. (In mathematics the kernel is turned round first. Networks learn their kernels, and do not
# care.) Below it is written in two ways. The first follows the words above: a loop over all places of the window. The second
# loops over the nine weights instead: each of them multiplies the *whole image*, moved to where that weight looks. Nine shifts
# and nine products, and no loop over places: that is how arrays like it.


# %%
def convolve_by_places(image, kernel):
    rows, columns = kernel.shape
    result = np.zeros((image.shape[0] - rows + 1, image.shape[1] - columns + 1))
    for p in range(result.shape[0]):
        for q in range(result.shape[1]):
            result[p, q] = (image[p : p + rows, q : q + columns] * kernel).sum()
    return result


def convolve_by_shifts(image, kernel):
    rows, columns = kernel.shape
    height, width = image.shape[0] - rows + 1, image.shape[1] - columns + 1
    return sum(kernel[i, j] * image[i : i + height, j : j + width] for i in range(rows) for j in range(columns))


photograph = load_sample_image("china.jpg")[20:360:2, 50:360:2].mean(-1) / 255
across = np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
by_places = convolve_by_places(photograph, across)
print("image", photograph.shape, "→", by_places.shape)
print("largest difference between the two ways:", abs(by_places - convolve_by_shifts(photograph, across)).max())

# %% [markdown]
# What does such a filter see? Before networks learned them, people wrote them. The kernel `across` is 0 over a plain surface,
# because its weights sum to 0, and large where it gets brighter from left to right (Sobel and Feldman 1968).

# %%
filters = {
    "blur: mean of 5 × 5": np.ones((5, 5)) / 25,
    "brighter to the right": across,
    "brighter downwards": across.T,
}
seen = {name: convolve_by_shifts(photograph, kernel) for name, kernel in filters.items()}
seen["edges of any direction"] = np.hypot(seen["brighter to the right"], seen["brighter downwards"])

figure, panels = plt.subplots(1, 5, figsize=(8, 2))
for axis, (name, image) in zip(panels, {"a photograph": photograph, **seen}.items(), strict=True):
    signed = name.startswith("brighter")
    axis.imshow(image, cmap="RdBu_r" if signed else "gray", **({"vmin": -3, "vmax": 3} if signed else {}))
    axis.set_axis_off()
    axis.set_title(name, fontsize=8.5)
plt.show()

# %% [markdown]
# Red is positive: it gets brighter to the right, or downwards. Blue is negative: it gets darker. One filter finds the posts
# and the other the beams, whether they are at the top or at the bottom of the picture. (Photograph: danielbuechele on Flickr,
# CC BY 2.0, from scikit-learn; cropped, in grey.)
#
# ## What moves in, moves out
#
# That was no accident of the picture. Move the image and then look, or look and then move what you saw: it comes to the same.
# A convolution **commutes with shifts**:
#
# $$\text{conv}(\text{shift}(x)) = \text{shift}(\text{conv}(x)).$$
#
# (There is a difference only at the border, where something leaves or enters the image. Our digits have a black border.) A
# linear layer does nothing of the kind. Let us try both on a digit that moves by two pixels down and one to the right.
#
# From here on we use the library's `conv`. It differs from ours in two things. It puts a border of zeros around the image, so
# that as many numbers come out as pixels go in. And it takes many images and many filters at once: images have the axes
# (images, height, width, channels), kernels (rows, columns, channels in, channels out). What a channel is comes below; here
# there is one.

# %%
digit = test_x[:1]  # (1, 28, 28, 1)
random_kernel = jax.random.normal(jax.random.key(0), (3, 3, 1, 1))
move_then_look = conv(jnp.asarray(shift(digit, 2, 1)), random_kernel)
look_then_move = shift(np.asarray(conv(jnp.asarray(digit), random_kernel)), 2, 1)
window_gap = abs(move_then_look - look_then_move).max()

random_matrix = np.random.default_rng(0).normal(size=(784, 784)).astype(np.float32) / 28


def linear_layer(images):
    return (vectors(images) @ random_matrix).reshape(-1, 28, 28, 1)


full_gap = abs(linear_layer(shift(digit, 2, 1)) - shift(linear_layer(digit), 2, 1)).max()
print(f"convolution: largest difference {window_gap:.7f}; linear layer: {full_gap:.2f}")

# %% [markdown]
# ## A linear layer with holes and copies
#
# Each output is a weighted sum of pixels. So a convolution *is* a linear layer, a special one. Which one? `jax.jacobian`
# gives its matrix: entry (output, pixel) is how much that output grows with that pixel. Take a 6×6 image with zeros around
# it, and a 3×3 window with the weights 1 to 9: 36 pixels in, 36 numbers out. The pixels are numbered row by row, 0 to 5 the
# first row, 6 to 11 the second. Read line 7 of the picture below: the output in the middle of pixels 0, 1, 2, 6, 7, 8, 12, 13
# and 14 is made of these nine, and of no other.

# %%
kernel = jnp.arange(1.0, 10.0).reshape(3, 3, 1, 1)
matrix = jax.jacobian(lambda image: conv(image, kernel))(jnp.zeros((6, 6, 1))).reshape(36, 36)
figure, axis = plt.subplots(figsize=(4.6, 3.8))
drawn = axis.imshow(np.where(matrix == 0, np.nan, matrix), cmap="viridis")
figure.colorbar(drawn, label="weight", ticks=range(1, 10))
axis.set(xlabel="pixel", ylabel="output", title="The matrix of a convolution; white is 0")
axis.grid(visible=False)
plt.show()

nonzero = int((matrix != 0).sum())
print(f"{matrix.size:,} entries, {nonzero} of them not 0, and only {len(np.unique(matrix)) - 1} different ones")
full, window = 784 * 784, 3 * 3
print(f"from 28 × 28 to 28 × 28 numbers: a full layer has {full:,} weights, a window of 3 × 3 has {window}")

# %% [markdown]
# Two assumptions have been built in. *Local*: what is far away is not seen together (the holes, white). *Shared*: what is worth
# seeing here is worth seeing there (the copies: each colour stands at many places, and is one weight). For images they are
# good ones, and they save nearly all of the weights.
#
# One filter is not much, so a layer has many: its output is a stack of images, one for each filter. These are its
# **channels**, as a photograph has three for colour. A filter of the next layer sees all channels of the one before, so its
# window is a small block, and the kernel of a whole layer has the shape (rows, columns, channels in, channels out). In the
# library:
#
# - the function `nn.layers.conv2d` is the shifts and products of above. For each position in the window it has not one weight
#   but a matrix, (channels in, channels out). `nn.layers.conv` is the same, quicker, and knows more choices.
# - The module is `nn.layers.Conv`, which owns a kernel and a bias.
# - A **stride** of 2 moves the window by two pixels instead of one, which halves height and width.
# - **Padding** says what is put around the image. "SAME": zeros, so many that with stride 1 the image keeps its size. "VALID":
#   nothing; the window stays inside the image, and the output is smaller by a border.

# %%
layer = Conv(3, 8, (5, 5), rngs=nnx.Rngs(0))
images = jnp.ones((10, 28, 28, 3))
print(f"Conv(3, 8, (5, 5)): kernel {layer.kernel.shape}, {weights(layer)} weights, on an image of any size")
for choice in ({"padding": "SAME"}, {"padding": "VALID"}, {"padding": "SAME", "strides": 2}):
    result = jax.eval_shape(partial(conv, **choice), images, layer.kernel[...])  # the shape alone, without computing
    print(f"  {images.shape} → {result.shape}   {choice}")

on_grey, one_filter = jnp.asarray(photograph)[:, :, None], jnp.asarray(across)[:, :, None, None]  # one channel
assert jnp.allclose(jax.jit(conv2d)(on_grey, one_filter)[..., 0], by_places, atol=1e-4)
assert jnp.allclose(conv(on_grey, one_filter, padding="VALID")[..., 0], by_places, atol=1e-4)

# %% [markdown]
# ## Pooling, and how far a unit sees
#
# When a filter has found its stroke, does it matter at *which* of four neighbouring pixels? **Max pooling** keeps the largest
# number of each 2×2 block. That leaves a quarter of the numbers, and a little less of "where". Is that good? Try it without any
# training: four edge filters, max pooling in larger and larger blocks, and of what comes out the nearest neighbour among the
# training digits. Blocks of 1×1 pool nothing. Blocks of 28×28 keep one number for each filter: its strongest answer anywhere.

# %%
edges = jnp.asarray(np.stack([across, -across, across.T, -across.T], axis=-1)[:, :, None])  # (3, 3, 1, 4)


def pooled_edges(images, size):
    return vectors(np.asarray(max_pool(relu(conv(jnp.asarray(images), edges)), (size, size), strides=(size, size))))


pooled = {}
print("blocks        centred   moved by 3   (nearest neighbour)")
for size in (1, 4, 7, 28):
    stored, both = pooled_edges(x, size), (test_x, moved_tests[3])
    pooled[size] = [float((y[nearest(stored, pooled_edges(images, size))] == test_y).mean()) for images in both]
    print(f"{size:2d} × {size:<2d} {pooled[size][0]:14.1%} {pooled[size][1]:12.1%}")

# %% [markdown]
# The larger the block, the less is lost by a shift. Blocks of 4×4 help even the centred digits: two people do not put a stroke
# on the very same pixels. But where a stroke is, is part of what a digit is, and in the end hardly anything is left to tell
# digits apart. So networks pool little by little, and look again in between.
#
# A window of 3×3 is small. But an output of a second layer sees 3×3 outputs of the first, each of which sees 3×3 pixels. All
# the pixels that an output depends on are its **receptive field**. How wide is it? Begin with one pixel. Each layer adds
# (window − 1) · distance, where the distance is how many pixels of the image two neighbouring inputs of this layer are apart:
# 1 at first, and multiplied by every stride before it. So a window of 3, a pooling of 2 with stride 2 and a window of 3 again
# see 1 + 2·1 + 1·1 + 2·2 = 8 pixels.
#
# Or ask the gradient which pixels they are. Below, the orange frame is the receptive field of one output, and a digit's
# outline shows how large that is. In the frame, darker means more: more ways lead from this pixel to the output.


# %%
def stack(image, layers):
    """Layers given by (window, stride). A pooling stands here as a convolution: its receptive field is the same."""
    for window, stride in layers:
        ones = jnp.ones((window, window, 1, 1)) / window**2
        image = conv(image, ones, strides=stride, padding="VALID")
    return image


stacks = {
    "one 3 × 3": [(3, 1)],
    "two 3 × 3": [(3, 1)] * 2,
    "three 3 × 3": [(3, 1)] * 3,
    "3 × 3, pool 2, 3 × 3": [(3, 1), (2, 2), (3, 1)],
    "LeNet, below": [(5, 1), (2, 2), (5, 1), (2, 2)],
}
fields = {}
figure, panels = plt.subplots(1, len(stacks), figsize=(10, 2.5))
for axis, (name, layers) in zip(panels, stacks.items(), strict=True):
    image = jnp.zeros((28, 28, 1))
    middle = jax.eval_shape(partial(stack, layers=layers), image).shape[0] // 2
    output = jax.jit(lambda image, at=middle, layers=layers: stack(image, layers)[at, at, 0])
    slopes = np.asarray(jax.grad(output)(image)[..., 0])
    inside = np.flatnonzero((slopes != 0).any(0))
    fields[name] = len(inside)
    assert fields[name] == receptive_field(layers)  # the library's arithmetic agrees
    axis.imshow(np.where(slopes == 0, np.nan, slopes), cmap="Blues", vmin=-0.3 * slopes.max())  # the palest is still blue
    axis.contour(test_x[4, ..., 0], levels=[0.5], colors="0.5", linewidths=0.7)
    corner, width = inside[0] - 0.5, len(inside)
    axis.add_patch(plt.Rectangle((corner, corner), width, width, fill=False, edgecolor=figures.COLOURS[1], linewidth=1.5))
    axis.set(xticks=[], yticks=[], xlim=(-0.5, 27.5), ylim=(27.5, -0.5))
    axis.set_title(f"{name}\nsees {fields[name]} × {fields[name]}", fontsize=10)
    axis.spines[:].set_visible(True)  # the edge of the image
    axis.grid(visible=False)
plt.show()
c = 64
print(f"one 7 × 7 window on {c} channels: {7 * 7 * c * c:,} weights; three of 3 × 3, which see as far: {3 * 3 * 3 * c * c:,}")

# %% [markdown]
# ## LeNet
#
# Put it together: convolution 5×5, pooling, convolution 5×5, pooling, and then the hidden layers of an MLP on what the
# filters found. That is LeNet-5 (LeCun et al. 1998), which read bank cheques. We take it in today's form, with relu and max
# pooling; in the library it is `nn.models.LeNet`. Its hidden layers are as wide as our MLP's. Here is what becomes of the
# shape (height, width, channels) of one image:


# %%
def make_lenet(seed):
    return nn.models.LeNet(nn.models.LeNetConfig(out_features=10), rngs=nnx.Rngs(seed))


image, lenet = jnp.zeros((1, 28, 28, 1)), make_lenet(0)
halved = partial(max_pool, window_shape=(2, 2), strides=(2, 2))
stages = {
    "convolution, SAME": lenet.conv1,
    "relu, pooling": lambda image: halved(relu(image)),
    "convolution, VALID": lenet.conv2,
    "relu, pooling again": lambda image: halved(relu(image)),
    "all in one row": lambda image: image.reshape(1, -1),
}
for name, stage in stages.items():
    image = stage(image)
    print(f"{name:20s} → {image.shape[1:]}")

# %% [markdown]
# Then hidden layers of 120 and 84 units, and ten scores. It has fewer weights than the MLP, and sees a third as many digits in
# training: fewer steps, and batches of 16 instead of 32. Three seeds.

# %%
lenets = train_all(make_lenet, train, 5e-3, steps=500, batch_size=16)
accuracies["LeNet"] = when_moved(lenets)

lead = mean_interval(accuracies["LeNet"][:, 0] - accuracies["MLP"][:, 0])
print(f"nearest neighbour {accuracies['nearest neighbour'][0, 0]:.1%}, with {x.size:,} stored pixels")
for name, models in {"MLP": mlps, "LeNet": lenets}.items():
    print(f"{name:6s}", *(f"{a:.1%}" for a in accuracies[name][:, 0]), f" with {weights(models[0]):,} weights")
print(f"LeNet − MLP: {100 * lead.mean:+.1f} points, 95% interval [{100 * lead.low:+.1f}, {100 * lead.high:+.1f}]")

# %% [markdown]
# Better, with fewer weights: the two assumptions were worth more than weights are.
#
# Now the digits that are moved. To be fair, the MLP *could* have been told that a moved digit is the same digit: by showing it
# moved digits. To make new training images of old ones, by changes that keep the label, is augmentation (lesson 04). So train
# another MLP on copies of the training digits, each moved at random by up to four pixels down or up, and by up to four left or
# right, for twice as many steps. And another LeNet, in as many steps as before. (One seed each.)

# %%
random = np.random.default_rng(0)
places = random.integers(-4, 5, (40, 2))  # 40 ways to move; each digit gets five of them
chunks = [shift(x[start::40], *places[(start + 8 * copy) % 40]) for copy in range(5) for start in range(40)]
chunk_labels = [y[start::40] for _ in range(5) for start in range(40)]
augmented = nn.data.Dataset.from_arrays({"image": np.concatenate(chunks), "label": np.concatenate(chunk_labels)})
as_rows = augmented.map(lambda arrays: {**arrays, "image": vectors(arrays["image"])})

shown_more, lenet = mlp(0), make_lenet(0)
fit(shown_more, as_rows.batches(32, seed=0), optimizer=cosine_adam(3e-3, 1500), steps=1500)
fit(lenet, augmented.batches(16, seed=0), optimizer=cosine_adam(5e-3, 500), steps=500)
accuracies["MLP, augmented"] = when_moved([shown_more], vectors)
accuracies["LeNet, augmented"] = when_moved([lenet])


def show_moved(names, title):
    curves = {name: (distances, 100 * accuracies[name].mean(0)) for name in names}
    axis = figures.plot_curves(curves, xlabel="test digits moved by (pixels)", ylabel="right (%)", title=title)
    axis.set_xticks(distances)
    plt.show()


show_moved(list(accuracies), "LeNet falls later, augmentation mends both")
for name, rows in accuracies.items():
    print(f"{name:20s}", *(f"{a:7.1%}" for a in rows.mean(0)))

# %% [markdown]
# LeNet holds longer than the MLP, and then falls too. Do its layers not commute with shifts? Its convolutions do. Its poolings
# do only where a shift fits their stride: shifts by two pixels for the first, by four for both together. And at the end come
# hidden layers, which look at fixed places. There are two words for what we want. **Equivariant**: what comes out moves along
# with the image, as in a convolution. **Invariant**: what comes out stays the same, as an answer should.
#
# Augmentation mends both networks: what you know of images can be put into the network, or into the data. In the data it costs
# steps: the MLP saw six times as many digits as LeNet did. And LeNet, which got no more steps for its larger task, now does
# a little worse where no digit is moved.
#
# ## What a filter sees
#
# The six kernels of LeNet's first layer, and what each of them makes of a digit:

# %%
lenet = lenets[0]
numbered = [f"filter {i}" for i in range(6)]
figures.show_images(np.moveaxis(np.asarray(lenet.conv1.kernel[..., 0, :]), -1, 0), numbered, columns=6, signed=True)
plt.suptitle("5 × 5 weights each: red is positive, blue negative", fontsize=10)
plt.show()

digit = test_x[np.flatnonzero(test_y == 5)[:1]]
seen = np.moveaxis(np.asarray(relu(lenet.conv1(jnp.asarray(digit))))[0], -1, 0)
seen = seen / seen.max(axis=(1, 2), keepdims=True)
figures.show_images(np.concatenate([digit[0, ..., 0][None], seen]), ["digit", *numbered], columns=7)
plt.show()

# %% [markdown]
# They differ: some keep most of the digit, others only parts of it, such as one side of a stroke. To give each a name would be
# to read too much into five by five noisy weights.
#
# The second layer's kernels are harder to read still, for each of them has six channels in. Ask instead what one of its 16
# channels *likes*. Its receptive field is 14×14 pixels. Of all such patches of 1,000 training digits, which give the largest
# output? (Of each digit we take one patch at most.) Two controls: patches drawn at random among those with ink in them, and
# the favourites of a network that has not learned anything.

# %%
padded = np.pad(x[:1000, ..., 0], ((0, 0), (2, 2), (2, 2)))  # the zeros of the first layer's padding
assert receptive_field([(5, 1), (2, 2), (5, 1)]) == 14


def patch(digit, place):
    """What the second layer sees at this place, 0 to 99: its 10 × 10 outputs lie two pixels apart."""
    down, across = 2 * (place // 10), 2 * (place % 10)
    return padded[digit, down : down + 14, across : across + 14]


def favourites(model):
    """For each of the 16 channels, the eight patches that excite it most."""
    first = max_pool(relu(model.conv1(jnp.asarray(x[:1000]))), (2, 2), strides=(2, 2))
    maps = np.moveaxis(np.asarray(model.conv2(first)), -1, 0).reshape(16, 1000, 100)
    return [[patch(digit, places[digit].argmax()) for digit in np.argsort(-places.max(1))[:8]] for places in maps]


def alike(patches):
    """The mean cosine between two different ones (1: the same but for brightness)."""
    rows = vectors(np.asarray(patches))
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return float((rows @ rows.T)[~np.eye(len(rows), dtype=bool)].mean())


inked = [p for digit in range(1000) if (p := patch(digit, random.integers(100))).mean() > 0.1]
liked = favourites(lenet)
likeness = {
    "a channel's favourites": np.mean([alike(patches) for patches in liked]),
    "those of an untrained one": np.mean([alike(patches) for patches in favourites(make_lenet(0))]),
    "inked patches at random": np.mean([alike([inked[i] for i in random.choice(len(inked), 8)]) for _ in range(200)]),
}
figures.show_images(np.concatenate(liked[:5]), columns=8)
plt.suptitle("A row for each of five channels: the patches that it likes best", fontsize=10)
plt.show()
print("how alike:", *(f"{name} {value:.2f}" for name, value in likeness.items()), sep="   ")

# %% [markdown]
# Each row has a theme: a corner, an arc, a slope. A channel's favourites are far more alike than patches at random. But look
# at the control: those of the untrained network are nearly as alike. Any filter, whatever its weights, likes *something*, and
# eight patches that please one filter resemble each other. What training adds is little by this measure; do not read more
# into such pictures than that.
#
# And what does the *whole network* look at when it says "5"? Two ways to ask.
#
# - **Occlusion**: cover a square of 6×6 pixels with background, and see by how much the loss grows. Do it at every place
#   (Zeiler and Fergus 2014).
# - **Saliency**: take the gradient of the right answer's score with respect to the pixels. It says where a little more or less
#   ink would count most (Simonyan et al. 2014). One gradient instead of many tries.

# %%
corners = [(down, across) for down in range(0, 23, 2) for across in range(0, 23, 2)]  # 12 × 12 of them


def covered(image, down, across):
    image = image.copy()
    image[down : down + 6, across : across + 6] = 0
    return image


def losses_of(images, label):
    """The cross-entropy of each image, when this is the right answer."""
    return np.asarray(softmax_cross_entropy(jnp.asarray(predict(lenet, images)), jnp.full(len(images), label)))


@nnx.jit
def saliency_of(model, images, labels):
    """How much each pixel moves the score of the right answer: (n, height, width)."""
    return abs(jax.grad(lambda images: model(images)[jnp.arange(len(labels)), labels].sum())(images))[..., 0]


saliency = np.asarray(saliency_of(lenet, test_x, test_y))
chosen = [np.flatnonzero(test_y == digit)[1] for digit in (2, 3, 5, 7)]
figure, panels = plt.subplots(3, 4, figsize=(6, 4.6))
for column, i in zip(panels.T, chosen, strict=True):
    tries = np.stack([test_x[i], *(covered(test_x[i], *corner) for corner in corners)])
    before, *after = losses_of(tries, test_y[i])
    column[0].imshow(test_x[i, ..., 0])
    column[1].imshow((np.array(after) - before).reshape(12, 12), cmap="Reds", vmin=0, extent=(1.5, 25.5, 25.5, 1.5))
    column[1].contour(test_x[i, ..., 0], levels=[0.5], colors="0.4", linewidths=0.7)
    column[2].imshow(saliency[i], cmap="Reds")
    column[2].contour(test_x[i, ..., 0], levels=[0.5], colors="0.4", linewidths=0.7)
    for axis in column:
        axis.set(xticks=[], yticks=[], xlim=(0, 27), ylim=(27, 0))
        axis.spines[:].set_visible(False)
        axis.grid(visible=False)
for axis, name in zip(panels[:, 0], ("digit", "occlusion", "saliency"), strict=True):
    axis.set_ylabel(name)
plt.show()

# %% [markdown]
# The darkest place of each map is the one that matters most for that digit. (Each map has its own scale, so compare places in
# one map, not one map with another.) The two maps need not agree: one asks what is missed when it is gone, the other where a
# little more or less ink would count.
#
# Pretty maps convince easily, so test them. If saliency shows what the network needs, then to cover the most salient square
# should hurt more than to cover another one. Which other? Most squares are empty, and to beat those proves nothing. A fair
# rival is a square drawn at random among those with at least as much ink. How many digits does each of the three LeNets read
# with one square of each covered?


# %%
def square_sums(maps):
    """The sum of each map (n, 28, 28) over the 6 × 6 square at each corner: (n, corners)."""
    return vectors(np.asarray(conv(maps[..., None], jnp.ones((6, 6, 1, 1)), strides=2, padding="VALID")))


def accuracy_covered(model, where):
    """Accuracy on the test digits, each covered at the corner with this number."""
    return evaluate(model, np.stack([covered(image, *corners[at]) for image, at in zip(test_x, where, strict=True)]), test_y)


ink, anywhere = square_sums(test_x[..., 0]), random.integers(len(corners), size=len(test_x))
cover = {"any square": [], "at least as much ink": [], "the most salient square": []}
for model in lenets:
    salient = square_sums(np.asarray(saliency_of(model, test_x, test_y))).argmax(1)
    as_inked = ink >= np.take_along_axis(ink, salient[:, None], axis=1)  # the salient one is among them
    rival = np.array([random.choice(np.flatnonzero(squares)) for squares in as_inked])
    for where, accuracy in zip((anywhere, rival, salient), cover.values(), strict=True):
        accuracy.append(accuracy_covered(model, where))
print(f"{'right, when we cover':30s}", *(f"{f'seed {seed}':>7s}" for seed in seeds))
print(f"{'nothing':30s}", *(f"{a:7.1%}" for a in accuracies["LeNet"][:, 0]))
for name, accuracy in cover.items():
    print(f"{name:30s}", *(f"{a:7.1%}" for a in accuracy))
worth = mean_interval(np.subtract(cover["at least as much ink"], cover["the most salient square"]))
print(f"as much ink − most salient: {100 * worth.mean:+.1f} points [{100 * worth.low:+.1f}, {100 * worth.high:+.1f}]")

# %% [markdown]
# To cover the most salient square costs far more than to cover any square. But does it cost more than to cover a square with
# as much ink? That is not shown: the interval of the difference holds 0. (Nor is it shown that they cost the same. The
# interval reaches a few points to either side, and three networks cannot tell more.) Most of the damage that the map finds, you
# would have found by looking for ink, without a gradient. When you are shown such a map, ask what it was compared with.
#
# ## Deeper: VGG, and why it stopped there
#
# Three windows of 3×3 see as far as one of 7×7, with about half of the weights, and with three relus, which bend, instead of
# one. That is the whole idea of VGG (Simonyan and Zisserman 2015): nothing but small windows, many layers of them. So why not
# fifty layers? Because it did not work. He et al. (2016) saw that deeper networks got worse *on the training images
# themselves*. That is not overfitting, which makes the training loss smaller. They were harder to train.
#
# Their remedy is one addition. Let a **block** of two layers compute not the new image, but what to *add* to the old one:
#
# $$x \leftarrow \text{relu}\,(x + F(x)), \qquad F(x) = \text{norm}(\text{conv}(\text{relu}(\text{norm}(\text{conv}(x))))).$$
#
# This `x +` is a **skip connection**. With it the image arrives at the end whatever the blocks add to it, and the gradient
# arrives at the beginning. Without it every block makes something new of what it gets, and twenty of them have to agree. Let us
# see both, on the 8×8 digits of lesson 03: everything alike but for the `x +`. The norm is batch norm (lesson 04), so that
# signals keep their size in both. Each network is trained with two learning rates, and shown with the better one.
#
# `jax.lax.scan` runs the same block over a stack of kernels: a loop, compiled as one piece. (Inside such a loop, shifts and one
# product happen to be quicker on a CPU than `conv`; `look` is just that.)

# %%
small_x, small_y = (jnp.asarray(a) for a in nn.data.load("digits", "train").map(nn.data.as_images).arrays().values())


def standardized(image):
    return batch_norm(image, *batch_statistics(image))


def look(image, kernel):
    """A convolution 3 × 3: nine moved images side by side, as channels, times one matrix."""
    height, width = image.shape[1:3]
    around = jnp.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    nine = [around[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(nine, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


def deep_network(kernels, images, skip):
    """Scores; skip is 1 or 0: with or without `x +`."""

    def block(x, pair):
        change = relu(standardized(look(x, pair[0])))
        change = standardized(look(change, pair[1]))
        return relu(skip * x + change), None

    image = relu(standardized(look(images, kernels["stem"])))
    image = max_pool(image, (2, 2), strides=(2, 2))  # 4 × 4 pixels, 8 channels
    image, _ = jax.lax.scan(block, image, kernels["blocks"])
    return linear(standardized(image).reshape(len(images), -1), kernels["head"])


def start_deep(blocks, seed):
    stem_key, block_key = jax.random.split(jax.random.key(seed))
    pairs = normal(math.sqrt(2 / (3 * 3 * 8)))(block_key, (blocks, 2, 3, 3, 8, 8))  # He's variance (lesson 04), all at once
    return {"stem": he_normal()(stem_key, (3, 3, 1, 8)), "blocks": pairs, "head": jnp.zeros((4 * 4 * 8, 10))}


adam = optax.scale_by_adam()  # Adam's directions; the rate comes as an argument, so that one compilation serves all rates


@jax.jit
@partial(jax.vmap, in_axes=(0, 0, 0, 0, None))
def deep_step(kernels, memory, batch, rate, skip):
    def loss(kernels):
        return softmax_cross_entropy(deep_network(kernels, small_x[batch], skip), small_y[batch]).mean()

    value, gradient = jax.value_and_grad(loss)(kernels)
    direction, memory = adam.update(gradient, memory)
    return jax.tree.map(lambda kernel, step: kernel - rate * step, kernels, direction), memory, value


def train_deep(blocks, skip, rates, steps=60):
    """Two seeds with each rate, all four networks at once; the losses (rates, seeds, steps), means of ten steps."""
    starts = [start_deep(blocks, seed) for _ in rates for seed in range(2)]
    kernels = jax.tree.map(lambda *same: jnp.asarray(np.stack(same)), *starts)
    memory, losses, random = jax.vmap(adam.init)(kernels), [], [np.random.default_rng(seed) for _ in rates for seed in range(2)]
    for _ in range(steps):
        batches = np.stack([r.integers(len(small_x), size=32) for r in random])
        kernels, memory, loss = deep_step(kernels, memory, batches, np.repeat(np.float32(rates), 2), skip)
        losses.append(loss)
    losses = np.array(losses).T.reshape(len(rates), 2, steps)
    return np.lib.stride_tricks.sliding_window_view(losses, 10, axis=2).mean(-1)


depths = {"5 convolutions": (2, 0.0), "41 convolutions": (20, 0.0), "41, with skips": (20, 1.0)}
rates = (3e-3, 1e-2)
end, curves = {}, {}
for name, (blocks, skip) in depths.items():
    losses = train_deep(blocks, skip, rates)
    best = losses[:, :, -1].mean(1).argmin()  # for each net the better rate
    end[name] = losses[best, :, -1].tolist()
    curves[name] = (np.arange(10, 61), losses[best, 0])
    print(f"{name:22s} rate {rates[best]:<5g} training loss at the end, two seeds: {end[name][0]:.2f} and {end[name][1]:.2f}")

axis = figures.plot_curves(
    curves,
    xlabel="step (each loss is the mean of ten steps)",
    ylabel="training loss (nats)",
    title="Deeper is harder to train, unless it may skip",
)
axis.axhline(np.log(10), color="0.6", linewidth=1, linestyle="--")
axis.annotate("guessing", (60, np.log(10)), (0, 4), textcoords="offset points", ha="right", fontsize="small", color="0.4")
plt.show()

# %% [markdown]
# These are losses on digits that the network is *trained* on. So the plain deep network's trouble is not that it learned them
# by heart: it has hardly learned them at all. Its loss is still falling, but slowly. With skips the same 41 convolutions come
# nearly as far as 5, in as many steps. They have nothing to gain over 5 here: these digits are easy. What skips give is that a
# deep network can be trained. (On photographs He et al. could then go to 152 layers, and gained by it.)
#
# A network of such blocks is a **ResNet**. It ends with a **global average pooling**, the mean of each channel over all places,
# and one linear layer for the scores. VGG, like LeNet, ends with hidden layers that look at fixed places. What does that cost
# in weights? Here are the published sizes. (No network is made: `nnx.eval_shape` only works out the shapes. A kernel is the
# weights of one layer, a convolution or a linear layer.)

# %%
published = {
    "LeNet-5": lambda: make_lenet(0),
    "VGG-16": lambda: nn.models.VGG(nn.models.VGGConfig.vgg16(), rngs=nnx.Rngs(0)),
    "ResNet-50": lambda: nn.models.ResNet(nn.models.ResNetConfig.resnet50(), rngs=nnx.Rngs(0)),
}
counts, in_linear = {}, {}
for name, make in published.items():
    shapes = jax.tree.leaves(nnx.state(nnx.eval_shape(make), nnx.Param))
    counts[name] = sum(leaf.size for leaf in shapes)
    kernels, in_linear[name] = sum(leaf.ndim > 1 for leaf in shapes), sum(leaf.size for leaf in shapes if leaf.ndim == 2)
    print(f"{name:10s} {counts[name]:12,} weights in {kernels} kernels, {in_linear[name]:12,} of them in linear layers")

# %% [markdown]
# Nearly nine in ten of VGG-16's weights are in the three linear layers at its end. ResNet-50 has many more layers and a fifth
# of the weights. (The numbers in the names count kernels, and ResNet-50 has four more than its name says. Where a block
# changes the number of channels, $x$ and $F(x)$ have different shapes and cannot be added. There the skip gets a convolution
# of its own with a window of 1×1, which sees no neighbours and only makes new channels of the old.)
#
# Now a small ResNet, of two blocks, on the digits, and on digits that are moved:


# %%
def resnet(seed):
    config = nn.models.ResNetConfig(in_features=1, stem="large", depths=(1, 1), widths=(16, 32), out_features=10)
    return nn.models.ResNet(config, rngs=nnx.Rngs(seed))


resnets = train_all(resnet, train, 5e-3, steps=300, batch_size=16)
accuracies["ResNet"] = when_moved(resnets)
print("ResNet", *(f"{a:.1%}" for a in accuracies["ResNet"][:, 0]), f" with {weights(resnets[0]):,} weights")
show_moved(["nearest neighbour", "MLP", "LeNet", "ResNet"], "Trained on centred digits only")

summary = {name: mean_interval(accuracies[name][:, 0]) for name in ("MLP", "LeNet", "ResNet")}
nearest_right = 100 * accuracies["nearest neighbour"][0, 0]
axis = figures.plot_intervals(
    {name: (100 * i.mean, 100 * i.low, 100 * i.high) for name, i in summary.items()},
    axis=plt.subplots(figsize=(6, 2.2))[1],
    reference=nearest_right,
    xlabel="right on test digits that are not moved (%)",
    title="Mean of three seeds, with its 95% interval",
)
axis.annotate("nearest\nneighbour", (nearest_right, 1.5), (-5, 0), textcoords="offset points", ha="right", va="center")
plt.show()
by_place = mean_interval(accuracies["ResNet"][:, 4] - accuracies["LeNet"][:, 4])
print(f"moved by 4, ResNet − LeNet: {100 * by_place.mean:+.0f} points [{100 * by_place.low:+.0f}, {100 * by_place.high:+.0f}]")

# %% [markdown]
# Digits that are not moved it reads about as well as LeNet does, with a third of the weights. (An interval is grey where it
# holds the dashed line: there three seeds do not show that the network differs from the nearest neighbour.)
#
# And it is much steadier when digits move. Where LeNet has layers that look at fixed places, a ResNet has a mean, and a mean
# does not ask where. (That is the likely reason. They differ in more: to be sure, take LeNet and exchange its hidden layers for
# a mean.) Still it misreads many. It begins with a convolution of stride 2, a pooling of stride 2 follows, and its second
# block has stride 2 again. Each looks at every second place only, and a digit that moves by one is then seen by other windows.
# Augmentation, above, does more.
#
# ## A film is an image with one more axis
#
# The window can have three axes: so many frames, rows and columns. `Conv` takes it as it is. What can it see that no image
# shows? *Motion.* Here are films of four frames in which an 8×8 digit moves by one pixel a frame, to the right, to the left,
# down or up. What leaves on one side comes back on the other, and the digit begins at any place. So a single frame of any
# film shows a digit at some place: nobody can tell the direction from one frame. Below, the same seven moves in each of the
# four ways:


# %%
steps_of = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}  # pixels down and across, a frame


def film_of(digit, way):
    """Four frames (4, 8, 8, 1) of a digit that moves in way 0, 1, 2 or 3: right, left, down, up."""
    down, across = list(steps_of.values())[way]
    return np.stack([np.roll(digit, (t * down, t * across), axis=(0, 1)) for t in range(4)])


def films(split, count, seed):
    """Films (count, 4 frames, 8, 8, 1), and the way in which each moves."""
    digits = nn.data.load("digits", split).map(nn.data.as_images).arrays()["image"]
    random = np.random.default_rng(seed)
    ways = random.integers(0, 4, count)
    result = np.empty((count, 4, 8, 8, 1), np.float32)
    for film, way in zip(result, ways, strict=True):
        digit = np.roll(digits[random.integers(len(digits))], random.integers(0, 8, 2), axis=(0, 1))  # begins anywhere
        film[:] = film_of(digit, way)
    return result, ways.astype(np.int32)


film_x, film_y = films("train", 2000, seed=0)
test_film_x, test_film_y = films("test", 1000, seed=1)

seven = np.asarray(small_x[96])
assert small_y[96] == 7
figure, panels = plt.subplots(2, 8, figsize=(9, 2.7))
for panel, (way, t) in zip(panels.flat, [(way, t) for way in range(4) for t in range(4)], strict=True):
    panel.imshow(film_of(seven, way)[t, ..., 0])
    panel.set_title(f"{list(steps_of)[way]}, frame {t}", fontsize=9)
    panel.set_axis_off()
plt.show()

# %% [markdown]
# The network is as small as can be: one convolution, relu, the mean over all frames and places, scores. (A module of your own
# is a class: `__init__` makes its layers, `__call__` uses them.) Its window spans two frames. For comparison, a second network
# has a window of a single frame: it sees all four frames too, but never two at a time. And an MLP reads the whole film.


# %%
class Motion(nnx.Module):
    """Which way does it move? The mean response of filters whose window spans `frames` frames."""

    def __init__(self, frames, *, rngs):
        self.conv = Conv(1, 16, (frames, 3, 3), padding="VALID", rngs=rngs)
        self.head = Linear(16, 4, rngs=rngs)

    def __call__(self, film):
        return self.head(global_avg_pool(relu(self.conv(film)), spatial_axes=3))


def film_mlp(inputs, seed):
    return nn.models.MLP(nn.models.MLPConfig(in_features=inputs, hidden=(128,), out_features=4), rngs=nnx.Rngs(seed))


watchers = {
    "window of two frames": (lambda seed: Motion(2, rngs=nnx.Rngs(seed)), lambda film: film, 5e-2),
    "window of one frame": (lambda seed: Motion(1, rngs=nnx.Rngs(seed)), lambda film: film, 5e-2),
    "MLP on the whole film": (partial(film_mlp, 256), vectors, 3e-3),
}
told, motion = {}, {}
for name, (make, prepare, rate) in watchers.items():
    data = nn.data.Dataset.from_arrays({"image": prepare(film_x), "label": film_y})
    motion[name] = train_all(make, data, rate, steps=200, batch_size=16)
    told[name] = np.array([evaluate(model, prepare(test_film_x), test_film_y) for model in motion[name]])
    print(f"{name:22s}", *(f"{a:6.1%}" for a in told[name]), f" with {weights(motion[name][0]):,} weights")

backwards = predict(motion["window of two frames"][0], test_film_x[:, ::-1]).argmax(1)
opposite = float((backwards == np.array([1, 0, 3, 2])[test_film_y]).mean())
print(f"films run backwards: {opposite:.0%} are said to move the opposite way; guessing would be right for 25%")

# %% [markdown]
# Two frames at a time are all it takes. One frame at a time is blind to motion, however many it sees: it is at chance, 1 in 4.
# The MLP learns most of it, place by place, with about ninety times as many weights.
#
# The same idea goes wherever neighbours mean something. A window with *one* axis reads sound, an electrocardiogram or prices
# over time; and it reads the list of things that somebody bought, in order, to recommend the next one (Tang and Wang 2018,
# "Personalized top-N sequential recommendation via convolutional sequence embedding"). Where neighbours mean nothing, as in
# a table whose columns could stand in any order, a window has nothing to look at.
#
# ## What we claimed, checked

# %%
assert window_gap < 1e-5 < 0.1 < full_gap, "a convolution commutes with shifts, a linear layer does not"
assert np.flatnonzero(matrix[7]).tolist() == [0, 1, 2, 6, 7, 8, 12, 13, 14], "an output is made of the pixels around it"
assert nonzero == (3 * 6 - 2) ** 2 and len(np.unique(matrix)) == 10, "mostly holes, and copies of nine weights"
lost = {size: centred - moved_by_3 for size, (centred, moved_by_3) in pooled.items()}
assert lost[1] > lost[4] + 0.1 > lost[28] + 0.2, "pooling makes shifts matter less"
assert pooled[4][0] > pooled[1][0], "a little of it helps where nothing is moved, too"
assert pooled[28][0] < pooled[4][0] - 0.2, "and pooled too much, digits are all alike"
assert fields["three 3 × 3"] == 7, "three small windows see as far as one of 7 × 7"
assert fields["3 × 3, pool 2, 3 × 3"] == 8, "and strides count for all that comes after them"
mean = {name: rows.mean(0) for name, rows in accuracies.items()}
assert mean["nearest neighbour"][4] < 0.5 and mean["MLP"][4] < 0.5, "methods without neighbourhood fall when digits move"
assert lead.low > 0 and weights(lenets[0]) < weights(mlps[0]), "LeNet reads better, with fewer weights"
assert mean["LeNet"][2] > mean["MLP"][2] + 0.05 and mean["LeNet"][4] < 0.75, "it holds longer, and falls too"
assert mean["MLP, augmented"][4] > 0.75 and mean["LeNet, augmented"][4] > 0.75, "augmentation mends both"
assert mean["LeNet, augmented"][0] < mean["LeNet"][0], "at a price where nothing is moved"
assert likeness["a channel's favourites"] > likeness["inked patches at random"] + 0.1, "a channel's favourite patches are alike"
covers = {name: np.mean(accuracy) for name, accuracy in cover.items()}
assert covers["the most salient square"] < covers["any square"] - 0.05, "what is salient matters more than any square"
damage = {name: covers["any square"] - right for name, right in covers.items()}
assert damage["at least as much ink"] > 0.5 * damage["the most salient square"], "most of it is ink"
assert abs(worth.mean) < 0.08, "but hardly more than a square with as much ink"
assert max(end["41, with skips"]) + 0.5 < min(end["41 convolutions"]), "skips make the deep network trainable"
assert max(end["5 convolutions"]) + 0.5 < min(end["41 convolutions"]), "which without them is worse than a shallow one"
assert max(end["41, with skips"]) < max(end["5 convolutions"]) + 0.3, "and with them comes nearly as far"
assert counts == {"LeNet-5": 61_706, "VGG-16": 138_357_544, "ResNet-50": 25_557_032}, (
    "as it is published for VGG-16 and ResNet-50"
)
assert 0.88 < in_linear["VGG-16"] / counts["VGG-16"] < 0.9 and counts["VGG-16"] > 5 * counts["ResNet-50"], (
    "where VGG's weights are"
)
assert abs(mean["ResNet"][0] - mean["LeNet"][0]) < 0.03 and mean["ResNet"][4] > mean["LeNet"][4] + 0.1, "steadier"
assert weights(resnets[0]) < 0.4 * weights(lenets[0]), "with a third of the weights"
assert min(told["window of two frames"]) > 0.95 and opposite > 0.9, "a window over two frames sees motion"
assert 0.8 < told["MLP on the whole film"].mean() < min(told["window of two frames"]), (
    "an MLP, in as many steps, sees most of it"
)
assert weights(motion["MLP on the whole film"][0]) > 80 * weights(motion["window of two frames"][0])
assert told["window of one frame"].max() < 0.33, "no single frame shows it"

# %% [markdown]
# ## Try
#
# 1. Give all pixels new places, the same in every image: `vectors(x)[:, np.random.default_rng(0).permutation(784)]`. Train
#    the MLP and LeNet on that. Which of the two suffers, and why is it what you should expect?
# 2. Why does the ResNet lose anything when digits move? Look at its strides. What would you change to make it steadier, and
#    what does that cost? Measure both.
# 3. In `deep_network`, start every block with a change of zero: multiply the second `standardized(...)` by a weight that begins
#    at 0 and is learned. What does that do for 41 layers, and for 81?
#
# **Exercise:** write `conv2d`, `same_padding`, `max_pool`, `global_avg_pool` and `receptive_field` yourself. In the folder of
# the course, `python -m exercises next` says where to begin, and `python -m pytest exercises/05_convolution` tests what you
# have written.
