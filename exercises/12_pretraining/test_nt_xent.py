"""What `nt_xent` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that, shown

RANDOM = np.random.RandomState(0)
FIRST, SECOND = RANDOM.standard_normal((2, 4, 3)).astype(np.float32)
WITH = "two random views of each of four pictures, of width 3"


@pytest.fixture(scope="module")
def nt_xent(answer):
    def call(first, second, *temperature):
        return answer(jnp.asarray(first), jnp.asarray(second), *temperature)

    return call


def right(first, second, temperature):
    """The loss in float64, view by view."""
    views = np.concatenate([first, second]).astype(np.float64)
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    pictures, losses = len(first), []
    for i, view in enumerate(views):
        scores = views @ view / temperature
        others = np.delete(scores, i)
        losses.append(np.logaddexp.reduce(others) - scores[(i + pictures) % (2 * pictures)])
    return np.mean(losses)


def test_two_pictures_by_hand(nt_xent):
    first, second = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32), np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    call = f"nt_xent(first, second, 1.0) with {shown(first=first, second=second)}"
    because = "each view has three others: its partner, whose cosine is 1, and two with a cosine of 0: log((e + 2) / e)"
    expect(nt_xent(first, second, 1.0), np.log((np.e + 2) / np.e), call, because)


def test_where_all_views_are_alike_it_is_chance(nt_xent):
    ones = np.ones((5, 3), np.float32)
    call = "nt_xent(ones, ones, 0.5) with ones of shape (5, 3)"
    because = "nothing tells the partner from the 9 other views of the batch; a view is not among its own choices"
    expect(nt_xent(ones, ones, 0.5), np.log(9), call, because)


def test_every_view_is_asked_once_and_chooses_among_all_others(nt_xent):
    call = f"nt_xent(first, second, 0.3) with {WITH}"
    because = "2n questions; each has 2n − 1 choices, views of the own list among them; scores are cosines / temperature"
    expect(nt_xent(FIRST, SECOND, 0.3), right(FIRST, SECOND, 0.3), call, because)


def test_first_and_second_may_change_places(nt_xent):
    """Here the two directions differ most: the second views are all alike."""
    first = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], np.float32)
    second = np.array([[1.0, 0.0], [0.9, 0.1], [0.8, 0.1]], np.float32)
    because = "neither view is the question and the other the answer: both are asked"
    for names, pair in (("first, second", (first, second)), ("second, first", (second, first))):
        call = f"nt_xent({names}, 0.5) with {shown(first=first, second=second)}"
        expect(nt_xent(*pair, 0.5), right(first, second, 0.5), call, because)


def test_only_directions_count(nt_xent):
    lengths = np.array([[0.1], [1.0], [5.0], [30.0]], np.float32)
    call = f"nt_xent(lengths * first, second, 0.5) with {WITH}, {shown(lengths=lengths)}"
    because = "a cosine does not know how long the two are"
    expect(nt_xent(lengths * FIRST, SECOND, 0.5), right(FIRST, SECOND, 0.5), call, because)


def test_the_temperature_is_a_half_where_none_is_given(nt_xent):
    expect(nt_xent(FIRST, SECOND), right(FIRST, SECOND, 0.5), f"nt_xent(first, second) with {WITH}", "as its signature says")


def test_a_small_temperature_stays_finite(nt_xent):
    eye = np.eye(3, dtype=np.float32)
    wrong = np.roll(eye, 1, axis=0)
    call = "nt_xent(identity, identity with its rows moved by one, 0.005) with identity of shape (3, 3)"
    because = "a wrong view has the score 200, the partner 0: the loss is 200, though e²⁰⁰ is no number in float32"
    expect(nt_xent(eye, wrong, 0.005), right(eye, wrong, 0.005), call, because)


def test_both_views_and_the_temperature_learn(nt_xent):
    slopes = jax.jit(jax.grad(lambda *inputs: nt_xent(*inputs), argnums=(0, 1, 2)))
    by_first, by_second, by_temperature = map(np.asarray, slopes(jnp.asarray(FIRST), jnp.asarray(SECOND), 0.5))
    before, step = right(FIRST, SECOND, 0.5), 1e-4
    call = f"jax.jit(jax.grad) of nt_xent(first, second, 0.5) with {WITH}"
    because = "one network makes both views: a gradient that stops at one of them is not the slope of this loss"
    for name, after in (
        ("first", right(FIRST - 0.05 * by_first, SECOND, 0.5)),
        ("second", right(FIRST, SECOND - 0.05 * by_second, 0.5)),
    ):
        what = f"{call}; the loss after a small step down by {name}"
        expect_that(after < before - 1e-6, what, np.array(after), f"less than {before:.5f}", because)
    slope = (right(FIRST, SECOND, 0.5 + step) - right(FIRST, SECOND, 0.5 - step)) / (2 * step)
    because = "the temperature may be an array that jit does not know yet"
    expect(by_temperature, slope, f"{call}, by the temperature", because, rtol=1e-3)


@pytest.mark.parametrize("shapes", [((3, 2), (2, 2)), ((3, 2), (3, 4))], ids=["number", "width"])
def test_two_views_of_every_picture(nt_xent, shapes):
    first, second = (np.ones(shape, np.float32) for shape in shapes)
    call = f"nt_xent(first, second) with first of shape {shapes[0]}, second of shape {shapes[1]}"
    expect_refusal(lambda: nt_xent(first, second), call, "row i of both is one picture, seen by one network")


def test_one_picture_has_nobody_to_be_told_from(nt_xent):
    one = np.ones((1, 2), np.float32)
    call = "nt_xent(one, one) with one of shape (1, 2)"
    expect_refusal(lambda: nt_xent(one, one), call, "the partner is the only choice: the loss would be 0 whatever is learned")


@pytest.mark.parametrize("temperature", [0.0, -0.5])
def test_a_temperature_is_above_0(nt_xent, temperature):
    call = f"nt_xent(first, second, {temperature}) with {WITH}"
    expect_refusal(lambda: nt_xent(FIRST, SECOND, temperature), call, "0 divides by nothing, and below 0 partners would part")
