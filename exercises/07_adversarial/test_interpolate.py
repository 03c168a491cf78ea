"""What `interpolate` must do."""

import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, shown


@pytest.fixture(scope="module")
def interpolate(answer):
    return answer


def test_each_pair_goes_its_own_share_of_the_way(interpolate):
    real, fake = np.array([[1.0, 2.0]] * 3, np.float32), np.array([[5.0, 10.0]] * 3, np.float32)
    shares = np.array([1.0, 0.0, 0.25], np.float32)
    call = f"interpolate(real, fake, shares) with {shown(real=real, fake=fake, shares=shares)}"
    because = "share · real + (1 − share) · fake: share 1 is the real one, share 0 the fake"
    expect(interpolate(*map(jnp.array, (real, fake, shares))), [[1, 2], [5, 10], [4, 8]], call, because)


@pytest.mark.parametrize("shape", [(2,), (2, 2), (2, 3, 2, 1)], ids=str)
def test_a_share_is_for_all_of_an_example(interpolate, shape):
    real = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + 1
    fake, shares = -10 * real, np.array([0.5, 0.1], np.float32)
    expected = np.stack([share * r + (1 - share) * f for share, r, f in zip(shares, real, fake, strict=True)])
    call = f"interpolate(real, fake, shares) with real.shape = fake.shape = {shape}, shares = [0.5, 0.1]"
    because = "one share for the first example and one for the second, whatever axes an example has"
    expect(interpolate(*map(jnp.array, (real, fake, shares))), expected, call, because)


@pytest.mark.parametrize(("fake", "shares"), [((1, 2), (3,)), ((3, 1), (3,)), ((3, 2), (1,))], ids=str)
def test_what_does_not_pair_up_is_refused(interpolate, fake, shares):
    arrays = [jnp.array(np.ones(shape, np.float32)) for shape in ((3, 2), fake, shares)]
    call = f"interpolate(real, fake, shares) with real.shape = (3, 2), fake.shape = {fake}, shares.shape = {shares}"
    because = "three real examples need three fakes of their shape and three shares; broadcasting would invent them in silence"
    expect_refusal(lambda: interpolate(*arrays), call, because)
