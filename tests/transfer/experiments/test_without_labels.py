"""No label of the source is seen where none should be, and contrast teaches something that rebuilding does not."""

import numpy as np
import pytest

from transfer.experiments import WITHOUT_LABELS, few_labels, run, without_labels
from transfer.experiments.images import images


def test_pretraining_without_labels_gets_pictures_of_seen_characters_and_nothing_else(monkeypatch):
    given = []
    for name in ("pretrain_contrastive", "pretrain_denoising"):
        monkeypatch.setattr(without_labels, name, lambda model, *arrays, **options: given.append((arrays, options)))
    without_labels.pretrained.cache_clear()
    for task in ("contrast", "denoising"):
        without_labels.pretrained(0, task)
    without_labels.pretrained.cache_clear()
    seen, _ = few_labels.split_classes(0)
    x, y = images("glyphs", "train")
    for arrays, options in given:
        (pictures,) = arrays
        np.testing.assert_array_equal(pictures, x[np.isin(y, seen)])
        assert all(np.ndim(value) == 0 for value in options.values())
    assert len(given) == 2


def test_there_is_no_other_task():
    with pytest.raises(ValueError, match='expects the task "contrast" or "denoising", got \'labels\''):
        without_labels.pretrained(0, "labels")


@pytest.mark.slow
def test_contrast_is_worth_more_than_random_features_and_than_rebuilding():
    """Five seeds one by one, with 20 labels each: contrast gains 4 to 12 points over random features."""
    results = run(WITHOUT_LABELS, seeds=2, shots=(20,), methods=["contrastive", "denoising"])
    reached = {name: np.mean(list(results.accuracies(name, 20).values())) for name in ("contrastive", "denoising")}
    random_features = np.mean(list(results.accuracies("random features", 20).values()))
    assert reached["contrastive"] > random_features + 0.02
    assert reached["contrastive"] > reached["denoising"] + 0.04
