"""What `prototypical_loss` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that, shown

SUPPORT = np.array([[0, 0], [2, 0], [0, 2], [1, 3], [0, 1], [-1, -1]], np.float32)
LABELS = np.array([0, 0, 1, 1, 1, 2])  # two, three and one example
QUERIES = np.array([[1, 1], [0.5, 2], [-1, 0], [0, -1]], np.float32)
ANSWERS = np.array([0, 1, 2, 0])
WITH = shown(support=SUPPORT, labels=LABELS, queries=QUERIES, answers=ANSWERS)


@pytest.fixture(scope="module")
def prototypical_loss(answer):
    def call(support, labels, queries, answers, classes):
        return answer(jnp.asarray(support), jnp.asarray(labels), jnp.asarray(queries), jnp.asarray(answers), classes)

    return call


def surprise(support, labels, queries, answers, classes):
    """In float64, one loss for each query."""
    prototypes = np.stack([support[labels == c].mean(0) for c in range(classes)]).astype(np.float64)
    scores = -((queries[:, None] - prototypes) ** 2).sum(-1)
    return -(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))[np.arange(len(answers)), answers]


def test_one_query_by_hand(prototypical_loss):
    support, query = np.array([[1.0], [3.0], [-1.0]], np.float32), np.array([[0.0]], np.float32)
    call = (
        "prototypical_loss(support, labels, query, [1], 2) with support = [[1], [3], [-1]], labels = [0, 0, 1], query = [[0]]"
    )
    because = "the prototypes are 2 and −1, the scores of 0 are −4 and −1: −log(e⁻¹ / (e⁻⁴ + e⁻¹))"
    got = prototypical_loss(support, np.array([0, 0, 1]), query, np.array([1]), 2)
    expect(got, np.log(1 + np.exp(-3)), call, because)


def test_it_is_the_mean_cross_entropy_of_minus_the_squared_distances(prototypical_loss):
    call = f"prototypical_loss(support, labels, queries, answers, 3) with {WITH}"
    because = "one mean a class, one score −‖q − p‖² a class for each query, softmax over the classes, the mean over queries"
    expected = surprise(SUPPORT, LABELS, QUERIES, ANSWERS, 3).mean()
    expect(prototypical_loss(SUPPORT, LABELS, QUERIES, ANSWERS, 3), expected, call, because)


def test_a_prototype_does_not_see_the_queries(prototypical_loss):
    """The loss of two queries is the mean of their two losses only if neither has moved a prototype."""
    alone = [float(prototypical_loss(SUPPORT, LABELS, QUERIES[i : i + 1], ANSWERS[i : i + 1], 3)) for i in range(4)]
    call = f"prototypical_loss(support, labels, queries[i:i+1], answers[i:i+1], 3) for each i, with {WITH}"
    because = "prototypes are made of the support set alone; who makes them of the queries has looked at the answers"
    expect(np.array(alone), surprise(SUPPORT, LABELS, QUERIES, ANSWERS, 3), call, because)


def test_it_trains_support_and_queries(prototypical_loss):
    def slopes(*arrays):
        return jax.grad(lambda support, labels, query, answer: prototypical_loss(support, labels, query, answer, 2), (0, 2))(
            *arrays
        )

    arrays = ([[1.0], [3.0], [-1.0]], [0, 0, 1], [[0.0]], [1])
    by_support, by_query = jax.jit(slopes)(*map(jnp.array, arrays))
    call = (
        "jax.jit(jax.grad) of prototypical_loss(support, labels, query, [1], 2) with support = [[1], [3], [-1]], "
        "labels = [0, 0, 1], query = [[0]]"
    )
    wrong = 1 / (1 + np.exp(3))  # the chance of class 0
    because = "the scores are −(q − p)², with p = 2 and −1; half of what a prototype gets goes to each of two examples"
    expect(by_query, [[wrong * 6]], f"{call}, by query", because)
    expect(by_support, [[-2 * wrong], [-2 * wrong], [-2 * wrong]], f"{call}, by support", f"prototypes learn too: {because}")


def test_the_order_of_the_examples_does_not_matter(prototypical_loss):
    order = np.array([5, 0, 3, 2, 4, 1])
    call = f"prototypical_loss(support[order], labels[order], queries, answers, 3) with {WITH}, {shown(order=order)}"
    expected = surprise(SUPPORT, LABELS, QUERIES, ANSWERS, 3).mean()
    because = "a mean has no order, and the labels say which example belongs where"
    expect(prototypical_loss(SUPPORT[order], LABELS[order], QUERIES, ANSWERS, 3), expected, call, because)


def test_far_queries_stay_finite(prototypical_loss):
    call = f"prototypical_loss(support, labels, 100 * queries, answers, 3) with {WITH}"
    expected = surprise(SUPPORT, LABELS, 100 * QUERIES, ANSWERS, 3).mean()
    because = "e⁻¹⁰⁰⁰⁰ is 0 in float32: take the logarithm of the softmax as a whole"
    expect(prototypical_loss(SUPPORT, LABELS, 100 * QUERIES, ANSWERS, 3), expected, call, because, rtol=1e-4)


def test_a_class_without_an_example_is_not_passed_over(prototypical_loss):
    labels = np.where(LABELS == 2, 1, LABELS)
    got = prototypical_loss(SUPPORT, labels, QUERIES, ANSWERS, 3)
    call = f"prototypical_loss(support, labels, queries, answers, 3) with {shown(labels=labels)}: class 2 has no example"
    because = "the mean of nothing is nowhere; a prototype put at 0 in silence would be a class that nobody has seen"
    expect_that(np.isnan(np.asarray(got)).all(), call, got, "NaN", because)


def test_one_answer_for_each_query(prototypical_loss):
    call = f"prototypical_loss(support, labels, queries, answers[:1], 3) with {WITH}"
    because = "one answer for four queries would be read four times"
    expect_refusal(lambda: prototypical_loss(SUPPORT, LABELS, QUERIES, ANSWERS[:1], 3), call, because)
