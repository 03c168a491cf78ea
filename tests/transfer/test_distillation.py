"""A student that agrees has nothing to learn, and one that learns ends up agreeing."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from nn.data import Dataset
from nn.models import MLP, MLPConfig
from nn.training import classification_loss, fit, softmax_cross_entropy
from transfer.distillation import Distillation, distillation_loss

random = np.random.default_rng(0)
STUDENT, TEACHER = (random.normal(size=(7, 4)) * 2 for _ in range(2))
student, teacher = (jnp.asarray(array, jnp.float32) for array in (STUDENT, TEACHER))


def softmax_64(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_values_and_gradients_are_those_of_the_equation_in_float64(temperature):
    p, q = softmax_64(TEACHER / temperature), softmax_64(STUDENT / temperature)
    expected = temperature**2 * (p * np.log(p / q)).sum(-1)
    np.testing.assert_allclose(distillation_loss(student, teacher, temperature=temperature), expected, rtol=1e-4)

    def loss(s, t):
        return distillation_loss(s, t, temperature=temperature).sum()

    towards, back = jax.grad(loss, argnums=(0, 1))(student, teacher)
    np.testing.assert_allclose(towards, temperature * (q - p), rtol=1e-3, atol=1e-5)
    assert not back.any(), "no gradient reaches the teacher"


def test_it_is_0_where_both_agree_up_to_a_shift_and_positive_elsewhere():
    np.testing.assert_allclose(distillation_loss(teacher + 3, teacher, temperature=2.0), 0, atol=1e-5)
    assert (distillation_loss(student, teacher, temperature=2.0) > 0).all()


def test_a_sure_teacher_at_temperature_1_is_a_label():
    labels = TEACHER.argmax(-1).astype(np.int32)
    sure = 1e3 * jax.nn.one_hot(labels, 4)
    expected = softmax_cross_entropy(student, jnp.asarray(labels))
    np.testing.assert_allclose(distillation_loss(student, sure, temperature=1.0), expected, rtol=1e-4)


def test_the_gradient_of_a_high_temperature_is_the_difference_of_centred_scores():
    """Hinton et al. 2015, eq. 4: T² times 1 / (classes · T²)."""
    gradient = jax.grad(lambda s: distillation_loss(s, teacher, temperature=1e3).sum())(student)
    centred = [z - z.mean(-1, keepdims=True) for z in (STUDENT, TEACHER)]
    np.testing.assert_allclose(gradient, (centred[0] - centred[1]) / 4, rtol=0.02, atol=0.01)


def network(hidden, seed):
    return MLP(MLPConfig(in_features=4, hidden=hidden, out_features=3), rngs=nnx.Rngs(seed))


def test_a_student_learns_its_teachers_answers_without_a_label():
    big, small = network((32,), 0), network((8,), 1)
    images = random.normal(size=(256, 4)).astype(np.float32)
    said = np.asarray(big(jnp.asarray(images)))
    data = Dataset.from_arrays({"image": images, "teacher_logits": said})

    def agreement():
        return (small(jnp.asarray(images)).argmax(-1) == said.argmax(-1)).mean()

    before = agreement()
    fit(small, data.batches(64, seed=0), optimizer=optax.adam(3e-2), steps=200, loss=Distillation(weight=1.0))
    assert agreement() > max(0.8, before + 0.2)


def test_the_weight_mixes_teacher_and_labels():
    model, labels = network((5,), 0), jnp.arange(7) % 3
    batch = {"image": student, "label": labels, "teacher_logits": teacher[:, :3]}
    told = classification_loss(model, batch)[0]
    taught = distillation_loss(model(student), teacher[:, :3], temperature=3.0).mean()
    for weight in (0.0, 0.25):
        value, scalars = Distillation(temperature=3.0, weight=weight)(model, batch)
        np.testing.assert_allclose(value, (1 - weight) * told + weight * taught, rtol=1e-5)
        assert "accuracy" in scalars


def test_bad_input_is_named(without_type_checks):
    with pytest.raises(ValueError, match=r"distillation_loss expects scores of one shape, got \(7, 4\) and \(7, 3\)\."):
        distillation_loss(student, teacher[:, :3], temperature=1.0)
    with pytest.raises(ValueError, match=r"distillation_loss expects a temperature above 0, got 0\."):
        distillation_loss(student, teacher, temperature=0)
    with pytest.raises(ValueError, match=r"Distillation expects a weight from 0 to 1, got 1\.5\."):
        Distillation(weight=1.5)
