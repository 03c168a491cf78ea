"""Plotting for lessons: one look for all, and the few pictures that more than one lesson draws.

A picture that is drawn the same way every time is read at once; and a lesson should show networks, not plotting code.
"""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555", "#8C6D31", "#9A4FC4", "#B5BD00")
"""Ten line and class colours; the first six are Okabe and Ito's (2008), told apart with any colour vision."""


def use_lesson_style() -> None:
    """Set Matplotlib's defaults for a lesson: sizes that suit a notebook, safe colours, no needless frame."""
    plt.rcParams.update(
        {
            "figure.dpi": 100,
            "figure.figsize": (6.0, 3.6),
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.titlesize": 11,
            "axes.prop_cycle": cycler(color=COLOURS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "0.92",
            "lines.linewidth": 1.8,
            "legend.frameon": False,
            "image.cmap": "gray",
        }
    )


def show_images(
    images: ArrayLike, titles: Sequence[object] | np.ndarray | None = None, *, columns: int = 10, signed: bool = False
) -> None:
    """A grid of images on one common scale, so that dark in one is dark in all.

    Args:
      images: (n, height, width) or (n, height, width, 1), any range.
      titles: n short titles, such as labels.
      columns: images in a row.
      signed: for weights: white is 0, red positive, blue negative, the scale symmetric.

    Raises:
      ValueError: images of another shape, or another number of titles.
    """
    images = np.asarray(images, np.float32)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim != 3 or not len(images):
        raise ValueError(f"show_images expects images (n, height, width) or (…, 1) with n > 0, got {images.shape}.")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"show_images expects {len(images)} titles, one for each image, got {len(titles)}.")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    low, high = float(images.min()), float(images.max())
    if signed:
        high = max(-low, high)
        low = -high
    size = min(0.9, 9.0 / columns)
    tall = size * (images.shape[1] / images.shape[2] + (0.28 if titles is not None else 0.06))
    _, axes = plt.subplots(rows, columns, figsize=(size * columns, tall * rows), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for i, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):  # the last row may not be full
        axis.imshow(image, cmap="RdBu_r" if signed else "gray", vmin=low, vmax=high, interpolation="nearest")
        if titles is not None:
            axis.set_title(str(titles[i]), fontsize=9, pad=2)


def plot_curves(
    curves: Mapping[str, Sequence | np.ndarray],
    *,
    axis: Axes | None = None,
    xlabel: str = "step",
    ylabel: str = "",
    title: str = "",
    logx: bool = False,
    logy: bool = False,
) -> Axes:
    """Named curves in one picture, each name written at its curve's end instead of in a legend.

    Args:
      curves: name → y, or a tuple (x, y), or a tuple (x, y, low, high) whose last two become a band around y.
      axis: where to draw; a new figure by default.
      logx: a logarithmic x axis that is marked at the x of the first curve, as for numbers of examples.

    Returns:
      The axis.
    """
    axis = axis or plt.subplots()[1]
    ends = []
    for name, curve in curves.items():
        x, y, *band = curve if isinstance(curve, tuple) else (np.arange(len(curve)), curve)
        (line,) = axis.plot(x, y, marker="o" if len(x) <= 12 else None, markersize=4)
        if len(band) == 2:
            axis.fill_between(x, *band, color=line.get_color(), alpha=0.15, linewidth=0)
        ends.append((float(x[-1]), float(y[-1]), name, line.get_color()))
    axis.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if logx:
        axis.set_xscale("log")
        first = next(iter(curves.values()))
        if isinstance(first, tuple):
            axis.set_xticks(np.asarray(first[0]), [f"{x:g}" for x in first[0]])
            axis.xaxis.minorticks_off()
    if logy:
        axis.set_yscale("log")
    _label_ends(axis, ends)
    return axis


def _label_ends(axis: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Write names to the right of curves' ends, moved apart where they would cover each other."""
    to_pixels = axis.transData.transform
    axis.figure.canvas.draw()  # limits and scale are known only now
    apart = 1.35 * plt.rcParams["font.size"] * 0.9 * axis.figure.dpi / 72
    height = -np.inf
    for x, y, name, colour in sorted(ends, key=lambda end: end[1]):
        there = to_pixels((x, y))[1]
        height = max(there, height + apart)
        points = (height - there) * 72 / axis.figure.dpi
        axis.annotate(
            name, (x, y), (6, points), textcoords="offset points", va="center", color=colour, fontsize="small",
            annotation_clip=False,
        )  # fmt: skip


def decision_regions(
    axis: Axes,
    predict: Callable[[np.ndarray], ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    *,
    resolution: int = 150,
    title: str = "",
) -> None:
    """What a classifier of the plane says everywhere, and the points it was taught with.

    Args:
      predict: (n, 2) → (n,) classes, or (n, k) probabilities: then colours fade where the classifier
        is unsure, and of two classes the line between them is drawn.
      x: (n, 2) points.
      y: (n,) integer classes below `len(COLOURS)`.
      resolution: how many places are asked along each side.

    Raises:
      ValueError: x or y of another shape.
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 2 or x.shape[1] != 2 or y.shape != x.shape[:1]:
        raise ValueError(f"decision_regions expects x (n, 2) and y (n,), got {x.shape} and {y.shape}.")
    margin = 0.08 * (x.max(0) - x.min(0))
    (left, bottom), (right, top) = x.min(0) - margin, x.max(0) + margin
    across, up = np.meshgrid(np.linspace(left, right, resolution), np.linspace(bottom, top, resolution))
    said = np.asarray(predict(np.stack([across.ravel(), up.ravel()], axis=1).astype(np.float32)))
    palette = np.array([to_rgb(colour) for colour in COLOURS])
    shares = np.eye(len(COLOURS))[said] if said.ndim == 1 else said
    sure = (shares.max(1, keepdims=True) - 1 / shares.shape[1]) / (1 - 1 / shares.shape[1])
    colours = 1 - 0.45 * sure * (1 - shares @ palette[: shares.shape[1]])  # pale, so that the points stand out
    axis.imshow(
        colours.reshape(resolution, resolution, 3).clip(0, 1),
        extent=(left, right, bottom, top),
        origin="lower",
        aspect="auto",
        interpolation="bilinear",
    )
    if shares.shape[1] == 2 and said.ndim == 2:
        axis.contour(across, up, shares[:, 0].reshape(across.shape), levels=[0.5], colors="black", linewidths=1)
    axis.scatter(*x.T, c=palette[y], s=14, edgecolors="white", linewidths=0.4)
    axis.grid(visible=False)
    axis.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], title=title)


def plot_intervals(
    intervals: Mapping[str, Sequence[float]],
    *,
    axis: Axes | None = None,
    reference: float | None = None,
    xlabel: str = "",
    title: str = "",
) -> Axes:
    """Estimates with their intervals, one row each, the first on top.

    Args:
      intervals: name → (estimate, low, high).
      axis: where to draw; a new figure by default.
      reference: where to draw a thin line to compare with: 0 for differences, chance for accuracies.

    Returns:
      The axis.

    Raises:
      ValueError: an entry that is not low ≤ estimate ≤ high.
    """
    for name, entry in intervals.items():
        if len(entry) != 3 or not entry[1] <= entry[0] <= entry[2]:
            raise ValueError(f"plot_intervals expects (estimate, low, high) in {name!r}, low ≤ estimate ≤ high; got {entry}.")
    axis = axis or plt.subplots(figsize=(6.0, 0.7 + 0.32 * len(intervals)))[1]
    if reference is not None:
        axis.axvline(reference, color="0.4", linewidth=1, linestyle="--")
    for row, (estimate, low, high) in enumerate(intervals.values()):
        apart = reference is None or not low <= reference <= high
        colour = COLOURS[0] if apart else "0.55"  # grey: the interval holds the reference, so nothing is shown
        axis.plot([low, high], [row, row], color=colour, linewidth=2.4, solid_capstyle="round")
        axis.plot(estimate, row, "o", color=colour, markersize=6)
    axis.set_yticks(range(len(intervals)), list(intervals))
    axis.set(ylim=(len(intervals) - 0.5, -0.5), xlabel=xlabel, title=title)
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    return axis
