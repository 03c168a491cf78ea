"""Adapting to a domain without labels: whose gradient is turned, what a weight does, and that nobody asks for target labels."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.data import Dataset
from nn.models import MLP, MLPConfig
from nn.training import evaluate, sigmoid_cross_entropy
from transfer import domain_adaptation, domain_distances
from transfer.domain_adaptation import (
    AdaptingNetwork,
    DomainBatches,
    adapt,
    conditional_map,
    pseudo_labels,
    reversal_schedule,
    reverse_gradient,
    self_train,
)
from transfer.domain_distances import mmd
from transfer.fine_tuning import extract_features


def network(seed=0, classes=3):
    return MLP(MLPConfig(in_features=4, hidden=(16, 8), out_features=classes), rngs=nnx.Rngs(seed))


def domains(seed=0, count=120):
    """Three classes around the corners of a triangle; the target lies aside, along axes that say nothing of the class."""
    rng = np.random.default_rng(seed)
    corners = 3 * np.array([[1, 0, 0, 0], [-0.5, 0.9, 0, 0], [-0.5, -0.9, 0, 0]])
    labels = np.tile(np.arange(3, dtype=np.int32), count // 3)
    source, target = ((corners[labels] + rng.normal(size=(count, 4))).astype(np.float32) for _ in range(2))
    return source, labels, target + np.float32([0, 0, 3, 2]), labels


def leaves(model):
    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    return {".".join(map(str, path)): np.array(variable[...]) for path, variable in flat}


def test_reversal_is_the_identity_forward_and_minus_strength_backward():
    x = jnp.array([[1.5, -2.0, 0.1], [0.3, 4.0, 1e-20]])

    @jax.jit
    def both(x, strength):
        value, pull_back = jax.vjp(reverse_gradient, x, strength)
        return value, *pull_back(jnp.cos(x))

    for strength in (0.0, 0.3, 2.0):
        value, by_x, by_strength = both(x, strength)
        np.testing.assert_array_equal(value, x)
        np.testing.assert_allclose(by_x, -strength * jnp.cos(x), rtol=1e-6)
        assert by_strength == 0
    # One strength for each row.
    rows = jax.vmap(jax.grad(lambda row, strength: (row * reverse_gradient(row, strength)).sum()))
    np.testing.assert_allclose(rows(x, jnp.array([0.0, 1.0])), [[1.5, -2, 0.1], [0, 0, 0]], atol=1e-7)  # x − λ x
    np.testing.assert_array_equal(
        jax.grad(lambda x: reverse_gradient(reverse_gradient(x, 1.0), 1.0).sum())(x), jnp.ones((2, 3))
    )


def test_the_schedule_begins_at_0_and_is_nearly_full_from_the_middle_on():
    values = [reversal_schedule(share) for share in np.linspace(0, 1, 101)]
    assert values[0] == 0 and values[50] > 0.98 and 0.9999 < values[-1] < 1
    assert (np.diff(values) > 0).all()
    np.testing.assert_allclose(values, np.tanh(5 * np.linspace(0, 1, 101)), atol=1e-12)  # the same function


def test_the_conditional_map_multiplies_the_likenesses():
    """Of features and of probabilities: what makes domains be compared class by class."""
    rng = np.random.default_rng(0)
    f, p = jnp.asarray(rng.normal(size=(6, 5)), jnp.float32), jnp.asarray(rng.dirichlet(np.ones(3), 6), jnp.float32)
    products = conditional_map(f, p)
    assert products.shape == (6, 15)
    np.testing.assert_allclose(products @ products.T, (f @ f.T) * (p @ p.T), atol=1e-4)
    # Where the class is certain, its block holds the features and all others are empty.
    certain = conditional_map(f[:1], jnp.array([[0.0, 1.0, 0.0]]))
    np.testing.assert_array_equal(certain.reshape(3, 5), jnp.stack([0 * f[0], f[0], 0 * f[0]]))


def test_pseudo_labels_are_the_likeliest_classes_of_those_that_are_sure():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.05, 0.05, 0.9], [0.0, 1.0, 0.0], [0.25, 0.5, 0.25]])
    labels, sure = pseudo_labels(probabilities, 0.9)
    np.testing.assert_array_equal(labels, [0, 2, 1, 1])
    np.testing.assert_array_equal(sure, [False, True, True, False])
    assert pseudo_labels(probabilities, 0.0)[1].all() and pseudo_labels(probabilities, 1.0)[1].sum() == 1


@pytest.fixture(scope="module")
def gradients():
    """(network's, domain classifier's) gradients of DANN's loss by its strength, and those of the plain domain loss."""
    source, labels, target, _ = domains(count=12)
    model = AdaptingNetwork(network(), 8, rngs=nnx.Rngs(1))
    graph, state = nnx.split(model)
    images = jnp.concatenate([source, target])

    @jax.jit
    def by_strength(state, weight):
        batch = {"image": images, "label": jnp.asarray(labels), "weight": weight}
        return jax.grad(lambda state: domain_adaptation._LOSSES["dann"](nnx.merge(graph, state), batch)[0])(state)

    @jax.jit
    def plain(state):
        def loss(state):
            model = nnx.merge(graph, state)
            scores = model.domain_classifier(model.network.features(images))[:, 0]
            return sigmoid_cross_entropy(scores, jnp.repeat(jnp.array([1.0, 0.0]), 12)).mean()

        return jax.grad(loss)(state)

    def parts(gradient):
        found = {".".join(map(str, path)): np.array(value[...]) for path, value in nnx.to_flat_state(gradient)}
        return tuple({name: g for name, g in found.items() if name.startswith(part)} for part in ("network", "domain"))

    return {strength: parts(by_strength(state, jnp.float32(strength))) for strength in (0, 0.5, 2)}, parts(plain(state))


def test_the_domain_classifier_learns_with_its_own_gradient_whatever_the_strength(gradients):
    by_strength, (_, plain) = gradients
    for _, domain in by_strength.values():
        assert domain.keys() == plain.keys()
        for name, gradient in domain.items():
            np.testing.assert_allclose(gradient, plain[name], atol=1e-6, err_msg=name)
    assert max(abs(g).max() for g in plain.values()) > 0.01


def test_the_features_get_its_gradient_turned_and_the_head_none(gradients):
    by_strength, (plain, _) = gradients
    alone = by_strength[0][0]
    for strength in (0.5, 2):
        for name, gradient in by_strength[strength][0].items():
            np.testing.assert_allclose(gradient - alone[name], -strength * plain[name], atol=1e-5, err_msg=name)
    assert abs(plain["network.hidden.0.kernel"]).max() > 0.01 and not plain["network.head.kernel"].any()


def test_a_reversal_of_no_strength_is_training_on_the_source_to_the_last_bit():
    source, labels, target, _ = domains()
    alone, adapted = network(), network()
    adapt(alone, source, labels, target, method="none", steps=4, seed=3, batch_size=16)
    adapt(adapted, source, labels, target, method="dann", weight=0.0, steps=4, seed=3, batch_size=16)
    for name, value in leaves(adapted).items():
        np.testing.assert_array_equal(value, leaves(alone)[name])
    assert leaves(alone).keys() == leaves(network()).keys()  # the domain classifier is gone
    assert not np.array_equal(leaves(alone)["head.kernel"], leaves(network())["head.kernel"])


def test_the_source_alone_never_looks_at_the_target():
    source, labels, target, _ = domains()
    models = [network(), network()]
    for model, images in zip(models, (target, -5 * target), strict=True):
        adapt(model, source, labels, images, method="none", steps=4, seed=3, batch_size=16)
    for name, value in leaves(models[0]).items():
        np.testing.assert_array_equal(value, leaves(models[1])[name])


def test_adapting_brings_the_domains_together_and_keeps_the_classes_apart():
    """Ten other seeds, one by one: the distance fell to a seventeenth or less; the target was read right for 96% or more."""
    source, labels, target, _ = domains()
    fresh, fresh_labels = domains(1000)[2:]
    apart = {}
    for method in ("none", "mmd"):
        model = network()
        history = adapt(model, source, labels, target, method=method, weight=2.0, steps=200, seed=0, learning_rate=5e-3)
        features = [jnp.asarray(extract_features(model, x)) for x in (source, target)]
        scale = jnp.sqrt(2 * jnp.concatenate(features).var(0).sum())
        apart[method] = float(mmd(*features, scale * jnp.ones(1)))
        assert history["accuracy"][-1] > 0.9
    assert apart["mmd"] < apart["none"] / 4
    assert evaluate(model, fresh, fresh_labels) > 0.85


def batches(weight=2.0, steps=10):
    source, labels, target, _ = domains(count=24)
    sets = Dataset.from_arrays({"image": source, "label": labels}), Dataset.from_arrays({"image": target})
    return DomainBatches(sets[0].batches(4, seed=0), sets[1].batches(4, seed=1), weight, steps)


def first(data, count):
    return [batch for _, batch in zip(range(count), data, strict=False)]


def test_batches_hold_source_labels_alone_and_a_weight_that_rises():
    whole = first(batches(), 10)
    source, labels, target, _ = domains(count=24)
    known = {row.tobytes(): label for row, label in zip(source, labels, strict=True)}
    for step, batch in enumerate(whole):
        assert batch.keys() == {"image", "label", "weight"} and batch["image"].shape == (8, 4)
        assert [known[row.tobytes()] for row in batch["image"][:4]] == batch["label"].tolist()
        assert {row.tobytes() for row in batch["image"][4:]} <= {row.tobytes() for row in target}
        assert batch["weight"] == np.float32(2 * reversal_schedule(step / 10))
    later = first(batches().from_step(6), 4)
    for ours, theirs in zip(later, whole[6:], strict=True):
        np.testing.assert_equal(ours, theirs)
    assert batches().settings == batches().from_step(3).settings != batches(weight=1.0).settings


def test_self_training_learns_from_the_source_and_from_its_own_sure_labels(monkeypatch):
    source, labels, target, _ = domains()
    calls = []

    def recorded(model, images, labels, *, seed, steps, **_):
        calls.append((images, labels, seed, steps))

    monkeypatch.setattr(domain_adaptation, "fine_tune", recorded)
    model = network()
    shares = self_train(model, source, labels, target, threshold=0.5, rounds=3, steps=30, seed=2)
    probabilities = np.asarray(jax.nn.softmax(model(jnp.asarray(target))))
    given, sure = pseudo_labels(probabilities, 0.5)
    assert 0 < sure.mean() < 1 and shares == [0, sure.mean(), sure.mean()]
    np.testing.assert_array_equal(calls[0][0], source)
    for images, learned, *_ in calls[1:]:
        np.testing.assert_array_equal(images, np.concatenate([source, target[sure]]))
        np.testing.assert_array_equal(learned, np.concatenate([labels, given[sure]]))
    assert len({seed for *_, seed, _ in calls}) == 3 and {steps for *_, steps in calls} == {10}


def test_no_function_asks_for_a_label_of_the_target():
    for module in (domain_adaptation, domain_distances):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__:
                for argument in inspect.signature(function).parameters:
                    assert not ("target" in argument and "label" in argument), f"{name}({argument})"


def test_what_cannot_be_is_refused(monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)  # past the checker of types, to our own
    source, labels, target, _ = domains(count=12)
    x = jnp.ones((2, 3))
    with pytest.raises(ValueError, match=r"reverse_gradient expects a strength of at least 0, got -1\.0"):
        reverse_gradient(x, -1.0)
    with pytest.raises(ValueError, match=r"progress between 0 and 1, got 1\.5"):
        reversal_schedule(1.5)
    with pytest.raises(ValueError, match=r"probabilities for each row of features, got .*\(2, 3\), .*\(3, 3\)"):
        conditional_map(x, jnp.ones((3, 3)))
    with pytest.raises(ValueError, match=r"a threshold between 0 and 1, got 90"):
        pseudo_labels(np.eye(3), 90)
    with pytest.raises(ValueError, match=r"each with the sum 1, got sums such as 3"):
        pseudo_labels(np.ones((2, 3)), 0.9)
    with pytest.raises(ValueError, match="a method from none, coral, mmd, dann, cdan, got 'magic'"):
        adapt(network(), source, labels, target, method="magic", steps=1, seed=0)
    with pytest.raises(ValueError, match=r"a weight of at least 0, got -1\.0"):
        adapt(network(), source, labels, target, method="mmd", weight=-1.0, steps=1, seed=0)
    with pytest.raises(ValueError, match="at least 2 rounds and a step for each, got rounds=1, steps=10"):
        self_train(network(), source, labels, target, rounds=1, steps=10, seed=0)
