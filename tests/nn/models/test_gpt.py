import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.models import GPT, GPTConfig, generate
from nn.training import next_token_loss
from transfer import freeze

CONFIG = GPTConfig(vocabulary=11, length=9, features=8, heads=2, layers=2)
TOKENS = np.array([[1, 10, 2, 2, 7, 0], [5, 4, 3, 9, 8, 1]])
KEY = jax.random.key(0)

# What a published checkpoint holds, by its names, and how these become ours; here in the sizes of CONFIG.
PUBLISHED = {
    "wte.weight": (11, 8),
    "wpe.weight": (9, 8),
    "h.{i}.ln_1.weight": (8,),
    "h.{i}.ln_1.bias": (8,),
    "h.{i}.attn.c_attn.weight": (8, 24),
    "h.{i}.attn.c_attn.bias": (24,),
    "h.{i}.attn.c_proj.weight": (8, 8),
    "h.{i}.attn.c_proj.bias": (8,),
    "h.{i}.ln_2.weight": (8,),
    "h.{i}.ln_2.bias": (8,),
    "h.{i}.mlp.c_fc.weight": (8, 32),
    "h.{i}.mlp.c_fc.bias": (32,),
    "h.{i}.mlp.c_proj.weight": (32, 8),
    "h.{i}.mlp.c_proj.bias": (8,),
    "ln_f.weight": (8,),
    "ln_f.bias": (8,),
}
RENAMING = {r"(wte|wpe)\.weight": r"\1.embedding", r"(ln_\w)\.weight": r"\1.scale", r"(c_\w+)\.weight": r"\1.kernel"}


def ours(published):
    for pattern, name in RENAMING.items():
        published = re.sub(pattern, name, published)
    return published


def gpt(**changes):
    """One whose weights are all random and far from 0, so that every part is heard."""
    model = GPT(GPTConfig(**{**vars(CONFIG), **changes}), rngs=nnx.Rngs(0))
    random = np.random.default_rng(1)
    state = nnx.state(model, nnx.Param)
    nnx.update(model, jax.tree.map(lambda leaf: jnp.asarray(random.normal(0, 0.5, leaf.shape), leaf.dtype), state))
    return model


def by_name(model):
    return {".".join(map(str, path)): leaf for path, leaf in nnx.to_flat_state(nnx.state(model, nnx.Param))}


def count(config):
    return sum(leaf.size for leaf in by_name(nnx.eval_shape(lambda: GPT(config, rngs=nnx.Rngs(0)))).values())


def test_gpt2_has_124_439_808_parameters():
    assert count(GPTConfig.gpt2()) == 124_439_808


@pytest.mark.slow
def test_the_larger_ones_have_as_many_as_published():
    assert count(GPTConfig.gpt2_medium()) == 354_823_168
    assert count(GPTConfig.gpt2_large()) == 774_030_080
    assert count(GPTConfig.gpt2_xl()) == 1_557_611_200


def test_a_published_checkpoint_becomes_ours_by_renaming():
    names = {name.format(i=i): shape for name, shape in PUBLISHED.items() for i in range(CONFIG.layers)}
    assert {ours(name): shape for name, shape in names.items()} == {name: leaf.shape for name, leaf in by_name(gpt()).items()}


def gpt2_64(weights, tokens):
    """GPT-2's equations in float64, on the tensors of a published checkpoint, one sequence at a time."""

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x, name):
        return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def attention(query, key, value):
        scores = np.where(np.tri(len(query)), query @ key.T / np.sqrt(query.shape[-1]), -np.inf)
        return np.exp(scores) / np.exp(scores).sum(-1, keepdims=True) @ value

    x = weights["wte.weight"][tokens] + weights["wpe.weight"][: len(tokens)]
    for i in range(CONFIG.layers):
        parts = np.split(linear(norm(x, f"h.{i}.ln_1"), f"h.{i}.attn.c_attn"), 3 * CONFIG.heads, axis=-1)
        heads = [attention(*parts[head :: CONFIG.heads]) for head in range(CONFIG.heads)]
        x = x + linear(np.concatenate(heads, axis=-1), f"h.{i}.attn.c_proj")
        z = linear(norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")
        x = x + linear(z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))), f"h.{i}.mlp.c_proj")
    return norm(x, "ln_f") @ weights["wte.weight"].T


def test_with_published_weights_it_is_gpt2_in_float64():
    model, found = gpt(), by_name(gpt())
    names = {name.format(i=i) for name in PUBLISHED for i in range(CONFIG.layers)}
    weights = {name: np.asarray(found[ours(name)][...], np.float64) for name in names}
    expected = np.stack([gpt2_64(weights, tokens) for tokens in TOKENS])
    np.testing.assert_allclose(jax.jit(lambda tokens: model(tokens))(TOKENS), expected, rtol=1e-4, atol=1e-4)


def test_weights_begin_small_and_those_on_the_residual_path_smaller_with_depth():
    model = GPT(GPTConfig(vocabulary=100, length=100, features=64, heads=1, layers=8), rngs=nnx.Rngs(0))
    for name, leaf in by_name(model).items():
        if name.endswith(("kernel", "embedding")):
            expected = 0.02 / np.sqrt(2 * 8) if "c_proj" in name else 0.02
            np.testing.assert_allclose(np.std(leaf[...]), expected, rtol=0.06, err_msg=name)
        else:
            np.testing.assert_array_equal(leaf[...], 1 if name.endswith("scale") else 0)


def test_it_ignores_the_future():
    """A later token changes not a bit of what was said before it."""
    model, changed = gpt(), TOKENS.copy()
    changed[:, 4:] = [[3, 3], [0, 10]]
    before, after = model(TOKENS), model(changed)
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert (before[:, 4:] != after[:, 4:]).any(-1).all()
    maps = model.attention_maps(TOKENS)
    assert maps.shape == (CONFIG.layers, 2, CONFIG.heads, 6, 6)
    np.testing.assert_array_equal(maps > 0, jnp.broadcast_to(np.tri(6, dtype=bool), maps.shape))
    np.testing.assert_allclose(maps.sum(-1), 1, rtol=1e-5)


def test_cached_decoding_is_full_decoding_token_by_token_and_with_a_beginning_at_once():
    model = gpt()
    graphdef, state = nnx.split(model)

    @jax.jit
    def decoded(state):
        model = nnx.merge(graphdef, state)
        decodings = []
        for pieces in ((1, 1, 1, 1, 1, 1), (4, 2)):
            model.init_cache(2)
            parts = np.split(TOKENS, np.cumsum(pieces)[:-1], axis=1)
            decodings.append(jnp.concatenate([model(jnp.asarray(part), decode=True) for part in parts], axis=1))
        return decodings

    full = model(TOKENS)
    for decoding in decoded(state):
        np.testing.assert_allclose(decoding, full, rtol=1e-4, atol=1e-4)


def test_input_and_output_share_one_table_and_learn_as_one():
    """Its gradient is that of a table that only reads plus that of a table that only writes."""
    model = gpt()
    assert [name for name, leaf in by_name(model).items() if CONFIG.vocabulary in leaf.shape] == ["wte.embedding"]
    graphdef, table, rest = nnx.split(model, nnx.PathContains("wte"), ...)
    batch = {"tokens": jnp.asarray(TOKENS)}

    @jax.jit
    def gradients(table):
        def tied(table):
            return next_token_loss(nnx.merge(graphdef, table, rest), batch)

        def apart(reads, writes):
            def model(tokens):
                x = nnx.merge(graphdef, reads, rest).features(tokens)
                return nnx.merge(graphdef, writes, rest).wte.attend(x)

            return next_token_loss(model, batch)

        return jax.grad(tied)(table), jax.grad(apart, argnums=(0, 1))(table, table)

    tied, reads, writes = jax.tree.leaves(gradients(table))
    np.testing.assert_allclose(tied, reads + writes, rtol=1e-4, atol=1e-5)
    assert (reads != 0).any() and (writes != 0).all()


def test_the_shared_table_is_frozen_as_one():
    model = gpt()
    trained = {".".join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(model, freeze(model, "wte")))}
    assert trained == by_name(model).keys() - {"wte.embedding"}


def test_dropout_is_off_in_evaluation():
    model, plain = gpt(dropout=0.5), gpt()
    assert (model(TOKENS) != model(TOKENS)).any()
    model.eval()
    np.testing.assert_array_equal(model(TOKENS), plain(TOKENS))


def test_generate_is_the_slow_loop_without_a_cache():
    """Greedy: append the likeliest token, and read the whole text again. In training mode too, and the model stays as it is."""
    model = gpt(dropout=0.5)
    before = nnx.state(model)
    text = generate(model, TOKENS[:, :3], 6, key=KEY, temperature=0)
    assert not model.dropout.deterministic
    assert jax.tree.structure(nnx.state(model)) == jax.tree.structure(before)
    np.testing.assert_array_equal(text[:, :3], TOKENS[:, :3])
    model.eval()
    # Guesses do not depend on what comes later, so one reading of the whole text gives those of each beginning.
    np.testing.assert_array_equal(text[:, 3:], model(text).argmax(-1)[:, 2:-1])


def test_the_same_key_writes_the_same_text_and_so_do_the_greedy_choices():
    model = gpt()
    text = generate(model, TOKENS[0, :2], 7, key=KEY)
    np.testing.assert_array_equal(generate(model, TOKENS[0, :2], 7, key=KEY), text)
    others = [generate(model, TOKENS[0, :2], 7, key=jax.random.key(seed)) for seed in range(1, 4)]
    assert any((other != text).any() for other in others)
    greedy = generate(model, TOKENS[0, :2], 7, key=KEY, temperature=0)
    for options in ({"temperature": 1e-30}, {"top_k": 1}, {"top_p": 0.0}):
        np.testing.assert_array_equal(generate(model, TOKENS[0, :2], 7, key=KEY, **options), greedy)


def test_it_writes_only_what_the_filters_keep():
    model = gpt()
    rows = generate(model, np.broadcast_to(TOKENS[0, :2], (40, 2)), 1, key=KEY, temperature=5.0, top_k=2)[:, -1]
    assert set(np.asarray(rows).tolist()) == set(np.argsort(model(TOKENS[0, :2])[-1])[-2:].tolist())


def test_what_does_not_fit_is_refused(without_type_checks):
    model = gpt()
    for refused, message in [
        (lambda: model(np.zeros((1, 10), int)), "GPT expects at most 9 tokens, got 10"),
        (lambda: model(TOKENS + 1), "expects tokens from 0 to 10, got 11"),
        (lambda: model(TOKENS - 1), "expects tokens from 0 to 10, got -1"),
        (lambda: model(TOKENS, decode=True), "expects init_cache before it decodes"),
        (lambda: generate(model, TOKENS, 4, key=KEY), "at most 9 tokens in all, got 6 and 4"),
        (lambda: generate(model, np.zeros((1, 10), int), 1, key=KEY), "at most 9 tokens in all, got 10 and 1"),
        (lambda: generate(model, TOKENS[:, :0], 1, key=KEY), "a count of at least 1.*got 0 and 1"),
        (lambda: generate(model, TOKENS, 0, key=KEY), "a count of at least 1.*got 6 and 0"),
        (lambda: generate(model, TOKENS + 1, 1, key=KEY), "generate expects tokens from 0 to 10, got 11"),
        (lambda: generate(model, TOKENS, 1, key=KEY, temperature=-1), "a temperature of at least 0, got -1"),
        (lambda: generate(model, TOKENS, 1, key=KEY, top_k=0), "expects k of at least 1, got 0"),
        (lambda: GPTConfig.gpt2(heads=7), "GPTConfig expects heads that divide the features, got 7 and 768"),
        (lambda: GPTConfig.gpt2(layers=0), "GPTConfig expects layers of at least 1, got layers=0"),
        (lambda: GPTConfig.gpt2(dropout=1.5), "GPTConfig expects dropout between 0 and 1, got 1.5"),
    ]:
        with pytest.raises(ValueError, match=message):
            refused()
