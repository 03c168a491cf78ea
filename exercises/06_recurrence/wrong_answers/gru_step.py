"""Wrong answers to `gru_step` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp
from jax.nn import sigmoid


def _parts(h, x, kernel, recurrent_kernel, bias):
    return *jnp.split(x @ kernel + bias, 3, axis=-1), *jnp.split(h @ recurrent_kernel, 3, axis=-1)


def update_gate_the_other_way(h, x, kernel, recurrent_kernel, bias):
    x_r, x_z, x_n, h_r, h_z, h_n = _parts(h, x, kernel, recurrent_kernel, bias)
    z = sigmoid(x_z + h_z)
    return z * jnp.tanh(x_n + sigmoid(x_r + h_r) * h_n) + (1 - z) * h


def gates_in_another_order(h, x, kernel, recurrent_kernel, bias):
    x_z, x_r, x_n, h_z, h_r, h_n = _parts(h, x, kernel, recurrent_kernel, bias)
    z = sigmoid(x_z + h_z)
    return (1 - z) * jnp.tanh(x_n + sigmoid(x_r + h_r) * h_n) + z * h


def reset_before_the_matrix(h, x, kernel, recurrent_kernel, bias):
    x_r, x_z, x_n, h_r, h_z, _ = _parts(h, x, kernel, recurrent_kernel, bias)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    _, _, candidate_kernel = jnp.split(recurrent_kernel, 3, axis=-1)
    return (1 - z) * jnp.tanh(x_n + (r * h) @ candidate_kernel) + z * h


def reset_on_the_input_too(h, x, kernel, recurrent_kernel, bias):
    x_r, x_z, x_n, h_r, h_z, h_n = _parts(h, x, kernel, recurrent_kernel, bias)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return (1 - z) * jnp.tanh(r * (x_n + h_n)) + z * h


def reset_forgotten(h, x, kernel, recurrent_kernel, bias):
    _, x_z, x_n, _, h_z, h_n = _parts(h, x, kernel, recurrent_kernel, bias)
    z = sigmoid(x_z + h_z)
    return (1 - z) * jnp.tanh(x_n + h_n) + z * h


def reset_on_the_kept_state(h, x, kernel, recurrent_kernel, bias):
    x_r, x_z, x_n, h_r, h_z, h_n = _parts(h, x, kernel, recurrent_kernel, bias)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    return (1 - z) * jnp.tanh(x_n + r * h_n) + z * (r * h)


def candidate_through_a_sigmoid(h, x, kernel, recurrent_kernel, bias):
    x_r, x_z, x_n, h_r, h_z, h_n = _parts(h, x, kernel, recurrent_kernel, bias)
    z = sigmoid(x_z + h_z)
    return (1 - z) * sigmoid(x_n + sigmoid(x_r + h_r) * h_n) + z * h
