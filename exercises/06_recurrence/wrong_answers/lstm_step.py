"""Wrong answers to `lstm_step` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp
from jax.nn import sigmoid


def _four(h, x, kernel, recurrent_kernel, bias):
    return jnp.split(x @ kernel + h @ recurrent_kernel + bias, 4, axis=-1)


def gates_in_another_order(carry, x, kernel, recurrent_kernel, bias):
    c, h = carry
    i, f, o, g = _four(h, x, kernel, recurrent_kernel, bias)
    c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
    return c, sigmoid(o) * jnp.tanh(c)


def forget_and_input_swapped(carry, x, kernel, recurrent_kernel, bias):
    c, h = carry
    i, f, g, o = _four(h, x, kernel, recurrent_kernel, bias)
    c = sigmoid(i) * c + sigmoid(f) * jnp.tanh(g)
    return c, sigmoid(o) * jnp.tanh(c)


def forget_gate_on_the_candidate(carry, x, kernel, recurrent_kernel, bias):
    c, h = carry
    i, f, g, o = _four(h, x, kernel, recurrent_kernel, bias)
    c = sigmoid(f) * (c + sigmoid(i) * jnp.tanh(g))
    return c, sigmoid(o) * jnp.tanh(c)


def tanh_forgotten_on_the_output(carry, x, kernel, recurrent_kernel, bias):
    c, h = carry
    i, f, g, o = _four(h, x, kernel, recurrent_kernel, bias)
    c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
    return c, sigmoid(o) * c


def shows_the_old_cell(carry, x, kernel, recurrent_kernel, bias):
    c, h = carry
    i, f, g, o = _four(h, x, kernel, recurrent_kernel, bias)
    return sigmoid(f) * c + sigmoid(i) * jnp.tanh(g), sigmoid(o) * jnp.tanh(c)


def candidate_through_a_sigmoid(carry, x, kernel, recurrent_kernel, bias):
    c, h = carry
    i, f, g, o = _four(h, x, kernel, recurrent_kernel, bias)
    c = sigmoid(f) * c + sigmoid(i) * sigmoid(g)
    return c, sigmoid(o) * jnp.tanh(c)


def returned_the_wrong_way_round(carry, x, kernel, recurrent_kernel, bias):
    c, h = carry
    i, f, g, o = _four(h, x, kernel, recurrent_kernel, bias)
    c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
    return sigmoid(o) * jnp.tanh(c), c


def cell_into_the_gates(carry, x, kernel, recurrent_kernel, bias):
    c, _ = carry
    i, f, g, o = _four(c, x, kernel, recurrent_kernel, bias)
    c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
    return c, sigmoid(o) * jnp.tanh(c)
