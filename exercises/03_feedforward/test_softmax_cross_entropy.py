"""What `softmax_cross_entropy` must do.

Few shapes: each new one is compiled anew, which takes longer than all the arithmetic.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exercises.runner.expectations import expect, expect_refusal, shown

NAN = jnp.nan
ADDED_BACK = (
    "no overflow here: 10001.0986 − 10000 has only three decimals left in float32. "
    "Take the maximum off the logits once, and never add it back"
)


@pytest.fixture(scope="module")
def softmax_cross_entropy(answer):
    return answer


def reference(logits, labels):
    """The loss in float64."""
    logits = np.asarray(logits, np.float64)
    shifted = logits - logits.max(-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -np.take_along_axis(log_p, np.asarray(labels)[..., None], -1)[..., 0]


def test_knowing_nothing_costs_the_logarithm_of_the_classes(softmax_cross_entropy):
    logits, labels = jnp.array(np.zeros((3, 3), np.float32)), jnp.array([0, 1, 2])
    call = f"softmax_cross_entropy(logits, labels) with logits = 0 in shape (3, 3), {shown(labels=labels)}"
    because = "each of 3 classes has p = 1/3, and −log(1/3) = 1.0986 nats. One number per example: no mean, no sum"
    expect(softmax_cross_entropy(logits, labels), np.full(3, np.log(3)), call, because)


def test_the_loss_is_minus_the_log_of_the_right_probability(softmax_cross_entropy):
    p = np.array([[0.1, 0.2, 0.7]] * 3, np.float32)
    labels = jnp.array([0, 1, 2])
    call = f"softmax_cross_entropy(logits, labels) with each row of logits = log [0.1, 0.2, 0.7], {shown(labels=labels)}"
    because = "the losses are −log 0.1, −log 0.2 and −log 0.7; labels count from 0"
    expect(softmax_cross_entropy(jnp.array(np.log(p)), labels), -np.log(p[0]), call, because)


@pytest.mark.parametrize("batch", [(), (2, 2)], ids=str)
def test_there_is_one_loss_for_each_example(softmax_cross_entropy, batch):
    logits = jnp.array(np.sin(np.arange(math.prod(batch) * 3, dtype=np.float32)).reshape(*batch, 3))
    labels = jnp.array(np.arange(math.prod(batch)).reshape(batch) % 3)
    call = f"softmax_cross_entropy(logits, labels) with logits.shape = {logits.shape}, labels.shape = {labels.shape}"
    because = "whoever trains takes the mean; whoever looks for mislabeled examples needs each loss"
    expect(softmax_cross_entropy(logits, labels), reference(logits, labels), call, because)


def test_being_sure_and_wrong_costs_the_margin_and_not_infinity(softmax_cross_entropy):
    logits, labels = jnp.array([[0.0, 1000.0, 0.0], [-50.0, 0.0, -90.0], [1000.0, 0.0, 0.0]]), jnp.array([0, 0, 0])
    call = f"softmax_cross_entropy(logits, labels) with {shown(logits=logits, labels=labels)}"
    because = "the right class has p = e^−1000, which float32 rounds to 0: take the logarithm on paper, not in float32"
    expect(softmax_cross_entropy(logits, labels), [1000, 50, 0], call, because)


@settings(max_examples=25, derandomize=True, database=None, deadline=None, report_multiple_bugs=False)
@given(scores=st.lists(st.integers(-9, 9), min_size=3, max_size=3), shift=st.sampled_from([0, 100, 10_000, -10_000]))
def test_a_common_shift_of_the_logits_changes_nothing(softmax_cross_entropy, scores, shift):
    logits, labels = np.array([scores] * 3, np.float32), jnp.array([0, 1, 2])  # whole numbers: the shift rounds nothing
    call = f"softmax_cross_entropy(logits + {shift}, labels) with {shown(logits=logits, labels=labels)}"
    because = {
        0: "the loss is log Σ eᶻ − z[label], row by row",
        100: "softmax does not see a common shift, but e^100 is beyond float32",
    }.get(shift, ADDED_BACK)
    expect(softmax_cross_entropy(jnp.array(logits + shift), labels), reference(logits, labels), call, because)


@pytest.mark.parametrize("size", [1.0, 1000.0])
def test_the_gradient_is_softmax_minus_one_hot(softmax_cross_entropy, size):
    logits, labels = jnp.array([[0.0, size, 0.0]] * 3), jnp.array([0, 1, 2])
    gradient = jax.grad(lambda logits: softmax_cross_entropy(logits, labels).sum())(logits)
    call = f"jax.grad of softmax_cross_entropy(logits, labels).sum() with {shown(logits=logits, labels=labels)}"
    p = np.exp(-reference(logits, labels))
    expected = p - np.eye(3)
    expect(gradient, expected, call, "∂loss/∂z = softmax(z) − one-hot(label): never above 1, and never NaN")


@pytest.mark.parametrize("outside", [-1, 3, 7])
def test_a_label_that_is_no_class_gives_nan(softmax_cross_entropy, outside):
    logits, labels = jnp.array([[1.0, 2.0, 3.0]] * 3), jnp.array([outside, 0, 1])
    given = f"(logits, labels) with {shown(logits=logits, labels=labels)}"
    because = "the classes are 0, 1, 2. Another class's loss, or 0, would hide the broken label; the other rows are fine"
    losses = [NAN, 2.407606, 1.407606]
    expect(softmax_cross_entropy(logits, labels), losses, f"softmax_cross_entropy{given}", because)
    expect(jax.jit(softmax_cross_entropy)(logits, labels), losses, f"jax.jit(softmax_cross_entropy){given}", because)


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 1)], ids=str)
def test_labels_of_another_shape_are_refused(softmax_cross_entropy, shape):
    logits, labels = jnp.array(np.zeros((2, 4), np.float32)), jnp.array(np.zeros(shape, np.int32))
    call = f"softmax_cross_entropy(logits, labels) with logits.shape = (2, 4), labels.shape = {shape}"
    because = "two rows need two labels, in shape (2,). Broadcasting would pair them in some other way, and say nothing"
    expect_refusal(lambda: softmax_cross_entropy(logits, labels), call, because)
