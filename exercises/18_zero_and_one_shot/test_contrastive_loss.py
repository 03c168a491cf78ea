"""What `contrastive_loss` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that, shown

RANDOM = np.random.RandomState(0)
IMAGES, TEXTS = RANDOM.standard_normal((2, 4, 3)).astype(np.float32)
WITH = "four random images and texts of width 3"


@pytest.fixture(scope="module")
def contrastive_loss(answer):
    def call(images, texts, *temperature):
        return answer(jnp.asarray(images), jnp.asarray(texts), *temperature)

    return call


def surprises(images, texts, temperature):
    """(of images, of texts), in float64."""
    images, texts = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (images.astype(float), texts.astype(float)))
    scores = images @ texts.T / temperature
    return [-np.diag(scores - np.logaddexp.reduce(scores, axis=axis, keepdims=True)) for axis in (1, 0)]


def test_two_pairs_by_hand(contrastive_loss):
    images, texts = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32), np.array([[2.0, 0.0], [0.0, 3.0]], np.float32)
    call = f"contrastive_loss(images, texts, 1.0) with {shown(images=images, texts=texts)}"
    because = "the cosines are 1 with the own partner and 0 with the other: every row and column gives log(1 + e⁻¹)"
    expect(contrastive_loss(images, texts, 1.0), np.log(1 + np.exp(-1)), call, because)


def test_it_is_the_mean_of_both_directions(contrastive_loss):
    call = f"contrastive_loss(images, texts, 0.5) with {WITH}"
    because = "each row is a choice among texts, each column one among images; half the mean over rows, half that over columns"
    expect(contrastive_loss(IMAGES, TEXTS, 0.5), np.mean(surprises(IMAGES, TEXTS, 0.5)), call, because)


def test_the_temperature_is_a_tenth_where_none_is_given(contrastive_loss):
    call = f"contrastive_loss(images, texts) with {WITH}"
    expect(contrastive_loss(IMAGES, TEXTS), np.mean(surprises(IMAGES, TEXTS, 0.1)), call, "as its signature says")


def test_texts_and_temperature_learn_too(contrastive_loss):
    loss = jax.jit(jax.grad(lambda texts, temperature: contrastive_loss(IMAGES, texts, temperature), argnums=(0, 1)))
    by_texts, by_temperature = map(np.asarray, loss(jnp.asarray(TEXTS), 0.5))
    before, step = np.mean(surprises(IMAGES, TEXTS, 0.5)), 1e-4
    after = np.mean(surprises(IMAGES, TEXTS - 0.05 * by_texts, 0.5))
    call = f"jax.jit(jax.grad) of contrastive_loss(images, texts, 0.5) with {WITH}"
    because = "both networks learn: a gradient that stops at the texts trains one of them"
    lower = f"less than {before:.5f}"
    expect_that(
        after < before - 1e-6, f"{call}; the loss after a small step down by the texts", np.array(after), lower, because
    )
    slope = (np.mean(surprises(IMAGES, TEXTS, 0.5 + step)) - np.mean(surprises(IMAGES, TEXTS, 0.5 - step))) / (2 * step)
    because = "CLIP learns its temperature: it may be an array that jit does not know yet"
    expect(by_temperature, slope, f"{call}, by the temperature", because, rtol=1e-3)


def test_images_and_texts_may_change_places(contrastive_loss):
    """Here rows and columns differ most: all images look like the first text."""
    images = np.array([[1.0, 0.0], [0.9, 0.1], [0.8, 0.1]], np.float32)
    texts = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], np.float32)
    call = f"contrastive_loss(texts, images, 0.5) with {shown(images=images, texts=texts)}"
    because = "neither side is the question and the other the answer: the loss is the same from both"
    expect(contrastive_loss(texts, images, 0.5), np.mean(surprises(images, texts, 0.5)), call, because)


def test_where_all_are_alike_it_is_log_n(contrastive_loss):
    ones = np.ones((5, 3), np.float32)
    call = "contrastive_loss(ones, ones, 0.1) with ones of shape (5, 3)"
    expect(contrastive_loss(ones, ones, 0.1), np.log(5), call, "nothing tells five pairs apart: each guess has a chance of 1/5")


def test_only_directions_count(contrastive_loss):
    lengths = np.array([[0.1], [1.0], [5.0], [30.0]], np.float32)
    call = f"contrastive_loss(lengths * images, texts, 0.5) with {WITH}, {shown(lengths=lengths)}"
    because = "a cosine does not know how long the two are"
    expect(contrastive_loss(lengths * IMAGES, TEXTS, 0.5), np.mean(surprises(IMAGES, TEXTS, 0.5)), call, because)


def test_a_small_temperature_stays_finite(contrastive_loss):
    wrong = np.roll(np.eye(4, dtype=np.float32), 1, axis=0)
    call = "contrastive_loss(identity, identity with its rows moved by one, 0.005) with identity of shape (4, 4)"
    because = "the scores are 200 and 0, with the wrong ones ahead: the loss is 200, though e²⁰⁰ is no number in float32"
    expect(contrastive_loss(np.eye(4, dtype=np.float32), wrong, 0.005), 200, call, because)


def test_the_slope_draws_a_pair_together(contrastive_loss):
    slope = np.asarray(jax.grad(lambda images: contrastive_loss(images, TEXTS, 0.5))(jnp.asarray(IMAGES)))
    moved = float(contrastive_loss(IMAGES - 0.05 * slope, TEXTS, 0.5))
    call = f"jax.grad of contrastive_loss(images, texts, 0.5) with {WITH}; the loss after a small step down it"
    before = np.mean(surprises(IMAGES, TEXTS, 0.5))
    expect_that(np.isfinite(slope).all() and moved < before, call, np.array(moved), f"less than {before:.5f}", "it is a loss")


@pytest.mark.parametrize(
    ("texts", "temperature", "because"),
    [(TEXTS[:3], 0.5, "three texts for four images: one image has no partner"), (TEXTS, 0.0, "division by 0")],
    ids=["shape", "temperature"],
)
def test_what_makes_no_pairs_is_refused(contrastive_loss, texts, temperature, because):
    call = f"contrastive_loss(images, texts, {temperature}) with images.shape = (4, 3), texts.shape = {texts.shape}"
    expect_refusal(lambda: contrastive_loss(IMAGES, texts, temperature), call, because)
