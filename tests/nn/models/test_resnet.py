import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.layers import relu
from nn.models import ResNet, ResNetConfig
from nn.models.resnet import BasicBlock, BottleneckBlock

IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 6, 4)), jnp.float32)


def parameters(config):
    """Every weight by its name, as a shape: nothing is drawn."""
    model = nnx.eval_shape(lambda: ResNet(config, rngs=nnx.Rngs(0)))
    return {".".join(map(str, name)): leaf.shape for name, leaf in nnx.to_flat_state(nnx.state(model, nnx.Param))}


@pytest.mark.parametrize(
    ("config", "layers", "published"),
    [
        (ResNetConfig.resnet18(), 18, 11_689_512),
        (ResNetConfig.resnet50(), 50, 25_557_032),
        # Table 6 of the paper says 0.27 million, with shortcuts that need no weights; ours have two of 1 × 1.
        (ResNetConfig.small(depths=(3, 3, 3), in_features=3), 20, 272_474),
    ],
    ids=["ResNet-18", "ResNet-50", "ResNet-20"],
)
def test_it_has_as_many_layers_and_parameters_as_published(config, layers, published):
    shapes = parameters(config)
    assert sum(name.endswith("kernel") and "downsample" not in name for name in shapes) == layers
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == published


def test_names_and_shapes_of_resnet_50_are_those_of_torchvision_but_for_the_order_of_axes():
    """The weights of torchvision are (outputs, inputs, height, width) and called weight."""
    shapes = parameters(ResNetConfig.resnet50())
    expected = {
        "conv1.kernel": (7, 7, 3, 64),
        "bn1.scale": (64,),
        "layer1.0.conv1.kernel": (1, 1, 64, 64),
        "layer1.0.conv3.kernel": (1, 1, 64, 256),
        "layer1.0.downsample.0.kernel": (1, 1, 64, 256),
        "layer1.0.downsample.1.bias": (256,),
        "layer1.1.conv1.kernel": (1, 1, 256, 64),
        "layer3.5.conv2.kernel": (3, 3, 256, 256),
        "layer4.0.conv1.kernel": (1, 1, 1024, 512),
        "layer4.0.downsample.0.kernel": (1, 1, 1024, 2048),
        "layer4.2.bn3.scale": (2048,),
        "head.kernel": (2048, 1000),
    }
    assert {name: shapes[name] for name in expected} == expected
    assert {name.split(".")[0] for name in shapes} == {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "head"}
    assert {name.rpartition(".downsample")[0] for name in shapes if "downsample" in name} == {
        f"layer{i}.0" for i in range(1, 5)
    }


def test_each_stage_but_the_first_halves_the_image_rounding_up():
    """56 pixels behind the stem become 7, as in the paper's table 1."""
    sizes = []

    def stages(x, photographs):
        model = ResNet(ResNetConfig.resnet18(), rngs=nnx.Rngs(0))
        for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
            for block in stage:
                x = block(x)
            sizes.append(x.shape[1:])
        return model.features(photographs)

    features = jax.eval_shape(stages, jnp.zeros((1, 56, 57, 64)), jnp.zeros((1, 1, 224, 200, 3)))
    assert sizes == [(56, 57, 64), (28, 29, 128), (14, 15, 256), (7, 8, 512)]
    assert features.shape == (1, 1, 512)


def block(cls=BasicBlock, *, inputs=4, width=4, stride=1, skip=True):
    return cls(inputs, width, stride=stride, skip=skip, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(("cls", "width", "last"), [(BasicBlock, 4, "bn2"), (BottleneckBlock, 1, "bn3")])
def test_a_block_whose_last_scale_is_zero_is_the_identity_on_what_a_relu_gave(cls, width, last):
    @jax.jit
    def before_and_after(x):
        layer = block(cls, width=width)
        before = layer(x)
        getattr(layer, last).scale[...] = jnp.zeros(4)
        return before, layer(x)

    x = relu(IMAGES)
    before, after = before_and_after(x)
    assert np.abs(before - x).max() > 0.1
    np.testing.assert_array_equal(after, x)


def test_without_the_skip_such_a_block_is_blind():
    @jax.jit
    def after(x):
        layer = block(skip=False)
        layer.bn2.scale[...] = jnp.zeros(4)
        return layer(x)

    np.testing.assert_array_equal(after(IMAGES), jnp.zeros_like(IMAGES))


def test_a_block_adds_to_its_input_brought_to_the_shape_of_its_output():
    @jax.jit  # one program is compiled sooner than its many steps
    def both(x):
        layer = block(width=3, stride=2)
        layer.eval()
        conv, norm = layer.downsample
        change = layer.bn2(layer.conv2(relu(layer.bn1(layer.conv1(x)))))
        assert change.shape == (2, 3, 3, 3)
        return layer(x), relu(norm(conv(x)) + change)

    np.testing.assert_allclose(*both(IMAGES), rtol=1e-5, atol=1e-6)


def test_a_bottleneck_is_narrow_where_its_window_is_wide():
    @jax.jit
    def both(x):
        layer = block(BottleneckBlock, width=2, stride=2)
        layer.eval()
        conv, norm = layer.downsample
        narrow = relu(layer.bn2(layer.conv2(relu(layer.bn1(layer.conv1(x))))))
        assert narrow.shape == (2, 3, 3, 2)
        return layer(x), relu(norm(conv(x)) + layer.bn3(layer.conv3(narrow)))

    np.testing.assert_allclose(*both(IMAGES), rtol=1e-5, atol=1e-6)


def test_a_plain_network_is_the_same_one_without_the_weights_of_its_skips():
    config = ResNetConfig.small()
    with_skips, plain = parameters(config), parameters(dataclasses.replace(config, skips=False))
    assert plain == {name: shape for name, shape in with_skips.items() if "downsample" not in name}


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 5, 6, 3), r"Conv expects x of shape \(\*batch, height, width, 1\), got x\.shape=\(2, 5, 6, 3\)\."),
        ((6, 1), r"Conv expects x of shape \(\*batch, height, width, 1\), got x\.shape=\(6, 1\)\."),
        ((2, 0, 6, 1), r"conv expects an image at least as large as its window"),
        ((0, 5, 6, 1), r"BatchNorm in training mode expects at least two values of each feature"),
    ],
)
def test_what_is_no_batch_of_images_is_named(shape, message, without_type_checks):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(lambda x: ResNet(ResNetConfig.small(), rngs=nnx.Rngs(0))(x), jnp.zeros(shape))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": (1, 1)}, r"a depth for each width, got depths=\(1, 1\), widths=\(64, 128, 256, 512\)\."),
        ({"depths": (), "widths": ()}, r"a depth for each width, got depths=\(\)"),
        ({"depths": (1, 1, 0, 1)}, r"sizes of at least 1, got .*depths=\(1, 1, 0, 1\)"),
        ({"in_features": 0}, r"sizes of at least 1, got in_features=0"),
        ({"out_features": 0}, r"sizes of at least 1, .*out_features=0\."),
        ({"stem": "tiny"}, r"stem large or small, got 'tiny'\."),
        ({"block": "wide"}, r"block basic or bottleneck, got 'wide'\."),
    ],
)
def test_a_config_checks_itself(changes, message, without_type_checks):
    with pytest.raises(ValueError, match="ResNetConfig expects " + message):
        ResNetConfig.resnet18(**changes)
