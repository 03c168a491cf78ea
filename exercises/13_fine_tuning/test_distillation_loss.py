"""What `distillation_loss` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown

random = np.random.default_rng(0)
STUDENT, TEACHER = (random.normal(size=(4, 3)) * 2 for _ in range(2))
STUDENT_32, TEACHER_32 = (jnp.asarray(array, jnp.float32) for array in (STUDENT, TEACHER))
SHAPES = "both of shape (4, 3)"


def softmax_64(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.fixture(scope="module")
def distillation_loss(answer):
    return answer


def test_one_example_by_hand(distillation_loss):
    student, teacher = jnp.array([0.0, 0.0]), jnp.array([np.log(3), 0.0])
    call = f"distillation_loss(student, teacher, temperature=1.0) with {shown(student=student, teacher=teacher)}"
    because = "the teacher says ¾ and ¼, the student ½ and ½: ¾ log(¾ / ½) + ¼ log(¼ / ½)"
    expected = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    expect(distillation_loss(student, teacher, temperature=1.0), expected, call, because)


@pytest.mark.parametrize("temperature", [4.0, 0.5])
def test_both_are_divided_by_the_temperature_and_each_example_has_its_value(distillation_loss, temperature):
    p, q = softmax_64(TEACHER / temperature), softmax_64(STUDENT / temperature)
    call = f"distillation_loss(student, teacher, temperature={temperature}), {SHAPES}"
    because = "T² Σ p log(p / q), summed over the classes, with p = softmax(teacher / T) and q = softmax(student / T)"
    got = distillation_loss(STUDENT_32, TEACHER_32, temperature=temperature)
    expect(got, temperature**2 * (p * np.log(p / q)).sum(-1), call, because, rtol=1e-4, atol=1e-5)


def test_who_says_the_same_has_nothing_to_learn(distillation_loss):
    call = f"distillation_loss(teacher + 3, teacher, temperature=2.0), {SHAPES}"
    because = "3 more on every score changes no chance: p and q are the same, and log 1 = 0"
    expect(distillation_loss(TEACHER_32 + 3, TEACHER_32, temperature=2.0), np.zeros(4), call, because, atol=1e-5)


def test_the_student_is_pulled_to_the_teacher_and_the_teacher_nowhere(distillation_loss):
    def total(student, teacher):
        return distillation_loss(student, teacher, temperature=4.0).sum()

    of_student, of_teacher = jax.grad(total, argnums=(0, 1))(STUDENT_32, TEACHER_32)
    call = f"the gradient of distillation_loss(student, teacher, temperature=4.0).sum(), {SHAPES}"
    p, q = softmax_64(TEACHER / 4), softmax_64(STUDENT / 4)
    because = "T² · (q − p) / T: each score is pulled by how far its chance is off"
    expect(of_student, 4 * (q - p), f"{call}; by the student's scores", because, rtol=1e-4, atol=1e-5)
    because = "the teacher knows already: with a gradient it would learn to please its student"
    expect(of_teacher, np.zeros((4, 3)), f"{call}; by the teacher's scores", because)


@pytest.mark.parametrize(
    ("student", "teacher", "expected", "because"),
    [
        ([0.0, 0.0], [1000.0, 0.0], np.log(2), "the teacher is sure, the student has no idea: log(1 / ½), and 0 · log 0 is 0"),
        ([0.0, 1000.0], [1000.0, 0.0], 1000.0, "the student is sure of the wrong class: −log q = 1000, and not infinity"),
    ],
    ids=["sure teacher", "sure both"],
)
def test_sure_networks_give_finite_values(distillation_loss, student, teacher, expected, because):
    call = f"distillation_loss({student}, {teacher}, temperature=1.0)"
    expect(distillation_loss(jnp.array(student), jnp.array(teacher), temperature=1.0), expected, call, because)


def test_scores_of_different_shapes_are_refused(distillation_loss):
    call = "distillation_loss(student, teacher, temperature=1.0) with shapes (4, 3) and (3,)"
    because = "each example has a teacher's answer of its own: one for all would be broadcast in silence"
    expect_refusal(lambda: distillation_loss(STUDENT_32, TEACHER_32[0], temperature=1.0), call, because)


@pytest.mark.parametrize("temperature", [0.0, -2.0])
def test_a_temperature_not_above_0_is_refused(distillation_loss, temperature):
    call = f"distillation_loss(student, teacher, temperature={temperature})"
    because = "division by 0 gives NaN, and a negative temperature turns the order of the classes round"
    expect_refusal(lambda: distillation_loss(STUDENT_32, TEACHER_32, temperature=temperature), call, because)
