"""What `training_loop` must do. Its states and losses write down when somebody waits for them, as a device's cannot."""

from itertools import product, takewhile

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that


@pytest.fixture(scope="module")
def training_loop(answer):
    return answer


class Diary:
    """A step whose losses are 0, 1, 2, …, and what happened in order.

    ("queued", i); ("loss asked for", i), without a wait; and the waits ("loss", i) and ("state", i).
    """

    def __init__(self):
        self.events = []
        self.given_to_jnp = set()

    def step(self, state, batch):
        self.events.append(("queued", batch))
        return OnDevice(self, "state", state.hidden + 1), OnDevice(self, "loss", batch)

    def queued(self, event):
        """How many steps had been queued when somebody first waited for this; None if nobody did."""
        if event not in self.events:
            return None
        return sum(kind == "queued" for kind, _ in self.events[: self.events.index(event)])


class OnDevice:
    """A number that stands for one on a device: whatever needs its value has to wait for it."""

    def __init__(self, diary, kind, value):
        self.diary, self.kind, self.hidden = diary, kind, value

    def value(self):
        self.diary.events.append((self.kind, self.hidden))
        return self.hidden

    def copy_to_host_async(self):
        """Asks for a copy without waiting, as `jax.device_get` does for all that it is given, before it waits for the first."""
        self.diary.events.append((f"{self.kind} asked for", self.hidden))

    def block_until_ready(self):
        self.value()
        return self

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value(), dtype or np.float32)

    def __jax_array__(self):
        self.diary.given_to_jnp.add((self.kind, self.hidden))
        return jnp.float32(self.value())

    def __float__(self):
        return float(self.value())

    def item(self):
        return float(self.value())

    def __format__(self, form):
        return format(float(self.value()), form)

    def __str__(self):
        return str(float(self.value()))

    def __lt__(self, other):
        return self.value() < other

    def __gt__(self, other):
        return self.value() > other

    def __repr__(self):
        return f"a {self.kind} on the device"


def run(training_loop, steps, log_every):
    diary = Diary()
    return diary, training_loop(diary.step, OnDevice(diary, "state", 0), iter(range(steps)), log_every=log_every)


def when_due(i, steps, log_every):
    """How many steps are queued when loss i is fetched, or the state behind that step may be waited for."""
    return min((i // log_every + 1) * log_every, steps)


def expect_pair(got, call):
    two = isinstance(got, tuple) and len(got) == 2
    expect_that(two, call, got, "two things: the last state, and the losses", "whoever trains needs both")
    return got


def test_the_last_state_and_every_loss_in_order(training_loop):
    call = "training_loop(step, 1.0, [0, 0, 0]) with step = (w, x) → (w / 2, w²)"
    step = jax.jit(lambda w, x: (w / 2 + x, w**2))
    state, losses = expect_pair(training_loop(step, jnp.array(1.0), [jnp.array(0.0)] * 3), call)
    expect(state, 0.125, f"{call}, and looked at the state", "three halvings")
    expect(losses, [1, 0.25, 0.0625], f"{call}, and looked at the losses", "each loss is of the state before its step")
    kind = f"{type(losses).__name__} of {losses.dtype}"
    because = "what was fetched is on the host, where float32 is what it was on the device"
    expect_that(kind == "ndarray of float32", f"{call}, and looked at the kind", kind, "ndarray of float32", because)


@pytest.mark.parametrize(("steps", "log_every"), [(6, 3), (7, 3), (2, 50), (3, 1)], ids=str)
def test_no_loss_is_waited_for_before_its_time(training_loop, steps, log_every):
    call = f"training_loop(step, state, {steps} batches, log_every={log_every})"
    diary, got = run(training_loop, steps, log_every)
    state, losses = expect_pair(got, call)
    count = getattr(state, "hidden", state)
    expect_that(count == steps, f"{call} with a state that counts", count, f"{steps}", "each step begins where the last ended")
    because = "a loss for each step, in order; the last ones too, where log_every does not divide"
    expect(losses, np.arange(steps), f"{call} with losses 0, 1, 2, …", because)
    for i, kind in product(range(steps), ("loss", "state")):
        due = when_due(i, steps, log_every)
        event = kind, i if kind == "loss" else i + 1
        by_then = diary.queued(event)
        because = "float(), print, == and block_until_ready wait for the device; meanwhile nothing is queued, and it idles"
        if event in diary.given_to_jnp:
            because = "here a loss only stands for one on a device, and to give it to jnp is to wait: keep losses as they are"
        came = f"with a wait for {kind} {event[1]} when {by_then} of the steps were queued"
        expect_that(by_then is None or by_then >= due, call, came, f"no such wait before {due} are queued", because)


@pytest.mark.parametrize(("steps", "log_every"), [(6, 2), (7, 3)], ids=str)
def test_losses_are_fetched_when_it_is_time_and_once(training_loop, steps, log_every):
    call = f"training_loop(step, state, {steps} batches, log_every={log_every})"
    diary, _ = run(training_loop, steps, log_every)
    for i in range(steps):
        due = when_due(i, steps, log_every)
        by_then = diary.queued(("loss", i))
        never = f"losses of which loss {i} was never fetched"
        expect_that(by_then is not None, call, never, "every loss", "losses come back as numbers on the host")
        because = "Python may not run ahead for ever: what is queued takes memory, and a loss that is NaN is seen too late"
        expect_that(
            by_then <= due,
            call,
            f"with a wait for loss {i} when {by_then} of the steps were queued",
            f"it when {due} were",
            because,
        )
    waits = sum(kind == "loss" for kind, _ in diary.events)
    because = "what was fetched need not be fetched again; only a loss that was waited for may be fetched after that"
    expect_that(waits <= 2 * steps, call, f"with {waits} waits for {steps} losses", "two for each at most", because)


@pytest.mark.parametrize(("steps", "log_every"), [(6, 3), (7, 4)], ids=str)
def test_losses_that_are_due_are_asked_for_together(training_loop, steps, log_every):
    diary, _ = run(training_loop, steps, log_every)
    for first in range(0, steps, log_every):
        due = range(first, min(first + log_every, steps))
        waits = {("loss", i) for i in due}
        before = list(takewhile(lambda event, waits=waits: event not in waits, diary.events))
        asked = sum(("loss asked for", i) in before for i in due)
        because = (
            "float(), .item() and np.array of one loss after the other are a host sync each: a round trip to the device, "
            "and Python asks for the next only when it is back. jax.device_get(list) asks for all, and waits once"
        )
        expect_that(
            asked == len(due),
            f"training_loop(step, state, {steps} batches, log_every={log_every})",
            f"with a wait for one of losses {first} to {due[-1]} when {asked} of these {len(due)} had been asked for",
            f"all {len(due)} asked for before the first is waited for",
            because,
        )


def test_a_batch_is_taken_when_its_step_is_queued(training_loop):
    taken = []

    def batches():
        for i in range(4):
            taken.append(i)
            yield i

    seen = []

    def step(state, batch):
        seen.append(len(taken))
        return state, jnp.float32(batch)

    training_loop(step, 0, batches(), log_every=2)
    call = "training_loop(step, state, batches, log_every=2), and looked at how many batches were taken at each step"
    because = "batches may be many, or without end: a list of all would need memory for all"
    expect_that(seen == [1, 2, 3, 4], call, seen, "[1, 2, 3, 4]", because)


def test_no_batches_and_no_losses(training_loop):
    call = "training_loop(step, 7, iter([]), log_every=2)"
    state, losses = expect_pair(training_loop(Diary().step, 7, iter([]), log_every=2), call)
    expect(losses, np.zeros(0), call, "an array without numbers")
    expect_that(state == 7, call, state, "the state as it was", "nothing was trained")


@pytest.mark.parametrize("log_every", [0, -1])
def test_a_log_every_below_1_is_refused(training_loop, log_every):
    call = f"training_loop(step, state, batches, log_every={log_every})"
    expect_refusal(lambda: run(training_loop, 3, log_every)[1], call, "it counts steps, and there is none to wait for")
