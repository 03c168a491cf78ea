"""What `project_conflicting` must do: seen with arrows in the plane, whose projections can be drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that


@pytest.fixture(scope="module")
def project_conflicting(answer):
    return answer


def tree(numbers):
    """The same as arrays, as jax.grad gives them."""
    return {name: jnp.array(leaf, jnp.float32) for name, leaf in numbers.items()}


def expect_tree(got, expected, call, because):
    """Asserts that a tree of this structure came back, with these numbers."""
    alike = jax.tree.structure(got) == jax.tree.structure(tree(expected))
    expect_that(alike, call, got, f"one tree with the arrays {', '.join(expected)}", "it is the gradient of a training step")
    for name, numbers in expected.items():
        expect(got[name], numbers, f"{call}; {name!r}", because, atol=1e-5)


def expect_arrow(project_conflicting, arrows, expected, because):
    gradients = [{"w": arrow} for arrow in arrows]
    call = f"project_conflicting(gradients) with gradients = {gradients}"
    expect_tree(project_conflicting([tree(gradient) for gradient in gradients]), {"w": expected}, call, because)


def test_gradients_that_agree_are_added(project_conflicting):
    because = "2·1 + 1·3 = 5 is above 0: nothing is taken off, and the step goes along the sum"
    expect_arrow(project_conflicting, ([2.0, 1.0], [1.0, 3.0]), [3, 4], because)


def test_gradients_at_a_right_angle_are_added(project_conflicting):
    expect_arrow(project_conflicting, ([2.0, 0.0], [0.0, 3.0]), [2, 3], "the product is 0: neither works against the other")


def test_each_of_two_in_conflict_loses_what_points_against_the_other(project_conflicting):
    because = (
        "g₁ · g₂ = −2, |g₁|² = 4, |g₂|² = 2. g₁ − (−2 / 2) g₂ = [1, 1] and g₂ − (−2 / 4) g₁ = [0, 1]: each is now at a right "
        "angle to the other's own gradient, and the two are added"
    )
    expect_arrow(project_conflicting, ([2.0, 0.0], [-1.0, 1.0]), [1, 2], because)


def test_a_step_along_the_result_undoes_the_progress_of_neither(project_conflicting):
    random = np.random.default_rng(0)
    first = random.normal(size=6)
    second = random.normal(size=6) - 2 * first  # in conflict, and longer
    got = project_conflicting([tree({"w": first}), tree({"w": second})])
    call = "project_conflicting([first, second]) with two arrays of 6 numbers, in conflict"
    expect_that(isinstance(got, dict) and "w" in got, call, got, 'a tree like {"w": …}')
    products = np.array([np.asarray(got["w"]) @ first, np.asarray(got["w"]) @ second])
    because = "shown are its products with the two gradients. Below 0, a small step would make that task's loss rise"
    expect_that((products > -1e-4).all(), call, products, "neither below 0", because)


def test_whether_they_conflict_is_asked_of_the_whole_gradient(project_conflicting):
    first, second = {"kernel": [3.0, 0.0], "bias": [1.0]}, {"kernel": [1.0, 1.0], "bias": [-2.0]}
    call = f"project_conflicting([first, second]) with first = {first}, second = {second}"
    because = "3·1 + 0·1 + 1·(−2) = 1: their biases point against each other, but the gradients as a whole agree"
    got = project_conflicting([tree(first), tree(second)])
    expect_tree(got, {"kernel": [4, 1], "bias": [-1]}, call, because)


def test_what_is_taken_off_is_taken_off_the_whole_gradient(project_conflicting):
    first, second = {"kernel": [1.0, 0.0], "bias": [1.0]}, {"kernel": [1.0, 1.0], "bias": [-2.0]}
    call = f"project_conflicting([first, second]) with first = {first}, second = {second}"
    because = "g₁ · g₂ = −1, |g₁|² = 2, |g₂|² = 6: g₁ + g₂ / 6 and g₂ + g₁ / 2, in the kernel too, where the two agree"
    expected = {"kernel": [1 + 1 / 6 + 1 + 1 / 2, 1 / 6 + 1], "bias": [1 - 2 / 6 - 2 + 1 / 2]}
    expect_tree(project_conflicting([tree(first), tree(second)]), expected, call, because)


def test_of_three_the_others_are_gone_through_in_their_order(project_conflicting):
    because = (
        "g₁ against g₂ is [1, 1], and that against g₃ is [0.4, −0.2]; g₂ against g₁ is [0, 1], then against g₃ [−0.4, 0.2]; "
        "g₃ against g₁ is [0, −2], then against g₂ [−1, −1]. Each one meets the others as they came in"
    )
    expect_arrow(project_conflicting, ([2.0, 0.0], [-1.0, 1.0], [-1.0, -2.0]), [-1, -1], because)


def test_a_conflict_may_come_up_on_the_way(project_conflicting):
    because = (
        "g₁ · g₃ = 1, but without its part against g₂ the first is [0, 1], and [0, 1] · g₃ = −1: it becomes [0.4, 0.8]. "
        "The second becomes [−1, 1], then [0.2, 0.4]; the third [0, −1]"
    )
    expect_arrow(project_conflicting, ([1.0, 1.0], [-2.0, 0.0], [2.0, -1.0]), [0.6, 0.2], because)


def test_one_task_is_left_alone(project_conflicting):
    expect_arrow(project_conflicting, ([2.0, -1.0],), [2, -1], "there is nobody to work against, itself included")


def test_opposite_gradients_leave_nothing(project_conflicting):
    because = "all of each points against the other: there is no step that helps one and does not harm the other"
    expect_arrow(project_conflicting, ([2.0, 1.0], [-4.0, -2.0]), [0, 0], because)


def test_a_gradient_of_zero_is_in_nobodys_way(project_conflicting):
    because = "a task that is solved pulls nowhere: its |g|² is 0, and 0 / 0 is NaN"
    expect_arrow(project_conflicting, ([2.0, -1.0], [0.0, 0.0]), [2, -1], because)


def test_the_input_stays_as_it_was(project_conflicting):
    gradients = [tree({"w": [2.0, 0.0]}), tree({"w": [-1.0, 1.0]})]
    project_conflicting(gradients)
    call = "project_conflicting(gradients) with gradients = [{'w': [2, 0]}, {'w': [-1, 1]}]; gradients[0]['w'] afterwards"
    expect(gradients[0]["w"], [2, 0], call, "the list is the caller's, who may still want the cosine")


def test_it_works_under_jit(project_conflicting):
    gradients = (tree({"w": [2.0, 0.0]}), tree({"w": [-1.0, 1.0]}))
    call = "jax.jit(project_conflicting)(gradients) with gradients = ({'w': [2, 0]}, {'w': [-1, 1]})"
    because = "under jit a product has no value to branch on with `if`"
    expect_tree(jax.jit(project_conflicting)(gradients), {"w": [1, 2]}, call, because)


def test_no_gradients_are_refused(project_conflicting):
    because = "the sum of no trees has no structure: nobody knows which parameters are meant"
    expect_refusal(lambda: project_conflicting([]), "project_conflicting([])", because)


@pytest.mark.parametrize("second", [{"kernel": [1.0]}, {"kernel": [1.0], "scale": [2.0]}], ids=["no bias", "another name"])
def test_gradients_of_different_parameters_are_refused(project_conflicting, second):
    first = {"kernel": [2.0], "bias": [1.0]}
    call = f"project_conflicting([first, second]) with first = {first}, second = {second}"
    because = "the tasks' gradients are of the same shared weights, even where other shapes happen to fit"
    expect_refusal(lambda: project_conflicting([tree(first), tree(second)]), call, because)
