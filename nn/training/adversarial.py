"""What two networks want that learn from each other: a generator makes examples, a discriminator tells them from real ones.

No formula says what a good picture looks like, so the judge is a network too. Here are the losses of both sides, as functions
of scores; `nn.training.adversarial_loop` trains the two in turn.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nn.training.losses import masked_mean, sigmoid_cross_entropy, widened

# A score is a number of any size: the larger, the more real the example looks to the discriminator.


def non_saturating_discriminator_loss(
    real_scores: Float[Array, "*real"], fake_scores: Float[Array, "*fake"]
) -> Float[Array, ""]:
    """−mean log D(real) − mean log(1 − D(fake)), where D = sigmoid(score): a classifier of real (1) and fake (0), in nats.

    Where it can do no better than guess, it is log 4: that is what a perfect generator leaves.

    Raises:
      ValueError: if there are no scores.

    Reference: Goodfellow et al. 2014, "Generative Adversarial Nets", algorithm 1 and theorem 1.
    """
    real = sigmoid_cross_entropy(real_scores, jnp.ones_like(real_scores))
    fake = sigmoid_cross_entropy(fake_scores, jnp.zeros_like(fake_scores))
    return masked_mean(real) + masked_mean(fake)


def non_saturating_generator_loss(fake_scores: Float[Array, "*fake"]) -> Float[Array, ""]:
    """−mean log D(fake), where D = sigmoid(score): how surprised the discriminator would be to hear that the fakes are real.

    Its slope is steepest where the discriminator is sure that they are fake, which is where the generator has most to learn.

    Raises:
      ValueError: if there are no scores.

    Reference: Goodfellow et al. 2014, section 3.
    """
    return masked_mean(sigmoid_cross_entropy(fake_scores, jnp.ones_like(fake_scores)))


def saturating_generator_loss(fake_scores: Float[Array, "*fake"]) -> Float[Array, ""]:
    """mean log(1 − D(fake)), where D = sigmoid(score): the discriminator's own loss with its sign turned.

    The theory's loss, and hard to learn from: where the discriminator is sure that the examples are fake it is flat.

    Raises:
      ValueError: if there are no scores.

    Reference: Goodfellow et al. 2014, eq. 1.
    """
    return -masked_mean(sigmoid_cross_entropy(fake_scores, jnp.zeros_like(fake_scores)))


def hinge_discriminator_loss(real_scores: Float[Array, "*real"], fake_scores: Float[Array, "*fake"]) -> Float[Array, ""]:
    """mean max(0, 1 − real) + mean max(0, 1 + fake): scores beyond ±1 on the right side cost nothing.

    Raises:
      ValueError: if there are no scores.

    Reference: Lim and Ye 2017, "Geometric GAN"; Miyato et al. 2018, "Spectral Normalization for GANs", section 4.
    """
    return masked_mean(jnp.maximum(1 - real_scores, 0)) + masked_mean(jnp.maximum(1 + fake_scores, 0))


def hinge_generator_loss(fake_scores: Float[Array, "*fake"]) -> Float[Array, ""]:
    """−mean of the scores of the fakes. References as for `hinge_discriminator_loss`."""
    return -masked_mean(fake_scores)


def wasserstein_discriminator_loss(real_scores: Float[Array, "*real"], fake_scores: Float[Array, "*fake"]) -> Float[Array, ""]:
    """mean fake − mean real: minus the distance between the two sorts, as far as the discriminator (here: critic) sees it.

    If no slope of the critic is above 1, the distance is at most the Wasserstein distance: how far the mass of one
    distribution has to be carried, on average, to make the other. `gradient_penalty` sees to the slope.

    Raises:
      ValueError: if there are no scores.

    Reference: Arjovsky, Chintala and Bottou 2017, "Wasserstein GAN", eq. 2 and algorithm 1.
    """
    return masked_mean(fake_scores) - masked_mean(real_scores)


def wasserstein_generator_loss(fake_scores: Float[Array, "*fake"]) -> Float[Array, ""]:
    """−mean of the scores of the fakes. Reference: Arjovsky, Chintala and Bottou 2017, algorithm 1."""
    return -masked_mean(fake_scores)


def interpolate(
    real: Float[Array, "batch *shape"], fake: Float[Array, "batch *shape"], shares: Float[Array, " batch"]
) -> Float[Array, "batch *shape"]:
    """share · real + (1 − share) · fake: on the straight line between each pair, one point.

    Args:
      real: examples.
      fake: as many, of the same shape.
      shares: of the real one, from 0 to 1, one number for each pair.

    Raises:
      ValueError: if the three differ in number, or the examples in shape.

    Reference: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", algorithm 1.
    """
    if real.shape != fake.shape or shares.shape != real.shape[:1]:
        raise ValueError(
            f"interpolate expects pairs of one shape and a share for each, got real.shape={real.shape}, "
            f"fake.shape={fake.shape}, shares.shape={shares.shape}."
        )
    shares = jnp.broadcast_to(shares.reshape(-1, *(1,) * (real.ndim - 1)), real.shape)
    return shares * real + (1 - shares) * fake


def gradient_penalty(critic: Callable[..., Array], x: Float[Array, "batch *shape"]) -> Float[Array, ""]:
    """mean over the examples of (‖∂ critic(x) / ∂x‖ − 1)²: zero where the critic rises with slope 1, neither more nor less.

    The norm is that of all numbers of one example together, as of all pixels of an image. Where the critic is flat, too, the
    penalty has a gradient of numbers, none of them NaN.

    Args:
      critic: maps examples to scores, each example on its own (no batch normalization). Of several
        scores for one example the sum counts.
      x: where to ask for the slope: points between real and fake examples, from `interpolate`.

    Raises:
      ValueError: if there are no examples.

    Reference: Gulrajani et al. 2017, eq. 3.
    """
    # Each score depends on its own example alone, so that the gradient of their sum holds every example's gradient.
    gradients = widened(jax.grad(lambda x: critic(x).sum())(x))
    squared = (gradients**2).sum(range(1, x.ndim))
    # √ has an infinite slope at 0, and NaN would come of a critic that is flat somewhere.
    norms = jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0)
    return masked_mean((norms - 1) ** 2)


@dataclass(frozen=True, kw_only=True)
class AdversarialLoss:
    """What both sides want.

    Args:
      discriminator: maps (real scores, fake scores) to the discriminator's loss.
      generator: maps fake scores to the generator's loss.
      gradient_penalty: how many times `gradient_penalty` is added to the discriminator's loss; 0 for never.

    Raises:
      ValueError: if gradient_penalty is negative.
    """

    discriminator: Callable[[Array, Array], Array]
    generator: Callable[[Array], Array]
    gradient_penalty: float = 0.0

    def __post_init__(self):
        if not self.gradient_penalty >= 0:
            raise ValueError(f"AdversarialLoss expects gradient_penalty of at least 0, got {self.gradient_penalty}.")


NON_SATURATING = AdversarialLoss(discriminator=non_saturating_discriminator_loss, generator=non_saturating_generator_loss)
HINGE = AdversarialLoss(discriminator=hinge_discriminator_loss, generator=hinge_generator_loss)
WASSERSTEIN = AdversarialLoss(
    discriminator=wasserstein_discriminator_loss, generator=wasserstein_generator_loss, gradient_penalty=10.0
)


def discriminator_objective(
    loss: Callable[[Array, Array], Array],
    discriminator: Callable[[Array], Array],
    real: Float[Array, "real *shape"],
    fake: Float[Array, "fake *shape"],
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """What the discriminator lowers in its own step. No gradient reaches what made the fakes: here they are data like the real.

    Args:
      loss: maps (real scores, fake scores) to a number.
      discriminator: maps examples to scores, one or more for each. It gets the real and the fake ones in two calls.
      real: examples of the data.
      fake: made ones, of the same shape.

    Returns:
      The loss, and what to record: the mean scores, as `real_score` and `fake_score`.

    Reference: Goodfellow et al. 2014, algorithm 1.
    """
    real_scores, fake_scores = discriminator(real), discriminator(jax.lax.stop_gradient(fake))
    return loss(real_scores, fake_scores), {"real_score": masked_mean(real_scores), "fake_score": masked_mean(fake_scores)}
