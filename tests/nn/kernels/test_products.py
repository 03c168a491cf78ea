"""The product that kernels are made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn.kernels.products import wide_product

in_float64 = getattr(jax if hasattr(jax, "enable_x64") else jax.experimental, "enable_x64")  # noqa: B009


@pytest.mark.parametrize("over", [(1, 0), (1, 1), (0, 0), (0, 1)])
def test_it_sums_over_one_axis_of_each(over):
    random = np.random.default_rng(0)
    a, b = (jnp.asarray(random.normal(size=shape), jnp.float32) for shape in ((4, 3), (3, 5)))
    product = wide_product(a if over[0] == 1 else a.T, b if over[1] == 0 else b.T, over)
    np.testing.assert_allclose(product, np.asarray(a) @ np.asarray(b), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_it_adds_up_in_float32_what_narrower_sums_could_not_hold(dtype):
    ones = jnp.ones((1, 70_001), dtype)  # bfloat16 has no odd numbers above 256, and float16 nothing above 65,504
    product = wide_product(ones, ones, over=(1, 1))
    assert product.dtype == jnp.float32
    assert product.item() == 70_001


def test_it_keeps_sums_that_are_wider():
    with in_float64(True):
        assert wide_product(jnp.ones((2, 2), jnp.float64), jnp.ones((2, 2), jnp.float64)).dtype == jnp.float64
