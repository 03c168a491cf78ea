"""What `mask_patches` must do. The keys are fixed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that

KEY = "jax.random.key(0)"
IMAGES = np.random.RandomState(0).uniform(0.5, 1, (40, 8, 8, 2)).astype(np.float32)
WITH = "40 pictures of 8×8 pixels and 2 channels, all above 0"


@pytest.fixture(scope="module")
def mask_patches(answer):
    def call(images, *, patch, share, seed=0):
        return answer(jnp.asarray(images), jax.random.key(seed), patch=patch, share=share)

    return call


def called(patch, share, seed=0):
    return f"mask_patches(images, jax.random.key({seed}), patch={patch}, share={share}) with {WITH}"


def pair(mask_patches, patch, share, seed=0):
    """The pictures with holes and the mask, once they have the right form."""
    returned, call = mask_patches(IMAGES, patch=patch, share=share, seed=seed), called(patch, share, seed)
    is_pair = isinstance(returned, tuple) and len(returned) == 2
    expect_that(is_pair, call, type(returned).__name__, "the pictures and the mask", "the loss has to know where the holes are")
    holed, mask = map(np.asarray, returned)
    form = (holed.shape, mask.shape, str(mask.dtype))
    expected = (IMAGES.shape, IMAGES.shape, "bool")
    expect_that(
        form == expected, f"shapes and type of {call}", form, str(expected), "the mask says of each number whether it is hidden"
    )
    return holed, mask


def grid(mask, patch):
    """(pictures, patches, numbers of a patch)"""
    side = 8 // patch
    return mask.reshape(40, side, patch, side, patch, 2).transpose(0, 1, 3, 2, 4, 5).reshape(40, side**2, -1)


@pytest.mark.parametrize(("patch", "share", "holes"), [(2, 0.5, 8), (4, 0.25, 1), (1, 0.3, 19), (2, 0.75, 12)])
def test_each_picture_loses_as_many_patches_as_the_share_says(mask_patches, patch, share, holes):
    _, mask = pair(mask_patches, patch, share)
    counts = grid(mask, patch)[..., 0].sum(1)
    because = f"{share} of {(8 // patch) ** 2} patches, rounded, are {holes}: in every picture, not on average"
    expect(counts, np.full(40, holes), f"hidden patches of each picture in {called(patch, share)}", because)


@pytest.mark.parametrize("patch", [2, 4])
def test_a_patch_is_hidden_whole_or_not_at_all(mask_patches, patch):
    _, mask = pair(mask_patches, patch, 0.5)
    parts = grid(mask, patch)
    because = "a pixel alone is guessed from the one beside; a square, with all its channels, is not"
    broken = int((parts.any(2) & ~parts.all(2)).sum())
    expect_that(broken == 0, f"patches hidden in part in {called(patch, 0.5)}", broken, "0", because)


def test_holes_are_0_and_all_else_stays(mask_patches):
    holed, mask = pair(mask_patches, 2, 0.5)
    expect(holed, np.where(mask, 0, IMAGES), called(2, 0.5), "True in the mask is a hole; outside of the holes nothing changes")


def test_each_picture_has_holes_of_its_own(mask_patches):
    _, mask = pair(mask_patches, 2, 0.5)
    different = len({row.tobytes() for row in grid(mask, 2)[..., 0]})
    because = "what is hidden in all pictures alike is never asked to be known from the rest"
    expect_that(different > 30, f"different masks in {called(2, 0.5)}", different, "nearly 40", because)


def test_every_place_gets_its_turn(mask_patches):
    _, mask = pair(mask_patches, 4, 0.5)
    shares = grid(mask, 4)[..., 0].mean(0)
    because = "all patches have the same chance: of 40 pictures about half hide each place, give or take a quarter"
    expect_that(
        (abs(shares - 0.5) < 0.25).all(), f"how often each place is hidden in {called(4, 0.5)}", shares, "about 0.5", because
    )


def test_the_key_decides(mask_patches):
    masks = [pair(mask_patches, 2, 0.5, seed)[1] for seed in (0, 0, 1)]
    expect(masks[1], masks[0], f"{called(2, 0.5)}, a second time", "the same key hides the same")
    same = bool((masks[0] == masks[2]).all())
    expect_that(not same, called(2, 0.5, 1), "the mask of jax.random.key(0)", "another mask", "another key, other holes")


@pytest.mark.parametrize("patch", [3, 16, 0])
def test_patches_fill_the_picture(mask_patches, patch):
    because = "8 pixels are no whole number of such patches: a rim would never be hidden"
    expect_refusal(lambda: mask_patches(IMAGES, patch=patch, share=0.5), called(patch, 0.5), because)


@pytest.mark.parametrize("share", [0.0, 0.05, 1.0, 1.5])
def test_some_patches_are_hidden_and_some_are_not(mask_patches, share):
    because = "of 4 patches that leaves none to guess, or none to guess from"
    expect_refusal(lambda: mask_patches(IMAGES, patch=4, share=share), called(4, share), because)


def test_vectors_are_no_pictures(mask_patches):
    call = f"mask_patches(vectors, {KEY}, patch=2, share=0.5) with vectors of shape (40, 128)"
    because = "in a vector nobody can tell which numbers are beside each other"
    expect_refusal(lambda: mask_patches(IMAGES.reshape(40, -1), patch=2, share=0.5), call, because)
