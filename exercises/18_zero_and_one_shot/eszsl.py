"""Exercise: the linear map between features and attributes, in closed form."""

import numpy as np
from jaxtyping import Float, Int


def eszsl(
    features: Float[np.ndarray, "examples width"],
    labels: Int[np.ndarray, " examples"],
    class_attributes: Float[np.ndarray, "classes attributes"],
    *,
    gamma: float,
    lam: float,
) -> Float[np.ndarray, "width attributes"]:
    """V = (XᵀX + γI)⁻¹ XᵀYS (SᵀS + λI)⁻¹: the linear map by which features and a class's attributes are compared.

    It minimizes ‖XVSᵀ − Y‖² + γ‖VSᵀ‖² + λ‖XV‖² + γλ‖V‖², in which X are the features, S the attributes of the classes, and Y
    is 1 where an example is of a class, −1 elsewhere. Two linear systems solve it; nothing is trained.

    Args:
      features: X, of examples of the seen classes.
      labels: the row of `class_attributes` that each is of.
      class_attributes: S, the seen classes alone, real numbers; each class needs an example.
      gamma: γ above 0, against large weights on features.
      lam: λ above 0, against large weights on attributes.

    Returns:
      V, float64; `eszsl_scores` reads it.

    Raises:
      ValueError: if there are not as many labels as features, a label is no class, a class has no example, or γ or λ is not
        above 0.

    Reference: Romera-Paredes and Torr 2015, "An embarrassingly simple approach to zero-shot learning", eq. 6 (there examples
      are columns).
    """
    raise NotImplementedError(
        "TODO: what shapes have XᵀX, XᵀYS and SᵀS, and so which side does each of the two regularizers belong to?"
    )
