"""Wrong answers to `pad_to_bucket` that a student writes; exercises.toml says what is wrong with each."""

import jax.numpy as jnp
import numpy as np


def _checked(sequences, buckets):
    if not len(sequences) or min(buckets, default=0) < 1 or max(map(len, sequences)) > max(buckets):
        raise ValueError("does not fit")
    return max(map(len, sequences))


def _padded(sequences, bucket, fill, dtype="int32"):
    padded = np.full((len(sequences), bucket), fill, dtype)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return padded, np.array([len(sequence) for sequence in sequences], np.int32)


def as_long_as_the_longest(sequences, *, buckets, fill=0):
    return _padded(sequences, _checked(sequences, buckets), fill)


def always_the_largest(sequences, *, buckets, fill=0):
    _checked(sequences, buckets)
    return _padded(sequences, max(buckets), fill)


def next_larger(sequences, *, buckets, fill=0):
    longest = _checked(sequences, buckets)
    return _padded(sequences, min((bucket for bucket in buckets if bucket > longest), default=max(buckets)), fill)


def first_that_fits(sequences, *, buckets, fill=0):
    longest = _checked(sequences, buckets)
    return _padded(sequences, next(bucket for bucket in buckets if bucket >= longest), fill)


def bucket_of_the_first(sequences, *, buckets, fill=0):
    _checked(sequences, buckets)
    bucket = min(bucket for bucket in buckets if bucket >= len(sequences[0]))
    return _padded([sequence[:bucket] for sequence in sequences], bucket, fill)


def nearest_bucket(sequences, *, buckets, fill=0):
    longest = _checked(sequences, buckets)
    bucket = min(buckets, key=lambda bucket: abs(bucket - longest))
    return _padded([sequence[:bucket] for sequence in sequences], bucket, fill)


def cut_off(sequences, *, buckets, fill=0):
    if not len(sequences) or min(buckets, default=0) < 1:
        raise ValueError("does not fit")
    longest = min(max(map(len, sequences)), max(buckets))
    bucket = min(bucket for bucket in buckets if bucket >= longest)
    return _padded([sequence[:bucket] for sequence in sequences], bucket, fill)


def filled_in_front(sequences, *, buckets, fill=0):
    longest = _checked(sequences, buckets)
    bucket = min(bucket for bucket in buckets if bucket >= longest)
    padded, lengths = _padded([list(sequence)[::-1] for sequence in sequences], bucket, fill)
    return padded[:, ::-1], lengths


def lengths_guessed_from_the_fill(sequences, *, buckets, fill=0):
    longest = _checked(sequences, buckets)
    padded, _ = _padded(sequences, min(bucket for bucket in buckets if bucket >= longest), fill)
    return padded, (padded != fill).sum(1).astype(np.int32)


def lengths_in_a_list(sequences, *, buckets, fill=0):
    longest = _checked(sequences, buckets)
    padded, lengths = _padded(sequences, min(bucket for bucket in buckets if bucket >= longest), fill)
    return padded, lengths.tolist()


def dtype_of_the_first(sequences, *, buckets, fill=0):
    longest = _checked(sequences, buckets)
    dtype = np.asarray(sequences[0]).dtype.name if len(sequences[0]) else "int64"
    return _padded(sequences, min(bucket for bucket in buckets if bucket >= longest), fill, dtype)


def always_filled_with_0(sequences, *, buckets, fill=0):
    longest = _checked(sequences, buckets)
    return _padded(sequences, min(bucket for bucket in buckets if bucket >= longest), 0)


def padded_by_jax(sequences, *, buckets, fill=0):
    longest = _checked(sequences, buckets)
    padded, lengths = _padded(sequences, min(bucket for bucket in buckets if bucket >= longest), fill)
    return jnp.array(padded), jnp.array(lengths)


def zeros_taken_for_missing(sequences, *, buckets, fill=0):
    longest = _checked(sequences, buckets)
    padded, lengths = _padded(sequences, min(bucket for bucket in buckets if bucket >= longest), 0)
    padded[padded == 0] = fill
    return padded, lengths


def callers_list_padded(sequences, *, buckets, fill=0):
    longest = _checked(sequences, buckets)
    bucket = min(bucket for bucket in buckets if bucket >= longest)
    lengths = np.array([len(sequence) for sequence in sequences], np.int32)
    for i, sequence in enumerate(sequences):
        sequences[i] = [*sequence] + [fill] * (bucket - len(sequence))
    return np.array(sequences, np.int32), lengths


def none_but_empty_refused(sequences, *, buckets, fill=0):
    longest = _checked(sequences, buckets)
    if not longest:
        raise ValueError("no sequences")
    return _padded(sequences, min(bucket for bucket in buckets if bucket >= longest), fill)


def chosen_bucket_alone_checked(sequences, *, buckets, fill=0):
    longest = max(map(len, sequences), default=None)
    bucket = min((bucket for bucket in buckets if longest is not None and bucket >= longest), default=0)
    if bucket < 1:
        raise ValueError("does not fit")
    return _padded(sequences, bucket, fill)
