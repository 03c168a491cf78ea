"""What `sample_token` must do: most of it is seen in 20,000 draws, one a row, which chance cannot move by more than 0.02."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that

CHANCES = np.array([0.1, 0.4, 0.05, 0.3, 0.15])
KEY = jax.random.key(5)
ROWS = jnp.broadcast_to(jnp.log(jnp.array(CHANCES, jnp.float32)) + 3, (20_000, 5))
LOGITS = "20,000 rows logits = 3 + log [0.1, 0.4, 0.05, 0.3, 0.15]"


@pytest.fixture(scope="module")
def sample_token(answer):
    return answer


def frequencies(sample_token, **options):
    return np.bincount(np.clip(np.asarray(sample_token(KEY, ROWS, **options)), 0, 4), minlength=5) / len(ROWS)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_tokens_come_as_often_as_the_softmax_says(sample_token, temperature):
    expected = CHANCES ** (1 / temperature) / (CHANCES ** (1 / temperature)).sum()
    call = f"sample_token(key, logits, temperature={temperature}) with {LOGITS}; how often each token came"
    because = (
        f"softmax(logits / {temperature}): below 1 the likely ones come more often, above 1 less; each row is drawn by itself"
    )
    expect(frequencies(sample_token, temperature=temperature), expected, call, because, atol=0.02)


@pytest.mark.parametrize(
    ("options", "expected", "because"),
    [
        (dict(top_k=2), [0, 4 / 7, 0, 3 / 7, 0], "the two that are left share all the chance: 0.4 / 0.7 and 0.3 / 0.7"),
        (dict(top_p=0.8), [0, 8 / 17, 0, 6 / 17, 3 / 17], "those that are left share all the chance"),
        (dict(top_p=0.75, temperature=0.5), [0, 16 / 25, 0, 9 / 25, 0], "temperature first: then two hold more than 0.75"),
        (dict(top_p=0.5, top_k=2), [0, 1, 0, 0, 0], "of the two that top_k leaves the first holds 4/7: that is p already"),
        (dict(top_p=0.97, top_k=1), [0, 1, 0, 0, 0], "top_k leaves one"),
    ],
)  # fmt: skip
def test_filters_come_after_the_temperature_and_before_the_draw(sample_token, options, expected, because):
    named = ", ".join(f"{name}={value}" for name, value in options.items())
    call = f"sample_token(key, logits, {named}) with {LOGITS}; how often each token came"
    expect(frequencies(sample_token, **options), expected, call, because, atol=0.02)


def test_a_temperature_of_0_takes_the_likeliest(sample_token):
    logits = jnp.array([[0.5, 2.0, -1.0], [0.0, -3.0, 5.0]])
    call = "sample_token(key, jnp.array([[0.5, 2, -1], [0, -3, 5]]), temperature=0.0)"
    because = "greedy: the largest score of each row; a division by 0 would give ∞ − ∞"
    expect(sample_token(KEY, logits, temperature=0.0), [1, 2], call, because)


def test_the_key_decides(sample_token):
    one, again, other = (np.asarray(sample_token(key, ROWS[:200])) for key in (KEY, KEY, jax.random.key(6)))
    call = "sample_token(key, logits) twice with one key, and once with another"
    expect(again, one, call, "the same key draws the same token")
    expect_that((one != other).any(), call, other, "other tokens from another key", "all randomness comes from the key")


def test_compiled_temperature_may_change(sample_token):
    logits = jnp.array([[0.5, 2.0, -1.0], [0.0, -3.0, 5.0]])
    call = "jit(lambda t: sample_token(key, jnp.array([[0.5, 2, -1], [0, -3, 5]]), temperature=t))(0.0)"
    because = "under jit the temperature is not known while the function is traced: choose by jnp.where, not by `if`"
    expect(jax.jit(lambda t: sample_token(KEY, logits, temperature=t))(0.0), [1, 2], call, because)


@pytest.mark.parametrize("temperature", [-1.0, float("nan")])
def test_a_temperature_that_is_not_0_or_more_is_refused(sample_token, temperature):
    call = f"sample_token(key, logits, temperature={temperature})"
    because = "a negative one would prefer the least likely, and NaN makes all scores NaN"
    expect_refusal(lambda: sample_token(KEY, ROWS, temperature=temperature), call, because)
