import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn.data import load
from nn.data.text import LONG, decode, encode, mask_tokens, topics, without_repeats

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """The topics to train on and to test: name -> text."""
    folder = tmp_path_factory.mktemp("data")
    return tuple(topics(load("python_topics", split, data_dir=folder)) for split in ("train", "test"))


def paragraphs(text):
    """The long ones, without their line breaks."""
    return [words for paragraph in text.split("\n\n") if len(words := " ".join(paragraph.split())) >= LONG]


def test_nothing_that_is_asked_in_the_test_was_read_in_training(splits):
    train, test = splits
    assert train.keys().isdisjoint(test)
    every = [words for split in splits for text in split.values() for words in paragraphs(text)]
    assert len(every) > 1000 and len(set(every)) == len(every), "no long paragraph stands in two places"


def test_the_test_has_long_and_short_topics_and_about_an_eighth_of_the_text(splits):
    train, test = ([len(text) for text in split.values()] for split in splits)
    assert len(test) >= 8 and max(test) > 10 * min(test)
    assert 0.08 < sum(test) / sum(train + test) < 0.25
    assert sum(train) > 250_000
    assert all(list(split) == sorted(split) for split in splits)


def test_a_topic_says_what_pydoc_says(splits):
    from pydoc_data.topics import topics as source

    train, test = splits
    for name, text in (train | test).items():
        assert set(paragraphs(text)) <= set(paragraphs(source[name]))
    everything = {words for text in source.values() for words in paragraphs(text)}
    lost = everything.difference(*map(paragraphs, (train | test).values()))
    assert len(lost) < 0.05 * len(everything), "what is left out stands elsewhere"


def test_a_paragraph_is_kept_where_it_stands_in_the_longest_topic():
    shared, own, more, rest = ("long enough " * 6 + letter for letter in "abcd")
    texts = {"chapter": f"{shared}\n\nSee also:", "book": "\n\n".join([shared, own, "See also:", more, "See also:"])}
    assert without_repeats(texts) == {"book": texts["book"]}
    texts["other"] = f"{shared}\n\n{rest}\n\nSee also:\n\n{rest}"  # half of it is new
    assert without_repeats(texts) == {"book": texts["book"], "other": f"{rest}\n\nSee also:"}


def test_decode_undoes_encode_whatever_the_alphabet():
    for text in ("", "def f(x):\n\treturn x", "Grüße – привіт 🙂"):
        tokens = encode(text)
        assert decode(tokens) == decode(jnp.asarray(tokens)) == text
    assert encode("A\n").tolist() == [65, 10] and len(encode("ü")) == 2
    assert decode(encode("ü")[:1]) == "\N{REPLACEMENT CHARACTER}"
    with pytest.raises(ValueError, match=r"decode expects tokens from 0 to 255, got 256\."):
        decode(np.array([65, 256]))


def test_of_the_chosen_tokens_eight_of_ten_are_hidden_one_is_replaced_and_one_stays():
    tokens = jnp.full((200, 500), 7)
    holes, chosen = map(np.asarray, jax.jit(lambda key: mask_tokens(key, tokens, mask_token=90, vocabulary=5))(KEY))
    assert chosen.mean() == pytest.approx(0.15, abs=0.01)  # more than eight standard errors, and so below
    np.testing.assert_array_equal(holes[~chosen], 7)
    fates = np.bincount(holes[chosen], minlength=91) / chosen.sum()
    np.testing.assert_allclose(fates[np.array([90, 7])], [0.8, 0.1], atol=0.03)
    np.testing.assert_allclose(fates[:5], 0.02, atol=0.01)
    # Where one token is chosen says nothing of its neighbour.
    assert (chosen[:, 1:] & chosen[:, :-1]).mean() == pytest.approx(0.15**2, abs=0.004)


def test_holes_are_a_function_of_the_key():
    tokens = np.arange(60, dtype=np.int32).reshape(3, 20)

    def masked(key, rate):
        return mask_tokens(key, tokens, mask_token=60, vocabulary=60, rate=rate)

    (holes, chosen), again = (masked(KEY, 0.5) for _ in range(2))
    assert holes.shape == chosen.shape == (3, 20) and holes.dtype == np.int32
    np.testing.assert_array_equal(holes, again[0])
    assert (chosen != masked(jax.random.key(1), 0.5)[1]).any()
    assert not masked(KEY, 0.0)[1].any() and masked(KEY, 1.0)[1].all()


@pytest.mark.parametrize(("rate", "vocabulary"), [(-0.1, 9), (1.5, 9), (0.15, 0)])
def test_a_rate_that_is_no_chance_and_an_empty_vocabulary_are_refused(rate, vocabulary):
    message = f"rate from 0 to 1 and a vocabulary of at least 1, got {rate} and {vocabulary}"
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        mask_tokens(KEY, jnp.zeros(4, jnp.int32), mask_token=9, vocabulary=vocabulary, rate=rate)


def test_a_hole_beyond_the_bytes_stays_what_it_is():
    holes, _ = mask_tokens(KEY, jnp.full(200, 65, jnp.uint8), mask_token=256, vocabulary=256, rate=1.0)
    assert (np.asarray(holes) == 256).mean() > 0.6
