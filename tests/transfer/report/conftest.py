"""One small experiment with a known outcome, as whole or as broken as a test wants it."""

import numpy as np
import pytest

from transfer.report import Method, Results

METHODS = (
    Method(name="scratch", description="from initial weights"),
    Method(name="fine-tune", description="from pretrained weights"),
    Method(name="linear probe", description="frozen features and a linear head"),
    Method(name="random features", description="features that were never trained", kind="control"),
    Method(name="frozen features", description="of another domain", reference="random features"),
)
# Accuracy by setting: the probe helps, the frozen features harm. Fine-tuning helps one seed and harms the next by as
# much, since even an honest null has a false alarm in one of twenty draws of noise.
ACCURACY = {1: (0.3, 0.3, 0.53, 0.25, 0.15), 5: (0.54, 0.54, 0.77, 0.46, 0.36), 20: (0.75, 0.75, 0.88, 0.62, 0.52)}


@pytest.fixture(scope="session")
def experiment():
    """Make results: experiment(finished=…, settings=…, and any argument of Results)."""

    def make(*, seeds=6, finished=None, settings=(1, 5, 20), noise=0.01, **changes):
        plan = {
            "experiment": "few_labels",
            "title": "Few labels",
            "question": "Does pretraining help where labels are few?",
            "setting_name": "examples per class",
            "settings": settings,
            "methods": METHODS,
            "seeds": tuple(range(seeds)),
            "configuration": {"hidden": [256, 128], "learning_rate": 1e-3},
            "command": "python -m transfer --experiment few_labels",
            "wall_time": 12.5,
        }
        results = Results(**{**plan, **changes})
        rng = np.random.default_rng(0)
        for seed in range(seeds if finished is None else finished):
            luck = rng.normal(0, 0.03)
            for setting in settings:
                for i, method in enumerate(results.methods):
                    own = {"scratch": 0.0, "fine-tune": (-1) ** seed * noise}.get(method.name, rng.normal(0, noise))
                    accuracy = ACCURACY.get(setting, ACCURACY[5])[i % 5] + luck + own
                    results.add(seed, setting, method.name, float(np.clip(accuracy, 0, 1)))
        return results

    return make
