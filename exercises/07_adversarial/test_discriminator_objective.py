"""What `discriminator_objective` must do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_that, shown

NAME = "discriminator_objective(loss, discriminator, real, fake)"
REAL, FAKE = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), np.array([[5.0, 6.0], [7.0, 9.0]], np.float32)
GIVEN = f"with loss(r, f) = mean f − mean r², discriminator(x) = x · [1, 2], {shown(real=REAL, fake=FAKE)}"


@pytest.fixture(scope="module")
def discriminator_objective(answer):
    return answer


def loss(real_scores, fake_scores):
    return fake_scores.mean() - (real_scores**2).mean()


def test_it_returns_the_loss_of_the_scores_and_a_record_of_their_means(discriminator_objective):
    returned = discriminator_objective(loss, lambda x: x @ jnp.array([1.0, 2.0]), jnp.array(REAL), jnp.array(FAKE))
    both = isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], dict)
    expect_that(both, f"{NAME} {GIVEN}", returned, "two things: the loss, and a dict of what to record")
    value, record = returned
    because = "the real scores are 5 and 11, the fake ones 17 and 25; the loss gets the real ones first"
    expect(value, 21 - (25 + 121) / 2, f"{NAME}[0] {GIVEN}", because)
    names = sorted(record)
    expect_that(names == ["fake_score", "real_score"], f"{NAME}[1] {GIVEN}", names, "the names real_score and fake_score")
    expect(record["real_score"], 8, f"{NAME}[1]['real_score'] {GIVEN}", "the mean of 5 and 11: one number")
    expect(record["fake_score"], 21, f"{NAME}[1]['fake_score'] {GIVEN}", "the mean of 17 and 25: one number")


def test_the_discriminator_learns_and_the_generator_does_not(discriminator_objective):
    def objective(generator, discriminator):
        returned = discriminator_objective(loss, lambda x: x @ discriminator, jnp.array(REAL), generator * FAKE)
        return returned[0] if isinstance(returned, tuple) else returned

    generators, own = jax.grad(objective, argnums=(0, 1))(1.0, jnp.array([1.0, 2.0]))
    call = f"jax.grad of {NAME} by w, where fake = w · [[5, 6], [7, 9]]"
    because = "in this step the fakes are data. A gradient here would teach the generator to be recognised"
    expect(generators, 0.0, call, because)
    call = f"jax.grad of {NAME} by v, where discriminator(x) = x · v, v = [1, 2]"
    because = "mean of the fakes, less 2 · mean of real · score: the discriminator learns from both sorts"
    scores = REAL @ np.array([1, 2])
    expect(own, FAKE.mean(0) - 2 * (REAL * scores[:, None]).mean(0), call, because)


def test_real_and_fake_are_judged_in_two_calls(discriminator_objective):
    seen = []

    def discriminator(x):
        seen.append(x.shape)
        return x @ jnp.array([1.0, 2.0])

    discriminator_objective(loss, discriminator, jnp.array(REAL), jnp.array(FAKE[:1]))
    because = "batch normalization in a discriminator averages over what it gets in one call, and must not mix the sorts"
    call = f"{NAME} with real of shape (2, 2), fake of shape (1, 2), and noted what discriminator was called with"
    expect_that(sorted(seen) == [(1, 2), (2, 2)], call, sorted(seen), "one call for real (2, 2), one for fake (1, 2)", because)
