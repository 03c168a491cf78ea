"""Wrong answers to `linear` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def kernel_transposed(x, kernel, bias=None):
    y = x @ kernel.T
    return y if bias is None else y + bias


def bias_forgotten(x, kernel, bias=None):
    return x @ kernel


def bias_twice(x, kernel, bias=None):
    y = x @ kernel
    if bias is not None:
        y = y + bias
    return y if bias is None else y + bias


def bias_per_input(x, kernel, bias=None):
    inputs, _ = kernel.shape
    bias = 0 if bias is None else bias
    return sum(x[..., i : i + 1] * kernel[i] + bias for i in range(inputs))


def batch_flattened(x, kernel, bias=None):
    y = x.reshape(-1, x.shape[-1]) @ kernel
    return y if bias is None else y + bias


def batch_summed(x, kernel, bias=None):
    y = jnp.einsum("...i,io->o", x, kernel)
    return y if bias is None else y + bias
