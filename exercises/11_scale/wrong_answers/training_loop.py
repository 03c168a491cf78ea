"""Wrong answers to `training_loop` that a student writes; exercises.toml says what is wrong with each."""

import contextlib
import io

import jax
import numpy as np


def _checked(log_every):
    if log_every < 1:
        raise ValueError("log_every")


def _loop(step, state, batches, log_every, look):
    """The right loop, and `look` at each loss."""
    _checked(log_every)
    fetched, waiting = [], []
    for batch in batches:
        state, loss = step(state, batch)
        waiting.append(look(loss))
        if len(waiting) == log_every:
            fetched, waiting = fetched + jax.device_get(waiting), []
    return state, np.array(fetched + jax.device_get(waiting), np.float32)


def float_at_each_step(step, state, batches, *, log_every=50):
    return _loop(step, state, batches, log_every, float)


def fetched_at_each_step(step, state, batches, *, log_every=50):
    return _loop(step, state, batches, log_every, jax.device_get)


def waits_for_each_step(step, state, batches, *, log_every=50):
    return _loop(step, state, batches, log_every, jax.block_until_ready)


def waits_for_the_state(step, state, batches, *, log_every=50):
    def step_and_wait(state, batch):
        state, loss = step(state, batch)
        return jax.block_until_ready(state), loss

    return _loop(step_and_wait, state, batches, log_every, lambda loss: loss)


def prints_each_step(step, state, batches, *, log_every=50):
    def look(loss):
        with contextlib.redirect_stdout(io.StringIO()):
            print(f"loss {loss:.3f}")
        return loss

    return _loop(step, state, batches, log_every, look)


def looks_for_the_best(step, state, batches, *, log_every=50):
    best = np.inf

    def look(loss):
        nonlocal best
        best = loss if loss < best else best
        return loss

    return _loop(step, state, batches, log_every, look)


def only_at_the_end(step, state, batches, *, log_every=50):
    _checked(log_every)
    waiting = []
    for batch in batches:
        state, loss = step(state, batch)
        waiting.append(loss)
    return state, np.array(jax.device_get(waiting), np.float32)


def last_ones_lost(step, state, batches, *, log_every=50):
    _checked(log_every)
    fetched, waiting = [], []
    for batch in batches:
        state, loss = step(state, batch)
        waiting.append(loss)
        if len(waiting) == log_every:
            fetched, waiting = fetched + jax.device_get(waiting), []
    return state, np.array(fetched, np.float32)


def every_so_many_only(step, state, batches, *, log_every=50):
    _checked(log_every)
    kept, loss = [], None
    for i, batch in enumerate(batches, 1):
        state, loss = step(state, batch)
        if i % log_every == 0:
            kept.append(float(loss))
    return state, np.array(kept, np.float32)


def fetched_one_by_one(step, state, batches, *, log_every=50):
    _checked(log_every)
    fetched, waiting = [], []
    for batch in batches:
        state, loss = step(state, batch)
        waiting.append(loss)
        if len(waiting) == log_every:
            fetched, waiting = fetched + [float(loss) for loss in waiting], []
    return state, np.array(fetched + [float(loss) for loss in waiting], np.float32)


def all_fetched_again(step, state, batches, *, log_every=50):
    _checked(log_every)
    losses = []
    for i, batch in enumerate(batches, 1):
        state, loss = step(state, batch)
        losses.append(loss)
        if i % log_every == 0:
            jax.device_get(losses)
            jax.device_get(losses)
    return state, np.array(jax.device_get(losses), np.float32)


def a_step_too_early(step, state, batches, *, log_every=50):
    _checked(log_every)
    fetched, waiting = [], []
    for i, batch in enumerate(batches):
        state, loss = step(state, batch)
        waiting.append(loss)
        if i % log_every == 0:
            fetched, waiting = fetched + jax.device_get(waiting), []
    return state, np.array(fetched + jax.device_get(waiting), np.float32)


def all_batches_first(step, state, batches, *, log_every=50):
    return _loop(step, state, list(batches), log_every, lambda loss: loss)


def state_left_behind(step, state, batches, *, log_every=50):
    return state, _loop(lambda _, batch: step(state, batch), state, batches, log_every, lambda loss: loss)[1]


def one_for_none(step, state, batches, *, log_every=50):
    return _loop(step, state, batches, max(log_every, 1), lambda loss: loss)
