"""Prompt tuning: leave a language model as it is, and learn what to write in front of the text.

A prompt in words tells a model what to do, as far as words can be found. A *soft* prompt needs no words: it is a few vectors
that stand where the vectors of tokens would, and gradient descent finds them. All tasks share one model; each keeps a prompt.

Take several vectors, even where one word would do. In a model that begins with a layer norm a vector counts by its direction
alone, and a single one that begins on the wrong side of the sphere can stay there, at any learning rate: on a small model one
vector was stuck in 20 of 200 beginnings, three were in none.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int

from nn.layers import in_turn
from nn.models import GPT
from transfer.freezing import PathFilter


def prompted_features(
    model: GPT, prompt: Float[Array, "prompts features"], tokens: Int[Array | np.ndarray, "*batch length"]
) -> Float[Array, "*batch length features"]:
    """What a model makes of each token that stands behind a prompt; without vectors in the prompt it is `model.features`.

    Args:
      model: sees the prompt as it sees tokens: it takes up positions, and all that follows may look at it.
      prompt: vectors in place of embeddings.
      tokens: at most as many as fit behind the prompt.

    Raises:
      ValueError: if the vectors are not of the model's size, or prompt and tokens are too many.

    Reference: Lester, Al-Rfou and Constant 2021, "The Power of Scale for Parameter-Efficient Prompt Tuning", section 2.
    """
    count, features = prompt.shape
    if features != model.config.features or count + tokens.shape[-1] > model.config.length:
        raise ValueError(
            f"prompted_features expects vectors of {model.config.features} features, at most {model.config.length} of them and "
            f"of tokens in all, got a prompt {prompt.shape} and {tokens.shape[-1]} tokens."
        )
    embedded = model.wte(tokens)
    in_front = jnp.broadcast_to(prompt.astype(embedded.dtype), (*tokens.shape[:-1], count, features))
    x = model.dropout(model.wpe(jnp.concatenate([in_front, embedded], axis=-2)))
    x = in_turn(model.h, x, rematerialize=model.config.rematerialize, scan=model.config.scan)
    return model.ln_f(x)[..., count:, :]


class PromptedGPT(nnx.Module):
    """A GPT with a learned prompt in front of every text: tokens in, scores for the next token out, as of the GPT itself.

    Args:
      model: the pretrained model. It is shared, not copied.
      prompts: how many vectors.
      rngs: chooses the tokens whose embeddings the prompt begins as (Lester et al. 2021, section 3.2: better than noise),
        different ones as long as there are enough: vectors that begin alike would stay alike, but for their positions.

    Attributes:
      model: the pretrained model; train it with the filter of `apply_prompt`, and it stays as it is.
      prompt: the vectors, (prompts, features).

    Raises:
      ValueError: if there is no room for a prompt and two tokens, or prompts is below 1.
    """

    def __init__(self, model: GPT, prompts: int, *, rngs: nnx.Rngs):
        if not 1 <= prompts <= model.config.length - 2:
            raise ValueError(
                f"PromptedGPT expects 1 to {model.config.length - 2} vectors, for a model of {model.config.length} positions "
                f"and at least two tokens, got {prompts}."
            )
        self.model = model
        vocabulary = model.config.vocabulary
        words = jax.random.choice(rngs.params(), vocabulary, (prompts,), replace=prompts > vocabulary)
        self.prompt = nnx.Param(model.wte(words))

    def __call__(self, tokens: Int[Array | np.ndarray, "*batch length"]) -> Float[Array, "*batch length vocabulary"]:
        return self.model.wte.attend(prompted_features(self.model, self.prompt[...], tokens))


def apply_prompt(model: GPT, prompts: int, *, rngs: nnx.Rngs) -> tuple[PromptedGPT, PathFilter]:
    """Puts a trainable prompt in front of a model, and says what is to train.

    Args:
      model, prompts, rngs: as for `PromptedGPT`.

    Returns:
      The model with its prompt, and the filter of the prompt alone for `fit(..., wrt=...)`, together with a loss such as
      `nn.training.next_token_loss`. Keep to it: without a filter the model's own parameters train, too.
    """
    return PromptedGPT(model, prompts, rngs=rngs), PathFilter(("prompt",))
