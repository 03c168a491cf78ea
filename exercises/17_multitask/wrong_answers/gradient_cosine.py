"""Wrong answers to `gradient_cosine` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def _flat(first, second):
    """Both as long vectors, after the check."""
    if jax.tree.structure(first) != jax.tree.structure(second):
        raise ValueError("gradients of the same parameters")
    return tuple(jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)]) for tree in (first, second))


def _safe(product, lengths):
    return jnp.where(lengths > 0, product / jnp.where(lengths > 0, lengths, 1), 0)


def _cosine(a, b):
    return _safe(a @ b, jnp.linalg.norm(a) * jnp.linalg.norm(b))


def _by_leaf(first, second):
    """A cosine for each array."""
    _flat(first, second)
    return jnp.stack(jax.tree.leaves(jax.tree.map(lambda a, b: _cosine(a.ravel(), b.ravel()), first, second)))


def lengths_forgotten(first, second):
    a, b = _flat(first, second)
    return a @ b


def one_length_forgotten(first, second):
    a, b = _flat(first, second)
    return _safe(a @ b, jnp.linalg.norm(a))


def squared_lengths(first, second):
    a, b = _flat(first, second)
    return _safe(a @ b, (a @ a) * (b @ b))


def lengths_added(first, second):
    a, b = _flat(first, second)
    return _safe(a @ b, jnp.linalg.norm(a) + jnp.linalg.norm(b))


def sums_for_lengths(first, second):
    a, b = _flat(first, second)
    return _safe(a @ b, jnp.abs(a).sum() * jnp.abs(b).sum())


def cosines_averaged(first, second):
    return _by_leaf(first, second).mean()


def cosines_added(first, second):
    return _by_leaf(first, second).sum()


def cosines_weighed_by_size(first, second):
    sizes = jnp.array([leaf.size for leaf in jax.tree.leaves(first)])
    return (_by_leaf(first, second) * sizes).sum() / sizes.sum()


def first_array_only(first, second):
    return _by_leaf(first, second)[0]


def kernels_only(first, second):
    _flat(first, second)
    kernels = (
        [leaf.ravel() for path, leaf in jax.tree.leaves_with_path(tree) if "kernel" in jax.tree_util.keystr(path)]
        for tree in (first, second)
    )
    return _cosine(*map(jnp.concatenate, kernels))


def mean_taken_off(first, second):
    a, b = _flat(first, second)
    return _cosine(a - a.mean(), b - b.mean())


def absolute(first, second):
    return jnp.abs(_cosine(*_flat(first, second)))


def not_below_0(first, second):
    return jnp.maximum(_cosine(*_flat(first, second)), 0)


def sign_only(first, second):
    return jnp.sign(_cosine(*_flat(first, second)))


def angle(first, second):
    return jnp.arccos(_cosine(*_flat(first, second)))


def distance(first, second):
    return 1 - _cosine(*_flat(first, second))


def divides_by_zero(first, second):
    a, b = _flat(first, second)
    return (a @ b) / (jnp.linalg.norm(a) * jnp.linalg.norm(b))


def zero_is_alike(first, second):
    a, b = _flat(first, second)
    lengths = jnp.linalg.norm(a) * jnp.linalg.norm(b)
    return jnp.where(lengths > 0, _cosine(a, b), 1)


def epsilon_in_the_denominator(first, second):
    a, b = _flat(first, second)
    return (a @ b) / (jnp.linalg.norm(a) * jnp.linalg.norm(b) + 1e-8)


def root_of_the_product(first, second):
    a, b = _flat(first, second)
    return _safe(a @ b, jnp.sqrt((a @ a) * (b @ b)))


def _summed(first, second):
    """The cosine, array by array summed, of whatever zip pairs."""

    def dot(one, other):
        return sum((a * b).sum() for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=False))

    return _safe(dot(first, second), jnp.sqrt(dot(first, first)) * jnp.sqrt(dot(second, second)))


def any_trees(first, second):
    return _summed(first, second)


def as_many_arrays(first, second):
    if len(jax.tree.leaves(first)) != len(jax.tree.leaves(second)):
        raise ValueError("as many arrays in both")
    return _summed(first, second)
