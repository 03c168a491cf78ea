"""What `proxy_a_distance` must do. The data are fixed, and any linear classifier that is fitted properly passes."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that


@pytest.fixture(scope="module")
def proxy_a_distance(answer):
    return answer


def normal(seed, count, width=3):
    return np.random.default_rng(seed).normal(size=(count, width))


def test_sets_that_do_not_overlap_are_2_apart(proxy_a_distance):
    call = "proxy_a_distance(x, y + 20, seed=0) with x and y of shape (200, 3), both standard normal"
    because = "a line between them makes no mistake: ε = 0, and 2 (1 − 0) = 2"
    expect(np.asarray(proxy_a_distance(normal(0, 200), normal(1, 200) + 20, seed=0)), 2, call, because)


def test_one_distribution_has_no_distance(proxy_a_distance):
    got = np.asarray(proxy_a_distance(normal(0, 800), normal(1, 800), seed=0))
    call = "proxy_a_distance(x, y, seed=0) with x and y of shape (800, 3), both standard normal"
    because = "nobody can tell them apart: ε is about ½, and 2 (1 − 1) = 0"
    expect(got, 0, call, because, atol=0.25)


def test_by_chance_it_comes_out_below_0(proxy_a_distance):
    values = np.array([proxy_a_distance(normal(2 * i, 40), normal(2 * i + 1, 40), seed=i) for i in range(12)])
    call = "proxy_a_distance(x, y, seed) with x and y of shape (40, 3), all standard normal; twelve pairs of sets"
    because = (
        "who guesses is wrong in more than half as often as in less. Cut off at 0, the mean of guesses would be a distance"
    )
    expect_that(values.min() < 0, call, values, "some of them below 0", because)


def test_a_circle_around_a_point_is_not_told_by_a_line(proxy_a_distance):
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 400)
    ring = 5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    got = np.asarray(proxy_a_distance(normal(0, 400, 2), ring, seed=0))
    call = "proxy_a_distance(x, y, seed=0) with x standard normal around 0 and y on a circle of radius 5, 400 of each"
    because = "a *linear* classifier: no line has the middle on its one side and the circle on the other"
    expect_that(got < 1.2, call, got, "well below 2", because)


def test_half_an_overlap_is_in_between(proxy_a_distance):
    y = normal(1, 800)
    y[:, 0] += 1
    got = np.asarray(proxy_a_distance(normal(0, 800), y, seed=0))
    call = "proxy_a_distance(x, y, seed=0) with x and y of shape (800, 3), y moved by 1 along the first axis"
    because = "the best line is right for 69% (Φ(½)): ε = 0.31, and 2 (1 − 0.62) = 0.77"
    expect(got, 0.77, call, because, atol=0.25)


def test_what_was_learned_by_heart_does_not_count(proxy_a_distance):
    got = np.mean([proxy_a_distance(normal(2 * i, 60, 150), normal(2 * i + 1, 60, 150), seed=i) for i in range(4)])
    call = "proxy_a_distance(x, y, seed) with x and y of shape (60, 150), all standard normal; mean of four"
    because = (
        "with more features than examples a line makes no mistake on the examples it was fitted to, whatever they are: ε is "
        "its share of errors on the others"
    )
    expect(got, 0, call, because, atol=0.6)


def test_a_larger_set_is_no_distance(proxy_a_distance):
    got = np.asarray(proxy_a_distance(normal(0, 4000), normal(1, 400), seed=0))
    call = "proxy_a_distance(x, y, seed=0) with x of shape (4000, 3), y of shape (400, 3), both standard normal"
    because = "who always says x is right in 91%, and has learned nothing: use as many of either"
    expect(got, 0, call, because, atol=0.35)


def test_the_order_of_the_examples_does_not_matter(proxy_a_distance):
    x, y = normal(0, 400), normal(1, 400)
    x[:200, 0] += 6
    y[200:, 0] += 6
    got = np.asarray(proxy_a_distance(x, y, seed=0))
    call = "proxy_a_distance(x, y, seed=0) with the first half of x and the second half of y moved by 6"
    because = (
        "as sets the two are alike. Only who takes the first half of each to learn from finds a difference: draw the halves"
    )
    expect(got, 0, call, because, atol=0.5)


def test_the_seed_decides_and_nothing_else(proxy_a_distance):
    x, y = normal(0, 60), normal(1, 60) + 0.5
    values = np.array([proxy_a_distance(x, y, seed=seed) for seed in (3, 3, 4, 5, 6, 7)])
    call = "proxy_a_distance(x, y, seed) with seeds 3, 3, 4, 5, 6, 7"
    expected = "the first two equal, and not all the same"
    because = "the halves are drawn by the seed: a number that cannot be had again cannot be checked"
    expect_that(values[0] == values[1] and len(set(values)) > 1, call, values, expected, because)


@pytest.mark.parametrize(("source", "target"), [((9, 2), (9, 3)), ((9, 2), (3, 2))], ids=str)
def test_sets_that_cannot_be_halved_or_compared_are_refused(proxy_a_distance, source, target):
    call = f"proxy_a_distance(source, target, seed=0) with source.shape = {source}, target.shape = {target}"
    because = "one width, and at least four of each: two to learn from, two to be asked about"
    expect_refusal(lambda: proxy_a_distance(np.ones(source), np.ones(target), seed=0), call, because)
