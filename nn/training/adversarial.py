"""Adversarial training: a generator makes examples, a discriminator tells them from real ones, and each learns from the other.

No formula says what a good picture looks like, so the judge is a network too. Here are the losses of both sides, as functions
of scores, and `fit_adversarial`, which trains the two in turn.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, Float

from nn.training.loop import History, RestartableBatches, require_runnable, run_steps
from nn.training.losses import masked_mean, sigmoid_cross_entropy
from nn.training.sharding import mesh_to_use, replicate, shard_batch
from nn.training.step import Batch, lying

# The losses. A score is a number of any size: the larger, the more real the example looks to the discriminator.


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
    gradients = jax.grad(lambda x: critic(x).sum())(x)
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
    return loss(real_scores, fake_scores), {"real_score": real_scores.mean(), "fake_score": fake_scores.mean()}


# The training.


def fit_adversarial(
    generator: nnx.Module,
    discriminator: nnx.Module,
    data: RestartableBatches,
    *,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    steps: int,
    latent_features: int = 0,
    loss: AdversarialLoss = NON_SATURATING,
    discriminator_steps: int = 1,
    example: str = "image",
    conditions: tuple[str, ...] = (),
    reconstruction: float = 0.0,
    seed: int = 0,
    log_every: int = 50,
    checkpoint_directory: str | Path | None = None,
    checkpoint_every: int = 500,
    progress: bool = False,
    mesh: Mesh | None = None,
) -> History:
    """Trains a generator and a discriminator in place, in turn, each against the other as it is by then.

    Each side's step is compiled, and gives the memory of its input back for its output.

    Args:
      generator: maps (noise, *conditions) to examples of the data's shape. Both are trained in the mode that they are in.
      discriminator: maps (examples, *conditions) to scores, one or more for each example.
      data: batches that can begin at any step; each step takes `discriminator_steps` of them.
      generator_optimizer: from optax. As for `fit`: make it once and reuse it.
      discriminator_optimizer: the same; it steps `discriminator_steps` times as often.
      steps: how many steps the generator makes.
      latent_features: how many independent unit normal numbers the generator gets for each example, as an array (batch,
        latent_features); 0: no noise, and the conditions alone, as in image-to-image translation.
      loss: `NON_SATURATING`, `HINGE`, `WASSERSTEIN`, or another pair.
      discriminator_steps: how many steps the discriminator makes before each one of the generator.
      example: the name of the real examples in a batch.
      conditions: names of what else in a batch both networks are told, such as `("label",)`.
      reconstruction: how many times mean |fake − real| is added to the generator's loss, for conditions that have one right
        answer (Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", eq. 4).
      seed: where the noise comes from.
      log_every, checkpoint_directory, checkpoint_every, progress, mesh: as for `fit`.

    Returns:
      The history: lists of equal length under `step`, `generator_loss`, and, of the discriminator's last step before it,
      `discriminator_loss` and the mean scores `real_score` and `fake_score`. It says how even the contest is, and not how
      good the examples are.

    Raises:
      NonFiniteLossError: as from `fit`; both networks are then as before.
      ValueError: as from `fit`; for a batch without the names asked for, a generator whose examples differ from the data's in
        shape, one that gets neither noise nor conditions, and a gradient penalty for a discriminator whose call moves
        something (batch normalization, dropout).

    Reference: Goodfellow et al. 2014, algorithm 1; with the penalty, Gulrajani et al. 2017, algorithm 1.
    """
    counts = dict(steps=steps, discriminator_steps=discriminator_steps, log_every=log_every, checkpoint_every=checkpoint_every)
    require_runnable("fit_adversarial", data, **counts)
    if latent_features < 0 or (latent_features == 0 and not conditions):
        raise ValueError(
            f"fit_adversarial expects latent_features of at least 1, or conditions to make examples from, got "
            f"latent_features={latent_features} and conditions={conditions}."
        )
    g_graph, g, g_rest = nnx.split(generator, nnx.Param, ...)
    d_graph, d, d_rest = nnx.split(discriminator, nnx.Param, ...)
    if loss.gradient_penalty and jax.tree.leaves(d_rest):
        raise ValueError(
            "fit_adversarial expects a discriminator without batch normalization or dropout under a gradient penalty, which "
            f"asks for the slope at each example alone; {type(discriminator).__name__} has some. nn.models.Critic has none."
        )
    # The step gives the memory of its input back for its output. A copy keeps the arrays of others who share the weights.
    mesh = mesh_to_use("fit_adversarial", mesh, (g, d, g_rest, d_rest))
    g, d, g_rest, d_rest = replicate(jax.tree.map(jnp.copy, (g, d, g_rest, d_rest)), mesh)
    # As in `fit`: an optimizer may remember where the weights began.
    memory = jax.tree.map(jnp.copy, (generator_optimizer.init(g), discriminator_optimizer.init(d)))
    state = replicate(((g, d), memory, (g_rest, d_rest, jax.random.key(seed))), mesh)
    step = _compiled_step(
        g_graph,
        d_graph,
        jax.tree.structure(state),
        generator_optimizer,
        discriminator_optimizer,
        loss,
        latent_features,
        example,
        tuple(conditions),
        reconstruction,
        tuple(leaf.sharding for leaf in jax.tree.leaves(state)) if mesh else None,
    )

    def run_step(leaves, group):
        return step(leaves, shard_batch(group, mesh))

    def put_back(trained, _, rest):
        nnx.update(generator, trained[0], rest[0])
        nnx.update(discriminator, trained[1], rest[1])

    return run_steps(
        run_step,
        state,
        _Groups(data, discriminator_steps, (example, *conditions), seed),
        put_back=put_back,
        losses=("generator_loss", "discriminator_loss"),
        steps=steps,
        log_every=log_every,
        checkpoint_directory=checkpoint_directory,
        checkpoint_every=checkpoint_every,
        progress=progress,
    )


@dataclass(frozen=True)
class _Groups:
    """Batches in groups: the discriminator sees other real examples in each of its steps."""

    batches: RestartableBatches
    size: int
    names: tuple[str, ...]
    seed: int

    @property
    def settings(self) -> dict[str, Any]:
        """What a resumed run has to share with the run that it goes on from."""
        return {"batches": getattr(self.batches, "settings", None), "discriminator_steps": self.size, "seed": self.seed}

    def from_step(self, step: int) -> Iterator[list[Batch]]:
        """From the group that a step begins with."""
        batches = iter(self.batches.from_step(step * self.size))
        while len(group := list(islice(batches, self.size))) == self.size:
            if missing := [name for name in self.names if name not in group[0]]:
                raise ValueError(f"fit_adversarial expects {missing} in each batch, got {sorted(group[0])}.")
            yield [{name: batch[name] for name in self.names} for batch in group]


@lru_cache(maxsize=256)
def _compiled_step(
    g_graph, d_graph, structure, g_optimizer, d_optimizer, loss, latent_features, example, conditions, reconstruction, shardings
):
    """The compiled step of both, one for each kind of networks, loss and optimizers. g: generator, d: discriminator."""

    # Some optimizers watch the loss.
    g_update, d_update = (optax.with_extra_args_support(optimizer).update for optimizer in (g_optimizer, d_optimizer))

    def told(batch):
        return tuple(batch[name] for name in conditions)

    def generate(g, g_rest, batch, key):
        # A copy: NNX lets only variables made inside the gradient be moved inside it, as running averages are.
        generator = nnx.merge(g_graph, g, g_rest, copy=True)
        noise = (jax.random.normal(key, (len(batch[example]), latent_features)),) if latent_features else ()
        fake = generator(*noise, *told(batch))
        if fake.shape != batch[example].shape:
            raise ValueError(
                f"fit_adversarial expects made examples of the data's shape {batch[example].shape}, got {fake.shape}."
            )
        return fake, nnx.split(generator, nnx.Param, ...)[2]

    def discriminator_step(leaves, batch):
        (g, d), (g_memory, d_memory), (g_rest, d_rest, key) = jax.tree.unflatten(structure, leaves)
        key, noise_key, shares_key = jax.random.split(key, 3)
        fake, g_rest = generate(g, g_rest, batch, noise_key)
        shares = jax.random.uniform(shares_key, fake.shape[:1])

        def objective(d):
            discriminator = nnx.merge(d_graph, d, d_rest, copy=True)

            def judge(x):
                return discriminator(x, *told(batch))

            value, scalars = discriminator_objective(loss.discriminator, judge, batch[example], fake)
            if loss.gradient_penalty:
                value += loss.gradient_penalty * gradient_penalty(judge, interpolate(batch[example], fake, shares))
            return value, ({"discriminator_loss": value, **scalars}, nnx.split(discriminator, nnx.Param, ...)[2])

        gradients, (scalars, d_rest) = jax.grad(objective, has_aux=True)(d)
        updates, d_memory = d_update(gradients, d_memory, d, value=scalars["discriminator_loss"])
        d = optax.apply_updates(d, updates)
        return jax.tree.leaves(((g, d), (g_memory, d_memory), (g_rest, d_rest, key))), scalars

    def generator_step(leaves, batch):
        (g, d), (g_memory, d_memory), (g_rest, d_rest, key) = jax.tree.unflatten(structure, leaves)
        key, noise_key = jax.random.split(key)

        def objective(g):
            fake, moved = generate(g, g_rest, batch, noise_key)
            discriminator = nnx.merge(d_graph, d, d_rest, copy=True)
            value = loss.generator(discriminator(fake, *told(batch)))
            if reconstruction:
                value += reconstruction * jnp.abs(fake - batch[example]).mean()
            return value, (value, moved, nnx.split(discriminator, nnx.Param, ...)[2])

        gradients, (value, g_rest, d_rest) = jax.grad(objective, has_aux=True)(g)
        updates, g_memory = g_update(gradients, g_memory, g, value=value)
        g = optax.apply_updates(g, updates)
        return jax.tree.leaves(((g, d), (g_memory, d_memory), (g_rest, d_rest, key))), {"generator_loss": value}

    where = lying(shardings)
    judge, make = (jax.jit(step, donate_argnums=0, out_shardings=where) for step in (discriminator_step, generator_step))

    def step(leaves, group):
        # A loop outside of the compiled program: inside of one, XLA's convolutions on a CPU are many times slower.
        scalars = {}
        for batch in group:
            leaves, scalars = judge(leaves, batch)
        leaves, made = make(leaves, group[-1])
        return leaves, made | scalars

    return step
