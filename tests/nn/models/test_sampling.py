import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn.models import sample_token, top_k_filter, top_p_filter

LOGITS = jnp.log(jnp.array([0.1, 0.4, 0.05, 0.3, 0.15]))
KEY = jax.random.key(0)


def kept(filtered):
    return np.flatnonzero(np.isfinite(filtered)).tolist()


def test_top_k_keeps_the_k_largest_as_they_are():
    for k, expected in [(1, [1]), (2, [1, 3]), (3, [1, 3, 4]), (5, [0, 1, 2, 3, 4]), (50, [0, 1, 2, 3, 4])]:
        filtered = top_k_filter(LOGITS, k)
        assert kept(filtered) == expected
        np.testing.assert_array_equal(filtered[np.array(expected)], LOGITS[np.array(expected)])
    assert kept(top_k_filter(jnp.zeros(4), 2)) == [0, 1]  # of equal ones no more than k
    rows = top_k_filter(jnp.stack([LOGITS, -LOGITS]), 2)
    assert [kept(row) for row in rows] == [[1, 3], [0, 2]]


def test_top_p_keeps_the_smallest_set_that_reaches_p():
    for p, expected in [(0, [1]), (0.39, [1]), (0.41, [1, 3]), (0.69, [1, 3]), (0.71, [1, 3, 4]), (0.96, [0, 1, 2, 3, 4])]:
        assert kept(top_p_filter(LOGITS, p)) == expected
    logits = 3 * jax.random.normal(KEY, (20, 50))
    chances, left = np.asarray(jax.nn.softmax(logits)), np.isfinite(top_p_filter(logits, 0.8))
    for row, keep in zip(chances, left, strict=True):
        assert row[keep].sum() >= 0.8 - 1e-6 > row[keep].sum() - row[keep].min()
        assert row[keep].min() > row[~keep].max(initial=0)


def test_top_p_of_1_keeps_even_what_is_lost_beside_1():
    """Float32 takes 1 + 10⁻⁹ for 1; a sum from the largest chance on would reach 1 there."""
    assert kept(top_p_filter(jnp.log(jnp.array([1.0, 1e-9, 1e-12])), 1.0)) == [0, 1, 2]


def test_temperature_sharpens_and_flattens_the_chances():
    rows = jnp.broadcast_to(LOGITS, (20_000, 5))

    def frequencies(temperature, **options):
        return np.bincount(sample_token(KEY, rows, temperature=temperature, **options), minlength=5) / len(rows)

    for temperature in (0.5, 1.0, 3.0):
        expected = jax.nn.softmax(LOGITS / temperature)
        np.testing.assert_allclose(frequencies(temperature), expected, atol=0.02)  # more than five standard errors
    # Filters come behind the temperature: at 0.5 the two likeliest hold more than 0.7, at 1 they do not.
    np.testing.assert_allclose(frequencies(0.5, top_p=0.7), [0, 16 / 25, 0, 9 / 25, 0], atol=0.02)
    np.testing.assert_allclose(frequencies(1.0, top_k=2), [0, 4 / 7, 0, 3 / 7, 0], atol=0.02)


def test_a_temperature_near_0_or_one_choice_is_greedy():
    logits = jax.random.normal(jax.random.key(9), (100, 7))  # KEY itself would draw the same noise twice
    for options in ({"temperature": 0}, {"temperature": 1e-30}, {"top_k": 1}, {"top_p": 0.0}):
        np.testing.assert_array_equal(sample_token(KEY, logits, **options), logits.argmax(-1))
    assert (sample_token(KEY, logits) != logits.argmax(-1)).any()


def test_the_same_key_draws_the_same_token_and_another_key_another():
    logits = jnp.zeros((100, 7))
    drawn = sample_token(KEY, logits)
    np.testing.assert_array_equal(sample_token(KEY, logits), drawn)
    assert (sample_token(jax.random.key(1), logits) != drawn).any()
    assert sample_token(KEY, logits[0]).shape == ()


def test_compiled_it_is_the_same_and_other_choices_compile_nothing_again():
    logits, traced = jax.random.normal(KEY, (100, 7)), []

    @jax.jit
    def compiled(temperature, top_k, top_p):
        traced.append(None)
        return sample_token(KEY, logits, temperature=temperature, top_k=top_k, top_p=top_p)

    for options in ((1.0, 3, 0.9), (0.5, 5, 0.5), (0.0, 7, 1.0)):
        drawn = sample_token(KEY, logits, temperature=options[0], top_k=options[1], top_p=options[2])
        np.testing.assert_array_equal(compiled(*options), drawn)
    assert len(traced) == 1


def test_choices_that_mean_nothing_are_refused():
    for refused, message in [
        (lambda: top_k_filter(LOGITS, 0), "top_k_filter expects k of at least 1, got 0"),
        (lambda: top_p_filter(LOGITS, 1.1), "top_p_filter expects p from 0 to 1, got 1.1"),
        (lambda: top_p_filter(LOGITS, -0.1), "top_p_filter expects p from 0 to 1, got -0.1"),
        (lambda: sample_token(KEY, LOGITS, temperature=-1.0), "sample_token expects a temperature of at least 0, got -1.0"),
        (lambda: sample_token(KEY, LOGITS, temperature=np.nan), "sample_token expects a temperature of at least 0, got nan"),
    ]:
        with pytest.raises(ValueError, match=message):
            refused()


def test_in_bfloat16_no_token_is_preferred_for_its_number():
    drawn = np.asarray(sample_token(jax.random.key(0), jnp.zeros((2000, 1000), jnp.bfloat16)))
    assert abs(drawn.mean() - 499.5) < 40  # six standard errors


def test_choices_that_are_constants_of_a_compiled_function_are_known_and_checked_there():
    def draw(**choice):
        constants = {name: jnp.asarray(value) for name, value in choice.items()}
        return jax.jit(lambda logits: sample_token(KEY, logits, **constants))(LOGITS)

    choice = dict(temperature=0.7, top_k=3, top_p=0.9)
    assert draw(**choice) == sample_token(KEY, LOGITS, **choice)
    with pytest.raises(ValueError, match="sample_token expects a temperature of at least 0, got -1"):
        draw(temperature=-1.0)
