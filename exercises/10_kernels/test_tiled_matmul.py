"""What `tiled_matmul` must do. Few shapes: each new one is compiled anew, which takes longer than all the arithmetic."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that

X = np.sin(1.7 * np.arange(30, dtype=np.float32)).reshape(5, 6)
W = np.cos(2.9 * np.arange(42, dtype=np.float32)).reshape(6, 7)
SHAPES = "x.shape = (5, 6), w.shape = (6, 7)"


@pytest.fixture(scope="module")
def tiled_matmul(answer):
    return answer


def products(program):
    """How many rows, numbers of k and columns each product in a program meets at once, in its loops as well."""
    for step in program.eqns:
        if step.primitive.name == "dot_general":
            (summed, _), (batch, _) = step.params["dimension_numbers"]
            left, right = (operand.aval.shape for operand in step.invars)
            depth, apart = (math.prod(left[axis] for axis in axes) for axes in (summed, batch))
            yield math.prod(left) // (depth * apart), depth, math.prod(right) // (depth * apart)
        for inner in step.params.values():
            if hasattr(inner, "eqns"):
                yield from products(inner)


def test_four_numbers_by_hand(tiled_matmul):
    x, w = jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([[10.0, 0.0], [1.0, 100.0]])
    call = "tiled_matmul([[1, 2], [3, 4]], [[10, 0], [1, 100]], tile=(1, 1, 1))"
    because = "every tile is one number, and each takes two steps: 1 · 10, and then 2 · 1 is added"
    expect(tiled_matmul(x, w, tile=(1, 1, 1)), [[12, 200], [34, 400]], call, because)


@pytest.mark.parametrize(
    ("tile", "because"),
    [
        ((5, 7, 6), "one tile and one step: the product itself"),
        ((2, 3, 6), "tiles that do not divide the result: the last row of tiles has one row, the last column one column"),
        ((5, 7, 2), "one tile and three steps, whose products are added up"),
        ((2, 3, 4), "the last piece of k has two numbers"),
        ((64, 64, 64), "a tile may be larger than all there is"),
    ],
    ids=str,
)
def test_it_is_the_product_whatever_the_tile(tiled_matmul, tile, because):
    call = f"tiled_matmul(x, w, tile={tile}) with {SHAPES}"
    product = X.astype(np.float64) @ W.astype(np.float64)
    expect(tiled_matmul(jnp.array(X), jnp.array(W), tile=tile), product, call, because)


def test_a_step_needs_one_piece_of_each_matrix(tiled_matmul):
    program = jax.make_jaxpr(lambda x, w: tiled_matmul(x, w, tile=(2, 2, 3)))(jnp.ones((4, 6)), jnp.ones((6, 4)))
    call = "tiled_matmul(x, w, tile=(2, 2, 3)) with x.shape = (4, 6), w.shape = (6, 4)"
    because = "a near memory has room for a piece of x, a piece of w and one tile of sums: that is what tile says"
    for rows, depth, columns in products(program):
        got, expected = (f"a product of ({r}, {k}) and ({k}, {c})" for r, k, c in ((rows, depth, columns), (2, 3, 2)))
        expect_that(rows <= 2 and depth <= 3 and columns <= 2, call, f"the result of {got}", f"{expected}, no larger", because)


def test_small_parts_are_not_lost_in_bfloat16(tiled_matmul):
    x, ones = jnp.array([[256.0] + 8 * [1.0]], jnp.bfloat16), jnp.ones((9, 1), jnp.bfloat16)
    call = "tiled_matmul(x, w, tile=(1, 1, 1)) with x = [[256, 1, 1, 1, 1, 1, 1, 1, 1]] and nine ones in w, in bfloat16"
    because = "bfloat16 has eight binary digits: there 256 + 1 is 256. Sum in float32, and round once, at the end"
    got = tiled_matmul(x, ones, tile=(1, 1, 1))
    expect(got, [[264]], call, because)
    expect_that(got.dtype == jnp.bfloat16, call, got.dtype, "the dtype of x, bfloat16", because)


@pytest.mark.parametrize(
    ("shape", "tile"), [((7, 6), (2, 2, 2)), ((1, 7), (2, 2, 2)), ((6, 7), (2, 0, 2))], ids=["turned", "one row", "no column"]
)
def test_what_does_not_fit_is_refused(tiled_matmul, shape, tile):
    call = f"tiled_matmul(x, w, tile={tile}) with x.shape = (5, 6), w.shape = {shape}"
    because = "w needs a row for each column of x, and a tile a row and a column at least"
    expect_refusal(lambda: tiled_matmul(jnp.array(X), jnp.ones(shape), tile=tile), call, because)


def test_gradients_flow_through_the_tiles(tiled_matmul):
    slope = jax.jit(jax.grad(lambda x: tiled_matmul(x, jnp.array(W), tile=(2, 4, 3)).sum()))(jnp.array(X))
    call = f"jax.jit(jax.grad(lambda x: tiled_matmul(x, w, tile=(2, 4, 3)).sum()))(x) with {SHAPES}"
    expect(slope, np.broadcast_to(W.sum(1), (5, 6)), call, "a product is a product, however it is cut")
