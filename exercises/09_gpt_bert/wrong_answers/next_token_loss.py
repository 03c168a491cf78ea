"""Wrong answers to `next_token_loss` that a student writes; exercises.toml says what is wrong with each."""

import jax
import jax.numpy as jnp


def _losses(logits, labels):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], axis=-1)[..., 0]


def _mean(losses, mask):
    return losses.mean() if mask is None else jnp.where(mask, losses, 0).sum() / jnp.maximum(mask.sum(), 1)


def _require_two(tokens):
    if tokens.shape[-1] < 2:
        raise ValueError(f"two tokens at least, got shape {tokens.shape}")


def _mask(batch):
    return batch["mask"][:, 1:] if "mask" in batch else None


def not_shifted(model, batch):
    tokens = batch["tokens"]
    _require_two(tokens)
    return _mean(_losses(model(tokens[:, :-1]), tokens[:, :-1]), _mask(batch))


def sees_the_answer(model, batch):
    tokens = batch["tokens"]
    _require_two(tokens)
    return _mean(_losses(model(tokens[:, 1:]), tokens[:, 1:]), _mask(batch))


def asks_for_the_one_before(model, batch):
    tokens = batch["tokens"]
    _require_two(tokens)
    return _mean(_losses(model(tokens[:, 1:]), tokens[:, :-1]), _mask(batch))


def shifted_along_the_batch(model, batch):
    tokens = jnp.asarray(batch["tokens"])
    _require_two(tokens)
    return _mean(_losses(model(tokens[:, :-1]), jnp.roll(tokens, -1, axis=0)[:, :-1]), _mask(batch))


def padding_counted(model, batch):
    tokens = batch["tokens"]
    _require_two(tokens)
    return _losses(model(tokens[:, :-1]), tokens[:, 1:]).mean()


def mask_of_what_is_seen(model, batch):
    tokens = batch["tokens"]
    _require_two(tokens)
    mask = batch["mask"][:, :-1] if "mask" in batch else None
    return _mean(_losses(model(tokens[:, :-1]), tokens[:, 1:]), mask)


def divided_by_all(model, batch):
    tokens = batch["tokens"]
    _require_two(tokens)
    losses, mask = _losses(model(tokens[:, :-1]), tokens[:, 1:]), _mask(batch)
    return losses.mean() if mask is None else jnp.where(mask, losses, 0).mean()


def mean_of_means(model, batch):
    tokens = batch["tokens"]
    _require_two(tokens)
    losses = _losses(model(tokens[:, :-1]), tokens[:, 1:])
    mask = jnp.ones(losses.shape, bool) if _mask(batch) is None else jnp.asarray(_mask(batch))
    return ((losses * mask).sum(1) / jnp.maximum(mask.sum(1), 1)).mean()


def summed(model, batch):
    tokens = batch["tokens"]
    _require_two(tokens)
    losses, mask = _losses(model(tokens[:, :-1]), tokens[:, 1:]), _mask(batch)
    return losses.sum() if mask is None else jnp.where(mask, losses, 0).sum()


def in_bits(model, batch):
    tokens = batch["tokens"]
    _require_two(tokens)
    return _mean(_losses(model(tokens[:, :-1]), tokens[:, 1:]), _mask(batch)) / jnp.log(2)


def one_token_is_enough(model, batch):
    tokens = batch["tokens"]
    return _mean(_losses(model(tokens[:, :-1]), tokens[:, 1:]), _mask(batch))


def model_sees_the_last_too(model, batch):
    tokens = batch["tokens"]
    _require_two(tokens)
    return _mean(_losses(model(tokens)[:, :-1], tokens[:, 1:]), _mask(batch))
