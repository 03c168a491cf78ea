"""What `update_moments` must do, inside of jit and out of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_that, explain

X = (5 * np.sin(1.9 * np.arange(24))).astype(np.float32).reshape(12, 2)


@pytest.fixture(scope="module")
def update_moments(answer):
    return answer


def nothing_seen(*features):
    return jnp.zeros((), jnp.int32), jnp.zeros(features), jnp.zeros(features)


def called(attempt, call, because):
    """What a call returns. A tracer that got away stops the program somewhere else, in words that do not say where from."""
    try:
        return attempt()
    except (jax.errors.JAXTypeError, jax.errors.UnexpectedTracerError, TypeError, ValueError) as error:
        came = f"nothing: it stopped with {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        raise AssertionError(explain(call, came, "three arrays", because)) from None


def expect_moments(got, expected, call, because, rtol=1e-4):
    three = isinstance(got, tuple) and len(got) == 3
    expect_that(three, call, got, "three arrays", "the number of examples, their mean, the sum of squared differences")
    names = ("the number", "the mean", "the squares")
    for name, one, other in zip(names, got, expected, strict=True):
        expect(one, other, f"{call}, and looked at {name}", because, rtol=rtol, atol=1e-5)


def of_all(x):
    return len(x), x.mean(0, dtype=np.float64), len(x) * x.var(0, dtype=np.float64)


def test_the_first_batch_by_hand(update_moments):
    call = "update_moments((0, 0, 0), [1, 2, 6])"
    because = "three numbers, their mean is 3, and (−2)² + (−1)² + 3² = 14"
    got = called(lambda: update_moments(nothing_seen(), jnp.array([1.0, 2.0, 6.0])), call, because)
    expect_moments(got, (3, 3, 14), call, because)


def test_a_second_batch_by_hand(update_moments):
    call = "update_moments((3, 3, 14), [11])"
    because = "1, 2, 6 and 11: their mean is 5, and 16 + 9 + 1 + 36 = 62. From the moments: 14 + 0 + 8² · 3 · 1 / 4"
    state = jnp.array(3), jnp.array(3.0), jnp.array(14.0)
    expect_moments(called(lambda: update_moments(state, jnp.array([11.0])), call, because), (4, 5, 62), call, because)


@pytest.mark.parametrize("cut", [1, 4, 11])
def test_two_batches_of_any_sizes_give_what_one_gives(update_moments, cut):
    call = f"update_moments(update_moments(nothing, x[:{cut}]), x[{cut}:]) for 12 examples of two features"
    because = "a large batch counts for more than a small one; each feature has moments of its own"
    parts = jnp.array(X[:cut]), jnp.array(X[cut:])
    got = called(lambda: update_moments(update_moments(nothing_seen(2), parts[0]), parts[1]), call, because)
    expect_moments(got, of_all(X), call, because)


def test_only_the_arguments_count(update_moments):
    call = "update_moments(nothing, x) two times, and looked at the second"
    because = "what is remembered goes in as an argument and comes out as a result: a second call begins with nothing again"
    for _ in range(2):
        got = called(lambda: update_moments(nothing_seen(2), jnp.array(X)), call, because)
    expect_moments(got, of_all(X), call, because)


def test_it_can_be_jitted_and_called_again(update_moments):
    call = "jax.jit(update_moments)(state, x), three times in turn with 4 examples each"
    because = "under jit an array is a tracer: it has no value yet, and it may not be kept in a list or a global"
    step, state = jax.jit(update_moments), nothing_seen(2)
    call = call.replace("jax.jit(update_moments)", "jit(update_moments)")
    for part in X.reshape(3, 4, 2):
        state = called(lambda part=part, state=state: step(state, jnp.array(part)), call, because)
    expect_moments(state, of_all(X), call, because)


def test_a_scan_can_carry_it(update_moments):
    call = "jax.lax.scan over update_moments(state, x), three batches of 4 examples"
    because = "a scan's state must come out with the shapes and dtypes that it went in with: int32, float32, float32"

    def scan(parts):
        return jax.lax.scan(lambda state, part: (update_moments(state, part), None), nothing_seen(2), parts)[0]

    got = called(lambda: jax.jit(scan)(jnp.array(X.reshape(3, 4, 2))), call, because)
    expect_moments(got, of_all(X), call, because)


def test_a_large_mean_does_not_drown_the_variance(update_moments):
    x = 10_000 + np.arange(8, dtype=np.float32).reshape(2, 4)
    call = "update_moments(update_moments(nothing, [10000, …, 10003]), [10004, …, 10007])"
    because = "float32 has seven digits: of x² = 100 million none is left for the variance. Subtract the mean before squaring"
    got = called(lambda: update_moments(update_moments(nothing_seen(), jnp.array(x[0])), jnp.array(x[1])), call, because)
    expect_moments(got, (8, 10003.5, 42), call, because, rtol=1e-3)
