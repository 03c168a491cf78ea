"""What `same_padding` must do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exercises.runner.expectations import expect_refusal, expect_that

few = settings(max_examples=60, derandomize=True, database=None, deadline=None, report_multiple_bugs=False)


@pytest.fixture(scope="module")
def same_padding(answer):
    return answer


@pytest.mark.parametrize(
    ("arguments", "expected", "because"),
    [
        ((7, 3), (1, 1), "a window of 3 hangs over by one pixel at both ends"),
        ((7, 1), (0, 0), "a window of one pixel never hangs over"),
        ((7, 4), (1, 2), "3 zeros: the odd one comes after"),
        ((5, 3, 2), (1, 1), "3 outputs, 2 apart: they reach over 2 · 2 + 3 = 7 pixels"),
        ((6, 3, 2), (0, 1), "3 outputs, 2 apart: they reach over 7 pixels, one more than there are"),
        ((8, 2, 2), (0, 0), "4 windows that touch need no zeros"),
        ((7, 2, 4), (0, 0), "2 outputs, 4 apart, reach over 6 pixels: the image has more, and none is taken from it"),
    ],
    ids=str,
)
def test_small_images_by_hand(same_padding, arguments, expected, because):
    got = same_padding(*arguments)
    call = f"same_padding({', '.join(map(str, arguments))})"
    expect_that(got == expected, call, got, f"the tuple {expected}", because)


@few
@given(size=st.integers(1, 30), window=st.integers(1, 9), stride=st.integers(1, 5))
def test_it_is_the_least_that_leaves_an_output_for_every_stride_begun(same_padding, size, window, stride):
    before, after = got = same_padding(size, window, stride)
    call = f"same_padding(size={size}, window={window}, stride={stride})"
    outputs = -(-size // stride)
    came = (size + before + after - window) // stride + 1
    because = f"⌈{size} / {stride}⌉ = {outputs} outputs"
    expect_that(came == outputs, call, got, f"zeros that make {outputs} outputs; these make {came}", because)
    needed = max((outputs - 1) * stride + window - size, 0)
    because = f"{outputs} windows of {window}, {stride} apart, reach over {(outputs - 1) * stride + window} pixels"
    expect_that(before + after == needed, call, got, f"{needed} zeros and no more", because)
    expect_that(0 <= before <= after <= before + 1, call, got, "as many before as after, or one more after", "")


@pytest.mark.parametrize(("window", "stride"), [(0, 1), (3, 0)])
def test_no_window_and_no_stride_are_refused(same_padding, window, stride):
    call = f"same_padding(5, window={window}, stride={stride})"
    expect_refusal(lambda: same_padding(5, window, stride), call, "a window sees at least one pixel and moves at least by one")
