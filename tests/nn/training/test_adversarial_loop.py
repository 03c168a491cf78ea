"""Training in turn against the same by hand, and against all that can end it early."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest
from flax import nnx

from nn.data import Dataset
from nn.layers import Linear
from nn.models import MLP, MLPConfig
from nn.training import (
    HINGE,
    NON_SATURATING,
    WASSERSTEIN,
    AdversarialLoss,
    NonFiniteLossError,
    fit,
    fit_adversarial,
    mode_counts,
    predict,
)

SGD, ADAMW = optax.sgd(0.1), optax.adamw(1e-2, weight_decay=0.1)  # one object each, so that steps are compiled once
STILL = optax.set_to_zero()
random = np.random.default_rng(0)


def batches(count=64, size=8, seed=0, **columns):
    x = np.random.default_rng(1).normal(1, 1, (count, 2)).astype(np.float32)
    return Dataset.from_arrays({"image": x, **columns}).batches(size, seed=seed)


def linear_pair():
    return Linear(3, 2, rngs=nnx.Rngs(0)), Linear(2, 1, rngs=nnx.Rngs(1))


def restless_pair(seed=0):
    """Two networks with all that a forward pass moves."""
    choices = dict(hidden=(8,), normalization="batch", dropout=0.3)
    generator = MLP(MLPConfig(in_features=3, out_features=2, **choices), rngs=nnx.Rngs(seed))
    return generator, MLP(MLPConfig(in_features=2, out_features=1, **choices), rngs=nnx.Rngs(seed + 1))


def trained(pair, data=None, *, steps=4, optimizers=(ADAMW, ADAMW), **choices):
    generator, discriminator = pair
    return fit_adversarial(
        generator,
        discriminator,
        batches() if data is None else data,
        generator_optimizer=optimizers[0],
        discriminator_optimizer=optimizers[1],
        steps=steps,
        **{"latent_features": 3, **choices},
    )


def leaves(model, *filters):
    flat = nnx.to_flat_state(nnx.state(model, *filters))
    arrays = {".".join(map(str, path)): leaf[...] for path, leaf in flat}
    keys = {name for name, leaf in arrays.items() if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)}
    return {name: np.array(jax.random.key_data(leaf) if name in keys else leaf) for name, leaf in arrays.items()}


def moved(before, model):
    after = leaves(model)
    return {name for name in before if not np.array_equal(before[name], after[name])}


def test_training_in_turn_is_the_same_written_by_hand():
    """Linear networks under the Wasserstein loss: every gradient, the penalty's too, fits on a line of float64."""
    generator, critic = linear_pair()
    W, b = (np.asarray(leaf[...], np.float64) for leaf in (generator.kernel, generator.bias))
    w, c = (np.asarray(leaf[...], np.float64) for leaf in (critic.kernel, critic.bias))
    key, data, losses = jax.random.key(5), iter(batches()), []
    for _ in range(3):
        for batch in (next(data), next(data)):
            key, noise_key, _ = jax.random.split(key, 3)
            fake = np.asarray(jax.random.normal(noise_key, (8, 3)), np.float64) @ W + b
            slope = np.linalg.norm(w)
            difference = fake.mean(0) - batch["image"].mean(0)
            loss = difference @ w[:, 0] + 10 * (slope - 1) ** 2
            w = w - 0.1 * (difference[:, None] + 10 * 2 * (slope - 1) * w / slope)
        key, noise_key = jax.random.split(key)
        noise = np.asarray(jax.random.normal(noise_key, (8, 3)), np.float64)
        losses.append((-((noise @ W + b) @ w + c).mean(), loss))
        W, b = W + 0.1 * noise.mean(0)[:, None] * w[:, 0], b + 0.1 * w[:, 0]

    history = trained(
        (generator, critic), optimizers=(SGD, SGD), steps=3, loss=WASSERSTEIN, discriminator_steps=2, seed=5, log_every=1
    )
    for ours, by_hand in ((generator.kernel, W), (generator.bias, b), (critic.kernel, w), (critic.bias, c)):
        np.testing.assert_allclose(ours[...], by_hand, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.transpose([history["generator_loss"], history["discriminator_loss"]]), losses, rtol=1e-4)
    assert history.keys() == {"step", "generator_loss", "discriminator_loss", "real_score", "fake_score"}


@pytest.mark.parametrize("side", ["generator", "discriminator"])
def test_one_sides_step_leaves_the_others_parameters_bit_identical(side):
    """One optimizer does nothing; the other has weight decay, which would move all that it is given."""
    pair = restless_pair()
    before = [leaves(model) for model in pair]
    trained(pair, steps=2, optimizers=(STILL, ADAMW) if side == "discriminator" else (ADAMW, STILL))
    for name, model, old in zip(("generator", "discriminator"), pair, before, strict=True):
        parameters = set(leaves(model, nnx.Param))
        assert moved(old, model) & parameters == (parameters if name == side else set())
        # The forward pass moves running averages and draws dropout on both sides, in both steps.
        assert {key for key in moved(old, model) if "norms" in key} >= {"norms.0.mean", "norms.0.var"}
        draws = [key for key in old if key.endswith("count") and "dropouts" in key]
        # Generator: one call in each of both steps. Discriminator: real and fake ones, then fake ones.
        assert [leaves(model)[key] - old[key] for key in draws] == [4 if name == "generator" else 6]


def test_the_same_seed_gives_the_same_bits_and_a_resumed_run_too(tmp_path):
    def run(seed, **choices):
        pair = restless_pair()
        history = trained(pair, steps=6, seed=seed, discriminator_steps=2, log_every=3, **choices)
        return history, [leaves(model) for model in pair]

    history, first = run(0)
    kept = restless_pair()
    trained(kept, steps=3, discriminator_steps=2, log_every=3, checkpoint_directory=tmp_path)
    for again, arrays in (run(0), run(0, checkpoint_directory=tmp_path)):
        assert again == history
        for one, other in zip(first, arrays, strict=True):
            assert all(np.array_equal(one[name], other[name]) for name in one)
    assert run(1)[0] != history
    with pytest.raises(ValueError, match=r"of a run on other data: .*'seed': 0"):
        run(1, checkpoint_directory=tmp_path)


def test_networks_of_one_kind_are_compiled_once():
    traces = []

    def counted(scores):
        traces.append(scores.shape)
        return -scores.mean()

    loss = AdversarialLoss(discriminator=WASSERSTEIN.discriminator, generator=counted)
    for seed in (0, 1):
        pair = restless_pair(seed)
        trained(pair, loss=loss, seed=seed, discriminator_steps=1 + seed)
    assert len(traces) == 1


def test_an_optimizer_that_watches_the_loss_sees_that_of_its_own_side():
    def by_the_loss(gradients, state, params=None, *, value, **_):
        return jax.tree.map(lambda leaf: jnp.full_like(leaf, value), gradients), state

    optimizer = optax.GradientTransformationExtraArgs(optax.init_empty_state, by_the_loss)
    pair = linear_pair()
    before = [leaves(model) for model in pair]
    history = trained(pair, steps=1, optimizers=(optimizer, optimizer))
    for side, model, old in zip(("generator", "discriminator"), pair, before, strict=True):
        for name, leaf in leaves(model).items():
            np.testing.assert_allclose(leaf - old[name], history[f"{side}_loss"][0], rtol=1e-5, atol=1e-6)


def test_both_optimizers_may_remember_where_the_weights_began():
    history = trained(linear_pair(), optimizers=(optax.contrib.prodigy(), optax.contrib.prodigy()), log_every=1)
    assert all(np.isfinite(values).all() for values in history.values())


@pytest.mark.parametrize("parts", [2, 8])
def test_a_batch_in_parts_teaches_both_what_it_teaches_whole(parts):
    """With conditions and without, with a penalty and its shares: each part has its own slice of all."""

    class Critic(nnx.Module):
        def __init__(self):
            self.inner, self.head = Linear(5, 8, rngs=nnx.Rngs(1)), Linear(8, 1, rngs=nnx.Rngs(2))

        def __call__(self, x, source):
            return self.head(jnp.tanh(self.inner(jnp.concatenate([x, source], -1))))

    class Maker(nnx.Module):
        def __init__(self):
            self.linear = Linear(6, 2, rngs=nnx.Rngs(0))

        def __call__(self, noise, source):
            return self.linear(jnp.concatenate([noise, source], -1))

    source = random.normal(size=(64, 3)).astype(np.float32)
    choices = dict(loss=WASSERSTEIN, conditions=("source",), reconstruction=1.0, discriminator_steps=2, log_every=1)

    def run(accumulate):
        pair = Maker(), Critic()
        history = trained(pair, batches(source=source), optimizers=(SGD, SGD), accumulate=accumulate, **choices)
        return history, *(leaves(model) for model in pair)

    for ours, whole in zip(run(parts), run(1), strict=True):
        assert ours.keys() == whole.keys()
        for name in whole:
            np.testing.assert_allclose(ours[name], whole[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_in_parts_both_networks_move_once_for_each_part():
    pair = restless_pair()
    trained(pair, steps=1, optimizers=(STILL, STILL), accumulate=4)
    # Generator: one call in each of both steps. Discriminator: real and fake ones, then fake ones.
    assert [int(sum(jax.tree.leaves(nnx.state(model, nnx.RngCount)))) for model in pair] == [4 * 2, 4 * 3]


def test_in_half_precision_both_networks_calculate_and_nothing_is_kept():
    seen, pair = {}, restless_pair()

    def generator(scores):
        seen["fake"] = scores
        return NON_SATURATING.generator(scores)

    def discriminator(real, fake):
        seen.update(real=real, made=fake)
        return NON_SATURATING.discriminator(real, fake)

    before = [leaves(model, nnx.Param) for model in pair]
    loss = AdversarialLoss(discriminator=discriminator, generator=generator)
    history = trained(pair, loss=loss, compute_dtype="bfloat16", accumulate=2)
    assert {str(scores.dtype) for scores in seen.values()} == {"bfloat16"}
    assert all(np.isfinite(values).all() for values in history.values())
    for model, old in zip(pair, before, strict=True):
        kept = leaves(model, nnx.Any(nnx.Param, nnx.BatchStat))
        assert {leaf.dtype for leaf in kept.values()} == {np.dtype(np.float32)}
        assert moved(old, model) == set(old)


def test_in_half_precision_training_goes_nearly_the_same_way():
    exact, rounded = linear_pair(), linear_pair()
    trained(exact, loss=WASSERSTEIN, optimizers=(SGD, SGD))
    trained(rounded, loss=WASSERSTEIN, optimizers=(SGD, SGD), compute_dtype=jnp.bfloat16)
    for one, other in zip(exact, rounded, strict=True):
        np.testing.assert_allclose(one.kernel[...], other.kernel[...], rtol=0.05, atol=0.05)
        assert moved(leaves(one), other)


@pytest.mark.parametrize("side", ["generator", "discriminator"])
def test_a_loss_that_is_not_finite_is_named_with_its_step_and_its_side(side):
    x = np.ones((64, 2), np.float32)
    if side == "discriminator":
        x[8 * 2 + 1] = np.nan  # in the stored order, batches of 8: the third, whose update breaks the generator's loss too
        loss, expected = NON_SATURATING, r"The (generator|discriminator) loss became nan at step 3; the step before it was"
    else:
        loss = AdversarialLoss(discriminator=HINGE.discriminator, generator=lambda scores: jnp.log(-(scores**2)).mean())
        expected = "The generator loss became nan at step 1. Lower the learning rate"
    pair = linear_pair()
    before = [leaves(model) for model in pair]
    with pytest.raises(NonFiniteLossError, match=expected):
        trained(pair, Dataset.from_arrays({"image": x}).batches(8, seed=None), steps=6, optimizers=(SGD, SGD), loss=loss)
    assert not any(moved(old, model) for old, model in zip(before, pair, strict=True))


def test_without_a_word_from_the_discriminator_reconstruction_is_regression():
    """Image to image: the generator gets the condition alone, and its loss is the absolute error."""
    silent = AdversarialLoss(discriminator=HINGE.discriminator, generator=lambda scores: 0 * scores.mean())
    source = random.normal(size=(64, 3)).astype(np.float32)

    class Judge(nnx.Module):
        def __init__(self):
            self.linear = Linear(5, 1, rngs=nnx.Rngs(1))

        def __call__(self, x, source):
            return self.linear(jnp.concatenate([x, source], -1))

    ours, theirs = (Linear(3, 2, rngs=nnx.Rngs(0)) for _ in range(2))
    trained(
        (ours, Judge()),
        batches(source=source),
        optimizers=(SGD, SGD),
        loss=silent,
        latent_features=0,
        conditions=("source",),
        reconstruction=2.0,
    )

    def absolute_error(model, batch):
        return 2 * jnp.abs(model(batch["source"]) - batch["image"]).mean()

    fit(theirs, batches(source=source), optimizer=SGD, steps=4, loss=absolute_error)
    np.testing.assert_allclose(ours.kernel[...], theirs.kernel[...], rtol=1e-5, atol=1e-6)


BAD = {
    "steps": (dict(steps=0), "expects steps of at least 1, got steps=0"),
    "discriminator steps": (dict(discriminator_steps=0), "expects discriminator_steps of at least 1"),
    "no parts": (dict(accumulate=0), "expects accumulate of at least 1, got accumulate=0"),
    "unequal parts": (dict(accumulate=3), r"accumulate=3 expects batches that it divides, got 8 of image\."),
    "too narrow": (dict(compute_dtype=jnp.float16), "compute_dtype expects a type with the range of float32, .* got float16"),
    "no noise": (dict(latent_features=0), "latent_features of at least 1, or conditions to make examples from, got"),
    "no such column": (dict(conditions=("label",)), r"expects \['label'\] in each batch, got \['image'\]"),
    "too few data": (dict(steps=9, data=batches(seed=None).dataset.batches(8, seed=0, epochs=1)), "the data ended after 8"),
    "a list": (dict(data=[{"image": np.ones((8, 2), np.float32)}]), "begin at any step, such as .*, got list"),
    "conditions in one word": (dict(conditions="label"), r"a tuple of names, such as \('label',\), got 'label'"),
    "reconstruction": (dict(reconstruction=-1.0), r"reconstruction of at least 0, got -1\.0"),
    "other shapes": (dict(data=batches(image=np.ones((64, 4), np.float32))), r"data's shape \(8, 4\), got \(8, 2\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_trained_is_refused(name, without_type_checks):
    choices, message = BAD[name]
    data = choices.get("data", batches())
    with pytest.raises(ValueError, match=message):
        trained(linear_pair(), data, optimizers=(SGD, SGD), **{k: v for k, v in choices.items() if k != "data"})


def test_a_gradient_penalty_through_batch_normalization_is_refused():
    with pytest.raises(ValueError, match=r"variables are all parameters under a gradient penalty.*MLP has others"):
        trained(restless_pair(), loss=WASSERSTEIN)
    with pytest.raises(ValueError, match="gradient_penalty of at least 0, got -1"):
        AdversarialLoss(discriminator=HINGE.discriminator, generator=HINGE.generator, gradient_penalty=-1.0)


@pytest.mark.slow
def test_a_ring_of_gaussians_is_covered():
    angles = 2 * np.pi * np.arange(8) / 8
    modes = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rng = np.random.default_rng(0)
    points = (modes[rng.integers(0, 8, 10_000)] + rng.normal(0, 0.1, (10_000, 2))).astype(np.float32)
    generator, critic = (
        MLP(MLPConfig(in_features=2, hidden=(64, 64), out_features=outputs), rngs=nnx.Rngs(seed))
        for seed, outputs in enumerate((2, 1))
    )
    rate = optax.cosine_decay_schedule
    fit_adversarial(
        generator,
        critic,
        Dataset.from_arrays({"image": points}).batches(128, seed=0),
        generator_optimizer=optax.adam(rate(3e-3, 600), b1=0.5, b2=0.9),
        discriminator_optimizer=optax.adam(rate(3e-3, 3000), b1=0.5, b2=0.9),
        steps=600,
        latent_features=2,
        loss=AdversarialLoss(discriminator=WASSERSTEIN.discriminator, generator=WASSERSTEIN.generator, gradient_penalty=1.0),
        discriminator_steps=5,
    )
    made = predict(generator, rng.normal(size=(2000, 2)).astype(np.float32))
    counts = mode_counts(made, modes, radius=0.3)
    assert counts.min() > 2000 / 8 / 10 and counts.sum() > 2000 / 2
