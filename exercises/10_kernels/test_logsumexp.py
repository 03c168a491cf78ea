"""What `logsumexp` must do. Few shapes: Pallas's interpreter compiles a program for each."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that

X = 3 * np.sin(1.3 * np.arange(35, dtype=np.float32)).reshape(7, 5)


@pytest.fixture(scope="module")
def logsumexp(answer):
    return answer


def reference(x):
    return np.log(np.exp(x.astype(np.float64)).sum(1))


def test_two_rows_by_hand(logsumexp):
    x = jnp.array([[0.0, 0.0, 0.0, 0.0], [math.log(2), math.log(3), 0.0, -1e30]])
    call = "logsumexp([[0, 0, 0, 0], [log 2, log 3, 0, −10³⁰]], block=2, interpret=True)"
    expect(logsumexp(x, block=2, interpret=True), [math.log(4), math.log(6)], call, "the exponentials add up to 4, and to 6")


@pytest.mark.parametrize(
    ("block", "because"),
    [
        (7, "one program for all rows"),
        (1, "seven programs, one for each row: program i sees row i"),
        (3, "three programs; the last one's block sticks out by two rows, which are nobody's"),
        (8, "one program, whose block is larger than x"),
    ],
    ids=str,
)
def test_every_row_has_its_number_whatever_the_block(logsumexp, block, because):
    call = f"logsumexp(x, block={block}, interpret=True) with x.shape = (7, 5)"
    expect(logsumexp(jnp.array(X), block=block, interpret=True), reference(X), call, because)


def test_large_scores_are_no_trouble_in_any_row(logsumexp):
    x = jnp.array([[1000.0, 1000.0], [-1000.0, -1000.0]])
    call = "logsumexp([[1000, 1000], [−1000, −1000]], block=2, interpret=True)"
    because = "take each row's own largest number off before exp, and add it again behind log"
    expect(logsumexp(x, block=2, interpret=True), [1000 + math.log(2), -1000 + math.log(2)], call, because)


def test_bfloat16_is_summed_in_float32(logsumexp):
    got = logsumexp(jnp.zeros((2, 3000), jnp.bfloat16), block=2, interpret=True)
    call = "logsumexp(x, block=2, interpret=True) with 3000 zeros of bfloat16 in each of two rows"
    expect(got, [8.0, 8.0], call, "log 3000 = 8.006, and bfloat16 has 8 and 8.0625", rtol=1e-3)
    expect_that(got.dtype == jnp.bfloat16, call, got.dtype, "the dtype of x, bfloat16", "it leaves as it came")


def test_it_is_one_kernel_that_sees_one_block_at_a_time(logsumexp):
    program = str(jax.make_jaxpr(lambda x: logsumexp(x, block=4, interpret=True))(jnp.zeros((16, 5))))
    call = "logsumexp(x, block=4, interpret=True) with x.shape = (16, 5)"
    because = "without pallas_call it is a function of the whole array, and XLA decides what is fetched when"
    expect_that("pallas_call" in program, call, "a program without a pallas_call", "one with a pallas_call", because)
    because = "the grid says how many programs there are: one for each block of 4 of the 16 rows"
    expect_that("grid=(4,)" in program.replace(" ", ""), call, "another grid", "a grid of 4 programs", because)
    expect_that("[4,5]" in program, call, "blocks of another shape", "programs that see blocks of shape (4, 5)", because)


def test_it_is_interpreted_only_where_that_is_asked_for(logsumexp):
    program = str(jax.make_jaxpr(lambda x: logsumexp(x, block=4))(jnp.zeros((16, 5))))  # written down, never run
    call = "logsumexp(x, block=4) with x.shape = (16, 5)"
    because = "the interpreter is slow, on a TPU as well; interpret is False unless somebody asks for it"
    expect_that("interpret=False" in program, call, "a kernel that is interpreted", "a kernel that is compiled", because)


@pytest.mark.parametrize(("shape", "block"), [((2, 0), 1), ((7, 5), 0)], ids=["no numbers", "no rows"])
def test_nothing_is_refused(logsumexp, shape, block):
    call = f"logsumexp(x, block={block}, interpret=True) with x.shape = {shape}"
    because = "no numbers have no largest one, and a block has a row at least"
    expect_refusal(lambda: logsumexp(jnp.zeros(shape), block=block, interpret=True), call, because)
