"""The loop that runs ahead: every loss in order, and no look at one before its time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn.training import training_loop

EVENTS = []


class Loss:
    """A number on a device that writes down when somebody waits for it."""

    def __init__(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        EVENTS.append(f"fetch {self.value}")
        return np.array(self.value, dtype or np.float32)


def step(state, batch):
    EVENTS.append(f"step {batch}")
    return state + 1, Loss(batch)


@pytest.fixture(autouse=True)
def no_events():
    EVENTS.clear()


def test_losses_are_fetched_only_every_so_many_steps_and_at_the_end(without_type_checks):
    state, losses = training_loop(step, 0, range(5), log_every=2)
    assert state == 5 and losses.tolist() == [0, 1, 2, 3, 4] and losses.dtype == np.float32
    steps, fetches = (lambda *of: [f"step {i}" for i in of]), (lambda *of: [f"fetch {i}" for i in of])
    assert [*steps(0, 1), *fetches(0, 1), *steps(2, 3), *fetches(2, 3), *steps(4), *fetches(4)] == EVENTS


def test_a_batch_is_taken_when_its_step_is_queued(without_type_checks):
    def batches():
        for i in range(3):
            EVENTS.append(f"batch {i}")
            yield i

    training_loop(step, 0, batches(), log_every=3)
    assert EVENTS[:6] == ["batch 0", "step 0", "batch 1", "step 1", "batch 2", "step 2"]


def test_it_runs_a_compiled_step_that_gives_its_memory_away():
    descend = jax.jit(lambda w, x: (w - 0.1 * (w - x), (w - x) ** 2), donate_argnums=0)
    state, losses = training_loop(descend, jnp.array(1.0), iter([jnp.array(0.0)] * 3))
    np.testing.assert_allclose(losses, [1.0, 0.81, 0.6561], rtol=1e-5)
    np.testing.assert_allclose(state, 0.729, rtol=1e-5)


def test_no_batches_no_losses_and_never_to_look_is_refused():
    state, losses = training_loop(step, 7, [])
    assert state == 7 and losses.shape == (0,)
    with pytest.raises(ValueError, match=r"training_loop expects log_every of at least 1, got 0\."):
        training_loop(step, 0, [1], log_every=0)
