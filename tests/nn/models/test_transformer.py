import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from nn.models import Transformer, TransformerConfig

CONFIG = TransformerConfig(
    source_vocabulary=7, target_vocabulary=11, features=8, heads=2, layers=2, hidden=12, dropout=0.0, max_length=9
)
SOURCE = np.array([[1, 6, 2, 2, 0], [5, 4, 3, 6, 1]])
TARGET = np.array([[1, 10, 2, 7], [1, 4, 9, 8]])
LENGTHS = np.array([3, 5])


def transformer(**changes):
    """One whose weights are all random and far from 0, so that every part is heard."""
    model = Transformer(TransformerConfig(**{**vars(CONFIG), **changes}), rngs=nnx.Rngs(0))
    random = np.random.default_rng(1)
    state = nnx.state(model, nnx.Param)
    nnx.update(model, jax.tree.map(lambda leaf: jnp.asarray(random.normal(0, 0.5, leaf.shape), leaf.dtype), state))
    return model


@pytest.mark.parametrize(
    ("size", "d", "hidden"),
    [(TransformerConfig.base, 512, 2048), pytest.param(TransformerConfig.big, 1024, 4096, marks=pytest.mark.slow)],
)
def test_it_has_as_many_parameters_as_are_counted_by_hand(size, d, hidden):
    config = size(source_vocabulary=100, target_vocabulary=200)
    state = nnx.state(nnx.eval_shape(lambda: Transformer(config, rngs=nnx.Rngs(0))), nnx.Param)
    attention, feed_forward, norm = 4 * (d * d + d), d * hidden + hidden + hidden * d + d, 2 * d
    layers = (attention + feed_forward + 2 * norm) + (2 * attention + feed_forward + 3 * norm)
    assert sum(leaf.size for leaf in jax.tree.leaves(state)) == 6 * layers + 2 * norm + (100 + 200) * d


def test_what_is_written_later_does_not_matter_and_what_is_read_does():
    model, later, other = transformer(), TARGET.copy(), SOURCE.copy()
    later[:, 2:] = [[3, 3], [0, 10]]
    other[:, 4] = 3
    scores = model(SOURCE, TARGET)
    np.testing.assert_array_equal(model(SOURCE, later)[:, :2], scores[:, :2])
    assert (model(SOURCE, later)[:, 2:] != scores[:, 2:]).any(-1).all()
    assert (model(other, TARGET) != scores).any(-1).all()  # from the first position on


def test_what_is_behind_the_length_of_the_source_does_not_matter():
    model, other = transformer(), SOURCE.copy()
    other[0, 3:] = [5, 5]
    options = dict(source_lengths=LENGTHS)
    np.testing.assert_array_equal(model(other, TARGET, **options), model(SOURCE, TARGET, **options))
    np.testing.assert_allclose(model(SOURCE[:1, :3], TARGET[:1]), model(SOURCE, TARGET, **options)[:1], rtol=1e-4, atol=1e-4)
    maps = model.attention_maps(SOURCE, TARGET, **options)
    assert maps.shape == (CONFIG.layers, 2, CONFIG.heads, 4, 5)
    np.testing.assert_allclose(maps.sum(-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(maps[:, 0, ..., 3:], 0)
    assert (maps[:, 0, ..., :3] > 0).all() and (maps[:, 1] > 0).all()


def test_an_empty_source_is_no_nan():
    scores = transformer()(SOURCE, TARGET, source_lengths=np.array([0, 5]))
    assert jnp.isfinite(scores).all()


def test_order_matters_on_both_sides():
    """Attention alone sees a set: the positions must reach both stacks."""
    model = transformer()
    assert (model(SOURCE[:, ::-1], TARGET) != model(SOURCE, TARGET)).any(-1).all()
    same = np.full((1, 3), 4)  # one token three times: only its place is different
    assert len(np.unique(np.round(model.encode(same)[0, :, 0], 4))) == 3
    assert len(np.unique(np.round(model(SOURCE[:1], same)[0, :, 0], 4))) == 3


def test_cached_decoding_is_full_decoding_and_translate_is_the_slow_loop():
    model = transformer()
    graphdef, state = nnx.split(model)
    written = model.translate(SOURCE, start=1, end=CONFIG.target_vocabulary - 1, source_lengths=LENGTHS)
    target = jnp.concatenate([jnp.ones((2, 1), written.dtype), written[:, :-1]], axis=-1)

    @jax.jit
    def decoded(state):
        model = nnx.merge(graphdef, state)
        memory = model.encode(SOURCE, LENGTHS)
        decodings = []
        for pieces in ((1, 1, 1, 1, 5), (6, 3)):
            model.init_cache(2)
            parts = jnp.split(target, np.cumsum(pieces)[:-1].tolist(), axis=1)
            decodings.append([model.decode(memory, part, source_lengths=LENGTHS, decode=True) for part in parts])
        return [jnp.concatenate(parts, axis=1) for parts in decodings]

    full = model(SOURCE, target, source_lengths=LENGTHS)
    for decoding in decoded(state):
        np.testing.assert_allclose(decoding, full, rtol=1e-4, atol=1e-4)
    # Guesses do not depend on what comes later, so one reading of the whole text gives those of each beginning.
    ended = np.asarray(target) == CONFIG.target_vocabulary - 1
    np.testing.assert_array_equal(written, np.where(ended, CONFIG.target_vocabulary - 1, full.argmax(-1)))


def test_behind_the_end_there_is_only_the_end_and_dropout_is_off():
    """Whatever it writes first, called the end: then it writes nothing else."""
    model = transformer(dropout=0.5)
    written = model.translate(SOURCE, start=1, end=0, count=5)
    np.testing.assert_array_equal(written, transformer().translate(SOURCE, start=1, end=0, count=5))
    first = int(written[0, 0])
    assert first != 0
    np.testing.assert_array_equal(model.translate(SOURCE, start=1, end=first, count=5)[0], first)
    assert not model.dropout.deterministic  # the model is as it was


def test_the_output_shares_the_table_of_the_target():
    model = transformer()
    tables = {path: leaf.shape for path, leaf in nnx.to_flat_state(nnx.state(model, nnx.Param)) if leaf.shape[0] in (7, 11)}
    assert tables == {("source_embed", "embedding"): (7, 8), ("target_embed", "embedding"): (11, 8)}
    memory = model.encode(SOURCE)
    before = model.decode(memory, TARGET)
    table = model.target_embed.embedding
    table[...] = table[...].at[0].set(0.0)  # a token that is not in the target
    np.testing.assert_array_equal(model.decode(memory, TARGET)[..., 0], 0)
    np.testing.assert_allclose(model.decode(memory, TARGET)[..., 1:], before[..., 1:], rtol=1e-5)


def test_what_does_not_fit_is_refused():
    model, sizes = transformer(), dict(source_vocabulary=3, target_vocabulary=4)
    for refused, message in [
        (lambda: model(np.zeros((2, 10), int), TARGET), "Transformer expects at most 9 tokens, got 10"),
        (lambda: model(SOURCE, np.zeros((2, 10), int)), "Transformer expects at most 9 tokens, got 10"),
        (lambda: model(SOURCE + 1, TARGET), "expects tokens from 0 to 6, got 7"),
        (lambda: model(SOURCE, TARGET + 1), "expects tokens from 0 to 10, got 11"),
        (lambda: model(SOURCE, TARGET, source_lengths=LENGTHS + 1), "padding_mask expects lengths from 0 to 5, got 6"),
        (lambda: model.translate(SOURCE + 1, start=1, end=2), "translate expects tokens from 0 to 6, got 7"),
        (lambda: model.translate(SOURCE, start=1, end=11), "translate expects start and end from 0 to 10, got 11"),
        (lambda: model.translate(SOURCE, start=1, end=2, count=10), "translate expects a count from 1 to 9, got 10"),
        (lambda: TransformerConfig(**sizes, heads=7), "heads that divide it, got 64 features and 7 heads"),
        (lambda: TransformerConfig(**sizes, features=9, heads=3), "an even number of features.*got 9 features and 3 heads"),
        (lambda: TransformerConfig(**sizes, layers=0), "TransformerConfig expects layers of at least 1, got layers=0"),
        (lambda: TransformerConfig(**sizes, dropout=2), "TransformerConfig expects dropout between 0 and 1, got 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            refused()


def test_start_and_end_may_be_one_token():
    model = transformer()
    other, written = (np.asarray(model.translate(SOURCE, start=1, end=end, count=3)) for end in (0, 1))
    assert (other[:, 0] > 1).all(), "else nothing is seen here"
    np.testing.assert_array_equal(written[:, 0], other[:, 0])
