"""Wrong answers to `reversal_schedule` that a student writes; exercises.toml says what is wrong with each."""

import math


def never_ramps(progress):
    _checked(progress)
    return 1.0


def straight(progress):
    _checked(progress)
    return progress


def sigmoid_alone(progress):
    _checked(progress)
    return 1 / (1 + math.exp(-10 * progress))


def one_not_taken_off(progress):
    _checked(progress)
    return 2 / (1 + math.exp(-10 * progress))


def falls(progress):
    _checked(progress)
    return 2 / (1 + math.exp(10 * progress)) - 1


def begins_full(progress):
    _checked(progress)
    return 2 / (1 + math.exp(-10 * (1 - progress))) - 1


def ten_forgotten(progress):
    _checked(progress)
    return 2 / (1 + math.exp(-progress)) - 1


def any_progress_accepted(progress):
    return 2 / (1 + math.exp(-10 * progress)) - 1


def _checked(progress):
    if not 0 <= progress <= 1:
        raise ValueError("Progress is a share.")
