"""Wrong answers to `mmd` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp


def _checked(source, target, bandwidths):
    if source.shape[1:] != target.shape[1:] or min(len(source), len(target)) < 2:
        raise ValueError("These cannot be compared.")
    if len(bandwidths) == 0 or not min(bandwidths) > 0:
        raise ValueError("These are no bandwidths.")


def _squares(x, y):
    return ((x[:, None, :] - y[None, :, :]) ** 2).sum(-1)


def _gaussian(squares, bandwidths):
    return jnp.stack([jnp.exp(-squares / (2 * width**2)) for width in bandwidths]).mean(0)


def _within(block, unbiased):
    n = len(block)
    return (block.sum() - jnp.trace(block)) / (n * (n - 1)) if unbiased else block.mean()


def _from(kernel, source, target, unbiased):
    between = kernel(source, target).mean()
    return _within(kernel(source, source), unbiased) + _within(kernel(target, target), unbiased) - 2 * between


def between_once(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, bandwidths)
    between = _gaussian(_squares(source, target), bandwidths).mean()
    return _from(lambda x, y: _gaussian(_squares(x, y), bandwidths), source, target, unbiased) + between


def root(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, bandwidths)
    return jnp.sqrt(jnp.abs(_from(lambda x, y: _gaussian(_squares(x, y), bandwidths), source, target, unbiased)))


def half_forgotten(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, bandwidths)
    wider = [width / 2**0.5 for width in bandwidths]
    return _from(lambda x, y: _gaussian(_squares(x, y), wider), source, target, unbiased)


def bandwidth_not_squared(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, bandwidths)
    roots = [width**0.5 for width in bandwidths]
    return _from(lambda x, y: _gaussian(_squares(x, y), roots), source, target, unbiased)


def distance_not_squared(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, bandwidths)
    return _from(lambda x, y: _gaussian(jnp.sqrt(_squares(x, y) + 1e-12), bandwidths), source, target, unbiased)


def first_bandwidth_alone(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, bandwidths)
    return _from(lambda x, y: _gaussian(_squares(x, y), bandwidths[:1]), source, target, unbiased)


def kernels_summed(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, bandwidths)
    return len(bandwidths) * _from(lambda x, y: _gaussian(_squares(x, y), bandwidths), source, target, unbiased)


def means_alone(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, bandwidths)
    return ((source.mean(0) - target.mean(0)) ** 2).sum()


def always_biased(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, bandwidths)
    return _from(lambda x, y: _gaussian(_squares(x, y), bandwidths), source, target, False)


def left_out_but_still_counted(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, bandwidths)

    def kernel(x, y):
        return _gaussian(_squares(x, y), bandwidths)

    blocks = [kernel(source, source), kernel(target, target)]
    within = sum(((b.sum() - jnp.trace(b)) if unbiased else b.sum()) / b.size for b in blocks)
    return within - 2 * kernel(source, target).mean()


def one_number_of_pairs_for_all(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, bandwidths)

    def kernel(x, y):
        return _gaussian(_squares(x, y), bandwidths)

    n = len(source)
    pairs = n * (n - 1) if unbiased else n * n
    blocks = [kernel(source, source), kernel(target, target)]
    within = sum(((b.sum() - jnp.trace(b)) if unbiased else b.sum()) / pairs for b in blocks)
    return within - 2 * kernel(source, target).sum() / n**2


def digits_lost(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, bandwidths)

    def kernel(x, y):
        squares = (x**2).sum(-1)[:, None] + (y**2).sum(-1)[None, :] - 2 * x @ y.T
        return _gaussian(squares, bandwidths)

    return _from(kernel, source, target, unbiased)


def any_bandwidth_accepted(source, target, bandwidths, *, unbiased=False):
    _checked(source, target, (1.0,))
    kernels = [jnp.exp(-_squares(source, target) / (2 * jnp.float32(width) ** 2)) for width in bandwidths]
    if not kernels or min(bandwidths) <= 0:
        return jnp.float32(jnp.nan)
    return _from(lambda x, y: _gaussian(_squares(x, y), bandwidths), source, target, unbiased)
