import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.models import UNet, UNetConfig

CONFIG = UNetConfig(in_features=1, out_features=2, widths=(4, 6, 8))
random = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model():
    """In evaluation, without biases: it maps an empty image to an empty image."""
    model = UNet(CONFIG, rngs=nnx.Rngs(0))
    model.eval()
    return model


def compiled(model):
    graphdef, state = nnx.split(model)
    return jax.jit(lambda x: nnx.merge(graphdef, state)(x))


def test_the_output_is_as_large_as_the_image_whatever_its_size_and_leading_axes():
    def call(x):
        return UNet(CONFIG, rngs=nnx.Rngs(0))(x)

    for shape in ((8, 12), (1, 4, 8), (2, 3, 16, 8)):
        assert jax.eval_shape(call, jnp.zeros((*shape, 1))).shape == (*shape, 2)


def test_it_commutes_with_shifts_of_its_coarsest_pixel_and_not_with_smaller_ones(model):
    """A drawing on an empty page, far enough from its borders; three levels have pixels of 1, 2 and 4."""
    call, page = compiled(model), np.zeros((64, 64, 1), np.float32)
    page[28:36, 28:36, 0] = random.normal(size=(8, 8))
    y = call(page)
    assert np.abs(y[0]).max() == 0 < np.abs(y).max()  # the border is empty still
    np.testing.assert_allclose(call(np.roll(page, (4, -4), (0, 1))), np.roll(y, (4, -4), (0, 1)), rtol=1e-4, atol=1e-5)
    assert np.abs(call(np.roll(page, 1, 0)) - np.roll(y, 1, 0)).max() > 0.01 * np.abs(y).max()


def test_through_its_skips_alone_each_pixel_sees_as_far_as_two_double_convolutions(model):
    """With the way up from below cut off, what is left is the finest level: four windows of 3 × 3, four pixels far."""
    graphdef, state = nnx.split(model)
    cut = nnx.merge(graphdef, state, copy=True)
    cut.grow[0].kernel[...] = jnp.zeros_like(cut.grow[0].kernel[...])

    @jax.jit
    def slopes(state, x):
        return jax.grad(lambda x: nnx.merge(graphdef, state)(x)[16, 16].sum())(x)

    x = jnp.asarray(random.normal(size=(32, 32, 1)), jnp.float32)
    near = np.asarray(slopes(nnx.state(cut), x))[..., 0] != 0
    far = np.asarray(slopes(state, x))[..., 0] != 0
    rows, columns = near.nonzero()
    assert near[16, 16] and max(abs(rows - 16).max(), abs(columns - 16).max()) == 4
    assert abs(far.nonzero()[0] - 16).max() > 8


def test_without_its_skips_it_is_blind_to_detail_below_its_coarsest_pixel(model):
    """The same picture upside down inside of each pixel of the coarsest level: only the way across can tell."""
    graphdef, state = nnx.split(model)
    blind = nnx.merge(graphdef, state, copy=True)
    for level, width in zip(blind.up, (4, 6), strict=True):
        kernel = level.convs[0].kernel
        kernel[...] = kernel[...].at[:, :, :width].set(0)  # the half that sees the detail
    for level in blind.down:  # windows that see one pixel alone
        for conv in level.convs:
            conv.kernel[...] = conv.kernel[...] * jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1)
    x = random.normal(size=(8, 12, 1)).astype(np.float32)
    turned = x.reshape(2, 4, 3, 4, 1)[:, ::-1].reshape(8, 12, 1)
    call = jax.jit(lambda state, x: nnx.merge(graphdef, state)(x))
    np.testing.assert_allclose(call(nnx.state(blind), turned), call(nnx.state(blind), x), rtol=1e-5, atol=1e-6)
    assert np.abs(call(state, turned) - call(state, x)).max() > 0.1


@pytest.mark.parametrize("shape", [(2, 6, 8, 1), (2, 8, 9, 1), (2, 8, 8, 2), (8, 1)])
def test_images_that_cannot_be_halved_at_each_level_are_named(model, shape, without_type_checks):
    message = r"UNet expects images of shape \(\*batch, height, width, 1\), height and width multiples of 4, got x\.shape=\("
    with pytest.raises(ValueError, match=message + str(shape[0])):
        model(jnp.zeros(shape))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_features": 0}, r"got in_features=0"),
        ({"out_features": 0}, r"out_features=0"),
        ({"widths": (4, 0)}, r"widths=\(4, 0\)\."),
        ({"widths": ()}, r"at least one width, .* widths=\(\)\."),
    ],
)
def test_a_config_checks_itself(changes, message, without_type_checks):
    with pytest.raises(ValueError, match=r"UNetConfig expects sizes of at least 1 .*" + message):
        UNetConfig(**changes)
