"""The diagnosis on real images: it finds what was planted, and keeps quiet where one half of a set helps the other."""

import numpy as np
import pytest

from nn.data.glyphs import CHARACTERS
from transfer.diagnosis import ADVICE
from transfer.experiments import diagnosis
from transfer.experiments.images import images

SHIFT, UNRELATED, DISCARD, FREEZING = ADVICE


def known(name, split):
    return {row.tobytes(): int(label) for row, label in zip(*images(name, split), strict=True)}


def rows(x):
    return {row.tobytes() for row in x}


@pytest.mark.parametrize("cause", ADVICE)
def test_what_is_planted_is_what_it_is_said_to_be(cause):
    (x, y), target, test = diagnosis.planted(cause, 3)
    assert rows(diagnosis.planted(cause, 4)[0][0]) != rows(x)
    assert set(y.tolist()) == set(range(10))
    assert not rows(test[0]) & (rows(target[0]) | rows(x))
    if cause == UNRELATED:
        label_of = known("glyphs", "train")
        shown = {(label_of[row.tobytes()], label) for row, label in zip(x, y.tolist(), strict=True)}
        assert len(shown) == 10 and all(CHARACTERS[character].isalpha() for character, _ in shown)
        return
    label_of = known("mnist_5k", "train+test")
    right = np.array([label_of[row.tobytes()] for row in x])
    if cause == DISCARD:
        assert np.bincount(y).tolist() == [400] * 10
        assert all(x[y == label].mean(1).max() <= x[y == label + 1].mean(1).min() for label in range(9))
    else:
        np.testing.assert_array_equal(y, (right + 1) % 10 if cause == SHIFT else right)
        assert len(y) == (100 if cause == FREEZING else 4000)


@pytest.mark.parametrize("name", diagnosis.NULLS)
def test_a_null_is_two_halves_of_one_set(name):
    (x, y), (target_x, target_y), (test_x, _) = diagnosis.null(name, 5)
    assert len(x) in (len(target_x), len(target_x) - 1) and set(y) == set(target_y) == set(range(10))
    assert not rows(x) & rows(target_x) and not rows(test_x) & (rows(x) | rows(target_x))
    label_of = {row.tobytes(): label for row, label in zip(target_x, target_y, strict=True)}
    assert len(label_of) == len(target_x)


def test_other_cases_are_refused():
    with pytest.raises(ValueError, match=r"planted expects one of .*; got 'bad luck'"):
        diagnosis.planted("bad luck")
    with pytest.raises(ValueError, match=r"null expects a set from .*; got 'cifar10'"):
        diagnosis.null("cifar10")


@pytest.mark.slow
@pytest.mark.parametrize("cause", [SHIFT, UNRELATED, DISCARD])
def test_a_planted_cause_is_found(cause):
    """Six seeds. Of two other runs of each, letters were once taken for a shift, and ink was once left inconclusive."""
    found = diagnosis.diagnose(diagnosis.planted(cause), seeds=range(6))
    assert cause in found.causes
    assert ("frozen" if cause == DISCARD else "one head") in found.harm and "fine-tuned" not in found.harm


@pytest.mark.slow
def test_the_price_of_freezing_is_seen_and_never_called_by_another_name():
    """Of other runs, one was inconclusive: the harm is shown by far, and one of three comparisons that explain it is not."""
    found = diagnosis.diagnose(diagnosis.planted(FREEZING))
    assert found.harm == ("frozen",) and found.causes in ((), (FREEZING,))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "run"), [("glyphs", 26), ("mnist_5k", 27), ("digits", 28)])
def test_where_a_source_helps_no_cause_is_named(name, run):
    found = diagnosis.diagnose(diagnosis.null(name, run), run, diagnosis.NULL_CONFIGURATION)
    assert found.causes == found.harm == () and found.cause == "inconclusive"
