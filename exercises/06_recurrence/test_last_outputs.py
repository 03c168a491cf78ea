"""What `last_outputs` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal

STEPS = np.array([[1, 2, 3, 4], [5, 6, 98, 99], [7, 97, 96, 95]], np.float32)  # from 95 on it is padding
OUTPUTS = np.stack([STEPS, -STEPS], axis=-1)
LENGTHS = np.array([4, 2, 1])
EXPECTED = np.array([[4, -4], [6, -6], [7, -7]], np.float32)
WORDS = "outputs[..., 0] = [[1, 2, 3, 4], [5, 6, 98, 99], [7, 97, 96, 95]], outputs[..., 1] = −outputs[..., 0], "
WORDS += "lengths = [4, 2, 1]"


@pytest.fixture(scope="module")
def last_outputs(answer):
    return answer


def test_without_lengths_it_is_the_last_step(last_outputs):
    call = "last_outputs(outputs) with outputs.shape = (3, 4, 2)"
    expect(last_outputs(jnp.array(OUTPUTS)), OUTPUTS[:, -1], call, "every step is real; the axis of time is gone")


def test_with_lengths_it_is_each_sequences_own_last_real_step(last_outputs):
    because = "the last of n steps is step n − 1, counted from 0; what is behind it is padding"
    expect(last_outputs(jnp.array(OUTPUTS), LENGTHS), EXPECTED, f"last_outputs(outputs, lengths) with {WORDS}", because)


def test_the_gradient_reaches_the_last_real_step_and_no_other(last_outputs):
    gradient = jax.grad(lambda outputs: last_outputs(outputs, jnp.array(LENGTHS))[..., 0].sum())(jnp.array(OUTPUTS))
    expected = np.zeros_like(OUTPUTS)
    expected[[0, 1, 2], LENGTHS - 1, 0] = 1
    call = f"jax.grad of last_outputs(outputs, lengths)[..., 0].sum(), by outputs, with {WORDS}"
    expect(gradient, expected, call, "what was said before the end, and in the padding, is not asked for")


@pytest.mark.parametrize("shape", [(), (1, 3)], ids=str)
def test_there_may_be_any_number_of_leading_axes(last_outputs, shape):
    outputs, lengths, expected = (OUTPUTS[1], LENGTHS[1, ...], EXPECTED[1])
    if shape:
        outputs, lengths, expected = OUTPUTS[None], LENGTHS[None], EXPECTED[None]
    call = f"last_outputs(outputs, lengths) with outputs.shape = {outputs.shape}, lengths.shape = {shape}"
    because = "count axes from the end: features −1, time −2"
    expect(last_outputs(jnp.array(outputs), np.asarray(lengths)), expected, call, because)


@pytest.mark.parametrize("lengths", [[4, 2, 5], [4, 0, 1], [4]], ids=str)
def test_lengths_that_cannot_be_are_refused(last_outputs, lengths):
    call = f"last_outputs(outputs, lengths) with outputs.shape = (3, 4, 2), lengths = {lengths}"
    because = "there are three sequences of four steps: step 0 − 1 would be the last one, step 5 − 1 is not there"
    expect_refusal(lambda: last_outputs(jnp.array(OUTPUTS), np.array(lengths)), call, because)


def test_it_works_under_jit(last_outputs):
    call = f"jax.jit(last_outputs)(outputs, lengths) with {WORDS}"
    because = "lengths are data: compiled once, for any lengths"
    expect(jax.jit(last_outputs)(jnp.array(OUTPUTS), jnp.array(LENGTHS)), EXPECTED, call, because)
