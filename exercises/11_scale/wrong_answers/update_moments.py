"""Wrong answers to `update_moments` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp

_seen = []
_memory = {}


def kept_in_a_list(moments, x):
    _seen.extend(x)
    everything = jnp.stack(_seen)
    return jnp.array(len(_seen)), everything.mean(0), len(_seen) * everything.var(0)


def kept_in_a_global(moments, x):
    count, mean, squares = _memory.get(x.shape[1:], moments) if moments[0] is not None else moments
    total, share = count + x.shape[0], x.shape[0] / (count + x.shape[0])
    difference = x.mean(0) - mean
    result = total, mean + share * difference, squares + x.shape[0] * x.var(0) + count * share * difference**2
    _memory[x.shape[1:]] = result
    return result


def asks_whether_it_is_the_first(moments, x):
    count, mean, squares = moments
    if count == 0:
        return count + x.shape[0], x.mean(0), x.shape[0] * x.var(0)
    share, difference = x.shape[0] / (count + x.shape[0]), x.mean(0) - mean
    return count + x.shape[0], mean + share * difference, squares + x.shape[0] * x.var(0) + count * share * difference**2


def takes_the_count_out(moments, x):
    count, mean, squares = int(moments[0]), moments[1], moments[2]
    share, difference = x.shape[0] / (count + x.shape[0]), x.mean(0) - mean
    squares = squares + x.shape[0] * x.var(0) + count * share * difference**2
    return jnp.array(count + x.shape[0]), mean + share * difference, squares


def mean_of_the_two_means(moments, x):
    count, mean, squares = moments
    share, difference = jnp.where(count == 0, 1.0, 0.5), x.mean(0) - mean
    return count + x.shape[0], mean + share * difference, squares + x.shape[0] * x.var(0) + count * share * difference**2


def squares_only_added(moments, x):
    count, mean, squares = moments
    total = count + x.shape[0]
    return total, mean + x.shape[0] / total * (x.mean(0) - mean), squares + x.shape[0] * x.var(0)


def variance_returned(moments, x):
    count, mean, squares = moments
    total = count + x.shape[0]
    share, difference = x.shape[0] / total, x.mean(0) - mean
    return total, mean + share * difference, (squares + x.shape[0] * x.var(0) + count * share * difference**2) / total


def batches_counted(moments, x):
    count, mean, squares = moments
    share, difference = 1 / (count + 1), x.mean(0) - mean
    return count + 1, mean + share * difference, squares + x.shape[0] * x.var(0) + count * share * difference**2


def sums_of_squares(moments, x):
    count, mean, squares = moments
    total = count + x.shape[0]
    summed, squared = count * mean + x.sum(0), squares + count * mean**2 + (x**2).sum(0)
    return total, summed / total, squared - summed**2 / total


def features_pooled(moments, x):
    count, mean, squares = moments
    total = count + x.shape[0]
    share, difference = x.shape[0] / total, x.mean() - mean
    return total, mean + share * difference, squares + x.shape[0] * x.var() + count * share * difference**2


def count_as_a_float(moments, x):
    count, mean, squares = moments
    total = count + float(x.shape[0])
    share, difference = x.shape[0] / total, x.mean(0) - mean
    return total, mean + share * difference, squares + x.shape[0] * x.var(0) + count * share * difference**2


def new_mean_for_the_old(moments, x):
    count, mean, squares = moments
    total = count + x.shape[0]
    mean = mean + x.shape[0] / total * (x.mean(0) - mean)
    return total, mean, squares + x.shape[0] * x.var(0) + count * x.shape[0] / total * (x.mean(0) - mean) ** 2
