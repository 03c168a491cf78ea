"""Exercise: fine-tune, and stay near what was pretrained.

An optax transformation is two functions: `init(parameters)` makes a state, and `update(gradients, state, parameters)` returns
the changed gradients and the next state. Parameters and gradients are trees of one shape, such as {"head": {"kernel": …}}; the
dotted name of that kernel is `head.kernel`. Training gives the memory of the parameters away at each step: what is to last
needs memory of its own.
"""

from fnmatch import fnmatchcase  # noqa: F401 (for your answer)

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
import optax


def l2_sp(alpha: float, *, beta: float = 0.0, head: str = "head") -> optax.GradientTransformation:
    """Pulls weights back to where they began: it adds the gradient of α/2 |w − w₀|² + β/2 |v|² to that of the loss.

    w are the pretrained weights and w₀ their values at the first step; v are those of the head, which began at random and is
    pulled to 0. Put it before an optimizer: `optax.chain(l2_sp(0.01), optax.adam(1e-3))`. (Ordinary weight decay pulls
    everything to 0, away from what was pretrained.)

    Args:
      alpha: how strongly to the start.
      beta: how strongly the head to 0.
      head: a pattern for the head, as for `trainable_filter`.

    Raises:
      ValueError: if alpha or beta is negative.

    Reference: Li, Grandvalet and Davoine 2018, "Explicit Inductive Bias for Transfer Learning with Convolutional Networks",
    eq. 3.
    """
    raise NotImplementedError("TODO: what is the slope of α/2 (w − w₀)², and who remembers w₀ at the hundredth step?")
