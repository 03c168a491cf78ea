"""The means to plant a negative transfer: labels that mean something else, and batches of two sets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import integers

from nn.data import Dataset
from transfer import JointBatches, shift_labels

seeds = integers(0, 2**32 - 1)
LABELS = np.random.default_rng(0).integers(0, 10, 2000).astype(np.int32)


def test_a_share_of_nothing_is_the_identity_and_of_all_moves_each():
    np.testing.assert_array_equal(shift_labels(LABELS, 10, share=0.0), LABELS)
    shifted = shift_labels(LABELS, 10)
    assert (shifted != LABELS).all() and set(shifted) == set(range(10)) and shifted.dtype == LABELS.dtype
    np.testing.assert_array_equal(shifted[LABELS == 9], 0)


@given(integers(2, 12))
def test_as_many_shifts_as_classes_lead_back(classes):
    labels = LABELS % classes
    shifted = labels
    for _ in range(classes - 1):
        shifted = shift_labels(shifted, classes)
        assert (shifted != labels).all()
    np.testing.assert_array_equal(shift_labels(shifted, classes), labels)


@given(seeds)
def test_the_share_that_moves_is_the_share_asked_for(seed):
    """Within five standard deviations of a binomial: one false alarm in two million draws."""
    for share in (0.1, 0.5, 0.9):
        moved = shift_labels(LABELS, 10, share=share, seed=seed) != LABELS
        assert abs(moved.mean() - share) < 5 * np.sqrt(share * (1 - share) / len(LABELS))


@given(seeds)
def test_a_larger_share_moves_the_same_and_more(seed):
    small, large = (shift_labels(LABELS, 10, share=share, seed=seed) for share in (0.3, 0.6))
    assert set(np.flatnonzero(small != LABELS)) < set(np.flatnonzero(large != LABELS))
    np.testing.assert_array_equal(shift_labels(LABELS, 10, share=0.3, seed=seed), small)


def test_labels_and_shares_that_cannot_be_are_refused():
    for share in (-0.1, 1.1):
        with pytest.raises(ValueError, match=f"a share between 0 and 1, got {share}"):
            shift_labels(LABELS, 10, share=share)
    with pytest.raises(ValueError, match="labels from 0 to 4, got 0 to 9"):
        shift_labels(LABELS, 5)
    assert len(shift_labels(LABELS[:0], 10)) == 0


def joint(epochs=None):
    """A source of 40 examples beside a target of 12, both in batches of 4, told apart by their sign."""
    source, target = (Dataset.from_arrays({"image": x[:, None], "label": x}) for x in (np.arange(1, 41), -np.arange(1, 13)))
    return JointBatches(source.batches(4, seed=0), target.batches(4, seed=1, epochs=epochs))


def first(batches, count):
    return [batch for _, batch in zip(range(count), batches, strict=False)]


def test_half_of_a_batch_is_the_source_and_half_the_target_each_in_its_own_order():
    data = joint()
    parts = zip(data.source, data.target, strict=False)
    for batch, (source, target) in zip(first(data, 8), parts, strict=False):
        assert (batch["label"][:4] > 0).all() and (batch["label"][4:] < 0).all()
        for name in ("image", "label"):
            np.testing.assert_array_equal(batch[name], np.concatenate([source[name], target[name]]))


@pytest.mark.parametrize("step", [0, 1, 3, 11])
def test_beginning_at_a_step_is_skipping_the_batches_before_it(step):
    whole, later = first(joint(), 14), first(joint().from_step(step), 14 - step)
    assert len(later) == 14 - step
    for ours, theirs in zip(later, whole[step:], strict=True):
        np.testing.assert_equal(ours, theirs)


def test_they_end_with_the_shorter_of_the_two():
    assert len(list(joint(epochs=2))) == 6


def test_settings_tell_other_data_apart():
    data = joint()
    assert data.settings == joint().settings == data.from_step(3).settings
    assert data.settings != JointBatches(data.target, data.source).settings
