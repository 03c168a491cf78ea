"""Which form of a kernel runs: the one that was named, or the best that can compute this call on this platform.

Every kernel of this folder comes in several forms that compute the same: "reference", its equation in a few lines; "xla", the
same arranged so that XLA makes a faster program of it; "mosaic", written in Pallas for a TPU; "triton", written in Pallas for
a GPU. "pallas" means whichever of the last two belongs to the platform.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Literal

import jax

Implementation = Literal["reference", "xla", "pallas", "mosaic", "triton"]
Platform = Literal["cpu", "gpu", "tpu"]
PALLAS = {"tpu": "mosaic", "gpu": "triton"}
Reasons = Mapping[str, str | None]
NO_REASONS: Reasons = MappingProxyType({})

_target: ContextVar[Platform | None] = ContextVar("target", default=None)


def platform() -> str:
    """What the program that is being traced will run on: "cpu", "gpu" or "tpu".

    That is the target of `compiling_for`, or the device of `jax.default_device`, or JAX's first choice. Where arrays were put
    on a device of another platform by hand, which tracing cannot see, say so by one of the first two.
    """
    default = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]  # JAX adds its options when imported
    name = getattr(default, "platform", default)
    return _target.get() or {"cuda": "gpu", "rocm": "gpu"}.get(name, name) or jax.default_backend()


@contextmanager
def compiling_for(target: Platform) -> Iterator[None]:
    """Within it, kernels are chosen for a machine that need not be there, as compiling ahead of time asks.

    A function that was traced before keeps the forms that were chosen then, even if it is jitted anew: give jit a new one
    inside, or call `jax.clear_caches` first.
    """
    token = _target.set(target)
    try:
        yield
    finally:
        _target.reset(token)


def choose(
    kernel: str,
    implementation: Implementation | None,
    *,
    best: Sequence[str],
    refused: Reasons = NO_REASONS,
    refused_by_pallas: Callable[[], Reasons] = lambda: NO_REASONS,
) -> str:
    """The form that runs, of "reference", "xla", "mosaic" and "triton". Only `None` falls back.

    Args:
      kernel: the name of the function, for the message.
      implementation: the form that was asked for; `None` leaves it to the kernel.
      best: the forms that `None` tries on this platform, the best first. The last must be able to compute every call.
      refused: for each form that cannot compute this call the reason, to follow "because"; `None` counts as no reason.
      refused_by_pallas: gives the same for "mosaic" and "triton". It is asked only when one of them may run, since to import
        Pallas takes a moment.

    Raises:
      ValueError: if the named form does not exist or cannot compute this call.
    """

    def reason_against(form):
        return refused.get(form) or (refused_by_pallas().get(form) if form in PALLAS.values() else None)

    if implementation is None:
        return next(form for form in best if not reason_against(form))
    form = PALLAS.get(platform()) if implementation == "pallas" else implementation
    if form is None:
        raise ValueError(
            f"{kernel}(implementation='pallas') needs a TPU or a GPU, and this program is for a {platform()}. "
            "implementation='mosaic' or 'triton' with interpret=True computes what the kernel would."
        )
    if form not in ("reference", "xla", "mosaic", "triton"):
        raise ValueError(
            f"{kernel} has the implementations 'reference', 'xla', 'pallas', 'mosaic' and 'triton', got {implementation!r}."
        )
    if reason := reason_against(form):
        raise ValueError(f"{kernel}(implementation={implementation!r}) cannot run here, because {reason}.")
    return form
