"""Drawn animals: four colours, three patterns and two lengths of neck, in all combinations, on grass.

Nothing here was photographed. The 24 kinds are made so that each can be described exactly, and one of them be left out of
training while its colour, its pattern and its neck are seen on others: what zero-shot learning needs, without a download.
"""

from itertools import product

import numpy as np
from jaxtyping import Float, Int, UInt8

COLOURS = {"yellow": (0.9, 0.8, 0.2), "brown": (0.5, 0.3, 0.15), "white": (0.9, 0.9, 0.9), "grey": (0.4, 0.4, 0.45)}
PATTERNS = ("plain", "spots", "stripes")
NECKS = ("short neck", "long neck")
KINDS = tuple(product(COLOURS, PATTERNS, NECKS))  # of each label: its colour, pattern and neck
NAMES = tuple(" ".join(kind) for kind in KINDS)
ATTRIBUTES = (*COLOURS, *PATTERNS, *NECKS)

SIDE = 24  # pixels
GRASS = (0.45, 0.65, 0.35)
MARKING = 0.15  # how much of its colour is left where an animal has a spot or a stripe


def class_attributes() -> Float[np.ndarray, "24 9"]:
    """1 where the animal of the row has the attribute of the column (`ATTRIBUTES`), 0 where it has not."""
    return np.array([[float(attribute in kind) for attribute in ATTRIBUTES] for kind in KINDS], np.float32)


def render(per_kind: int, *, seed: int) -> tuple[UInt8[np.ndarray, "24 n 24 24 3"], Int[np.ndarray, "24 n"]]:
    """Draw every kind many times, each time with another place, size, shade and marking.

    Args:
      per_kind: n, how many pictures of each.
      seed: the same seed gives the same pictures.

    Returns:
      Pictures, and their labels: places in `KINDS`.
    """
    random = np.random.RandomState(seed)  # its stream is frozen; that of `default_rng` may change with NumPy
    images = np.stack([draw(*kind, per_kind, random) for kind in KINDS])
    return images, np.repeat(np.arange(len(KINDS))[:, None], per_kind, axis=1)


def draw(colour: str, pattern: str, neck: str, count: int, random: np.random.RandomState) -> UInt8[np.ndarray, "count 24 24 3"]:
    """Pictures of one kind: an ellipse on four legs, with a neck and a head at its right end."""

    def some(low: float, high: float) -> np.ndarray:
        return random.uniform(low, high, (count, 1, 1))

    y, x = np.mgrid[:SIDE, :SIDE][:, None]
    middle_x, middle_y = SIDE / 2 + some(-2, 2), 0.62 * SIDE + some(-2, 2)
    half_width, half_height = some(6, 8), some(3.5, 5)
    length = some(8, 10) if neck == "long neck" else some(2, 4)

    animal = ((x - middle_x) / half_width) ** 2 + ((y - middle_y) / half_height) ** 2 < 1
    shoulder, chin = middle_x + 0.8 * half_width, middle_y - half_height - length
    animal |= (abs(x - shoulder) < 1.8) & (y < middle_y) & (y > chin)
    animal |= (x - shoulder - 1) ** 2 + (y - chin) ** 2 < 6
    for leg in (-0.7, -0.3, 0.3, 0.7):
        animal |= (abs(x - middle_x - leg * half_width) < 0.9) & (y > middle_y) & (y < middle_y + half_height + 4)

    frequency, phase, other_phase, slant = some(1.5, 2.1), some(0, 6), some(0, 6), some(-0.4, 0.4)
    marks = {
        "plain": np.zeros((count, SIDE, SIDE), bool),
        "spots": np.sin(frequency * x + phase) * np.sin(frequency * y + other_phase) > 0.25,
        "stripes": np.sin(frequency * (x * np.cos(slant) + y * np.sin(slant)) + phase) > 0.2,
    }[pattern]

    shade = np.clip(COLOURS[colour] + 0.06 * random.standard_normal((count, 1, 1, 3)), 0, 1)
    coat = shade * np.where(marks, MARKING, 1.0)[..., None]
    pixels = np.where(animal[..., None], coat, GRASS) + 0.05 * random.standard_normal((count, SIDE, SIDE, 3))
    return np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8)
