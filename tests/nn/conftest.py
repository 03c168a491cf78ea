"""What several tests of networks need: slopes measured by finite differences."""

import numpy as np
import pytest


@pytest.fixture
def measured_gradient():
    """The gradient of a scalar function of a float64 array, by central differences: the judge of every `jax.grad`."""

    def gradient(function, x, step=1e-5):
        x = np.asarray(x, np.float64)
        slopes = np.empty_like(x)
        for i in np.ndindex(x.shape):
            bump = np.zeros_like(x)
            bump[i] = step
            slopes[i] = (function(x + bump) - function(x - bump)) / (2 * step)
        return slopes

    return gradient
