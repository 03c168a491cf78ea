"""All sets that are made from installed packages, by their names. `nn.data.OURS` lists them without importing TFDS."""

from typing import Any

from nn.data.builders import Animals, Digits, Glyphs, Mnist5k
from nn.data.mail import Mail
from nn.data.series import Co2, Sunspots
from nn.data.text import PythonTopics
from nn.data.translation import CountryNames, EnglishUkrainian

IMAGES = (Digits, Mnist5k, Glyphs, Animals)
SERIES = (Sunspots, Co2)
TEXT = (CountryNames, EnglishUkrainian, PythonTopics)

BUILDERS: dict[str, Any] = {builder.name: builder for builder in (*IMAGES, *SERIES, *TEXT)}
FROM_PACKAGES: dict[str, Any] = {Mail.name: Mail}  # `nn.data.packages` brings what they are made from
