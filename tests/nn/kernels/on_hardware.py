"""Every kernel, run for real: as Pallas makes it for the GPU or the TPU at hand. Only `make device-check` runs this.

What a chip multiplies is rounded first, to bfloat16 on a TPU and to TF32 on a GPU, also where float32 comes in. So the bounds
are wider than those of the tests that interpret; a wrong block or a lost row is far outside of both.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn.kernels.attention import attention_reference, flash_attention
from nn.kernels.choice import PALLAS, platform
from nn.kernels.logsumexp import logsumexp

FORM = PALLAS.get(platform())
BOUND = 2**-6  # of the largest number
# To try this file itself, where there is no such chip: interpret one.
INTERPRETED = FORM is None

pytestmark = pytest.mark.skipif(FORM is None, reason="needs a GPU or a TPU")
in_float64 = getattr(jax if hasattr(jax, "enable_x64") else jax.experimental, "enable_x64")  # noqa: B009


def named(kernel):
    return partial(kernel, implementation=FORM or "mosaic", interpret=INTERPRETED)


def with_gradients(function):
    def both(*arrays):
        y, back = jax.vjp(function, *arrays)
        weights = jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).astype(jnp.bfloat16)  # the same numbers in every dtype
        return y, *back(weights.reshape(y.shape).astype(y.dtype))

    return both


def exactly(function, arrays):
    """In float64, which a TPU does not have."""
    with jax.default_device(jax.devices("cpu")[0]), in_float64(True):
        return jax.jit(function)(*(np.asarray(array).astype(np.float64) for array in arrays))


def draw(shapes, dtype):
    random = np.random.default_rng(0)
    return [jnp.asarray(random.normal(size=shape), dtype) for shape in shapes]


def agree(ours, exact):
    for one, truth in zip(ours, exact, strict=True):
        one, truth = np.asarray(one).astype(np.float64), np.asarray(truth)
        assert one.shape == truth.shape
        assert np.abs(one - truth).max() < BOUND * np.abs(truth).max()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_values_and_gradients_are_those_of_the_equation(case, dtype):
    for shapes in case.shapes.values():
        arrays = draw(shapes, dtype)
        agree(jax.jit(with_gradients(named(case.kernel)))(*arrays), exactly(with_gradients(case.equation), arrays))


def test_under_vmap_it_is_the_loop(case):
    *_, shapes = case.shapes.values()
    both = with_gradients(named(case.kernel))
    arrays = draw(shapes, jnp.float32)
    twice = [jnp.stack([array, 2 * array]) for array in arrays]
    mapped = jax.jit(jax.vmap(both))(*twice)
    for i in (0, 1):
        agree([result[i] for result in mapped], both(*(array[i] for array in twice)))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(("causal", "lengths"), [(False, None), (True, None), (False, (300, 7)), (True, (300, 0))])
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_attention_is_its_equation(causal, lengths, kv_heads, dtype):
    arrays = draw([(2, 300, 4, 32), (2, 300, kv_heads, 32), (2, 300, kv_heads, 32)], dtype)
    options = dict(causal=causal, lengths=None if lengths is None else jnp.asarray(lengths))
    ours = jax.jit(with_gradients(partial(named(flash_attention), **options)))(*arrays)
    agree(ours, exactly(with_gradients(partial(attention_reference, **options)), arrays))


def test_the_kernel_of_lesson_10():
    (x,) = draw([(64, 128)], jnp.float32)
    agree([logsumexp(x, interpret=FORM != "mosaic")], exactly(lambda x: (jax.nn.logsumexp(x, axis=1),), [x]))
