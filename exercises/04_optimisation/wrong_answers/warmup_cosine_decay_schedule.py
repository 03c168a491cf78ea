"""Wrong answers to `warmup_cosine_decay_schedule` that a student writes; exercises.toml says what is wrong with each."""

import math

import jax.numpy as jnp


def _check(warmup_steps, decay_steps):
    if not 1 <= warmup_steps < decay_steps:
        raise ValueError("warmup and decay do not fit")


def _schedule(init_value, peak_value, end_value, warmup_steps, share_of, shape):
    def schedule(step):
        rise = init_value + (peak_value - init_value) * step / warmup_steps
        return jnp.where(step < warmup_steps, rise, end_value + (peak_value - end_value) * shape(share_of(step)))

    return schedule


def _half_cosine(share):
    return 0.5 * (1 + jnp.cos(jnp.pi * share))


def fall_over_all_steps(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0):
    _check(warmup_steps, decay_steps)
    share = lambda step: jnp.clip(step / decay_steps, 0, 1)  # noqa: E731
    return _schedule(init_value, peak_value, end_value, warmup_steps, share, _half_cosine)


def decay_counted_after_the_warmup(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0):
    _check(warmup_steps, decay_steps)
    share = lambda step: jnp.clip((step - warmup_steps) / decay_steps, 0, 1)  # noqa: E731
    return _schedule(init_value, peak_value, end_value, warmup_steps, share, _half_cosine)


def _share(warmup_steps, decay_steps):
    return lambda step: jnp.clip((step - warmup_steps) / (decay_steps - warmup_steps), 0, 1)


def comes_up_again(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0):
    _check(warmup_steps, decay_steps)
    share = lambda step: (step - warmup_steps) / (decay_steps - warmup_steps)  # noqa: E731
    return _schedule(init_value, peak_value, end_value, warmup_steps, share, _half_cosine)


def ends_at_zero(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0):
    _check(warmup_steps, decay_steps)
    return _schedule(init_value, peak_value, 0.0, warmup_steps, _share(warmup_steps, decay_steps), _half_cosine)


def begins_at_zero(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0):
    _check(warmup_steps, decay_steps)
    return _schedule(0.0, peak_value, end_value, warmup_steps, _share(warmup_steps, decay_steps), _half_cosine)


def straight_fall(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0):
    _check(warmup_steps, decay_steps)
    return _schedule(
        init_value, peak_value, end_value, warmup_steps, _share(warmup_steps, decay_steps), lambda share: 1 - share
    )


def whole_cosine(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0):
    _check(warmup_steps, decay_steps)
    shape = lambda share: 0.5 * (1 + jnp.cos(2 * jnp.pi * share))  # noqa: E731
    return _schedule(init_value, peak_value, end_value, warmup_steps, _share(warmup_steps, decay_steps), shape)


def one_step_early(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0):
    _check(warmup_steps, decay_steps)
    early = _schedule(init_value, peak_value, end_value, warmup_steps, _share(warmup_steps, decay_steps), _half_cosine)
    return lambda step: early(step + 1)


def python_if(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0):
    _check(warmup_steps, decay_steps)

    def schedule(step):
        if step < warmup_steps:
            return init_value + (peak_value - init_value) * step / warmup_steps
        share = min((step - warmup_steps) / (decay_steps - warmup_steps), 1)
        return end_value + (peak_value - end_value) * 0.5 * (1 + math.cos(math.pi * share))

    return schedule


def any_lengths(init_value, peak_value, warmup_steps, decay_steps, end_value=0.0):
    warmup_steps = max(warmup_steps, 1)
    decay_steps = max(decay_steps, warmup_steps + 1)
    return _schedule(init_value, peak_value, end_value, warmup_steps, _share(warmup_steps, decay_steps), _half_cosine)
