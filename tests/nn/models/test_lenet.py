import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import max_pool, relu
from nn.models import LeNet, LeNetConfig

SMALL = LeNetConfig(image_shape=(12, 15, 2), channels=(3, 4), hidden=(5, 6), out_features=3)


def test_lenet_5_has_the_weights_counted_by_hand():
    model = nnx.eval_shape(lambda: LeNet(LeNetConfig(out_features=10), rngs=nnx.Rngs(0)))
    convolutions, hidden = (25 * 1 * 6 + 6) + (25 * 6 * 16 + 16), (5 * 5 * 16 * 120 + 120) + (120 * 84 + 84)
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))) == convolutions + hidden + (84 * 10 + 10)


def test_it_is_convolution_bend_pooling_twice_and_then_hidden_layers_whatever_the_leading_axes():
    @jax.jit  # one program is compiled sooner than its many steps
    def both(images):
        model = LeNet(SMALL, rngs=nnx.Rngs(0))
        first = max_pool(relu(model.conv1(images)), (2, 2), (2, 2))
        second = max_pool(relu(model.conv2(first)), (2, 2), (2, 2))
        assert first.shape == (2, 6, 7, 3) and second.shape == (2, 1, 1, 4)
        features = relu(model.hidden[1](relu(model.hidden[0](second.reshape(2, 4)))))
        assert model(images[:0]).shape == (0, 3)
        return (features, model.head(features)[:, None]), (model.features(images), model(images[:, None]))

    by_hand, ours = both(jnp.asarray(np.random.default_rng(0).normal(size=(2, 12, 15, 2)), jnp.float32))
    for expected, got in zip(by_hand, ours, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_images_of_another_shape_are_named(without_type_checks):
    model = nnx.eval_shape(lambda: LeNet(SMALL, rngs=nnx.Rngs(0)))
    for shape in ((2, 12, 15, 1), (2, 15, 12, 2), (12, 2)):
        with pytest.raises(
            ValueError, match=r"LeNet expects images of shape \(\*batch, 12, 15, 2\), got x\.shape=\(" + str(shape[0])
        ):
            model(jnp.zeros(shape))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"image_shape": (11, 28, 1)},
            r"image_shape \(height, width, channels\) of at least \(12, 12, 1\), got \(11, 28, 1\)\.",
        ),
        ({"image_shape": (28, 28)}, r"image_shape .* got \(28, 28\)\."),
        ({"image_shape": (28, 28, 0)}, r"image_shape .* got \(28, 28, 0\)\."),
        ({"channels": (6, 16, 32)}, r"two channels, .* got channels=\(6, 16, 32\)"),
        ({"hidden": ()}, r".*at least one hidden layer .* hidden=\(\)"),
        ({"hidden": (5, 0)}, r".*sizes of at least 1, .* hidden=\(5, 0\)"),
        ({"out_features": 0}, r".*sizes of at least 1, .* out_features=0\."),
    ],
)
def test_a_config_checks_itself(changes, message, without_type_checks):
    with pytest.raises(ValueError, match="LeNetConfig expects " + message):
        LeNetConfig(**{"out_features": 10} | changes)
