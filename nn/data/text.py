"""Text to learn a language from: the reference topics inside Python as a TFDS builder, letters as numbers, and holes to fill.

Every machine that runs this course has these pages already: nothing is downloaded.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Array, Bool, Int, Integer, Key

from nn.data.dataset import Dataset

LONG = 60
"""From this many letters on, two equal paragraphs are a copy and no chance. `See also:` stands in many places."""


class PythonTopics(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """The pages that `help("topics")` shows: a part of Python's reference manual, from `pydoc_data` in the standard library."""

    name = "python_topics"
    VERSION = tfds.core.Version("1.0.0")
    DESCRIPTION = (
        "The reference topics inside Python: plain text, one example a topic, as it stands in the Python that prepares the "
        "set; another version says some things otherwise. Topics repeat each other. Here each paragraph is kept once, in the "
        "longest topic that has it, and a topic that is thus cut to less than half is left out. In the order of their lengths "
        "every fifth topic is there to test: long ones and short ones, and nothing that training has read."
    )
    LICENSE = "PSF License Version 2"
    FIELDS = ("name", "text")
    EXAMPLES: ClassVar[dict[str, int]] = {}  # known when the set is prepared: it depends on the version of Python

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.DESCRIPTION,
            features=tfds.features.FeaturesDict({field: tfds.features.Text() for field in self.FIELDS}),
            supervised_keys=None,
            homepage="https://docs.python.org/3/library/pydoc.html",
            citation="@misc{python, title={The Python Language Reference}, author={Python Software Foundation}}",
            license=self.LICENSE,
            disable_shuffling=True,  # the order is that of the names
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        from pydoc_data.topics import topics

        unique = without_repeats(topics)
        test = set(sorted(unique, key=lambda name: (-len(unique[name]), name))[4::5])
        return {
            "train": self._generate_examples({name: unique[name] for name in sorted(unique) if name not in test}),
            "test": self._generate_examples({name: unique[name] for name in sorted(test)}),
        }

    def _generate_examples(self, chosen: Mapping[str, str]) -> Iterator[tuple[int, dict[str, str]]]:
        for key, (name, text) in enumerate(chosen.items()):
            yield key, {"name": name, "text": text}


def without_repeats(topics: Mapping[str, str]) -> dict[str, str]:
    """The topics with each long paragraph kept once, in the longest topic that has it.

    A topic that loses more than half of its long paragraphs is left out: it is a chapter of another one.

    Args:
      topics: name → text, with empty lines between paragraphs.

    Returns:
      name → text, the longest first.
    """
    seen: set[str] = set()
    unique = {}
    for name in sorted(topics, key=lambda name: (-len(topics[name]), name)):
        paragraphs = [(paragraph, " ".join(paragraph.split())) for paragraph in topics[name].split("\n\n")]
        long = {words for _, words in paragraphs if len(words) >= LONG}
        if len(long & seen) > len(long) / 2:
            continue
        fresh = []
        for paragraph, words in paragraphs:
            if words not in seen:
                fresh.append(paragraph)
            if words in long:
                seen.add(words)
        unique[name] = "\n\n".join(fresh)
    return unique


def topics(dataset: Dataset) -> dict[str, str]:
    """The texts of a set such as `load("python_topics", "train")`: name → text, in its order."""
    arrays = dataset.arrays()
    return {name.decode(): text.decode() for name, text in zip(arrays["name"], arrays["text"], strict=True)}


def encode(text: str) -> Int[np.ndarray, " tokens"]:
    """A text as numbers from 0 to 255: its bytes in UTF-8. No text has a letter that this cannot write.

    A letter of English is one byte; others are two to four.
    """
    return np.frombuffer(text.encode(), np.uint8).astype(np.int32)


def decode(tokens: Int[Array | np.ndarray, " tokens"]) -> str:
    """The text that `encode` would make these tokens of. Bytes that no text has, in that order, become �.

    Raises:
      ValueError: for a token that is no byte.
    """
    tokens = np.asarray(tokens)
    if wrong := [int(token) for token in tokens if not 0 <= token <= 255]:
        raise ValueError(f"decode expects tokens from 0 to 255, got {wrong[0]}.")
    return bytes(tokens.astype(np.uint8)).decode(errors="replace")


def mask_tokens(
    key: Key[Array, ""],
    tokens: Integer[Array | np.ndarray, "*shape"],
    *,
    mask_token: int,
    vocabulary: int,
    rate: float = 0.15,
) -> tuple[Int[Array, "*shape"], Bool[Array, "*shape"]]:
    """Makes the holes that BERT learns to fill: chooses positions, each on its own, and spoils most of them.

    Of the chosen ones 80% become `mask_token`, 10% a random token, and 10% stay as they are: in use there are no holes, and so
    the network has to make something of every token.

    Args:
      key: the randomness; the same key makes the same holes.
      tokens: the text as it was.
      mask_token: what stands for a hole.
      vocabulary: random tokens are drawn from 0 to vocabulary − 1.
      rate: the chance of a position to be chosen.

    Returns:
      The tokens with holes, and where the loss counts: True at every chosen position, those that stayed included.

    Raises:
      ValueError: for a rate outside 0 to 1, or a vocabulary below 1.

    Reference: Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", section 3.1 and appendix A.1.
    """
    if not 0 <= rate <= 1 or vocabulary < 1:
        raise ValueError(f"mask_tokens expects a rate from 0 to 1 and a vocabulary of at least 1, got {rate} and {vocabulary}.")
    chosen_key, fate_key, token_key = jax.random.split(key, 3)
    tokens = jnp.asarray(tokens, jnp.int32)  # a byte has no room for a hole that is number 256: it would wrap around to 0
    chosen = jax.random.bernoulli(chosen_key, rate, tokens.shape)
    fate = jax.random.uniform(fate_key, tokens.shape)
    other = jax.random.randint(token_key, tokens.shape, 0, vocabulary, tokens.dtype)
    spoiled = jnp.where(fate < 0.8, mask_token, jnp.where(fate < 0.9, other, tokens))
    return jnp.where(chosen, spoiled, tokens), chosen
