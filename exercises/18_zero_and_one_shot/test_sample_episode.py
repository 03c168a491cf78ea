"""What `sample_episode` must do."""

import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that, shown

NAMES = [7, 3, 11, 5, 2]
LABELS = np.random.RandomState(0).permutation(np.repeat(NAMES, 6))  # thirty examples, six of each class
COUNTS = {"ways": 3, "shots": 2, "queries": 4}
CALL = "sample_episode(labels, ways=3, shots=2, queries=4, seed={}) with labels of five classes, six examples each"


@pytest.fixture(scope="module")
def sample_episode(answer):
    return answer


def episodes(sample_episode, count, labels=LABELS, **counts):
    """(call, support, queries) of so many seeds."""
    for seed in range(count):
        support, queries = sample_episode(labels, **(counts or COUNTS), seed=seed)
        yield CALL.format(seed), np.asarray(support), np.asarray(queries)


def test_the_counts_are_those_asked_for(sample_episode):
    for call, support, queries in episodes(sample_episode, 3):
        shapes = np.array([*support.shape, *queries.shape])
        expect(shapes, [3, 2, 3, 4], call + "; the two shapes", "a row a class: two places to learn from, four to ask about")


def test_a_row_is_one_class_and_every_row_another(sample_episode):
    for call, support, queries in episodes(sample_episode, 20):
        both = np.concatenate([support, queries], axis=1)
        inside = both.min() >= 0 and both.max() < len(LABELS)
        classes = LABELS[both] if inside else both
        because = "the row is the label in the task: row i of either set holds places of one class, and no other row does"
        expected = "places in labels, with one class a row, each another"
        holds = inside and (classes == classes[:, :1]).all() and len(set(classes[:, 0])) == 3
        expect_that(holds, call + "; labels at these places", classes, expected, because)


def test_no_example_is_learned_from_and_asked_about(sample_episode):
    for call, support, queries in episodes(sample_episode, 20):
        both = np.intersect1d(support, queries)
        expect_that(not len(both), call, both, "no place in both sets", "who has seen the answer need not know it")


def test_no_example_is_there_twice(sample_episode):
    for call, support, queries in episodes(sample_episode, 20):
        for places in (support, queries):
            because = "a second copy of an example is no second example"
            expect_that(len(np.unique(places)) == places.size, call, places, "places that are all different", because)


def test_classes_and_examples_change_with_the_seed(sample_episode):
    drawn = [np.concatenate([support, queries], axis=1) for _, support, queries in episodes(sample_episode, 20)]
    seen = np.unique(np.concatenate([places[:, :2].ravel() for places in drawn]))
    call = "sample_episode(…, seed=s) for s = 0 … 19; all places that were in a support set"
    because = "twenty draws of six out of thirty leave hardly any out: each class and each example has its chance"
    expect_that(len(seen) > 24, call, seen, "nearly all of the thirty places", because)


def test_the_same_seed_gives_the_same_task_and_a_generator_the_next_one(sample_episode):
    first, again = (sample_episode(LABELS, **COUNTS, seed=5) for _ in range(2))
    because = "an experiment that is run again must meet the same tasks"
    for a, b in zip(first, again, strict=True):
        expect(b, np.asarray(a), CALL.format(5) + ", for the second time", because)
    random = np.random.default_rng(5)
    one, two = (np.concatenate(sample_episode(LABELS, **COUNTS, seed=random), axis=1) for _ in range(2))
    because = "a generator goes on where it stopped: training meets another task at each step"
    expect_that((one != two).any(), CALL.format("generator") + ", twice", two, "not the first task again", because)


def test_a_large_class_is_drawn_as_often_as_a_small_one(sample_episode):
    labels = np.repeat([0, 1], [4, 36])
    random = np.random.default_rng(0)
    draws = [int(np.asarray(sample_episode(labels, ways=1, shots=1, queries=1, seed=random)[0])[0, 0] < 4) for _ in range(200)]
    call = "sample_episode(labels, ways=1, shots=1, queries=1, seed=generator) two hundred times, for classes of 4 and of 36"
    because = "classes are drawn, and then examples of them; drawing examples first favours large classes"
    expect_that(60 < sum(draws) < 140, call, np.array(sum(draws)), "the small class about 100 times", because)


@pytest.mark.parametrize(
    ("labels", "counts", "because"),
    [
        (np.repeat([0, 1, 2], [6, 6, 3]), COUNTS, "class 2 has three examples, and six are asked for of each"),
        (
            np.repeat([0, 1, 2, 3], [6, 6, 6, 3]),
            COUNTS,
            "class 3 has three examples, and six are asked for of each. It would be left out of every task, and nobody told",
        ),
        (LABELS, COUNTS | {"ways": 6}, "there are five classes"),
        (LABELS, COUNTS | {"shots": 0}, "without an example there is nothing to learn from"),
    ],
    ids=["examples", "examples of one that need not be drawn", "ways", "shots"],
)
def test_what_cannot_be_filled_is_refused(sample_episode, labels, counts, because):
    sizes = np.unique(labels, return_counts=True)[1]
    call = f"sample_episode(labels, seed=s, {shown(**counts)}) with classes of {sizes.tolist()} examples, for s = 0 … 9"

    # Whether a small class is drawn depends on the seed; whether it is refused may not.
    for seed in range(10):
        expect_refusal(lambda seed=seed: np.concatenate(sample_episode(labels, **counts, seed=seed), axis=1), call, because)
