"""Names in English and in other languages, as TFDS builders.

Real pairs for translation, and real words to tell languages apart by, without a download: pycountry carries the lists of the
ISO standards, and what the translators of Debian's iso-codes made of them.
"""

import gettext
import json
import zlib
from collections.abc import Iterable, Iterator
from importlib.resources import as_file, files
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from nn.data.builders import balanced_order
from nn.data.dataset import Dataset

STANDARDS = {"country": "iso3166-1", "language": "iso639-3", "script": "iso15924", "currency": "iso4217"}
"""What a name can be the name of, and the standard that lists it."""


class TranslatedNames(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Names in English and in other languages. A subclass says of what, and in which languages."""

    VERSION = tfds.core.Version("1.0.0")
    DESCRIPTION = ""
    LICENSE = "LGPL 2.1"
    FIELDS = ("english", "translation", "language")
    KINDS: tuple[str, ...] = tuple(STANDARDS)
    LANGUAGES: tuple[str, ...] = ()
    EXAMPLES: ClassVar[dict[str, int]] = {}  # the lists grow: how many there are is known when the set is prepared

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.DESCRIPTION
            + (
                " A fifth of what is named is there to test: with all its names, such as Peru and "
                "Republic of Peru, in all languages, so that nothing of it was seen in training."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "english": tfds.features.Text(),
                    "translation": tfds.features.Text(),
                    "language": tfds.features.ClassLabel(names=list(self.LANGUAGES)),
                }
            ),
            supervised_keys=("english", "translation"),
            homepage="https://salsa.debian.org/iso-codes-team/iso-codes",
            citation="@misc{isocodes, title={iso-codes: lists of ISO codes and their translations}, author={Debian}}",
            license=self.LICENSE,
            disable_shuffling=True,  # the order is balanced: every beginning has its share of each language
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        rows = list(dict.fromkeys(translated(self.KINDS, self.LANGUAGES)))  # a name may be listed twice
        thing = same_thing(self.KINDS)
        # A checksum, not a draw: what is there to test today stays there when the lists have grown.
        held_out = np.array([zlib.crc32(thing[english].encode()) % 5 == 0 for english, *_ in rows])
        return {
            split: self._generate_examples([rows[i] for i in np.flatnonzero(chosen)])
            for split, chosen in {"train": ~held_out, "test": held_out}.items()
        }

    def _generate_examples(self, rows: list[tuple[str, str, str]]) -> Iterator[tuple[int, dict[str, str]]]:
        languages = np.array([self.LANGUAGES.index(language) for *_, language in rows])
        for key, i in enumerate(balanced_order(languages, seed=0)):
            yield key, dict(zip(self.FIELDS, rows[i], strict=True))


class CountryNames(TranslatedNames, skip_registration=True):
    """The countries of the world in English and in fifteen other languages."""

    name = "country_names"
    DESCRIPTION = "The names of 249 countries and territories in English and in fifteen other languages."
    KINDS = ("country",)
    LANGUAGES = ("cs", "de", "el", "es", "fi", "fr", "hu", "it", "nl", "pl", "pt", "ru", "sv", "tr", "uk")


class EnglishUkrainian(TranslatedNames, skip_registration=True):
    """Ten thousand names in English and in Ukrainian, most of them of languages."""

    name = "english_ukrainian"
    DESCRIPTION = "The names of languages, countries, scripts and currencies in English and in Ukrainian."
    LANGUAGES = ("uk",)


def translated(kinds: Iterable[str], languages: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """(english, translation, language) of all names that the lists have and a translator has seen."""
    with as_file(files("pycountry") / "locales") as locales:
        for language in languages:
            for kind in kinds:
                catalogue = gettext.translation(STANDARDS[kind], str(locales), languages=[language])
                catalogue.add_fallback(Untranslated())
                for english in dict.fromkeys(name for names in entries(kind) for name in names):
                    if translation := catalogue.gettext(english):
                        yield english, translation, language


class Untranslated(gettext.NullTranslations):
    """What is asked where a translation is missing. By itself gettext answers with the English name."""

    def gettext(self, message: str) -> str:
        return ""


def entries(kind: str) -> list[list[str]]:
    """The English names of each country, language, script or currency: the usual one, and others such as the official one."""
    source = files("pycountry") / "databases" / f"{STANDARDS[kind]}.json"
    (listed,) = json.loads(source.read_text(encoding="utf-8")).values()
    fields = ("name", "common_name", "inverted_name", "official_name")
    return [[entry[field] for field in fields if field in entry] for entry in listed]


def same_thing(kinds: Iterable[str]) -> dict[str, str]:
    """For each English name, one name that stands for all that are linked to it: two names of an entry, two entries of a name.

    They have to stay together, or a test would ask for what was said in training: "Latin" is a language and a script, and
    "Sami, Kemi" and "Kemi Sami" are one.
    """
    every = [names for kind in kinds for names in entries(kind)]
    number = {name: i for i, name in enumerate(dict.fromkeys(name for names in every for name in names))}
    links = np.array([(number[names[0]], number[other]) for names in every for other in names])
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(len(number), len(number)))
    _, group = connected_components(graph, directed=False)
    first: dict[int, str] = {}
    return {name: first.setdefault(group[i], name) for name, i in number.items()}


def pairs(dataset: Dataset, language: str | None = None) -> list[tuple[str, str]]:
    """The texts (english, translation) of a set of translated names, in its order.

    Args:
      dataset: such as `load("country_names", "train")`.
      language: the code of one of its languages, by ISO 639-1; all of them if None.

    Raises:
      ValueError: the set does not have that language.
    """
    arrays, languages = dataset.arrays(), dataset.info.features["language"].names
    if language is not None and language not in languages:
        raise ValueError(f"pairs expects one of the languages {', '.join(languages)}, got {language!r}.")
    chosen = slice(None) if language is None else arrays["language"] == languages.index(language)
    columns = (arrays[name][chosen] for name in ("english", "translation"))
    return [(english.decode(), translation.decode()) for english, translation in zip(*columns, strict=True)]
