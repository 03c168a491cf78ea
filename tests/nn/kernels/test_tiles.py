"""Tiles change what is fetched, and not what comes out. The exercises' tests ask the same functions for values and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn.kernels.tiles import attainable, matmul_intensity, tiled_matmul


def test_below_the_ridge_bytes_decide_and_above_it_operations():
    machine = dict(operations_per_second=100e9, bytes_per_second=20e9)  # the ridge is at 5 operations a byte
    assert attainable(0.25, **machine) == 5e9
    assert attainable(5.0, **machine) == 100e9
    assert attainable(50.0, **machine) == 100e9


def test_a_square_tile_of_twice_the_side_nearly_doubles_the_intensity():
    small, large = (matmul_intensity(4096, 4096, 4096, rows=side, columns=side) for side in (64, 128))
    assert 1.9 < large / small < 2


def test_no_tile_beats_the_whole_result_which_moves_every_number_once():
    whole = matmul_intensity(30, 20, 10, rows=30, columns=10)
    assert whole == pytest.approx(2 * 30 * 20 * 10 / (4 * (600 + 200 + 300)))
    assert all(matmul_intensity(30, 20, 10, rows=r, columns=c) <= whole for r in (1, 7, 30, 99) for c in (1, 3, 10))


def test_sizes_below_one_are_refused(without_type_checks):
    with pytest.raises(ValueError, match=r"matmul_intensity expects sizes of 1 at least, got m=4, k=4, n=0, rows=2"):
        matmul_intensity(4, 4, 0, rows=2, columns=2)
    with pytest.raises(ValueError, match=r"tiled_matmul expects x \(m, k\).*w.shape=\(2, 3\) and tile=\(1, 1, 1\)"):
        tiled_matmul(jnp.ones((3, 3)), jnp.ones((2, 3)), tile=(1, 1, 1))


def test_a_product_of_tiles_that_divide_nothing_is_the_product():
    random = np.random.default_rng(0)
    x, w = (jnp.asarray(random.normal(size=shape), jnp.float32) for shape in ((5, 11), (11, 7)))
    product = jax.jit(tiled_matmul, static_argnames="tile")(x, w, tile=(2, 3, 4))
    np.testing.assert_allclose(product, np.asarray(x, np.float64) @ np.asarray(w, np.float64), rtol=1e-5, atol=1e-6)
