"""The kernel that is read first: values, and that it becomes a program for a TPU. The exercise's tests ask for the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from nn.kernels.logsumexp import logsumexp


def test_it_is_that_of_jax_for_rows_that_do_not_fill_the_last_block():
    x = 300 * jnp.asarray(np.random.default_rng(0).normal(size=(11, 40)), jnp.float32)
    ours = logsumexp(x, block=4, interpret=True)
    np.testing.assert_allclose(ours, jax.nn.logsumexp(x, axis=1), rtol=1e-6)
    np.testing.assert_array_equal(logsumexp(x[:1], interpret=True), ours[:1])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_it_lowers_for_a_tpu_that_is_not_there(dtype):
    scores = jax.ShapeDtypeStruct((70, 300), dtype)
    program = export.export(jax.jit(lambda x: logsumexp(x, block=16)), platforms=["tpu"])(scores).mlir_module()
    assert program.count("@tpu_custom_call") == 1


def test_no_numbers_and_no_rows_are_refused(without_type_checks):
    for x, block in ((jnp.ones((3, 0)), 8), (jnp.ones((3, 2)), 0)):
        with pytest.raises(ValueError, match=rf"logsumexp expects .*got x.shape=\(3, {x.shape[1]}\) and block={block}"):
            logsumexp(x, block=block, interpret=True)
