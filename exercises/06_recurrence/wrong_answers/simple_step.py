"""Wrong answers to `simple_step` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def tanh_forgotten(h, x, kernel, recurrent_kernel, bias):
    return x @ kernel + h @ recurrent_kernel + bias


def recurrent_transposed(h, x, kernel, recurrent_kernel, bias):
    return jnp.tanh(x @ kernel + h @ recurrent_kernel.T + bias)


def bend_inside(h, x, kernel, recurrent_kernel, bias):
    return jnp.tanh(x @ kernel + bias) + h @ recurrent_kernel


def state_forgotten(h, x, kernel, recurrent_kernel, bias):
    return jnp.tanh(x @ kernel + bias)


def added_to_the_old(h, x, kernel, recurrent_kernel, bias):
    return h + jnp.tanh(x @ kernel + h @ recurrent_kernel + bias)


def sigmoid_for_tanh(h, x, kernel, recurrent_kernel, bias):
    return jax.nn.sigmoid(x @ kernel + h @ recurrent_kernel + bias)
