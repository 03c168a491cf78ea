"""Wrong answers to `project_conflicting` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def _require(gradients):
    if not gradients:
        raise ValueError("at least one gradient")
    if any(jax.tree.structure(gradient) != jax.tree.structure(gradients[0]) for gradient in gradients):
        raise ValueError("gradients of the same parameters")


def _dot(one, other):
    return sum((a * b).sum() for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def _divided(product, length):
    return jnp.where(length > 0, product / jnp.where(length > 0, length, 1), 0)


def _against(one, other):
    """How much of `one` points against `other`: at most 0."""
    return _divided(jnp.minimum(_dot(one, other), 0), _dot(other, other))


def _less(one, share, other):
    return jax.tree.map(lambda a, b: a - share * b, one, other)


def _added(gradients):
    return jax.tree.map(lambda *parts: sum(parts), *gradients)


def _projected(gradients, share=_against):
    """Each gradient rid of its share of each other one, in their order."""
    _require(gradients)
    done = []
    for i, one in enumerate(gradients):
        for j, other in enumerate(gradients):
            if i != j:
                one = _less(one, share(one, other), other)
        done.append(one)
    return done


def averaged(gradients):
    return jax.tree.map(lambda leaf: leaf / len(gradients), _added(_projected(gradients)))


def only_added(gradients):
    _require(gradients)
    return _added(gradients)


def not_added(gradients):
    return _projected(gradients)


def first_one_only(gradients):
    return _projected(gradients)[0]


def always_projected(gradients):
    return _added(_projected(gradients, lambda one, other: _divided(_dot(one, other), _dot(other, other))))


def agreement_taken_off(gradients):
    return _added(_projected(gradients, lambda one, other: _divided(jnp.maximum(_dot(one, other), 0), _dot(other, other))))


def sign_turned(gradients):
    return _added(_projected(gradients, lambda one, other: -_against(one, other)))


def reflected(gradients):
    return _added(_projected(gradients, lambda one, other: 2 * _against(one, other)))


def not_divided(gradients):
    return _added(_projected(gradients, lambda one, other: jnp.minimum(_dot(one, other), 0)))


def divided_by_the_length(gradients):
    return _added(
        _projected(gradients, lambda one, other: _divided(jnp.minimum(_dot(one, other), 0), jnp.sqrt(_dot(other, other))))
    )


def divided_by_its_own_length(gradients):
    return _added(_projected(gradients, lambda one, other: _divided(jnp.minimum(_dot(one, other), 0), _dot(one, one))))


def cosine_for_the_share(gradients):
    def share(one, other):
        return _divided(jnp.minimum(_dot(one, other), 0), jnp.sqrt(_dot(one, one)) * jnp.sqrt(_dot(other, other)))

    return _added(_projected(gradients, share))


def zero_divides(gradients):
    return _added(_projected(gradients, lambda one, other: jnp.minimum(_dot(one, other), 0) / _dot(other, other)))


def itself_projected(gradients):
    _require(gradients)
    done = []
    for one in gradients:
        for other in gradients:
            one = _less(one, _divided(_dot(one, other), _dot(other, other)), other)
        done.append(one)
    return _added(done)


def against_what_is_left(gradients):
    _require(gradients)
    gradients = list(gradients)
    for i in range(len(gradients)):
        for j in range(len(gradients)):
            if i != j:
                gradients[i] = _less(gradients[i], _against(gradients[i], gradients[j]), gradients[j])
    return _added(gradients)


def input_overwritten(gradients):
    done = _projected(gradients)
    if isinstance(gradients, list):
        gradients[:] = done
    return _added(done)


def against_later_ones_only(gradients):
    _require(gradients)
    done = []
    for i, one in enumerate(gradients):
        for other in gradients[i + 1 :]:
            one = _less(one, _against(one, other), other)
        done.append(one)
    return _added(done)


def against_the_sum_of_the_others(gradients):
    _require(gradients)
    if len(gradients) == 1:
        return gradients[0]
    done = []
    for i, one in enumerate(gradients):
        others = _added([other for j, other in enumerate(gradients) if j != i])
        done.append(_less(one, _against(one, others), others))
    return _added(done)


def all_at_once(gradients):
    _require(gradients)
    done = []
    for i, one in enumerate(gradients):
        left = one
        for j, other in enumerate(gradients):
            if i != j:
                left = _less(left, _against(one, other), other)
        done.append(left)
    return _added(done)


def conflicts_decided_beforehand(gradients):
    _require(gradients)
    done = []
    for i, one in enumerate(gradients):
        left = one
        for j, other in enumerate(gradients):
            if i != j:
                share = _divided(_dot(left, other), _dot(other, other))
                left = _less(left, jnp.where(_dot(one, other) < 0, share, 0), other)
        done.append(left)
    return _added(done)


def others_backwards(gradients):
    _require(gradients)
    done = []
    for i, one in enumerate(gradients):
        for j in reversed(range(len(gradients))):
            if i != j:
                one = _less(one, _against(one, gradients[j]), gradients[j])
        done.append(one)
    return _added(done)


def conflicting_ones_dropped(gradients):
    _require(gradients)
    done = []
    for i, one in enumerate(gradients):
        peaceful = jnp.array([_dot(one, other) >= 0 for j, other in enumerate(gradients) if j != i]).all()
        done.append(jax.tree.map(lambda leaf, keep=peaceful: jnp.where(keep, leaf, 0), one))
    return _added(done)


def array_by_array(gradients):
    _require(gradients)
    return jax.tree.map(lambda *leaves: _added(_projected(leaves)), *gradients)


def number_by_number(gradients):
    _require(gradients)

    def kept(*leaves):
        total = sum(leaves)
        return sum(jnp.where(leaf * total < 0, 0, leaf) for leaf in leaves)

    return jax.tree.map(kept, *gradients)


def made_of_length_1(gradients):
    _require(gradients)
    lengths = [jnp.sqrt(_dot(gradient, gradient)) for gradient in gradients]
    alike = [
        jax.tree.map(lambda leaf, length=length: _divided(leaf, length), gradient)
        for gradient, length in zip(gradients, lengths, strict=True)
    ]
    return _added(_projected(alike))


def made_flat(gradients):
    leaves = [jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(gradient)]) for gradient in gradients]
    _require(gradients)
    return _added(_projected(leaves))


def none_is_zero(gradients):
    return _added(_projected(gradients)) if gradients else jnp.zeros(())


def any_trees(gradients):
    if not gradients:
        raise ValueError("at least one gradient")
    structure = jax.tree.structure(gradients[0])
    leaves = [jax.tree.leaves(gradient) for gradient in gradients]
    shortest = min(map(len, leaves))
    return jax.tree.unflatten(structure, _added(_projected([part[:shortest] for part in leaves])) + leaves[0][shortest:])
