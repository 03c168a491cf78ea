"""Pictures alone: partners are found, nobody is told what lies in the holes, and a body learns from both."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.data import Dataset
from nn.models import MLP, MLPConfig
from transfer.pretraining import (
    NumberedBatches,
    Reconstruction,
    as_pictures,
    augment,
    mask_patches,
    nt_xent,
    pretrain_contrastive,
    pretrain_denoising,
    reconstruction_loss,
)

KEY = jax.random.key(3)


def pictures(count=3, height=8, width=8, channels=1):
    return jnp.asarray(np.random.default_rng(0).uniform(0.5, 1, (count, height, width, channels)).astype(np.float32))


def views(pairs=4, width=3):
    random = np.random.default_rng(1)
    return tuple(jnp.asarray(random.normal(size=(pairs, width)).astype(np.float32)) for _ in range(2))


def test_nt_xent_is_what_a_loop_over_all_views_gives():
    first, second = views()
    z = np.concatenate([first, second]).astype(np.float64)
    losses = []
    for i in range(8):
        cosines = [z[i] @ z[k] / np.linalg.norm(z[i]) / np.linalg.norm(z[k]) for k in range(8)]
        others = sum(np.exp(cosines[k] / 0.3) for k in range(8) if k != i)
        losses.append(-np.log(np.exp(cosines[(i + 4) % 8] / 0.3) / others))
    np.testing.assert_allclose(nt_xent(first, second, 0.3), np.mean(losses), rtol=1e-5)


def test_nt_xent_knows_neither_lengths_nor_which_view_is_which_and_is_chance_where_all_are_alike():
    first, second = views()
    lengths = jnp.array([[0.1], [1.0], [7.0], [100.0]])
    loss = nt_xent(first, second)
    np.testing.assert_allclose(nt_xent(lengths * first, second), loss, rtol=1e-5)
    np.testing.assert_allclose(nt_xent(second, first), loss, rtol=1e-5)
    same = jnp.ones((4, 3))
    np.testing.assert_allclose(nt_xent(same, same), np.log(7), rtol=1e-6)
    # Partners alike, all others opposite or across: the colder, the nearer to 0.
    apart = jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert nt_xent(apart, apart, 0.05) < 1e-6


def test_the_slope_of_nt_xent_pulls_partners_together():
    first, second = views()

    def alikeness(first, second):
        z = [np.asarray(v) / np.linalg.norm(v, axis=1, keepdims=True) for v in (first, second)]
        return (z[0] * z[1]).sum(1).mean()

    slopes = jax.jit(jax.grad(nt_xent, argnums=(0, 1)))(first, second)
    lower = [v - 0.3 * slope for v, slope in zip((first, second), slopes, strict=True)]
    assert alikeness(*lower) > alikeness(first, second) + 0.05


def test_a_view_is_decided_by_its_key_and_each_picture_gets_its_own():
    images = jnp.stack([pictures(1, 6, 4, 3)[0]] * 2)
    view, again, other = jax.jit(lambda a, b: (augment(images, a), augment(images, a), augment(images, b)))(
        KEY, jax.random.key(4)
    )
    assert view.shape == images.shape and view.dtype == images.dtype
    np.testing.assert_array_equal(again, view)
    assert not np.allclose(other, view) and not np.allclose(view[0], view[1])


def test_a_view_without_changes_is_the_picture_and_one_that_is_only_moved_is_all_there():
    images = pictures()
    dot = jnp.zeros((5, 9, 9, 1)).at[:, 4, 4].set(1.0)
    still = {"shift": 0.0, "scale": 0.0, "turn": 0.0, "noise": 0.0}

    @jax.jit
    def views(key):
        changes = ({"shift": 2.0}, {"turn": 3.0}, {"scale": 0.5})
        return augment(images, key, **still), [augment(dot, key, **{**still, **change}) for change in changes]

    same, (moved, turned, stretched) = views(KEY)
    np.testing.assert_allclose(same, images, atol=1e-6)
    # A dot that stays inside: between pixels it is shared out, and nothing is lost; its middle has moved by at most 2.
    moved = np.asarray(moved)[..., 0]
    np.testing.assert_allclose(moved.sum((1, 2)), 1, rtol=1e-5)
    middles = np.stack([(moved * np.arange(9)[:, None]).sum((1, 2)), (moved * np.arange(9)).sum((1, 2))], 1)
    assert (abs(middles - 4) <= 2).all() and (abs(middles - 4).max(0) > 0.5).all()
    # Turned or stretched, the middle stays where it is.
    np.testing.assert_allclose(turned[:, 4, 4], 1, atol=1e-5)
    np.testing.assert_allclose(stretched[:, 4, 4], 1, atol=1e-5)


@pytest.mark.parametrize(("patch", "share", "holes"), [(1, 0.3, 19), (2, 0.5, 8), (4, 0.25, 1)])
def test_holes_are_whole_patches_and_cover_the_share_asked_for(patch, share, holes):
    images = pictures(16, channels=2)
    hide = jax.jit(partial(mask_patches, patch=patch, share=share))
    masked, mask = hide(images, KEY)
    np.testing.assert_array_equal(masked, np.where(mask, 0, images))
    side = 8 // patch
    blocks = np.asarray(mask).reshape(16, side, patch, side, patch, 2).transpose(0, 1, 3, 2, 4, 5).reshape(16, side**2, -1)
    assert (blocks.all(2) == blocks.any(2)).all()
    assert (blocks.all(2).sum(1) == holes).all()
    assert len({row.tobytes() for row in blocks.all(2)}) > 1  # each picture has its own
    assert blocks.any((0, 2)).all()  # every place gets its turn
    np.testing.assert_array_equal(hide(images, KEY)[1], mask)


def test_what_is_not_hidden_has_no_part_in_a_loss_of_holes():
    images, mask = pictures(), jnp.asarray(np.random.default_rng(2).random((3, 8, 8, 1)) < 0.5)
    rebuilt = images + 0.5
    slope = np.asarray(jax.jit(jax.grad(reconstruction_loss))(rebuilt, images, mask))
    assert (slope[~mask] == 0).all() and (slope[mask] > 0).all()
    np.testing.assert_allclose(reconstruction_loss(rebuilt, images, mask), 0.25, rtol=1e-5)
    off_outside = jnp.where(mask, images, images + 9)
    assert reconstruction_loss(off_outside, images, mask) == 0 < reconstruction_loss(off_outside, images)


def test_the_network_never_sees_what_it_has_to_guess():
    """A stand-in for a network that returns what it is given: in the holes, nothing."""
    images, loss = pictures(), Reconstruction(patch=2, share=0.5, holes_only=True)

    @jax.jit
    def losses(seed, step):
        batch = {"image": images, "seed": seed, "step": step}
        return loss(lambda x: x, batch), loss(jnp.zeros_like, batch)

    copied, nothing = losses(np.uint32(5), np.uint32(7))
    np.testing.assert_allclose(copied, nothing, rtol=1e-5)
    assert nothing > 0.25
    assert len({float(losses(np.uint32(seed), np.uint32(step))[0]) for seed, step in ((5, 7), (5, 8), (6, 7))}) == 3


def test_batches_that_begin_later_go_on_with_the_same_numbers():
    data = Dataset.from_arrays({"image": np.arange(10)}).batches(3, seed=0)
    whole = [next_batch for _, next_batch in zip(range(5), NumberedBatches(data, 4), strict=False)]
    later = next(iter(NumberedBatches(data, 4).from_step(4)))
    np.testing.assert_equal(whole[4], later)
    assert [int(batch["step"]) for batch in whole] == [0, 1, 2, 3, 4] and later["seed"] == 4
    assert NumberedBatches(data, 4).settings != NumberedBatches(data, 5).settings


def body():
    return MLP(MLPConfig(in_features=64, hidden=(12, 8), out_features=5), rngs=nnx.Rngs(0))


def numbers(model):
    return {".".join(map(str, path)): np.array(value[...]) for path, value in nnx.to_flat_state(nnx.state(model, nnx.Param))}


@pytest.mark.parametrize("pretrain", [pretrain_contrastive, pretrain_denoising])
def test_pretraining_trains_the_features_alone_and_its_seed_decides_them(pretrain):
    images = np.asarray(pictures(40)).reshape(40, 64)
    models = [body() for _ in range(3)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        pretrain(model, images, steps=5, seed=seed, batch_size=16)
    before, (one, again, other) = numbers(body()), map(numbers, models)
    np.testing.assert_equal(one, again)
    moved = {name for name in before if not np.array_equal(before[name], one[name])}
    assert moved == {name for name in before if name.startswith("hidden")}
    assert any(not np.array_equal(one[name], other[name]) for name in moved)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nt_xent(jnp.ones((1, 2)), jnp.ones((1, 2))), "at least two pictures"),
        (lambda: nt_xent(*views(), 0.0), "temperature above 0, got 0.0"),
        (lambda: augment(pictures(), KEY, scale=-0.1), "at least 0, got .*scale=-0.1"),
        (lambda: mask_patches(pictures(), KEY, patch=3, share=0.5), "fill 8×8 pixels, got a side of 3"),
        (lambda: mask_patches(pictures(), KEY, patch=0, share=0.5), "got a side of 0"),
        (lambda: mask_patches(pictures(), KEY, patch=4, share=0.1), "some of 4 patches, not all, got 0.1"),
        (lambda: mask_patches(pictures(), KEY, patch=4, share=1.0), "some of 4 patches, not all, got 1.0"),
        (lambda: as_pictures(jnp.ones((3, 10))), r"square pictures as vectors, got \(3, 10\)"),
    ],
)
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: augment(jnp.ones((3, 64)), KEY), r"augment expects images .*got shape \(3, 64\)"),
        (lambda: mask_patches(jnp.ones((3, 64)), KEY, patch=1, share=0.5), r"mask_patches expects images .*shape \(3, 64\)"),
        (lambda: nt_xent(jnp.ones((3, 2)), jnp.ones((2, 2))), r"one shape, got \(3, 2\) and \(2, 2\)"),
        (lambda: reconstruction_loss(jnp.ones(3), jnp.ones((3, 1))), r"one shape, got \(3,\) and \(3, 1\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(without_type_checks, call, message):
    with pytest.raises(ValueError, match=message):
        call()
