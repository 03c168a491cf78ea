"""What `global_avg_pool` must do."""

import jax.numpy as jnp
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal

IMAGES = np.random.default_rng(0).integers(-9, 10, (2, 3, 4, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def global_avg_pool(answer):
    return answer


def test_it_is_the_mean_of_each_feature_over_the_image(global_avg_pool):
    x = jnp.array([[[1.0, 10], [2, 20]], [[3, 30], [6, 60]]])
    call = "global_avg_pool(x) with x of 2 × 2 pixels: [[[1, 10], [2, 20]], [[3, 30], [6, 60]]]"
    expect(global_avg_pool(x), [3, 30], call, "the first feature is 1, 2, 3 and 6, the second ten times as much")


def test_each_image_of_a_batch_is_pooled_alone(global_avg_pool):
    call = "global_avg_pool(x) with x.shape = (2, 3, 4, 5)"
    expect(global_avg_pool(jnp.array(IMAGES)), IMAGES.mean((1, 2)), call, "height and width disappear: (2, 5) is left")


def test_all_leading_axes_are_kept(global_avg_pool):
    call = "global_avg_pool(x) with x.shape = (1, 2, 3, 4, 5)"
    because = "the axes of space are the two before the features, however many come before them"
    expect(global_avg_pool(jnp.array(IMAGES)[None]), IMAGES.mean((1, 2))[None], call, because)


@pytest.mark.parametrize("axes", [1, 3])
def test_there_may_be_more_or_fewer_axes_of_space(global_avg_pool, axes):
    call = f"global_avg_pool(x, spatial_axes={axes}) with x.shape = (2, 3, 4, 5)"
    because = f"{axes} of space: those right before the features"
    expected = IMAGES.mean(tuple(range(3 - axes, 3)))
    expect(global_avg_pool(jnp.array(IMAGES), spatial_axes=axes), expected, call, because)


def test_where_a_pixel_stands_does_not_matter(global_avg_pool):
    moved = IMAGES[:, ::-1, [2, 0, 3, 1]]
    call = "global_avg_pool(x[:, ::-1, [2, 0, 3, 1]]) with x.shape = (2, 3, 4, 5)"
    expect(global_avg_pool(jnp.array(moved)), IMAGES.mean((1, 2)), call, "a mean does not see the order of its numbers")


@pytest.mark.parametrize("shape", [(2, 0, 4, 5), (4, 5)], ids=str)
def test_an_image_without_pixels_or_with_too_few_axes_is_refused(global_avg_pool, shape):
    call = f"global_avg_pool(x) with x.shape = {shape}"
    expect_refusal(lambda: global_avg_pool(jnp.zeros(shape)), call, "the mean of nothing is NaN, which would go on in silence")
