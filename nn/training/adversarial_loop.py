"""Adversarial training: a generator and a discriminator learn in turn, each from the other as it is by then.

It is the loop of `fit` around two steps in place of one. What the two sides want is in `nn.training.adversarial`.
"""

from collections.abc import Iterator
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

from nn.training.adversarial import NON_SATURATING, AdversarialLoss, discriminator_objective, gradient_penalty, interpolate
from nn.training.batches import RestartableBatches, settings_of
from nn.training.loop import History, require_runnable, run_steps
from nn.training.losses import masked_mean
from nn.training.sharding import mesh_to_use, replicate, shard_batch
from nn.training.short_queue import ShortQueue
from nn.training.step import Batch, averaged, in_precision, precision, result_shardings


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
    accumulate: int = 1,
    compute_dtype: Any = None,
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
      accumulate: as for `fit`: into how many equal parts to cut each batch, and its noise, which is drawn for the whole of it.
      compute_dtype: as for `fit`: the precision that both networks calculate in, such as `jnp.bfloat16`. The noise is drawn in
        float32 and rounded; the norms of the slopes under a gradient penalty are in float32.
      log_every, checkpoint_directory, checkpoint_every, progress, mesh: as for `fit`.

    Returns:
      The history: lists of equal length under `step`, `generator_loss`, and, of the discriminator's last step before it,
      `discriminator_loss` and the mean scores `real_score` and `fake_score`. It says how even the contest is, and not how
      good the examples are.

    Raises:
      NonFiniteLossError: as from `fit`; both networks are then as before.
      ValueError: as from `fit`; for a batch without the names asked for, a generator whose examples differ from the data's in
        shape, one that gets neither noise nor conditions, and conditions or a reconstruction that are none, and a
        gradient penalty for a discriminator with variables that are no parameters (of batch normalization, dropout, …).

    Reference: Goodfellow et al. 2014, algorithm 1; with the penalty, Gulrajani et al. 2017, algorithm 1.
    """
    counts = dict(discriminator_steps=discriminator_steps, accumulate=accumulate, checkpoint_every=checkpoint_every)
    require_runnable("fit_adversarial", data, steps=steps, log_every=log_every, **counts)
    if latent_features < 0 or (latent_features == 0 and not conditions):
        raise ValueError(
            f"fit_adversarial expects latent_features of at least 1, or conditions to make examples from, got "
            f"latent_features={latent_features} and conditions={conditions}."
        )
    if isinstance(conditions, str):
        raise ValueError(
            f"fit_adversarial expects conditions as a tuple of names, such as ({conditions!r},), got {conditions!r}."
        )
    if reconstruction < 0:
        raise ValueError(f"fit_adversarial expects reconstruction of at least 0, got {reconstruction}.")
    g_graph, g, g_rest = nnx.split(generator, nnx.Param, ...)
    d_graph, d, d_rest = nnx.split(discriminator, nnx.Param, ...)
    if loss.gradient_penalty and jax.tree.leaves(d_rest):
        raise ValueError(
            "fit_adversarial expects a discriminator whose variables are all parameters under a gradient penalty, which asks "
            f"for the slope at each example alone; {type(discriminator).__name__} has others, as batch normalization, dropout "
            "and spectral normalization do. nn.models.Critic has none."
        )
    mesh = mesh_to_use("fit_adversarial", mesh, (g, d, g_rest, d_rest))
    g, d = replicate((g, d), mesh)
    memory = generator_optimizer.init(g), discriminator_optimizer.init(d)
    state = replicate(((g, d), memory, (g_rest, d_rest, jax.random.key(seed))), mesh)
    state = jax.tree.map(jnp.copy, state)  # for the reason that `fit` has
    train_discriminator, train_generator = _compiled_steps(
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
        accumulate,
        precision(compute_dtype),
    )

    queued = ShortQueue()

    def run_step(leaves, group):
        # A loop outside of the compiled programs: inside of one, XLA's convolutions on a CPU are many times slower.
        batch, judged = {}, {}
        for batch in (shard_batch(examples, mesh) for examples in group):
            leaves[:], judged = train_discriminator(leaves, batch)
            queued(judged)
        leaves[:], made = train_generator(leaves, batch)
        return queued(made) | judged

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
        return {"batches": settings_of(self.batches), "discriminator_steps": self.size, "seed": self.seed}

    def from_step(self, step: int) -> Iterator[list[Batch]]:
        """From the group that a step begins with."""
        batches = iter(self.batches.from_step(step * self.size))
        while len(group := list(islice(batches, self.size))) == self.size:
            if missing := [name for name in self.names if name not in group[0]]:
                raise ValueError(f"fit_adversarial expects {missing} in each batch, got {sorted(group[0])}.")
            yield [{name: batch[name] for name in self.names} for batch in group]


@lru_cache(maxsize=256)
def _compiled_steps(
    g_graph,
    d_graph,
    structure,
    g_optimizer,
    d_optimizer,
    loss,
    latent_features,
    example,
    conditions,
    reconstruction,
    shardings,
    accumulate,
    compute_dtype,
):
    """The discriminator's step and the generator's, compiled for each kind of networks, loss and optimizers.

    g: generator, d: discriminator.
    """

    # Some optimizers watch the loss.
    g_update, d_update = (optax.with_extra_args_support(optimizer).update for optimizer in (g_optimizer, d_optimizer))

    def told(batch):
        return tuple(batch[name] for name in conditions)

    def noise_for(batch, key):
        return (jax.random.normal(key, (len(batch[example]), latent_features)),) if latent_features else ()

    def generate(g, g_rest, batch, noise):
        # A copy: NNX lets only variables made inside the gradient be moved inside it, as running averages are.
        generator = nnx.merge(g_graph, g, g_rest, copy=True)
        fake = generator(*noise, *told(batch))
        if fake.shape != batch[example].shape:
            raise ValueError(
                f"fit_adversarial expects made examples of the data's shape {batch[example].shape}, got {fake.shape}."
            )
        return fake, nnx.split(generator, nnx.Param, ...)[2]

    # Both objectives go by the form that `averaged` expects: what is trained, what the forward pass moves, what is cut into
    # parts, and the other side's parameters. Rounding is inside the gradient, as in `fit`.

    def discriminator_loss(d, moving, examples, g):
        d, (batch, noise, shares), g = in_precision((d, examples, g), compute_dtype)
        g_rest, d_rest = moving
        fake, g_rest = generate(g, g_rest, batch, noise)
        discriminator = nnx.merge(d_graph, d, d_rest, copy=True)

        def score(x):
            return discriminator(x, *told(batch))

        value, scalars = discriminator_objective(loss.discriminator, score, batch[example], fake)
        if loss.gradient_penalty:
            value += loss.gradient_penalty * gradient_penalty(score, interpolate(batch[example], fake, shares))
        return value, ({"discriminator_loss": value, **scalars}, (g_rest, nnx.split(discriminator, nnx.Param, ...)[2]))

    def generator_loss(g, moving, examples, d):
        g, (batch, noise), d = in_precision((g, examples, d), compute_dtype)
        g_rest, d_rest = moving
        fake, g_rest = generate(g, g_rest, batch, noise)
        discriminator = nnx.merge(d_graph, d, d_rest, copy=True)
        value = loss.generator(discriminator(fake, *told(batch)))
        if reconstruction:
            value += reconstruction * masked_mean(jnp.abs(fake - batch[example]))
        return value, ({"generator_loss": value}, (g_rest, nnx.split(discriminator, nnx.Param, ...)[2]))

    d_gradient, g_gradient = (
        averaged(jax.grad(objective, has_aux=True), accumulate) for objective in (discriminator_loss, generator_loss)
    )

    def discriminator_step(leaves, batch):
        (g, d), (g_memory, d_memory), (g_rest, d_rest, key) = jax.tree.unflatten(structure, leaves)
        key, noise_key, shares_key = jax.random.split(key, 3)
        # For the whole batch, so that it is the same noise in however many parts it goes through.
        examples = batch, noise_for(batch, noise_key), jax.random.uniform(shares_key, (len(batch[example]),))
        gradients, (scalars, (g_rest, d_rest)) = d_gradient(d, (g_rest, d_rest), examples, g)
        updates, d_memory = d_update(gradients, d_memory, d, value=scalars["discriminator_loss"])
        d = optax.apply_updates(d, updates)
        return jax.tree.leaves(((g, d), (g_memory, d_memory), (g_rest, d_rest, key))), scalars

    def generator_step(leaves, batch):
        (g, d), (g_memory, d_memory), (g_rest, d_rest, key) = jax.tree.unflatten(structure, leaves)
        key, noise_key = jax.random.split(key)
        examples = batch, noise_for(batch, noise_key)
        gradients, (scalars, (g_rest, d_rest)) = g_gradient(g, (g_rest, d_rest), examples, d)
        updates, g_memory = g_update(gradients, g_memory, g, value=scalars["generator_loss"])
        g = optax.apply_updates(g, updates)
        return jax.tree.leaves(((g, d), (g_memory, d_memory), (g_rest, d_rest, key))), scalars

    where = result_shardings(shardings)
    return tuple(jax.jit(step, donate_argnums=0, out_shardings=where) for step in (discriminator_step, generator_step))
