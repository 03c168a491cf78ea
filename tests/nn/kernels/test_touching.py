import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from nn.kernels.pooling import max_pool_touching

random = np.random.default_rng(0)


def by_xla(x, window):
    """XLA's general form: every window searched, and searched again for the gradient."""
    whole = (1,) * (x.ndim - len(window) - 1), (1,)
    shape = (*whole[0], *window, *whole[1])
    return jax.lax.reduce_window(x, np.array(-np.inf, x.dtype), jax.lax.max, shape, shape, "VALID")


CASES = {
    "one axis": ((3, 8, 2), (3,)),
    "two axes, sizes that the window does not divide": ((2, 5, 7, 3), (2, 3)),
    "two axes of batch": ((2, 3, 4, 6, 1), (2, 2)),
    "three axes": ((2, 2, 4, 3, 2), (1, 2, 3)),
    "one window": ((1, 3, 2, 4), (3, 2)),
}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_xlas_general_form_with_ties(name, dtype):
    """Halves between −1 and 1, so that most windows hold their largest number more than once."""
    shape, window = CASES[name]
    x = jnp.asarray(random.integers(-2, 3, shape) / 2, dtype)

    @jax.jit
    def both(x):
        results = []
        for pool in (max_pool_touching, by_xla):
            y, back = jax.vjp(lambda x, pool=pool: pool(x, window), x)
            results.append((y, *back(jnp.arange(1, y.size + 1, dtype=dtype).reshape(y.shape))))
        return results

    (y, gradients), (reference, reference_slopes) = both(x)
    assert y.dtype == gradients.dtype == dtype
    np.testing.assert_array_equal(y.astype(float), reference.astype(float))
    np.testing.assert_array_equal(gradients.astype(float), reference_slopes.astype(float))


def test_forward_mode_is_the_transpose_of_reverse_mode_and_the_second_derivative_is_nothing():
    x, change = jnp.asarray(random.normal(size=(2, 2, 4, 6, 1)), jnp.float32)
    pool = lambda x: max_pool_touching(x, (2, 2))  # noqa: E731
    y, forward = jax.jvp(pool, (x,), (change,))
    (back,) = jax.vjp(pool, x)[1](y)
    np.testing.assert_allclose((forward * y).sum(), (change * back).sum(), rtol=1e-5)
    gradient = lambda x: (jax.grad(lambda x: pool(x).sum())(x) * x).sum()  # noqa: E731
    np.testing.assert_array_equal(jax.grad(gradient)(x), jax.grad(lambda x: pool(x).sum())(x))  # its own gradient is 0


def test_a_window_with_a_nan_is_nan_and_gets_no_gradient():
    x = jnp.asarray([[1, jnp.nan, 3, 3, 5, 4]]).reshape(1, 6, 1)
    y, back = jax.vjp(lambda x: max_pool_touching(x, (2,)), x)
    np.testing.assert_array_equal(y.ravel(), [jnp.nan, 3, 5])
    np.testing.assert_array_equal(back(jnp.ones_like(y))[0].ravel(), [0, 0, 1, 0, 1, 0])


def test_it_is_xlas_own_form_where_nobody_asks_for_the_gradient_and_never_where_somebody_does():
    x = jnp.zeros((2, 4, 6, 3))
    assert "reduce_window" in str(jax.make_jaxpr(lambda x: max_pool_touching(x, (2, 2)))(x))
    assert "reduce_window" not in str(jax.make_jaxpr(jax.grad(lambda x: max_pool_touching(x, (2, 2)).sum()))(x))


def test_under_vmap_it_is_the_loop():
    x = jnp.asarray(random.normal(size=(3, 4, 6, 2)), jnp.float32)
    gradients = jax.grad(lambda x: (max_pool_touching(x, (2, 2)) ** 2).sum())
    np.testing.assert_array_equal(jax.vmap(gradients)(x), jnp.stack([gradients(image) for image in x]))


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
def test_it_lowers_for_accelerators_forward_and_back(platform):
    gradients = jax.jit(jax.grad(lambda x: max_pool_touching(x, (2, 2)).sum()))
    exported = export.export(gradients, platforms=[platform])(jax.ShapeDtypeStruct((8, 28, 28, 32), jnp.float32))
    assert "select_and_scatter" not in exported.mlir_module(), "the general form, which is slow"
