"""Two tasks in one network: what they share, what they do not, and what happens where they pull in different ways."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from nn.data import Dataset
from nn.models import MLP, MLPConfig
from nn.training import fit
from transfer.multitask import (
    MultitaskLoss,
    SharedBody,
    gradient_cosine,
    project_conflicting,
    uncertainty_weighted,
)

SGD = optax.sgd(0.1)
random = np.random.default_rng(0)
FIRST, SECOND, THIRD = ({"a": random.normal(size=(3, 2)), "b": random.normal(size=4)} for _ in range(3))
IMAGES = random.normal(size=(32, 4)).astype(np.float32)


def flat(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])


def single(tree):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), tree)


def network(seed=0):
    body = MLP(MLPConfig(in_features=4, hidden=(6, 5), out_features=1), rngs=nnx.Rngs(seed))
    return SharedBody(body, 5, (3, 2), rngs=nnx.Rngs(seed + 1))


def batches():
    labels = np.arange(32, dtype=np.int32)
    columns = {"image_0": IMAGES, "label_0": labels % 3, "image_1": -IMAGES[::-1], "label_1": labels // 2 % 2}
    return Dataset.from_arrays(columns).batches(32, seed=0)


def leaves(model):
    return {".".join(map(str, path)): np.array(leaf[...]) for path, leaf in nnx.to_flat_state(nnx.state(model, nnx.Param))}


def test_the_cosine_is_that_of_two_long_vectors_whatever_their_lengths():
    one, other = flat(FIRST), flat(SECOND)
    expected = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    tripled = jax.tree.map(lambda leaf: 3 * leaf, single(FIRST))
    np.testing.assert_allclose(gradient_cosine(tripled, single(SECOND)), expected, rtol=1e-5)
    nothing = jax.tree.map(jnp.zeros_like, single(FIRST))
    assert gradient_cosine(nothing, single(FIRST)) == 0
    np.testing.assert_allclose(gradient_cosine(single(FIRST), single(FIRST)), 1, rtol=1e-6)


def test_gradients_that_agree_are_added_and_nothing_else():
    agree = jax.tree.map(lambda one, other: 2 * one + 0.01 * other, FIRST, SECOND)
    assert flat(FIRST) @ flat(agree) > 0
    got = project_conflicting([single(FIRST), single(agree)])
    np.testing.assert_allclose(flat(got), flat(FIRST) + flat(agree), rtol=1e-5)


def test_of_two_in_conflict_each_loses_what_points_against_the_other():
    one, other = flat(FIRST), -flat(FIRST) + 0.5 * flat(SECOND)
    against = jax.tree.map(lambda a, b: -a + 0.5 * b, FIRST, SECOND)
    assert one @ other < 0
    expected = one - one @ other / (other @ other) * other + other - one @ other / (one @ one) * one
    got = flat(project_conflicting([single(FIRST), single(against)]))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    assert got @ one > -1e-4 and got @ other > -1e-4, "a step along it undoes neither"


def test_three_tasks_are_the_loops_of_the_paper():
    gradients = [flat(FIRST), -flat(FIRST) + flat(SECOND), -flat(SECOND) + 0.3 * flat(THIRD)]
    total = 0
    for i, g in enumerate(gradients):
        for j, other in enumerate(gradients):
            if i != j and g @ other < 0:
                g = g - g @ other / (other @ other) * other
        total = total + g
    got = project_conflicting([{"w": jnp.asarray(g, jnp.float32)} for g in gradients])
    np.testing.assert_allclose(got["w"], total, rtol=1e-4, atol=1e-5)


def test_opposite_gradients_cancel_and_a_zero_one_is_no_division_by_zero():
    opposite = jax.tree.map(jnp.negative, single(FIRST))
    np.testing.assert_allclose(flat(project_conflicting([single(FIRST), opposite])), 0, atol=1e-5)
    nothing = jax.tree.map(jnp.zeros_like, opposite)
    np.testing.assert_array_equal(flat(project_conflicting([opposite, nothing])), flat(opposite))


def test_the_best_log_variance_is_that_of_twice_the_loss():
    losses = jnp.array([0.2, 3.0])
    slope = jax.grad(lambda s: uncertainty_weighted(losses, s))
    np.testing.assert_allclose(slope(jnp.log(2 * losses)), 0, atol=1e-6)
    s = np.array([0.3, -0.7])
    np.testing.assert_allclose(uncertainty_weighted(losses, jnp.asarray(s)), (np.exp(-s) * [0.2, 3] + s / 2).sum(), rtol=1e-5)


def test_tasks_share_the_body_and_not_their_heads():
    model, before = network(), leaves(network())
    batch = next(iter(batches()))
    batch = {name: jnp.asarray(array) for name, array in batch.items()}
    gradients = [nnx.grad(lambda m, t=t: MultitaskLoss().of_task(m, batch, t))(model) for t in (0, 1)]
    for task, gradient in enumerate(gradients):
        reached = {".".join(map(str, p)) for p, leaf in nnx.to_flat_state(gradient) if np.asarray(leaf[...]).any()}
        body = {name for name in before if name.startswith("body.hidden")}
        assert reached == body | {f"heads.{task}.kernel", f"heads.{task}.bias"}


@pytest.mark.parametrize("weighting", ["sum", "uncertainty", "pcgrad"])
def test_training_is_gradient_descent_on_the_weighted_losses(weighting):
    model, by_hand = network(), network()
    history = fit(model, batches(), optimizer=SGD, steps=1, loss=MultitaskLoss(weighting=weighting), log_every=1)
    batch = {name: jnp.asarray(array) for name, array in next(iter(batches())).items()}
    graph, parameters = nnx.split(by_hand, nnx.Param)

    def loss(parameters, task):
        return MultitaskLoss().of_task(nnx.merge(graph, parameters), batch, task)

    def weighted(parameters):
        return uncertainty_weighted(jnp.stack([loss(parameters, t) for t in (0, 1)]), parameters["log_variances"][...])

    if weighting == "uncertainty":
        gradient = jax.grad(weighted)(parameters)
    else:
        each = [jax.grad(loss)(parameters, task) for task in (0, 1)]
        gradient = project_conflicting(each) if weighting == "pcgrad" else jax.tree.map(jnp.add, *each)
    nnx.update(by_hand, jax.tree.map(lambda leaf, slope: leaf - 0.1 * slope, parameters, gradient))
    for name, array in leaves(by_hand).items():
        np.testing.assert_allclose(leaves(model)[name], array, rtol=1e-4, atol=1e-6, err_msg=name)
    assert {"loss", "loss_0", "loss_1"} <= set(history)
    if weighting != "uncertainty":
        np.testing.assert_allclose(history["loss"][0], history["loss_0"][0] + history["loss_1"][0], rtol=1e-5)


def test_bad_input_is_named(without_type_checks):
    for call, message in (
        (lambda: gradient_cosine(FIRST, {"a": FIRST["a"]}), "gradient_cosine expects gradients of the same parameters"),
        (lambda: project_conflicting([]), "project_conflicting expects the gradient of at least one task, got none"),
        (lambda: uncertainty_weighted(jnp.ones(2), jnp.ones(3)), r"a log variance for each loss, got \(2,\) and \(3,\)"),
        (lambda: SharedBody(network().body, 5, (), rngs=nnx.Rngs(0)), "SharedBody expects the classes of at least one task"),
        (lambda: MultitaskLoss(weighting="mean"), 'MultitaskLoss expects tasks and weighting "sum", "uncertainty" or "pcgrad"'),
    ):
        with pytest.raises(ValueError, match=message):
            call()
