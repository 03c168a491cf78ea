"""What `pad_to_bucket` must do, and what a jitted function then has to compile."""

import jax
import numpy as np
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that

BUCKETS = (4, 8, 16)


@pytest.fixture(scope="module")
def pad_to_bucket(answer):
    return answer


def expect_padded(got, padded, lengths, call, because):
    two = isinstance(got, tuple) and len(got) == 2
    expect_that(two, call, got, "two arrays: the padded sequences, and their lengths", "padding must be told from tokens")
    expect(got[0], padded, f"{call}, and looked at the sequences", because)
    expect(got[1], lengths, f"{call}, and looked at the lengths", because)


def test_two_sequences_by_hand(pad_to_bucket):
    call = "pad_to_bucket([[5, 6, 7], [8]], buckets=(4, 8, 16))"
    because = "the longest has 3 tokens, so 4 is enough for both; what is missing is 0, behind the tokens"
    expect_padded(pad_to_bucket([[5, 6, 7], [8]], buckets=BUCKETS), [[5, 6, 7, 0], [8, 0, 0, 0]], [3, 1], call, because)


@pytest.mark.parametrize(("length", "bucket"), [(1, 4), (4, 4), (5, 8), (8, 8), (16, 16)], ids=lambda value: str(value))
def test_it_is_the_smallest_bucket_that_takes_the_longest(pad_to_bucket, length, bucket):
    buckets = (8, 16, 4)
    call = f"pad_to_bucket(two sequences of 1 and {length} tokens, buckets={buckets})"
    padded = np.zeros((2, bucket))
    padded[0, 0], padded[1, :length] = 7, 3
    because = f"of {buckets}, {bucket} is the smallest that is not below {length}"
    expect_padded(pad_to_bucket([[7], [3] * length], buckets=buckets), padded, [1, length], call, because)


def test_fill_stands_for_what_is_missing_and_may_be_a_token_elsewhere(pad_to_bucket):
    call = "pad_to_bucket([[9, 1], []], buckets=(4, 8, 16), fill=9)"
    because = "a sequence may be empty, and its tokens may look like the fill: only the lengths know"
    got = pad_to_bucket([[9, 1], []], buckets=BUCKETS, fill=9)
    expect_padded(got, [[9, 1, 9, 9], [9, 9, 9, 9]], [2, 0], call, because)


def test_0_is_a_token_like_any_other(pad_to_bucket):
    call = "pad_to_bucket([[5, 0], [0]], buckets=(4, 8, 16), fill=-1)"
    because = "fill stands behind the end alone; a 0 in a sequence is a token. Begin with np.full(…, fill), not with zeros"
    got = pad_to_bucket([[5, 0], [0]], buckets=BUCKETS, fill=-1)
    expect_padded(got, [[5, 0, -1, -1], [0, -1, -1, -1]], [2, 1], call, because)


def test_sequences_may_all_be_empty(pad_to_bucket):
    call = "pad_to_bucket([[], []], buckets=(4, 8, 16))"
    because = "two sequences of 0 tokens are two sequences, and not none: the smallest bucket takes them"
    try:
        got = pad_to_bucket([[], []], buckets=BUCKETS)
    except ValueError as error:
        got = f"nothing: it stopped with ValueError: {error}"
    expect_that(not isinstance(got, str), call, got, "an array of shape (2, 4), and the lengths [0, 0]", because)
    expect_padded(got, np.zeros((2, 4)), [0, 0], call, because)


def test_the_sequences_are_left_as_they_were(pad_to_bucket):
    sequences = [[5, 6, 7], [8]]
    pad_to_bucket(sequences, buckets=BUCKETS)
    call = "sequences after pad_to_bucket(sequences, buckets=(4, 8, 16)) with sequences = [[5, 6, 7], [8]]"
    because = "they belong to the caller, who pads them anew in the next epoch: write into an array of your own"
    expect_that(sequences == [[5, 6, 7], [8]], call, sequences, "[[5, 6, 7], [8]]", because)


def test_a_jitted_function_compiles_once_for_each_bucket(pad_to_bucket):
    traced = []

    @jax.jit
    def total(tokens, lengths):
        traced.append(tokens.shape)
        return tokens.sum() + sum(lengths)

    for length in range(1, 17):
        total(*pad_to_bucket([[1] * length, [2]], buckets=BUCKETS))
    call = "total(*pad_to_bucket(…, buckets=(4, 8, 16))) for 16 lengths, with a jitted total"
    because = f"it was traced for the shapes {', '.join(map(str, dict.fromkeys(traced)))}; each new one is compiled anew"
    expect_that(
        len(traced) == 3, call, f"a total that was compiled {len(traced)} times", "one that was compiled 3 times", because
    )


def test_the_type_of_the_integers_does_not_matter(pad_to_bucket):
    call = "pad_to_bucket(…) of a list, of int16, of int64 and of uint8, and looked at the dtypes"
    kinds = [
        pad_to_bucket([row], buckets=BUCKETS) for row in ([1], *(np.ones(1, kind) for kind in ("int16", "int64", "uint8")))
    ]
    found = {str(getattr(array, "dtype", type(array).__name__)) for pair in kinds for array in pair}
    because = "a jitted function is compiled anew for each dtype, too. A mixture of them is a mixture of programs"
    expect_that(found == {"int32"}, call, ", ".join(sorted(found)), "int32 always", because)


def test_it_is_done_by_numpy(pad_to_bucket):
    call = "pad_to_bucket([[1, 2]], buckets=(4, 8, 16)), and looked at the kinds of array"
    found = [type(array).__name__ for array in pad_to_bucket([[1, 2]], buckets=BUCKETS)]
    because = "jax.numpy compiles its padding for each length: what buckets are there to avoid"
    expect_that(found == ["ndarray"] * 2, call, " and ".join(found), "ndarray and ndarray, NumPy's", because)


@pytest.mark.parametrize(
    ("sequences", "buckets", "because"),
    [
        ([[1] * 17, [2]], BUCKETS, "17 tokens fit none. Cut off, they would be lost in silence"),
        ([], BUCKETS, "no sequences: there is no longest"),
        ([[1]], (), "no buckets"),
        ([[]], (0, 4), "a bucket of 0 holds nothing"),
        ([[1]], (0, 4), "the 4 would do, but a bucket of 0 is a mistake: say so now, not when it is first taken"),
    ],
    ids=["too long", "no sequences", "no buckets", "bucket of 0", "bucket of 0 that is not taken"],
)
def test_what_fits_no_bucket_is_refused(pad_to_bucket, sequences, buckets, because):
    call = f"pad_to_bucket({len(sequences)} sequences of {[len(s) for s in sequences]} tokens, buckets={buckets})"
    expect_refusal(lambda: pad_to_bucket(sequences, buckets=buckets), call, because)
