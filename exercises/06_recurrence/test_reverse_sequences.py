"""What `reverse_sequences` must do. Each step has two features, n and −n, so that it shows which axis was turned round."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal

STEPS = np.array([[1, 2, 3, 4], [5, 6, 98, 99], [7, 97, 96, 95]], np.float32)  # from 95 on it is padding
X = np.stack([STEPS, -STEPS], axis=-1)
LENGTHS = np.array([4, 2, 1])
BACK = np.array([[4, 3, 2, 1], [6, 5, 98, 99], [7, 97, 96, 95]], np.float32)
EXPECTED = np.stack([BACK, -BACK], axis=-1)
WORDS = "x[..., 0] = [[1, 2, 3, 4], [5, 6, 98, 99], [7, 97, 96, 95]], x[..., 1] = −x[..., 0], lengths = [4, 2, 1]"


@pytest.fixture(scope="module")
def reverse_sequences(answer):
    return answer


def test_without_lengths_time_runs_backwards(reverse_sequences):
    call = "reverse_sequences(x) with x.shape = (3, 4, 2)"
    because = "the axes are (batch, time, features): the one before the last is turned round"
    expect(reverse_sequences(jnp.array(X)), X[:, ::-1], call, because)


def test_with_lengths_each_sequence_is_turned_round_within_its_own(reverse_sequences):
    call = f"reverse_sequences(x, lengths) with {WORDS}"
    because = "place t takes from step n − 1 − t, for the n real steps of each sequence; the padding behind them stays in place"
    expect(reverse_sequences(jnp.array(X), LENGTHS), EXPECTED, call, because)


def test_twice_is_not_at_all(reverse_sequences):
    call = f"reverse_sequences(reverse_sequences(x, lengths), lengths) with {WORDS}"
    expect(reverse_sequences(reverse_sequences(jnp.array(X), LENGTHS), LENGTHS), X, call, "the padding comes back too")


@pytest.mark.parametrize("shape", [(), (1, 3)], ids=str)
def test_there_may_be_any_number_of_leading_axes(reverse_sequences, shape):
    x, lengths, expected = (X[1], LENGTHS[1, ...], EXPECTED[1]) if shape == () else (X[None], LENGTHS[None], EXPECTED[None])
    call = f"reverse_sequences(x, lengths) with x.shape = {x.shape}, lengths.shape = {shape}"
    because = "count axes from the end: features −1, time −2"
    expect(reverse_sequences(jnp.array(x), np.asarray(lengths)), expected, call, because)


@pytest.mark.parametrize("lengths", [[4, 2, 5], [4, 0, 1], [4, 2]], ids=str)
def test_lengths_that_cannot_be_are_refused(reverse_sequences, lengths):
    call = f"reverse_sequences(x, lengths) with x.shape = (3, 4, 2), lengths = {lengths}"
    because = "there are three sequences of four steps: an index beyond the end is clamped or becomes NaN, in silence"
    expect_refusal(lambda: reverse_sequences(jnp.array(X), np.array(lengths)), call, because)


def test_it_works_under_jit(reverse_sequences):
    call = f"jax.jit(reverse_sequences)(x, lengths) with {WORDS}"
    because = "lengths are data: compiled once, for any lengths"
    expect(jax.jit(reverse_sequences)(jnp.array(X), jnp.array(LENGTHS)), EXPECTED, call, because)
