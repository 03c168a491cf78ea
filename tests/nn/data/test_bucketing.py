"""Buckets: a few shapes for any length, and nothing lost."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn.data import pad_to_bucket

BUCKETS = (8, 2, 32)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 99), max_size=32), min_size=1, max_size=4))
def test_what_went_in_is_there_and_the_rest_is_fill(sequences):
    padded, lengths = pad_to_bucket(sequences, buckets=BUCKETS, fill=-1)
    assert [row[:length].tolist() for row, length in zip(padded, lengths, strict=True)] == sequences
    assert all((row[length:] == -1).all() for row, length in zip(padded, lengths, strict=True))
    assert padded.shape[1] == min(bucket for bucket in BUCKETS if bucket >= lengths.max())


def test_a_jitted_function_compiles_once_for_each_bucket_and_not_for_each_length():
    traced = []

    @jax.jit
    def total(tokens, lengths):
        traced.append(tokens.shape)
        return tokens.sum() + lengths.sum()

    for length in range(33):
        for kind in (np.int16, np.int64):
            total(*pad_to_bucket([np.ones(length, kind)], buckets=BUCKETS))
    assert sorted(traced) == [(1, 2), (1, 8), (1, 32)]


@pytest.mark.parametrize(("sequences", "buckets"), [([], (4,)), ([[1] * 5], (4,)), ([[1]], ()), ([[]], (0, 4))])
def test_what_fits_no_bucket_is_refused(sequences, buckets):
    with pytest.raises(ValueError, match="pad_to_bucket expects sequences, and a bucket of at least 1 for the longest, got"):
        pad_to_bucket(sequences, buckets=buckets)
