"""Every parameter is in the table once, and every pretrained weight is accounted for."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from nn.models import GPT, MLP, GPTConfig, MLPConfig
from transfer.fine_tuning import replace_head
from transfer.freezing import freeze
from transfer.parameters import PretrainedMismatchError, load_pretrained, parameter_summary


def network(seed=0, classes=3, hidden=(5, 6), **choices):
    return MLP(MLPConfig(in_features=4, hidden=hidden, out_features=classes, **choices), rngs=nnx.Rngs(seed))


def arrays(model):
    flat = nnx.to_flat_state(nnx.state(model, nnx.Any(nnx.Param, nnx.BatchStat)))
    return {".".join(map(str, path)): np.array(variable[...]) for path, variable in flat}


def test_the_summary_counts_what_trains_what_does_not_and_what_adam_remembers():
    model = network(normalization="batch")
    summary = parameter_summary(model, freeze(model, ("hidden", "norms")), optimizer=optax.adam(1e-3))
    sizes = {p.name: (p.size, p.trainable, p.optimizer_numbers) for p in summary.parameters}
    assert sizes["head.kernel"] == (18, True, 36) and sizes["head.bias"] == (3, True, 6)
    assert sizes["hidden.0.kernel"] == (20, False, 0) and sizes["norms.1.scale"] == (6, False, 0)
    assert (summary.trainable, summary.optimizer_numbers) == (21, 42)
    assert summary.trainable + summary.frozen == sum(
        leaf.size for name, leaf in arrays(model).items() if "mean" not in name and "var" not in name
    )
    assert "hidden.0.kernel  (4, 5)  20  frozen" in " ".join(str(summary).split("\n")).replace("   ", "  ")
    assert str(summary).endswith("21 trainable, 83 frozen, 42 in the optimizer")


def test_the_summary_of_a_model_that_is_only_shapes_takes_no_memory():
    model = nnx.eval_shape(lambda: GPT(GPTConfig.gpt2(), rngs=nnx.Rngs(0)))
    summary = parameter_summary(model, optimizer=optax.adamw(1e-3))
    assert summary.trainable == 124_439_808 and summary.optimizer_numbers == 2 * 124_439_808


def test_plain_gradient_descent_remembers_nothing():
    assert parameter_summary(network(), optimizer=optax.sgd(0.1)).optimizer_numbers == 0


def test_all_of_a_model_goes_into_another_of_its_kind_and_they_stay_two():
    giver, taker = network(0, normalization="batch"), network(1, normalization="batch")
    expected = arrays(giver)
    report = load_pretrained(taker, giver)
    assert report.complete and len(report.loaded) == len(expected)
    np.testing.assert_equal(arrays(taker), expected)
    giver.head.bias[...] = jnp.ones(3)
    np.testing.assert_equal(arrays(taker), expected)


def test_a_new_head_is_reported_and_the_rest_loaded():
    pretrained, model = network(0), replace_head(network(1), 7, rngs=nnx.Rngs(2))
    head = np.array(model.head.kernel[...])
    with pytest.raises(PretrainedMismatchError) as error:
        load_pretrained(model, pretrained)
    assert "mismatched: head.kernel is (6, 3), expected (6, 7)" in str(error.value)
    assert not np.array_equal(arrays(model)["hidden.0.kernel"], arrays(pretrained)["hidden.0.kernel"]), "all or nothing"
    report = load_pretrained(model, pretrained, on_mismatch="report")
    assert set(report.mismatched) == {"head.kernel", "head.bias"} and not report.complete
    np.testing.assert_array_equal(model.head.kernel[...], head)
    np.testing.assert_array_equal(model.hidden[1].kernel[...], pretrained.hidden[1].kernel[...])


def test_names_are_renamed_by_their_longest_beginning():
    expected = arrays(network(0))
    foreign = {name.replace("hidden", "encoder.layers").replace("head", "classifier.out"): a for name, a in expected.items()}
    rename = {"encoder": "wrong", "encoder.layers": "hidden", "classifier.out": "head"}
    model = network(1)
    assert load_pretrained(model, foreign, rename=rename).complete
    np.testing.assert_equal(arrays(model), expected)
    assert "mismatched" not in str(load_pretrained(model, {"model." + n: a for n, a in expected.items()}, rename={"model": ""}))


def test_everything_that_does_not_fit_is_listed_at_once():
    weights = arrays(network(0)) | {"extra.kernel": np.ones(3), "head.bias": np.ones(4)}
    del weights["hidden.0.kernel"]
    with pytest.raises(PretrainedMismatchError) as error:
        load_pretrained(network(1), weights)
    for line in ("missing: hidden.0.kernel", "unexpected: extra.kernel", "mismatched: head.bias is (4,), expected (3,)"):
        assert line in str(error.value)
    assert "loaded 4 of 6 weights" in str(error.value)


def test_weights_of_which_nothing_fits_are_an_error_whatever_was_asked():
    """A checkpoint under other names would leave a random network, and no message."""
    foreign = {f"model.{name}": array for name, array in arrays(network(0)).items()}
    with pytest.raises(PretrainedMismatchError, match="loaded 0 of 6"):
        load_pretrained(network(1), foreign, on_mismatch="report")


def test_two_names_cannot_become_one(without_type_checks):
    weights = arrays(network(0))
    with pytest.raises(ValueError, match="expects names that stay different"):
        load_pretrained(network(1), weights, rename={"hidden.0": "hidden.1"})
    with pytest.raises(ValueError, match=r'expects on_mismatch "raise" or "report", got \'skip\''):
        load_pretrained(network(1), weights, on_mismatch="skip")  # type: ignore[arg-type]
