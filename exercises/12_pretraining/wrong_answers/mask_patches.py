"""Wrong answers to `mask_patches` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def _require(images, patch, share):
    _require_pictures(images)
    _require_patch(images, patch)
    _require_share(images, patch, share)


def _require_pictures(images):
    if images.ndim != 4:
        raise ValueError(f"pictures (examples, height, width, channels), got {images.shape}")


def _require_patch(images, patch):
    if patch < 1 or images.shape[1] % patch or images.shape[2] % patch:
        raise ValueError(f"patches that fill the picture, got {patch}")


def _require_share(images, patch, share):
    if not 0 < _holes(images, patch, share) < _patches(images, patch):
        raise ValueError(f"a share that hides some patches and not all, got {share}")


def _patches(images, patch):
    return (images.shape[1] // patch) * (images.shape[2] // patch)


def _holes(images, patch, share):
    return round(share * _patches(images, patch))


def _ranks(key, count, patches):
    return jax.random.uniform(key, (count, patches)).argsort(axis=1).argsort(axis=1)


def _hidden(images, key, patch, share):
    """(examples, rows, columns) of patches."""
    examples, height, width, _ = images.shape
    hidden = _ranks(key, examples, _patches(images, patch)) < _holes(images, patch, share)
    return hidden.reshape(examples, height // patch, width // patch)


def _applied(images, hidden, patch):
    pixels = jnp.repeat(jnp.repeat(hidden, patch, axis=1), patch, axis=2)
    mask = jnp.broadcast_to(pixels[..., None], images.shape)
    return jnp.where(mask, 0, images), mask


def same_holes_for_all(images, key, *, patch, share):
    _require(images, patch, share)
    hidden = jnp.broadcast_to(
        _hidden(images[:1], key, patch, share), (len(images), *_hidden(images[:1], key, patch, share).shape[1:])
    )
    return _applied(images, hidden, patch)


def a_coin_for_each_patch(images, key, *, patch, share):
    _require(images, patch, share)
    examples, height, width, _ = images.shape
    hidden = jax.random.bernoulli(key, share, (examples, height // patch, width // patch))
    return _applied(images, hidden, patch)


def single_pixels(images, key, *, patch, share):
    _require(images, patch, share)
    return _applied(images, _hidden(images, key, 1, share), 1)


def tiled_in_place_of_repeated(images, key, *, patch, share):
    _require(images, patch, share)
    pixels = jnp.tile(_hidden(images, key, patch, share), (1, patch, patch))
    mask = jnp.broadcast_to(pixels[..., None], images.shape)
    return jnp.where(mask, 0, images), mask


def mask_the_wrong_way_round(images, key, *, patch, share):
    _require(images, patch, share)
    holed, mask = _applied(images, _hidden(images, key, patch, share), patch)
    return holed, ~mask


def share_that_stays(images, key, *, patch, share):
    _require(images, patch, share)
    return _applied(images, ~_hidden(images, key, patch, share), patch)


def holes_of_noise(images, key, *, patch, share):
    _require(images, patch, share)
    _, mask = _applied(images, _hidden(images, key, patch, share), patch)
    return jnp.where(mask, jax.random.uniform(key, images.shape), images), mask


def the_first_patches(images, key, *, patch, share):
    _require(images, patch, share)
    examples, height, width, _ = images.shape
    first = jnp.arange(_patches(images, patch)) < _holes(images, patch, share)
    hidden = jnp.broadcast_to(first.reshape(1, height // patch, width // patch), (examples, height // patch, width // patch))
    return _applied(images, hidden, patch)


def a_key_of_its_own(images, key, *, patch, share):
    _require(images, patch, share)
    return _applied(images, _hidden(images, jax.random.key(0), patch, share), patch)


def mask_of_patches(images, key, *, patch, share):
    _require(images, patch, share)
    hidden = _hidden(images, key, patch, share)
    return _applied(images, hidden, patch)[0], hidden


def mask_without_channels(images, key, *, patch, share):
    _require(images, patch, share)
    holed, mask = _applied(images, _hidden(images, key, patch, share), patch)
    return holed, mask[..., :1]


def pictures_alone(images, key, *, patch, share):
    _require(images, patch, share)
    return _applied(images, _hidden(images, key, patch, share), patch)[0]


def a_rim_is_left(images, key, *, patch, share):
    _require_pictures(images)
    if not 1 <= patch <= images.shape[1]:
        raise ValueError(f"a patch inside the picture, got {patch}")
    _require_share(images, patch, share)
    hidden = _hidden(images, key, patch, share)
    pixels = jnp.repeat(jnp.repeat(hidden, patch, axis=1), patch, axis=2)
    rims = [(0, 0), *((0, images.shape[axis] - pixels.shape[axis]) for axis in (1, 2))]
    mask = jnp.broadcast_to(jnp.pad(pixels, rims)[..., None], images.shape)
    return jnp.where(mask, 0, images), mask


def any_share_accepted(images, key, *, patch, share):
    _require_pictures(images)
    _require_patch(images, patch)
    return _applied(images, _hidden(images, key, patch, share), patch)
