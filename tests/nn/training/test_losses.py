import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nn.layers import log_softmax, sigmoid, softmax
from nn.training.losses import (
    classification_loss,
    masked_mean,
    masked_token_loss,
    mean_squared_error,
    next_token_loss,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    translation_loss,
)

random = np.random.default_rng(0)
LOGITS, LABELS = random.normal(0, 3, (2, 4, 5)), jnp.asarray(random.integers(0, 5, (2, 4)))
ONE_HOT = np.eye(5)[LABELS]
PROBABILITIES = jnp.asarray(random.uniform(0, 1, (2, 4, 5)), jnp.float32)
TARGETS = jnp.asarray(random.normal(size=(2, 4, 5)), jnp.float32)
# name: ours, Optax's, the equation in float64, second argument
TABLE = {
    "softmax_cross_entropy": (
        softmax_cross_entropy,
        optax.softmax_cross_entropy_with_integer_labels,
        lambda z, y: np.log(np.exp(z).sum(-1)) - (z * ONE_HOT).sum(-1),
        LABELS,
    ),
    "sigmoid_cross_entropy": (
        sigmoid_cross_entropy,
        optax.sigmoid_binary_cross_entropy,
        lambda z, y: -y * np.log(1 / (1 + np.exp(-z))) - (1 - y) * np.log(1 / (1 + np.exp(z))),
        PROBABILITIES,
    ),
    "mean_squared_error": (
        mean_squared_error,
        lambda a, b: 2 * optax.l2_loss(a, b).mean(-1),
        lambda a, b: ((a - b) ** 2).sum(-1) / 5,
        TARGETS,
    ),
}
every_loss = pytest.mark.parametrize("name", TABLE)


def single(array):
    return jnp.asarray(array, jnp.float32)


def value_and_slopes(loss, x, y):
    """The loss of each example and the gradient of a weighted sum of them."""

    @jax.jit
    def compute(x):
        values = loss(x, y)
        return (jnp.sin(1 + jnp.arange(values.size)).reshape(values.shape) * values).sum(), values

    slopes, values = jax.jit(jax.grad(compute, has_aux=True))(x)
    return values, slopes


@every_loss
def test_values_and_gradients_are_those_of_optax_and_of_the_equation_in_float64(name, measured_gradient):
    ours, theirs, equation, second = TABLE[name]
    values, slopes = value_and_slopes(ours, single(LOGITS), second)
    their_values, their_slopes = value_and_slopes(theirs, single(LOGITS), second)
    np.testing.assert_allclose(values, their_values, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slopes, their_slopes, rtol=1e-4, atol=1e-6)

    second = np.asarray(second, np.float64)
    exact = equation(LOGITS, second)
    np.testing.assert_allclose(values, exact, rtol=1e-5, atol=1e-6)
    weights = np.sin(1 + np.arange(exact.size)).reshape(exact.shape)
    measured = measured_gradient(lambda x: (weights * equation(x, second)).sum(), LOGITS)
    np.testing.assert_allclose(slopes, measured, rtol=1e-4, atol=1e-5)


@every_loss
def test_mapped_over_examples_is_the_batch_and_one_example_needs_no_batch(name):
    ours, _, _, second = TABLE[name]
    values = ours(single(LOGITS), second)
    mapped = jax.jit(jax.vmap(jax.vmap(ours)))(single(LOGITS), second)
    np.testing.assert_allclose(mapped, values, rtol=1e-5, atol=1e-6)
    alone = jax.jit(ours)(single(LOGITS[1, 2]), second[1, 2])
    np.testing.assert_allclose(alone, values[1, 2], rtol=1e-5, atol=1e-6)


@every_loss
def test_bfloat16_gives_a_loss_in_float32(name):
    ours, _, _, second = TABLE[name]
    narrow = single(LOGITS).astype(jnp.bfloat16)
    exact = ours(narrow.astype(jnp.float32), second)
    y = ours(narrow, second if name == "softmax_cross_entropy" else second.astype(jnp.bfloat16))
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, exact, rtol=2**-7, atol=2**-5)  # the logits are exact, the probabilities were rounded


def test_softmax_cross_entropy_is_minus_the_log_softmax_at_the_label():
    z = single(LOGITS)
    np.testing.assert_allclose(softmax_cross_entropy(z, LABELS), -(log_softmax(z) * ONE_HOT).sum(-1), rtol=1e-5)


def test_its_gradient_is_softmax_minus_one_hot_and_sums_to_zero():
    """At ties of the largest logits too, where the maximum inside has no one gradient of its own."""
    z = single(LOGITS).at[0].set(0.0).at[1, :, :2].set(9.0)
    slopes = jax.jit(jax.grad(lambda z: softmax_cross_entropy(z, LABELS).sum()))(z)
    np.testing.assert_allclose(slopes, softmax(z) - ONE_HOT, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slopes.sum(-1), 0, atol=1e-6)


def test_knowing_nothing_costs_the_logarithm_of_the_number_of_classes():
    np.testing.assert_allclose(softmax_cross_entropy(jnp.full((7,), 3.0), jnp.array(2)), np.log(7), rtol=1e-6)


def test_a_constant_added_to_all_logits_changes_nothing():
    z = jnp.array([[1.0, -2.0, 5.0], [0.0, 0.0, 3.0]])
    labels = jnp.array([1, 2])
    for constant in (-77.0, 10_000.0):
        np.testing.assert_allclose(softmax_cross_entropy(z + constant, labels), softmax_cross_entropy(z, labels), rtol=1e-6)


def test_logits_of_ten_thousand_and_impossible_classes_stay_exact():
    z = jnp.array([[1e4, 0.0, -1e4], [1.0, -jnp.inf, 1.0], [1e4, 0.0, -1e4]])
    values, slopes = value_and_slopes(softmax_cross_entropy, z, jnp.array([2, 0, 0]))
    np.testing.assert_allclose(values, [2e4, np.log(2), 0], rtol=1e-6)
    weights = np.sin([[1.0], [2.0], [3.0]])
    np.testing.assert_allclose(slopes, weights * [[1, 0, -1], [-0.5, 0, 0.5], [0, 0, 0]], rtol=1e-5, atol=1e-7)
    assert softmax_cross_entropy(z[1], jnp.array(1)) == jnp.inf


@pytest.mark.parametrize("label", [-1, -3, -100, 3, 4, 100])
def test_a_label_outside_the_classes_gives_nan_and_not_the_loss_of_another_class(label):
    z, labels = jnp.array([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]]), jnp.array([label, 1])
    for loss in (softmax_cross_entropy, jax.jit(softmax_cross_entropy)):
        assert jnp.isnan(loss(z, labels)).tolist() == [True, False]


def test_nan_in_a_logit_is_not_hidden():
    assert jnp.isnan(softmax_cross_entropy(jnp.array([1.0, jnp.nan, 4.0]), jnp.array(0)))
    assert jnp.isnan(sigmoid_cross_entropy(jnp.array(jnp.nan), jnp.array(0.0)))


def test_sigmoid_cross_entropy_does_not_care_which_answer_is_called_yes():
    z, y = single(LOGITS), PROBABILITIES
    np.testing.assert_allclose(sigmoid_cross_entropy(z, y), sigmoid_cross_entropy(-z, 1 - y), rtol=1e-4, atol=1e-6)


def test_sigmoid_cross_entropy_is_softmax_cross_entropy_of_two_classes():
    z, yes = single(LOGITS)[..., 0], LABELS % 2
    both = jnp.stack([jnp.zeros_like(z), z], axis=-1)
    np.testing.assert_allclose(sigmoid_cross_entropy(z, single(yes)), softmax_cross_entropy(both, yes), rtol=1e-4, atol=1e-6)


def test_its_gradient_is_sigmoid_minus_label_however_large_the_logit():
    z, y = jnp.array([-1e4, -3.0, 0.0, 3.0, 1e4]), jnp.array([1.0, 0.0, 0.25, 1.0, 0.0])
    slopes = jax.jit(jax.grad(lambda z: sigmoid_cross_entropy(z, y).sum()))(z)
    np.testing.assert_allclose(slopes, sigmoid(z) - y, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(sigmoid_cross_entropy(z, y)[jnp.array([0, 4])], 1e4, rtol=1e-6)


def test_the_classification_loss_is_the_mean_with_the_share_that_is_right_beside_it():
    batch = {"image": single(LOGITS[0]), "label": LABELS[0]}
    loss, scalars = classification_loss(lambda x: 2 * x, batch)
    assert loss == pytest.approx(float(softmax_cross_entropy(2 * single(LOGITS[0]), LABELS[0]).mean()), rel=1e-6)
    assert scalars.keys() == {"accuracy"}
    assert scalars["accuracy"] == np.mean(LOGITS[0].argmax(-1) == LABELS[0])


@pytest.mark.parametrize(
    ("loss", "outputs", "targets"),
    [(softmax_cross_entropy, (4, 3), (1,)), (sigmoid_cross_entropy, (4, 1), (4,)), (mean_squared_error, (4, 1), (4,))],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_targets_of_another_shape_are_refused_and_not_broadcast(loss, outputs, targets, without_type_checks):
    dtype = jnp.int32 if loss is softmax_cross_entropy else jnp.float32
    with pytest.raises(ValueError, match=rf"{loss.__name__} expects .*\(4, .\).*\({targets[0]},\)"):
        loss(jnp.ones(outputs), jnp.ones(targets, dtype))


VOCABULARY = 5
SCORES = jnp.asarray(np.random.default_rng(4).normal(size=(VOCABULARY, VOCABULARY)), jnp.float32)


def bigrams(tokens):
    """A language model whose scores for the next token are a row of a table, by the last token alone."""
    return SCORES[tokens]


def surprise(before, after):
    """The cross-entropy of `after` behind `before`, in float64."""
    row = np.asarray(SCORES, np.float64)[before]
    return np.log(np.exp(row).sum()) - row[after]


def test_next_token_loss_asks_for_each_token_but_the_first_given_the_one_before():
    loss = next_token_loss(bigrams, {"tokens": jnp.array([[0, 3, 1], [2, 2, 4]])})
    expected = np.mean([surprise(0, 3), surprise(3, 1), surprise(2, 2), surprise(2, 4)])
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_next_token_loss_counts_no_padding_even_where_its_loss_is_nan():
    tokens, mask = jnp.array([[0, 3, VOCABULARY + 1]]), np.array([[True, True, False]])
    loss = next_token_loss(bigrams, {"tokens": tokens, "mask": mask})
    np.testing.assert_allclose(loss, surprise(0, 3), rtol=1e-6)


def test_next_token_loss_needs_a_token_to_see_and_one_to_guess():
    with pytest.raises(ValueError, match=r"at least two tokens, .*got shape \(3, 1\)"):
        next_token_loss(bigrams, {"tokens": jnp.zeros((3, 1), int)})


def test_masked_token_loss_counts_the_holes_alone():
    batch = {
        "tokens": jnp.array([[0, 4, 2], [4, 1, 1]]),
        "targets": jnp.array([[0, 3, 2], [2, 1, 1]]),
        "mask": np.array([[False, True, False], [True, False, False]]),
    }
    np.testing.assert_allclose(masked_token_loss(bigrams, batch), np.mean([surprise(4, 3), surprise(4, 2)]), rtol=1e-6)


def test_translation_loss_goes_to_the_end_of_each_target_and_no_further():
    seen = []

    def model(source, target, *, source_lengths):
        seen.append((source.shape, target.shape, source_lengths.tolist()))
        return bigrams(target)

    batch = {
        "source": jnp.zeros((2, 4), int),
        "source_lengths": np.array([4, 1]),
        "target": jnp.array([[0, 1, 2, 3], [0, 4, 0, 0]]),
        "target_lengths": np.array([4, 2]),
    }
    loss = translation_loss(model, batch)
    expected = np.mean([surprise(0, 1), surprise(1, 2), surprise(2, 3), surprise(0, 4)])
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    assert seen == [((2, 4), (2, 3), [4, 1])]


def test_a_mean_over_no_examples_is_an_error_and_over_no_holes_it_is_0():
    with pytest.raises(ValueError, match=r"at least one, got an empty batch of shape \(0,\)"):
        classification_loss(lambda images: images, {"image": jnp.zeros((0, 3)), "label": jnp.zeros(0, int)})
    np.testing.assert_array_equal(masked_mean(jnp.array([1.0, 2.0]), np.array([False, False])), 0)


def test_half_precision_has_room_for_the_sum_of_many_losses():
    assert masked_mean(jnp.full((64, 256), 5.0, jnp.float16), jnp.ones((64, 256), bool)) == 5
    undecided = softmax_cross_entropy(jnp.zeros((1, 50257), jnp.bfloat16), jnp.zeros(1, int))
    np.testing.assert_allclose(undecided, np.log(50257), rtol=1e-6)
