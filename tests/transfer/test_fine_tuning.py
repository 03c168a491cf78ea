"""Old features, new heads: what is reused stays as it was, and what is fresh owes nothing to the old labels."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.models import MLP, MLPConfig
from nn.training import evaluate
from transfer import extract_features, fine_tune, freeze, linear_probe, replace_head
from transfer.fine_tuning import copy_layers, cosine_adam

BODY = ("hidden", "norms", "dropouts")


def network(seed=0, classes=5, **choices):
    return MLP(MLPConfig(in_features=6, hidden=(16, 8), out_features=classes, **choices), rngs=nnx.Rngs(seed))


def restless(seed=0):
    return network(seed, normalization="batch", dropout=0.3)


def task(seed=0, classes=5, count=200):
    """Images around one centre for each class, and the classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % classes
    return (rng.normal(size=(classes, 6))[labels] + rng.normal(size=(count, 6))).astype(np.float32), labels


def leaves(model, *filters):
    flat = nnx.to_flat_state(nnx.state(model, *filters or (nnx.Any(nnx.Param, nnx.BatchStat),)))
    return {".".join(map(str, path)): np.array(variable[...]) for path, variable in flat}


def moved(before, after):
    return {name for name in before if not np.array_equal(before[name], after[name])}


def without_head(arrays):
    return {name: array for name, array in arrays.items() if not name.startswith("head")}


def test_a_new_head_leaves_the_model_untouched_even_when_the_copy_is_trained():
    model = restless()
    before, config, head = leaves(model), model.config, model.head
    copy = replace_head(model, 3, rngs=nnx.Rngs(9))
    np.testing.assert_equal(without_head(leaves(copy)), without_head(before))
    history = fine_tune(copy, *task(classes=3), steps=5, seed=0)
    assert history["step"] == [5]
    assert moved(without_head(before), leaves(copy)) == set(without_head(before))
    assert not moved(before, leaves(model)) and model.head is head and model.config == config
    fine_tune(model, *task(), steps=5, seed=0)  # and the other way round
    assert moved(without_head(leaves(copy)), leaves(model))


@pytest.mark.parametrize("classes", [1, 2, 5, 11])
def test_a_new_head_has_a_score_for_each_class(classes):
    model, x = network(), jnp.asarray(task()[0])
    copy = replace_head(model, classes, rngs=nnx.Rngs(9))
    assert copy(x).shape == (200, classes) and copy.config.out_features == classes
    np.testing.assert_array_equal(copy.features(x), model.features(x))


def test_a_new_head_owes_nothing_to_the_old_one():
    """It comes from its key alone, whatever was learned before."""
    model, trained = network(), network()
    fine_tune(trained, *task(), steps=5, seed=0)
    first, second = (replace_head(m, 5, rngs=nnx.Rngs(9)).head.kernel[...] for m in (model, trained))
    np.testing.assert_array_equal(first, second)
    assert abs(np.corrcoef(first.ravel(), model.head.kernel[...].ravel())[0, 1]) < 0.5


@pytest.mark.parametrize("make", [network, restless])
def test_a_linear_probe_is_fine_tuning_with_all_but_the_head_frozen(make):
    x, y = task()
    probed, tuned = make(), make()
    fine_tune(probed, x, y, steps=5, seed=0)  # running averages that are not those of the beginning
    fine_tune(tuned, x, y, steps=5, seed=0)
    before = leaves(probed)
    linear_probe(probed, x, y, steps=20, seed=3, learning_rate=1e-2, batch_size=32)
    parts = BODY if make is restless else "hidden"
    fine_tune(tuned, x, y, steps=20, seed=3, learning_rate=1e-2, batch_size=32, wrt=freeze(tuned, parts))
    assert moved(before, leaves(probed)) == moved(before, leaves(tuned)) == {"head.kernel", "head.bias"}
    for name, array in leaves(probed).items():
        np.testing.assert_allclose(array, leaves(tuned)[name], atol=1e-5, err_msg=name)


def test_extracted_features_are_those_of_evaluation():
    model, (x, _) = restless(), task()
    features = extract_features(model, x)
    np.testing.assert_array_equal(extract_features(model, x), features)
    model.eval()
    np.testing.assert_allclose(features, model.features(jnp.asarray(x)), rtol=1e-5, atol=1e-6)


def test_a_seed_decides_the_order_of_the_examples_alone():
    x, y = task()
    models = [network() for _ in range(3)]
    for model, seed in zip(models, (4, 4, 5), strict=True):
        fine_tune(model, x, y, steps=5, seed=seed)
    same, again, other = map(leaves, models)
    assert not moved(same, again) and moved(same, other)


def test_fewer_examples_than_a_batch_are_one_batch():
    """And then a seed changes nothing but the order of a sum."""
    x, y = task(count=10)
    one, other = network(), network()
    fine_tune(one, x, y, steps=5, seed=0, batch_size=64)
    fine_tune(other, x, y, steps=5, seed=1, batch_size=10)
    for name, array in leaves(one).items():
        np.testing.assert_allclose(array, leaves(other)[name], atol=1e-5)


def test_the_learning_rate_falls_along_half_a_cosine():
    """Adam answers a gradient that never changes with steps of the learning rate's own size."""
    optimizer, parameters, sizes = cosine_adam(0.1, 8), jnp.zeros(1), []
    state = optimizer.init(parameters)
    for _ in range(9):
        update, state = optimizer.update(jnp.ones(1), state, parameters)
        sizes.append(-float(update[0]))
    np.testing.assert_allclose(sizes, 0.05 * (1 + np.cos(np.pi * np.arange(9) / 8)), atol=1e-6)
    assert cosine_adam(0.1, 8) is optimizer  # or `fit` would compile its step for each call


def test_a_fresh_head_under_permuted_source_labels_reaches_the_same():
    """Other names for the source's classes, and the source head's columns to match: the features are the same, and so is
    all that a fresh head makes of them."""
    order = np.array([3, 0, 4, 1, 2])  # class c is now called order[c]
    (source_x, source_y), (x, y) = task(seed=0), task(seed=1, classes=3)
    plain, permuted = network(), network()
    permuted.head.kernel[...] = plain.head.kernel[...][:, np.argsort(order)]
    fine_tune(plain, source_x, source_y, steps=20, seed=0)
    fine_tune(permuted, source_x, order[source_y].astype(np.int32), steps=20, seed=0)
    np.testing.assert_allclose(permuted.head.kernel[...][:, order], plain.head.kernel[...], atol=1e-4)
    np.testing.assert_allclose(extract_features(permuted, x), extract_features(plain, x), atol=1e-4)

    reached = []
    for model in (plain, permuted):
        copy = replace_head(model, 3, rngs=nnx.Rngs(9))
        linear_probe(copy, x, y, steps=20, seed=0)
        reached.append(evaluate(copy, x, y))
    assert reached[0] == pytest.approx(reached[1], abs=0.006) and reached[0] > 0.45  # one example in 200 may sit on the fence


def test_copied_layers_are_the_source_s_and_all_else_stays():
    source, target = restless(1), restless(2)
    fine_tune(source, *task(), steps=3, seed=0)  # running averages that are not those of the beginning
    before, theirs = leaves(target), leaves(source)
    copy = copy_layers(source, target, ("hidden.0", "norms.0"))
    after = leaves(copy)
    for name in after:
        chosen = name.startswith(("hidden.0", "norms.0"))
        np.testing.assert_array_equal(after[name], (theirs if chosen else before)[name])
    assert {"hidden.0.kernel", "norms.0.mean"} <= moved(before, after)
    fine_tune(copy, *task(), steps=3, seed=0)
    assert not moved(before, leaves(target)) and not moved(theirs, leaves(source))


def test_layers_that_are_not_there_or_do_not_fit_are_refused():
    wide = MLP(MLPConfig(in_features=6, hidden=(16, 9), out_features=5), rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"copy_layers expects patterns that match something; \['hidden.7'\]"):
        copy_layers(network(), network(1), "hidden.7")
    with pytest.raises(ValueError, match=r"expects hidden.1.* of shape \((16, )?8,?\) in the target, got \((16, )?9,?\)"):
        copy_layers(network(), wide, "hidden")
    with pytest.raises(ValueError, match=r"expects norms.* of shape \(.*\) in the target, got None"):
        copy_layers(restless(), network(), "norms")
