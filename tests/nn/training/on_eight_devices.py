"""Eight devices against one: the same numbers, and yet each device has its own part of the work.

`test_sharding.py` runs this page in a process of its own, where a CPU stands for eight devices.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import PartitionSpec

from nn.data import Dataset
from nn.kernels.devices import mesh_of
from nn.layers import convolution
from nn.models import GPT, MLP, GPTConfig, MLPConfig, ResNet, ResNetConfig
from nn.training import (
    AdversarialLoss,
    classification_loss,
    collective_bytes,
    data_parallel_step,
    device_mesh,
    fit,
    fit_adversarial,
    hinge_discriminator_loss,
    hinge_generator_loss,
    next_token_loss,
    on_mesh,
    partition,
    predict,
    replicate,
    shard_batch,
    virtual_cpu_devices,
)
from nn.training.step import compiled_step

virtual_cpu_devices(8)

# Momentum divides by nothing. Adam makes whole steps of gradients that are zero but for rounding, as those of a bias before
# batch normalization are.
MOMENTUM = optax.sgd(0.05, momentum=0.9)
ADAM = optax.adam(1e-3)
SIDE = 6
RULES = {
    "*.c_fc.kernel": PartitionSpec(None, "model"),
    "*.c_fc.bias": PartitionSpec("model"),
    "*.mlp.c_proj.kernel": PartitionSpec("model", None),
}


def mlp(width=16):
    config = MLPConfig(in_features=SIDE**2, hidden=(width,), out_features=4, normalization="batch", dropout=0.3)
    return MLP(config, rngs=nnx.Rngs(0))


def resnet():
    config = ResNetConfig(in_features=1, stem="small", depths=(1,), widths=(4,), out_features=4)
    return ResNet(config, rngs=nnx.Rngs(0))


def gpt():
    return GPT(GPTConfig(vocabulary=11, length=8, features=16, heads=2, layers=1), rngs=nnx.Rngs(0))


@functools.cache
def examples():
    rng = np.random.default_rng(0)
    return {
        "image": rng.normal(size=(48, SIDE, SIDE, 1)).astype(np.float32),
        "label": rng.integers(0, 4, 48).astype(np.int32),
        "tokens": rng.integers(0, 11, (48, 9)).astype(np.int32),
    }


def batches(size=16, *, flat=False):
    columns = {"image": examples()["image"].reshape(48, -1)} if flat else {}
    return Dataset.from_arrays({**examples(), **columns}).batches(size, seed=0)


CASES = {
    "an MLP": (mlp, batches(flat=True), classification_loss, MOMENTUM),
    "a network with batch normalization": (resnet, batches(), classification_loss, MOMENTUM),
    "a GPT": (gpt, batches(), next_token_loss, ADAM),
    "batches that the devices do not divide": (mlp, batches(12, flat=True), classification_loss, MOMENTUM),
}


def arrays(model):
    """Every variable of a model: parameters, running averages, and how far the random keys have come."""
    leaves = jax.tree.leaves(nnx.state(model))
    return [jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf for leaf in leaves]


def assert_same(ours, theirs):
    (model, history), (expected, recorded) = ours, theirs
    for one, other in zip(arrays(model), arrays(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    assert history.keys() == recorded.keys()
    for name in history:
        np.testing.assert_allclose(history[name], recorded[name], rtol=1e-5, atol=1e-5, err_msg=name)


def trained(case, mesh, *, model=None, steps=5, **more):
    make, data, loss, optimizer = CASES[case]
    model = model or make()
    return model, fit(model, data, loss=loss, optimizer=optimizer, steps=steps, log_every=2, mesh=mesh, **more)


@pytest.fixture(scope="module")
def on_one():
    """What one device makes of a case, trained once."""
    return functools.cache(lambda case: trained(case, None))


@pytest.mark.parametrize("case", CASES)
def test_eight_devices_train_as_one(case, on_one):
    model, history = trained(case, device_mesh(8))
    assert_same((model, history), on_one(case))
    assert all(len(leaf.sharding.device_set) == 8 and leaf.is_fully_replicated for leaf in arrays(model))


def test_each_device_has_an_eighth_of_the_batch_and_the_whole_model():
    seen = {}

    def loss(model, batch):
        for name, array in (("image", batch["image"]), ("kernel", model.head.kernel[...])):
            jax.debug.inspect_array_sharding(array, callback=functools.partial(seen.__setitem__, name))
        return classification_loss(model, batch)

    fit(mlp(), batches(flat=True), loss=loss, optimizer=MOMENTUM, steps=1, mesh=device_mesh(8))
    assert seen["image"].shard_shape((16, SIDE**2)) == (2, SIDE**2)
    assert seen["kernel"].shard_shape((16, 4)) == (16, 4)

    split = shard_batch({"image": np.zeros((16, 3)), "odd": np.zeros((5, 3)), "number": 2.0}, device_mesh(8))
    assert split["image"].addressable_shards[0].data.shape == (2, 3)
    assert split["odd"].is_fully_replicated and split["number"].is_fully_replicated


def sent_in_a_step(case, **choices):
    """What the devices send each other in one step, by the names that XLA gives it in the compiled program."""
    make, data, loss, optimizer = CASES[case]
    mesh = device_mesh(8)
    graphdef, trainable, *rest = nnx.split(make(), nnx.Param, nnx.Param, ...)
    leaves, structure = jax.tree.flatten(replicate((trainable, optimizer.init(trainable), rest), mesh))
    shardings = tuple(leaf.sharding for leaf in leaves)
    step = compiled_step(graphdef, structure, nnx.Param, loss, optimizer, shardings, **choices)
    text = step.lower(leaves, shard_batch(next(iter(data)), mesh)).compile().as_text()
    return {name for name in ("all-reduce", "all-gather", "all-to-all", "collective-permute") if name in text}


@pytest.mark.parametrize("case", ["an MLP", "a GPT"])
def test_each_part_of_a_batch_stays_on_its_device(case):
    assert sent_in_a_step(case, accumulate=2) == sent_in_a_step(case) == {"all-reduce"}


def test_in_parts_a_batch_on_eight_devices_teaches_what_it_teaches_one_whole(on_one):
    assert_same(trained("a GPT", device_mesh(8), accumulate=2), on_one("a GPT"))


def test_a_run_goes_from_one_device_to_eight_to_two(tmp_path, on_one):
    case = "an MLP"
    for steps, mesh in ((2, None), (4, device_mesh(8)), (5, device_mesh(2))):
        model, history = trained(case, mesh, steps=steps, checkpoint_directory=tmp_path)
    assert len(model.head.kernel[...].sharding.device_set) == 2
    assert_same((model, history), on_one(case))


def test_predictions_are_those_of_one_device_and_a_model_comes_back_from_the_mesh(on_one):
    model, _ = on_one("an MLP")
    x = examples()["image"].reshape(48, -1)
    expected = predict(model, x)
    for size in (16, 20):  # 20: neither the batches nor the last of them can be split
        np.testing.assert_allclose(predict(model, x, batch_size=size, mesh=device_mesh(8)), expected, rtol=1e-5, atol=1e-5)
    assert len(model.head.kernel[...].sharding.device_set) == 1
    spread, _ = trained("an MLP", device_mesh(8))
    np.testing.assert_allclose(predict(spread, x), expected, rtol=1e-5, atol=1e-5)


def test_a_prediction_compiled_for_one_device_is_not_used_on_eight_nor_the_other_way_round(monkeypatch):
    """The images that it goes through one by one are all on one device, and each device's own on several."""
    taken = []
    image_by_image = convolution.convolve_one_channel
    monkeypatch.setattr(
        convolution, "convolve_one_channel", lambda x, *given: taken.append(mesh_of(x)) or image_by_image(x, *given)
    )
    model, images = resnet(), examples()["image"]
    one = predict(model, images)
    for mesh in (device_mesh(8), device_mesh(2), None):
        np.testing.assert_allclose(predict(model, images, mesh=mesh), one, rtol=1e-5, atol=1e-5)
    assert [mesh and mesh.size for mesh in taken] == [None, 8, 2]


def test_within_on_mesh_fit_trains_there():
    with on_mesh(device_mesh(4)):
        model, _ = trained("an MLP", None, steps=1)
        other, _ = trained("an MLP", device_mesh(2), steps=1)
    assert len(model.head.kernel[...].sharding.device_set) == 4
    assert len(other.head.kernel[...].sharding.device_set) == 2


def test_without_a_mesh_a_model_goes_on_where_it_is_and_device_mesh_1_brings_it_back(on_one):
    case, seen = "an MLP", []
    _, data, loss, optimizer = CASES[case]

    def watched(model, batch):
        jax.debug.inspect_array_sharding(batch["image"], callback=seen.append)
        return loss(model, batch)

    model, _ = trained(case, device_mesh(8), steps=1)
    fit(model, data, loss=watched, optimizer=optimizer, steps=1)
    assert seen[0].shard_shape((16, SIDE**2)) == (2, SIDE**2)
    trained(case, device_mesh(1), model=model, steps=1)
    assert len(model.head.kernel[...].sharding.device_set) == 1


def test_a_split_is_not_silently_undone_by_another_mesh():
    mesh, other = device_mesh(8, model=2), device_mesh(8)
    x = examples()["image"].reshape(48, -1)
    model = mlp()
    partition(model, {"head.kernel": PartitionSpec("model")}, mesh)
    for use in (lambda: trained("an MLP", other, model=model), lambda: predict(model, x, mesh=other)):
        with pytest.raises(
            ValueError, match=r"^head\.kernel is split over another mesh than \{'data': 8, 'model': 1\}.*partition"
        ):
            use()
    assert model.head.kernel[...].sharding.shard_shape((16, 4)) == (8, 4)
    partition(model, {}, other)
    trained("an MLP", other, model=model, steps=1)


@pytest.mark.parametrize("parts", [1, 2])
def test_adversaries_on_eight_devices_are_those_of_one(parts):
    seen = []

    def watched(real_scores, fake_scores):
        jax.debug.inspect_array_sharding(real_scores, callback=seen.append)
        return hinge_discriminator_loss(real_scores, fake_scores)

    loss = AdversarialLoss(discriminator=watched, generator=hinge_generator_loss)

    def contest(mesh, **choices):
        generator = MLP(MLPConfig(in_features=3, hidden=(8,), out_features=SIDE**2), rngs=nnx.Rngs(0))
        critic = MLP(MLPConfig(in_features=SIDE**2, hidden=(8,), out_features=1), rngs=nnx.Rngs(1))
        choices |= dict(generator_optimizer=MOMENTUM, discriminator_optimizer=MOMENTUM, loss=loss, latent_features=3)
        history = fit_adversarial(generator, critic, batches(flat=True), steps=4, log_every=2, mesh=mesh, **choices)
        return (generator, critic), history

    (ours, history), (expected, recorded) = contest(device_mesh(8), accumulate=parts), contest(None)
    assert seen[0].shard_shape((16 // parts, 1)) == (2 // parts, 1)
    for one, other in zip(ours, expected, strict=True):
        assert_same((one, history), (other, recorded))
        assert all(len(leaf.sharding.device_set) == 8 and leaf.is_fully_replicated for leaf in arrays(one))


def test_a_model_in_two_halves_trains_as_a_whole_one(on_one):
    mesh, memory = device_mesh(8, model=2), []

    def init(params):
        state = ADAM.init(params)
        memory.extend(jax.tree.leaves(state))
        return state

    model = gpt()
    partition(model, RULES, mesh)
    history = fit(
        model,
        batches(),
        loss=next_token_loss,
        optimizer=optax.GradientTransformation(init, ADAM.update),
        steps=5,
        log_every=2,
        mesh=mesh,
    )
    assert_same((model, history), on_one("a GPT"))

    def part(array):
        return array.sharding.shard_shape(array.shape)

    feed_forward = model.h[0].mlp
    assert part(feed_forward.c_fc.kernel[...]) == (16, 32) and part(feed_forward.c_fc.bias[...]) == (32,)
    assert part(feed_forward.c_proj.kernel[...]) == (32, 16) and part(feed_forward.c_proj.bias[...]) == (16,)
    assert part(model.h[0].attn.c_proj.kernel[...]) == (16, 16)
    # The two moments of the kernel.
    assert sum(array.shape == (16, 64) and part(array) == (16, 32) for array in memory) == 2


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"*.c_fcc.kernel": PartitionSpec("model")}, r"expects patterns of names in GPT; none fits \*\.c_fcc\.kernel"),
        ({"wte.embedding": PartitionSpec("model")}, r"cannot split wte\.embedding, shape \(11, 16\), by .*'model': 2"),
    ],
)
def test_a_rule_that_cannot_hold_is_refused(rules, message):
    model = gpt()
    with pytest.raises(ValueError, match=message):
        partition(model, rules, device_mesh(8, model=2))
    assert len(model.wte.embedding[...].sharding.device_set) == 1


def squared_loss(params, batch):
    return ((jnp.tanh(batch["image"] @ params["hidden"]) @ params["out"] - batch["wanted"]) ** 2).mean()


def by_hand():
    """Weights of a small network, and a function of a batch size that gives a batch for it."""
    rng = np.random.default_rng(0)
    params = {
        "hidden": jnp.array(rng.normal(size=(SIDE**2, 16)), jnp.float32),
        "out": jnp.array(rng.normal(size=(16, 2)), jnp.float32),
    }
    return params, lambda size: {"image": jnp.array(examples()["image"].reshape(48, -1)[:size]), "wanted": jnp.ones((size, 2))}


def test_a_step_of_eight_devices_is_that_of_the_whole_batch():
    params, batch = by_hand()
    shapes = []

    def loss(params, part):
        shapes.append(part["image"].shape)
        return squared_loss(params, part)

    ours, value = data_parallel_step(loss, params, batch(48), mesh=device_mesh(8), learning_rate=0.1)
    expected, gradient = jax.value_and_grad(squared_loss)(params, batch(48))
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    for name in params:
        parts = [np.asarray(shard.data) for shard in ours[name].addressable_shards]
        assert len(parts) == 8 and all((part == parts[0]).all() for part in parts)
        np.testing.assert_allclose(parts[0], params[name] - 0.1 * gradient[name], rtol=1e-5, atol=1e-5)
    assert set(shapes) == {(6, SIDE**2)}


@pytest.mark.parametrize("written", ["by hand", "by XLA"])
def test_what_devices_send_has_the_size_of_the_weights_and_not_of_the_batch(written):
    params, batch = by_hand()
    mesh = device_mesh(8)

    def step(params, batch):
        if written == "by hand":
            return data_parallel_step(squared_loss, params, batch, mesh=mesh, learning_rate=0.1)
        value, gradient = jax.value_and_grad(squared_loss)(params, batch)
        return jax.tree.map(lambda weight, slope: weight - 0.1 * slope, params, gradient), value

    weights = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
    for size in (8, 48):
        lying = replicate(params, mesh), shard_batch(batch(size), mesh)
        sent = collective_bytes(jax.jit(step).lower(*lying).compile().as_text())
        assert sent == {"all-reduce": weights + 4}, size  # and the loss
