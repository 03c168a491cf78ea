"""Exercise: learn what a teacher thinks of every class, and not only which one is right."""

import jax  # noqa: F401 (for your answer)
import jax.numpy as jnp  # noqa: F401 (for your answer)
from jaxtyping import Array, Float


def distillation_loss(
    student_logits: Float[Array, "*batch classes"], teacher_logits: Float[Array, "*batch classes"], *, temperature: float
) -> Float[Array, "*batch"]:
    """T² · KL(p ‖ q) in nats, where p and q are the softmax of the teacher's and the student's scores divided by T.

    A temperature above 1 shows what the teacher thinks of the wrong classes. The factor T² keeps the gradient's size, which
    the division makes smaller by as much. No gradient reaches the teacher.

    Args:
      student_logits: scores of the network that learns.
      teacher_logits: scores of the one that it learns from.
      temperature: T.

    Returns:
      A value for each example, 0 where both say the same.

    Raises:
      ValueError: if the shapes differ, or the temperature is not above 0.

    Reference: Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network", eq. 1 and section 2.
    """
    raise NotImplementedError("TODO: in Σ p log(p / q), whose chances are p, and what is log p where p itself rounds to 0?")
