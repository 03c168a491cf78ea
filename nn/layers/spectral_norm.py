"""Spectral normalization: divide a layer's weights by the largest singular value of their matrix.

For a `Linear` layer that is the most by which it stretches any input. A layer that cannot be steep keeps the judge of an
adversarial pair from running away from its partner.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from nn.layers.initializers import normal
from nn.layers.shapes import require_positive


def power_iteration(
    matrix: Float[Array, "inputs outputs"], u: Float[Array, "1 outputs"], *, steps: int = 1, epsilon: float = 1e-12
) -> tuple[Float[Array, ""], Float[Array, "1 outputs"]]:
    """The largest singular value of a matrix, and the direction of outputs that goes with it.

    Sending a vector through the matrix and back, again and again, turns it towards the direction that the matrix stretches
    most; each round shrinks the rest of it by the ratio of the second to the largest singular value, squared.

    Args:
      matrix: W.
      u: where to begin, any direction that is not 0: the result of the last call, if the matrix has changed little since.
      steps: rounds there and back.
      epsilon: added to squared lengths, so that a matrix of zeros does not divide by 0.

    Returns:
      σ = v W uᵀ, never above the largest singular value, and u, of length 1. The gradient of σ takes u and v for constants:
      at the largest singular value that is exact.

    Raises:
      ValueError: if steps is below 1.

    Reference: Miyato, Kataoka, Koyama and Yoshida 2018, "Spectral Normalization for GANs", section 2.1 and appendix A.
    """

    require_positive("power_iteration", steps=steps)

    def unit(vector):
        return vector * jax.lax.rsqrt((vector**2).sum() + epsilon)

    fixed = jax.lax.stop_gradient(matrix)
    v = unit(u @ fixed.T)
    for _ in range(steps - 1):
        v = unit(unit(v @ fixed) @ fixed.T)
    u = unit(v @ fixed)
    return (v @ matrix @ u.T)[0, 0], u


def spectral_norm(
    kernel: Float[Array, "*positions inputs outputs"], u: Float[Array, "1 outputs"], *, steps: int = 1, epsilon: float = 1e-12
) -> tuple[Float[Array, "*positions inputs outputs"], Float[Array, ""], Float[Array, "1 outputs"]]:
    """A kernel divided by its largest singular value σ, with σ and the direction u of `power_iteration`.

    Positions and inputs of a convolution's kernel count as inputs alike: one row for each number that feeds a unit. A kernel
    of zeros stays one. The result has the kernel's dtype; σ is found in float32 or better. For more than one position this
    bounds the kernel's matrix and not the convolution, which may stretch up to √positions times as much.

    Reference: Miyato et al. 2018, eq. 8.
    """
    wide = kernel.astype(jnp.promote_types(kernel.dtype, jnp.float32))
    sigma, u = power_iteration(wide.reshape(-1, kernel.shape[-1]), u, steps=steps, epsilon=epsilon)
    return (wide / jnp.where(sigma == 0, 1, sigma)).astype(kernel.dtype), sigma, u


class SpectralNorm(nnx.Module):
    """A layer whose every kernel is divided by its largest singular value, as far as power iteration knows it.

    A drop-in for `flax.nnx.SpectralNorm`, with its outputs and its state: for every parameter of at least two axes
    `batch_stats` keeps a direction `u` (1, outputs) and the value `sigma` (), which training calls move on. One thing differs:
    Flax writes the divided kernel back into the layer; here the kernel stays what the optimizer made it, as in the paper.

    Args:
      layer_instance: the layer, such as a `Linear`.
      n_steps: rounds of power iteration a call. One is enough where many calls follow each other.
      epsilon: added to squared lengths.
      update_stats: whether to begin in training mode. In evaluation mode a call takes its rounds too, and forgets them.
      rngs: where the first directions come from.

    Attributes:
      frozen: while True the layer stays in evaluation mode, whatever `train()` says; `transfer.freeze` sets it.

    Raises:
      ValueError: if n_steps is below 1.
    """

    def __init__(
        self,
        layer_instance: nnx.Module,
        *,
        n_steps: int = 1,
        epsilon: float = 1e-12,
        update_stats: bool = True,
        rngs: nnx.Rngs,
    ):
        require_positive("SpectralNorm", n_steps=n_steps)
        self.layer_instance, self.n_steps, self.epsilon = layer_instance, n_steps, epsilon
        self.use_running_average, self.frozen = not update_stats, False  # the name that train() and eval() look for
        batch_stats = {}
        for path, kernel in _kernels(layer_instance):
            batch_stats[(*path, "u")] = nnx.BatchStat(normal()(rngs.params(), (1, kernel.shape[-1])))
            batch_stats[(*path, "sigma")] = nnx.BatchStat(jnp.ones(()))
        self.batch_stats = nnx.data(batch_stats)

    def __call__(self, x: Float[Array, "..."], update_stats: bool | None = None) -> Float[Array, "..."]:
        if update_stats is None:
            update_stats = not self.use_running_average
        # The layer is called on a copy, whose kernels are replaced.
        graphdef, parameters, rest = nnx.split(self.layer_instance, nnx.Param, ...)
        parameters = jax.tree.map(lambda leaf: leaf, parameters)
        copies = dict(nnx.to_flat_state(parameters))
        for path, kernel in _kernels(self.layer_instance):
            u, sigma = self.batch_stats[(*path, "u")], self.batch_stats[(*path, "sigma")]
            divided, new_sigma, new_u = spectral_norm(kernel[...], u[...], steps=self.n_steps, epsilon=self.epsilon)
            copies[path][...] = divided
            if update_stats and not self.frozen:
                u[...], sigma[...] = jax.lax.stop_gradient(new_u), jax.lax.stop_gradient(new_sigma)
        layer = nnx.merge(graphdef, parameters, rest)
        y = layer(x)
        if jax.tree.leaves(rest):  # what moves in the layer's own call, as running averages do
            nnx.update(self.layer_instance, nnx.split(layer, nnx.Param, ...)[2])
        return y


def _kernels(layer):
    """Path and variable of every parameter that is a matrix, or one with positions."""
    return [(path, parameter) for path, parameter in nnx.to_flat_state(nnx.state(layer, nnx.Param)) if parameter[...].ndim >= 2]
