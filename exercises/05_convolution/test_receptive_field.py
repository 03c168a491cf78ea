"""What `receptive_field` must do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exercises.runner.expectations import expect_refusal, expect_that

few = settings(max_examples=60, derandomize=True, database=None, deadline=None, report_multiple_bugs=False)
layer = st.tuples(st.integers(1, 5), st.integers(1, 3))


@pytest.fixture(scope="module")
def receptive_field(answer):
    return answer


@pytest.mark.parametrize(
    ("layers", "expected", "because"),
    [
        ([], 1, "without a layer an output is a pixel"),
        ([(5, 1)], 5, "one window sees what is in it"),
        ([(5, 3)], 5, "how far a window moves does not change what is in it"),
        ([(3, 1), (3, 1)], 5, "three neighbouring windows of 3 reach over 5 pixels: they overlap"),
        ([(2, 2), (2, 2), (2, 2)], 8, "windows that touch do not overlap: 2 · 2 · 2"),
        ([(3, 2), (3, 1)], 7, "three windows of 3, two pixels apart, reach over 2 + 2 + 3"),
        ([(3, 1), (3, 2)], 5, "the last layer's stride is felt by nobody"),
        ([(5, 1), (2, 2), (5, 1), (2, 2)], 16, "the convolutions and poolings of LeNet: 1 + 4 + 1 + 4 · 2 + 1 · 2"),
    ],
    ids=str,
)
def test_small_networks_by_hand(receptive_field, layers, expected, because):
    got = receptive_field(layers)
    expect_that(got == expected, f"receptive_field({layers})", got, f"{expected} pixels", because)


@few
@given(layers=st.lists(layer, max_size=4))
def test_it_is_the_distance_from_the_first_pixel_seen_to_the_last(receptive_field, layers):
    first = last = 0  # of output 0, walked down through the layers to the image
    for window, stride in reversed(layers):
        first, last = first * stride, last * stride + window - 1
    got = receptive_field(layers)
    call = f"receptive_field({layers}), layers as (window, stride)"
    because = f"followed down from the last layer, output 0 sees the pixels from 0 to {last}"
    expect_that(got == last - first + 1, call, got, f"{last - first + 1} pixels", because)


@pytest.mark.parametrize("layers", [[(3, 1), (0, 1)], [(3, 0)]], ids=str)
def test_no_window_and_no_stride_are_refused(receptive_field, layers):
    because = "a window sees at least one pixel and moves at least by one"
    expect_refusal(lambda: receptive_field(layers), f"receptive_field({layers})", because)
