import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import max_pool, relu
from nn.models import VGG, VGGConfig

SMALL = VGGConfig(image_shape=(4, 5, 2), blocks=((3, 4), (5,)), hidden=(6, 7), out_features=3, batch_norm=True)


def parameters(config):
    """Every weight by its name, as a shape: nothing is drawn."""
    model = nnx.eval_shape(lambda: VGG(config, rngs=nnx.Rngs(0)))
    return {".".join(map(str, name)): leaf.shape for name, leaf in nnx.to_flat_state(nnx.state(model, nnx.Param))}


@pytest.mark.parametrize(
    ("config", "layers", "published"),
    [
        (VGGConfig.vgg11(), 11, 132_863_336),
        (VGGConfig.vgg16(), 16, 138_357_544),
        (VGGConfig.vgg16(batch_norm=True), 16, 138_365_992),
    ],
    ids=["VGG-11", "VGG-16", "VGG-16 with batch norm"],
)
def test_it_has_as_many_layers_and_parameters_as_published(config, layers, published):
    shapes = parameters(config)
    assert sum(name.endswith("kernel") for name in shapes) == layers
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == published


def test_most_weights_of_vgg_16_are_those_of_its_first_hidden_layer():
    shapes = parameters(VGGConfig.vgg16())
    assert shapes["hidden.0.kernel"] == (7 * 7 * 512, 4096)
    assert np.prod(shapes["hidden.0.kernel"]) > 0.7 * sum(np.prod(shape) for shape in shapes.values())


def test_it_is_convolutions_with_norm_and_bend_a_pooling_behind_each_block_and_then_hidden_layers():
    @jax.jit  # one program is compiled sooner than its many steps
    def both(images):
        model = VGG(SMALL, rngs=nnx.Rngs(0))
        model.eval()
        x = images
        for (block, norms), pooled in zip(zip(model.blocks, model.norms, strict=True), ((2, 2), (1, 1)), strict=True):
            for conv, norm in zip(block, norms, strict=True):
                x = relu(norm(conv(x)))
            x = max_pool(x, (2, 2), (2, 2))
            assert x.shape[1:3] == pooled
        features = relu(model.hidden[1](relu(model.hidden[0](x.reshape(2, 5)))))
        assert model(images[:0]).shape == (0, 3)
        by_hand, ours = (features, model.head(features)[:, None]), (model.features(images), model(images[:, None]))
        model.train()
        return by_hand, ours, (model(images), model(images))

    by_hand, ours, trained = both(jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 5, 2)), jnp.float32))
    for expected, got in zip(by_hand, ours, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    assert not np.array_equal(*trained)  # two masks of dropout


def test_images_of_another_shape_are_named(without_type_checks):
    model = nnx.eval_shape(lambda: VGG(SMALL, rngs=nnx.Rngs(0)))
    for shape in ((2, 4, 5, 1), (2, 5, 4, 2), (5, 2)):
        with pytest.raises(
            ValueError, match=r"VGG expects images of shape \(\*batch, 4, 5, 2\), got x\.shape=\(" + str(shape[0])
        ):
            model(jnp.zeros(shape))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": ()}, r"blocks and hidden layers, got blocks=\(\)"),
        ({"blocks": ((3,), ())}, r"blocks and hidden layers, got blocks=\(\(3,\), \(\)\)"),
        ({"hidden": ()}, r"blocks and hidden layers, .* hidden=\(\)\."),
        ({"blocks": ((3,), (4, 0))}, r"sizes of at least 1, got blocks=\(\(3,\), \(4, 0\)\)"),
        ({"out_features": 0}, r"sizes of at least 1, .* out_features=0\."),
        ({"image_shape": (8, 3, 1)}, r"image_shape .* of at least \(4, 4, 1\) for 2 blocks, got \(8, 3, 1\)\."),
        ({"image_shape": (8, 8)}, r"image_shape .* got \(8, 8\)\."),
        ({"dropout": 1.5}, r"dropout between 0 and 1, got 1\.5\."),
    ],
)
def test_a_config_checks_itself(changes, message, without_type_checks):
    with pytest.raises(ValueError, match="VGGConfig expects " + message):
        VGGConfig(**{"image_shape": (8, 8, 1), "blocks": ((3,), (4,)), "hidden": (5,)} | changes)
