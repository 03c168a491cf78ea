"""What is particular to the product: gradients in several orders, and factors of half the precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn.kernels.matmul import matmul

SIZES = [
    (40, 9, 5),
    (40, 5, 9),
    (3, 9, 5),
    (9, 9, 9),
]  # rows, inputs, outputs: the gradient's order depends on which is largest


def drawn(rows, inputs, outputs, dtype=jnp.float32):
    """Small whole numbers, of which every dtype here holds the products and sums without rounding."""
    random = np.random.default_rng(rows + outputs)
    shapes = (rows, inputs), (inputs, outputs), (rows, outputs)
    return [jnp.asarray(random.integers(-2, 3, shape), dtype) for shape in shapes]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("sizes", SIZES)
def test_the_order_of_a_gradient_does_not_show(sizes, dtype):
    x, w, g = drawn(*sizes, dtype)
    y, back, *_ = jax.vjp(jax.jit(lambda x, w: matmul(x, w)), x, w)
    dx, dw = jax.jit(back)(g)
    exact = [np.asarray(array, np.float64) for array in (x, w, g)]
    assert y.dtype == dx.dtype == dw.dtype == dtype
    np.testing.assert_array_equal(np.asarray(y, np.float64), exact[0] @ exact[1])
    np.testing.assert_array_equal(np.asarray(dx, np.float64), exact[2] @ exact[1].T)
    np.testing.assert_array_equal(np.asarray(dw, np.float64), exact[0].T @ exact[2])


@pytest.mark.parametrize("sizes", SIZES)
def test_forward_mode_is_there_for_all_orders_and_over_reverse_mode(sizes):
    x, w, _ = drawn(*sizes)
    _, change = jax.jvp(lambda w: matmul(x, w), [w], [jnp.ones_like(w)])
    np.testing.assert_array_equal(change, x @ jnp.ones_like(w))
    energy = lambda w: (matmul(x, w) ** 2).sum() / 2  # noqa: E731
    _, curvature = jax.jvp(jax.grad(energy), [w], [jnp.ones_like(w)])
    np.testing.assert_array_equal(curvature, x.T @ x @ jnp.ones_like(w))


def test_narrow_factors_stay_narrow_in_every_product_and_sums_are_wide():
    x, w, _ = drawn(40, 9, 5, jnp.bfloat16)
    gradients = jax.make_jaxpr(jax.grad(lambda x, w: matmul(x, w, activation="gelu").sum(), (0, 1)))(x, w)
    products = [equation for equation in _all_equations(gradients.jaxpr) if equation.primitive.name == "dot_general"]
    assert len(products) == 3
    for product in products:
        assert [str(factor.aval.dtype) for factor in product.invars] == ["bfloat16"] * 2
        assert str(product.outvars[0].aval.dtype) == "float32"


def _all_equations(jaxpr):
    for equation in jaxpr.eqns:
        yield equation
        for part in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda part: hasattr(part, "eqns")):
            inner = getattr(part, "jaxpr", part)
            if hasattr(inner, "eqns"):
                yield from _all_equations(inner)


def test_a_sum_of_many_narrow_numbers_does_not_stand_still():
    """In bfloat16 256 + 1 is 256, so that a narrow sum of ones never gets past it."""
    x = jnp.ones((1, 1024), jnp.bfloat16)
    w = jnp.ones((1024, 1), jnp.bfloat16)
    assert matmul(x, w).item() == 1024
    assert jax.grad(lambda w: matmul(x.T, w.T).sum(), argnums=0)(w).astype(jnp.float32).sum() == 1024 * 1024


def test_narrow_numbers_have_reverse_mode_only_but_as_often_as_one_likes():
    x, w, _ = drawn(3, 9, 5, jnp.bfloat16)
    energy = lambda w: (matmul(x, w).astype(jnp.float32) ** 2).sum() / 2  # noqa: E731
    curvature = jax.grad(lambda w: jax.grad(energy)(w).astype(jnp.float32).sum())(w)
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(np.asarray(curvature, np.float64), exact.T @ exact @ np.ones((9, 5)), rtol=0.02)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(energy, [w], [w])
