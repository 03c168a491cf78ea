"""Wrong answers to `adamw_step` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def _means(gradient, mean, mean_square, b1, b2):
    return b1 * mean + (1 - b1) * gradient, b2 * mean_square + (1 - b2) * gradient**2


def no_bias_correction(gradient, parameter, mean, mean_square, step, *, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    mean, mean_square = _means(gradient, mean, mean_square, b1, b2)
    return mean / (jnp.sqrt(mean_square) + eps) + weight_decay * parameter, mean, mean_square


def corrected_means_kept(gradient, parameter, mean, mean_square, step, *, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    mean, mean_square = _means(gradient, mean, mean_square, b1, b2)
    mean, mean_square = mean / (1 - b1**step), mean_square / (1 - b2**step)
    return mean / (jnp.sqrt(mean_square) + eps) + weight_decay * parameter, mean, mean_square


def counted_from_zero(gradient, parameter, mean, mean_square, step, *, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    mean, mean_square = _means(gradient, mean, mean_square, b1, b2)
    step = jnp.asarray(step) - 1
    direction = mean / (1 - b1**step) / (jnp.sqrt(mean_square / (1 - b2**step)) + eps)
    return direction + weight_decay * parameter, mean, mean_square


def epsilon_inside_the_root(gradient, parameter, mean, mean_square, step, *, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    mean, mean_square = _means(gradient, mean, mean_square, b1, b2)
    direction = mean / (1 - b1**step) / jnp.sqrt(mean_square / (1 - b2**step) + eps)
    return direction + weight_decay * parameter, mean, mean_square


def decay_added_to_the_gradient(gradient, parameter, mean, mean_square, step, *, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    mean, mean_square = _means(gradient + weight_decay * parameter, mean, mean_square, b1, b2)
    return mean / (1 - b1**step) / (jnp.sqrt(mean_square / (1 - b2**step)) + eps), mean, mean_square


def decay_forgotten(gradient, parameter, mean, mean_square, step, *, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    mean, mean_square = _means(gradient, mean, mean_square, b1, b2)
    return mean / (1 - b1**step) / (jnp.sqrt(mean_square / (1 - b2**step)) + eps), mean, mean_square


def decay_turned_round(gradient, parameter, mean, mean_square, step, *, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    mean, mean_square = _means(gradient, mean, mean_square, b1, b2)
    direction = mean / (1 - b1**step) / (jnp.sqrt(mean_square / (1 - b2**step)) + eps)
    return direction - weight_decay * parameter, mean, mean_square


def square_of_the_mean(gradient, parameter, mean, mean_square, step, *, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    mean = b1 * mean + (1 - b1) * gradient
    mean_square = mean**2
    direction = mean / (1 - b1**step) / (jnp.sqrt(mean_square) / (1 - b1**step) + eps)
    return direction + weight_decay * parameter, mean, mean_square


def root_forgotten(gradient, parameter, mean, mean_square, step, *, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    mean, mean_square = _means(gradient, mean, mean_square, b1, b2)
    direction = mean / (1 - b1**step) / (mean_square / (1 - b2**step) + eps)
    return direction + weight_decay * parameter, mean, mean_square


def betas_exchanged(gradient, parameter, mean, mean_square, step, *, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-4):
    mean, mean_square = _means(gradient, mean, mean_square, b2, b1)
    direction = mean / (1 - b2**step) / (jnp.sqrt(mean_square / (1 - b1**step)) + eps)
    return direction + weight_decay * parameter, mean, mean_square
