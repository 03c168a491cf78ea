"""Wrong answers to `distillation_loss` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def _require_shapes(student_logits, teacher_logits):
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(f"scores of one shape, got {student_logits.shape} and {teacher_logits.shape}")


def _require_temperature(temperature):
    if not temperature > 0:
        raise ValueError(f"a temperature above 0, got {temperature}")


def _logs(student_logits, teacher_logits, temperature):
    """log p and log q, after the checks."""
    _require_shapes(student_logits, teacher_logits)
    _require_temperature(temperature)
    return (
        jax.nn.log_softmax(jax.lax.stop_gradient(teacher_logits) / temperature),
        jax.nn.log_softmax(student_logits / temperature),
    )


def _terms(log_p, log_q):
    return jnp.exp(log_p) * (log_p - log_q)


def factor_forgotten(student_logits, teacher_logits, *, temperature):
    return _terms(*_logs(student_logits, teacher_logits, temperature)).sum(-1)


def factor_not_squared(student_logits, teacher_logits, *, temperature):
    return temperature * _terms(*_logs(student_logits, teacher_logits, temperature)).sum(-1)


def turned_round(student_logits, teacher_logits, *, temperature):
    log_p, log_q = _logs(student_logits, teacher_logits, temperature)
    return temperature**2 * _terms(log_q, log_p).sum(-1)


def cross_entropy(student_logits, teacher_logits, *, temperature):
    log_p, log_q = _logs(student_logits, teacher_logits, temperature)
    return -(temperature**2) * (jnp.exp(log_p) * log_q).sum(-1)


def sign_lost(student_logits, teacher_logits, *, temperature):
    log_p, log_q = _logs(student_logits, teacher_logits, temperature)
    return temperature**2 * (jnp.exp(log_p) * (log_q - log_p)).sum(-1)


def student_not_divided(student_logits, teacher_logits, *, temperature):
    log_p, _ = _logs(student_logits, teacher_logits, temperature)
    return temperature**2 * _terms(log_p, jax.nn.log_softmax(student_logits)).sum(-1)


def teacher_not_divided(student_logits, teacher_logits, *, temperature):
    _, log_q = _logs(student_logits, teacher_logits, temperature)
    return temperature**2 * _terms(jax.nn.log_softmax(jax.lax.stop_gradient(teacher_logits)), log_q).sum(-1)


def temperature_multiplied(student_logits, teacher_logits, *, temperature):
    _require_temperature(temperature)
    return temperature**2 * _terms(*_logs(student_logits, teacher_logits, 1 / temperature)).sum(-1)


def mean_over_the_batch(student_logits, teacher_logits, *, temperature):
    return temperature**2 * _terms(*_logs(student_logits, teacher_logits, temperature)).sum(-1).mean()


def mean_over_the_classes(student_logits, teacher_logits, *, temperature):
    return temperature**2 * _terms(*_logs(student_logits, teacher_logits, temperature)).mean(-1)


def teacher_learns_too(student_logits, teacher_logits, *, temperature):
    _logs(student_logits, teacher_logits, temperature)
    log_p, log_q = jax.nn.log_softmax(teacher_logits / temperature), jax.nn.log_softmax(student_logits / temperature)
    return temperature**2 * _terms(log_p, log_q).sum(-1)


def student_stopped(student_logits, teacher_logits, *, temperature):
    return jax.lax.stop_gradient(temperature**2 * _terms(*_logs(student_logits, teacher_logits, temperature)).sum(-1))


def log_of_the_softmax(student_logits, teacher_logits, *, temperature):
    p, q = (jnp.exp(logs) for logs in _logs(student_logits, teacher_logits, temperature))
    return temperature**2 * (p * (jnp.log(p) - jnp.log(q))).sum(-1)


def epsilon_in_the_logarithm(student_logits, teacher_logits, *, temperature):
    p, q = (jnp.exp(logs) for logs in _logs(student_logits, teacher_logits, temperature))
    return temperature**2 * (p * (jnp.log(p + 1e-9) - jnp.log(q + 1e-9))).sum(-1)


def scores_for_logarithms(student_logits, teacher_logits, *, temperature):
    log_p, _ = _logs(student_logits, teacher_logits, temperature)
    difference = (jax.lax.stop_gradient(teacher_logits) - student_logits) / temperature
    return temperature**2 * (jnp.exp(log_p) * difference).sum(-1)


def squared_differences(student_logits, teacher_logits, *, temperature):
    _logs(student_logits, teacher_logits, temperature)
    return ((student_logits - jax.lax.stop_gradient(teacher_logits)) ** 2).sum(-1) / 2


def teachers_best_guess(student_logits, teacher_logits, *, temperature):
    _, log_q = _logs(student_logits, teacher_logits, temperature)
    best = jax.nn.one_hot(teacher_logits.argmax(-1), teacher_logits.shape[-1])
    return -(temperature**2) * (best * log_q).sum(-1)


def in_bits(student_logits, teacher_logits, *, temperature):
    return temperature**2 * _terms(*_logs(student_logits, teacher_logits, temperature)).sum(-1) / jnp.log(2)


def any_shapes(student_logits, teacher_logits, *, temperature):
    student_logits, teacher_logits = jnp.broadcast_arrays(student_logits, teacher_logits)
    return temperature**2 * _terms(*_logs(student_logits, teacher_logits, temperature)).sum(-1)


def any_temperature(student_logits, teacher_logits, *, temperature):
    _require_shapes(student_logits, teacher_logits)
    log_p = jax.nn.log_softmax(jax.lax.stop_gradient(teacher_logits) / temperature)
    return temperature**2 * _terms(log_p, jax.nn.log_softmax(student_logits / temperature)).sum(-1)
