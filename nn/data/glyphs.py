"""Images of printed characters: 137 of them, in twelve faces, each image bent and moved a little.

Letters of three alphabets give a hundred classes and more without a download: enough to pretrain on most of them and
meet the rest as new classes (the arrangement of Omniglot: Lake, Salakhutdinov and Tenenbaum 2015).
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Letters that another alphabet draws the same way (Latin A and Greek Alpha, Π and П) stand here once.
CHARACTERS = (
    "ABCDEFGHIJKLMNPQRSTUVWXYZabdefghjmnqrty0123456789"
    "ΓΔΘΛΞΠΣΦΨΩαβγδεζηθλμξπσφψω"
    "БДЖЗИЙЛУФЦЧШЩЪЫЬЭЮЯбвгджзийклмнптфцчшщъыьэюя"
    "&@#%$?!+=<>*£€¥§¶©"
)
SIDE = 28  # pixels
SIZES = (22, 26)  # of type, in pixels
CANVAS = 40  # pixels: room for the widest character


def faces() -> list[Path]:
    """The twelve DejaVu text faces inside matplotlib: sans, mono and serif, upright and slanted, regular and bold."""
    spec = find_spec("matplotlib")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("glyphs are drawn from the fonts inside matplotlib, which is not installed.")
    folder = Path(spec.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf"
    return sorted(path for path in folder.glob("DejaVu*.ttf") if "Display" not in path.name)


def draw(character: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """White on black, centred by its ink on a canvas of 40×40 pixels."""
    canvas = Image.new("L", (CANVAS, CANVAS))
    pen = ImageDraw.Draw(canvas)
    left, top, right, bottom = pen.textbbox((0, 0), character, font=font)
    pen.text(((CANVAS - left - right) / 2, (CANVAS - top - bottom) / 2), character, font=font, fill=255)
    return canvas


def jitter(count: int, random: np.random.RandomState) -> np.ndarray:
    """Random affine maps, small enough that nothing turns into its neighbour.

    Rotation up to 15°, shear up to 0.3, each axis scaled by 0.8 to 1.2, shifts up to 1.5 pixels.

    Returns:
      (count, 2, 3): for each image the map [M | o] from a point of the image to a point of the canvas, in pixels.
    """
    angle, shear = random.uniform(-0.26, 0.26, count), random.uniform(-0.3, 0.3, count)
    scale, shift = random.uniform(0.8, 1.2, (count, 2)), random.uniform(-1.5, 1.5, (count, 2))
    rotate = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1).reshape(count, 2, 2)
    slant = np.tile(np.eye(2), (count, 1, 1))
    slant[:, 0, 1] = shear
    matrix = rotate @ slant * scale[:, None, :]
    # The middle of the image, shifted, must land on the middle of the canvas.
    offset = CANVAS / 2 - (matrix @ (SIDE / 2 + shift)[..., None])[..., 0]
    return np.concatenate([matrix, offset[..., None]], -1)


def render(per_character: int, *, seed: int, characters: str = CHARACTERS) -> tuple[np.ndarray, np.ndarray]:
    """Draw every character many times, each time in a random face, size and affine jitter.

    Args:
      per_character: how many images of each.
      seed: the same seed gives the same images, as long as Pillow draws the same.

    Returns:
      images (len(characters), per_character, 28, 28) uint8, 255 is ink, and labels (len(characters), per_character).
    """
    random = np.random.RandomState(seed)  # its stream is frozen; that of `default_rng` may change with NumPy
    # BASIC: without it, the drawing depends on whether the machine has libraqm.
    fonts = [ImageFont.truetype(str(face), size, layout_engine=ImageFont.Layout.BASIC) for face in faces() for size in SIZES]
    count = len(characters) * per_character
    chosen, maps = random.randint(len(fonts), size=count), jitter(count, random).reshape(count, 6).tolist()
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for c, character in enumerate(characters):
        drawn = [draw(character, font) for font in fonts]
        for i in range(c * per_character, (c + 1) * per_character):
            bent = drawn[chosen[i]].transform((SIDE, SIDE), Image.Transform.AFFINE, maps[i], resample=Image.Resampling.BILINEAR)
            images[i] = np.asarray(bent)
    labels = np.repeat(np.arange(len(characters)), per_character)
    return images.reshape(-1, per_character, SIDE, SIDE), labels.reshape(-1, per_character)
