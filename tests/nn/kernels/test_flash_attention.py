"""Flash attention is the equation in all its forms: values, first and second gradients; its memory grows like the length."""

import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn.kernels import attention
from nn.kernels.attention import attention_form, flash_attention, online_softmax
from nn.kernels.choice import compiling_for
from nn.layers.attention import dot_product_attention, padding_mask

in_float64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64

# The shape of queries; how many keys, heads of keys, and features of a value; which keys are seen. Blocks hold up to 256, 128
# and 64 rows, and heads that share keys have their rows in one block. Of the first sequence of a batch no key is real.
TRIES = {
    "several blocks": ((2, 150, 4, 8), 280, 2, 6, dict(ragged=True)),
    "several blocks, causal, more keys": ((1, 150, 2, 4), 280, 2, 4, dict(causal=True)),
    "causal, ragged, more queries, no batch": ((70, 2, 4), 40, 1, 4, dict(causal=True, ragged=True, scale=0.7)),
    "one row and one key, two axes of batch": ((2, 1, 1, 2, 3), 1, 1, 4, dict(ragged=True)),
    "bfloat16": ((1, 70, 2, 16), 70, 1, 16, dict(causal=True)),
}


def draw(name, seed=0):
    """query, key and value of a try, and the options of `flash_attention`."""
    (*batch, queries, heads, depth), keys, kv_heads, value_depth, options = TRIES[name]
    random = np.random.default_rng(seed)
    shapes = (queries, heads, depth), (keys, kv_heads, depth), (keys, kv_heads, value_depth)
    arrays = [jnp.asarray(random.normal(size=(*batch, *shape)), jnp.float32) for shape in shapes]
    if name == "bfloat16":
        arrays = [x.astype(jnp.bfloat16) for x in arrays]
    options = dict(options)
    if options.pop("ragged", False):
        lengths = np.linspace(0, keys, math.prod(batch), dtype=np.int32) if batch else np.int32([keys - 3])
        options["lengths"] = lengths.reshape(batch)
    return arrays, options


def with_gradients(function):
    """The result, and the gradient of a sum of it, each number with a weight of its own, in every array."""

    def both(*arrays):
        y, back = jax.vjp(function, *arrays)
        return y, *back(jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape).astype(y.dtype))

    return both


def equation(query, key, value, *, causal=False, lengths=None, scale=None):
    key, value = (jnp.repeat(x, query.shape[-2] // x.shape[-2], axis=-2) for x in (key, value))
    scores = jnp.einsum("...qhd,...khd->...hqk", query, key) * (query.shape[-1] ** -0.5 if scale is None else scale)
    seen = np.tril(np.ones(scores.shape, bool)) if causal else np.ones(scores.shape, bool)
    if lengths is not None:
        seen = seen & (np.indices(scores.shape)[-1] < lengths[..., None, None, None])
    p = jnp.exp(scores) * seen
    return jnp.einsum("...hqk,...khd->...qhd", p / jnp.maximum(p.sum(-1, keepdims=True), 1e-99), value)


@cache
def exact(name):
    (arrays, options) = draw(name)
    with in_float64(True):
        run = jax.jit(with_gradients(lambda *arrays: equation(*arrays, **options)))
        return [np.asarray(result) for result in run(*(jnp.asarray(x, jnp.float64) for x in arrays))]


def named(form, **options):
    def computed(*arrays):
        form_itself, _, way = form.partition(", ")
        with pytest.MonkeyPatch.context() as patch, compiling_for("gpu" if way == "heads at once" else "cpu"):
            patch.setattr(attention, "FEW_ROWS", 0 if way == "many rows" else attention.FEW_ROWS)
            return flash_attention(*arrays, implementation=form_itself, interpret=True, **options)

    return computed


@pytest.fixture(scope="module", params=["reference", "xla", "xla, many rows", "xla, heads at once", "mosaic", "triton"])
def form(request):
    return request.param


@pytest.fixture(scope="module")
def results(form):
    """Of every try, in one program, which is quicker to compile than many."""
    tries = {name: draw(name) for name in TRIES}
    run = lambda arrays: {name: with_gradients(named(form, **tries[name][1]))(*xs) for name, xs in arrays.items()}  # noqa: E731
    return jax.jit(run)({name: arrays for name, (arrays, _) in tries.items()})


def test_values_and_all_gradients_are_those_of_the_equation_in_float64(results):
    for name in TRIES.keys() - {"bfloat16"}:
        for result, truth in zip(results[name], exact(name), strict=True):
            assert result.dtype == jnp.float32
            np.testing.assert_allclose(result, truth, rtol=1e-4, atol=3e-5, err_msg=name)


def test_bfloat16_comes_in_and_goes_out_and_sums_are_of_float32(results):
    for result, truth in zip(results["bfloat16"], exact("bfloat16"), strict=True):
        assert result.dtype == jnp.bfloat16
        assert np.abs(np.asarray(result, float) - truth).max() < 2**-7 * np.abs(truth).max()


def test_the_equation_too_sums_its_products_in_float32():
    """On a CPU XLA would anyway."""
    x = jnp.ones((1, 3, 1, 2), jnp.bfloat16)
    program = jax.make_jaxpr(with_gradients(named("reference")))(x, x, x).eqns
    forward = [equation for equation in program if equation.primitive.name == "dot_general"][:2]
    assert [equation.params["preferred_element_type"] for equation in forward] == [jnp.float32] * 2


def test_a_query_that_sees_nothing_gives_0_and_no_slope(results):
    for first, *others in results["several blocks"]:
        np.testing.assert_array_equal(first, 0)
        assert all(np.any(other) for other in others)


def test_under_vmap_it_is_the_loop_and_scores_may_be_larger_than_any_exponential(form):
    random = np.random.default_rng(0)
    arrays = [jnp.asarray(random.normal(size=(2, 2, length, 2, 4)), jnp.float32) for length in (3, 5, 5)]
    lengths = np.array([[5, 1], [0, 3]], np.int32)

    @jax.jit
    def mapped_and_looped(arrays, lengths):
        both = lambda lengths, *qkv: with_gradients(named(form, causal=True, lengths=lengths, scale=100.0))(*qkv)  # noqa: E731
        return jax.vmap(both)(lengths, *arrays), jax.tree.map(
            lambda *xs: jnp.stack(xs), *(both(lengths[i], *(x[i] for x in arrays)) for i in range(2))
        )

    for mapped, looped in zip(*mapped_and_looped(arrays, lengths), strict=True):
        assert np.isfinite(mapped).all() and np.any(mapped)
        np.testing.assert_allclose(mapped, looped, rtol=1e-5, atol=1e-3)  # of gradients near 100


@pytest.mark.parametrize("form", ["xla", "mosaic", "triton"])
def test_second_derivatives_of_blocks_are_those_of_the_equation(form):
    """Of a loss that is not linear in the output: otherwise the way back through the output would never be taken."""
    (query, key, value), options = draw("causal, ragged, more queries, no batch")

    def second(form):
        loss = lambda *arrays: (named(form, **options)(*arrays) ** 2).sum()  # noqa: E731
        steepness = lambda *arrays: sum((x**2).sum() for x in jax.grad(loss, (0, 1, 2))(*arrays))  # noqa: E731
        return jax.grad(steepness, (0, 1, 2))(query, key, value)

    ours, truth = jax.jit(lambda: (second(form), second("reference")))()
    for result, exact in zip(ours, truth, strict=True):
        assert np.abs(exact).max() > 0.1
        np.testing.assert_allclose(result, exact, rtol=1e-3, atol=1e-3)


def test_outside_of_any_jit_it_is_compiled_once_for_each_way_to_go_over_the_heads(monkeypatch):
    traced = []
    for name in ("_run", "all_gradients", "forward_in_few", "gradients_in_few"):
        kernel = getattr(attention, name)
        monkeypatch.setattr(attention, name, lambda *given, name=name, kernel=kernel: traced.append(name) or kernel(*given))
    x = jnp.ones((1, 9, 2, 3))  # a shape of its own
    for form in ("xla", "xla", "xla, heads at once", "xla", "xla, many rows", "xla, heads at once", "xla, many rows"):
        with_gradients(named(form))(x, x, x)
    assert traced == ["forward_in_few", "gradients_in_few", *["_run", "all_gradients"] * 2]


def test_a_scale_may_be_any_number_and_one_that_is_learned_leaves_the_equation():
    (query, key, value), _ = draw("several blocks, causal, more keys")
    attention = lambda scale, form=None: flash_attention(query, key, value, scale=scale, implementation=form)  # noqa: E731
    for scale in (jnp.float32(0.3), np.float64(0.3)):
        np.testing.assert_allclose(attention(scale, "xla"), attention(0.3, "reference"), rtol=1e-4, atol=1e-5)
    long = jnp.ones((1, 256, 1, 1))
    assert attention_form(long, long, long, scale=0.3) == "xla"
    forms = []
    learned = lambda scale: forms.append(attention_form(long, long, long, scale=scale)) or attention(scale).sum()  # noqa: E731
    gradient, step = jax.grad(learned)(0.3), 1e-2
    assert forms == ["reference"]
    measured = (attention(0.3 + step).sum() - attention(0.3 - step).sum()) / (2 * step)
    np.testing.assert_allclose(gradient, measured, rtol=1e-2)
    with pytest.raises(ValueError, match="because its scale has to be a number that is known before the program is compiled"):
        jax.jit(lambda scale: attention(scale, "xla"))(0.3)


def test_lengths_out_of_range_under_jit_mean_all_keys_and_none():
    (query, key, value), _ = draw("several blocks, causal, more keys")
    attention = jax.jit(lambda lengths: flash_attention(query, key, value, lengths=lengths, implementation="xla"))
    batch, keys = key.shape[:-3], key.shape[-3]
    np.testing.assert_array_equal(attention(jnp.full(batch, keys + 700)), attention(jnp.full(batch, keys)))
    np.testing.assert_array_equal(attention(jnp.full(batch, -1)), 0)


def test_in_float64_blocks_are_as_exact_as_the_equation():
    (query, key, value), options = draw("several blocks, causal, more keys")
    with in_float64():
        arrays = [jnp.asarray(x, jnp.float64) for x in (query, key, value)]
        ours, truth = (jax.jit(with_gradients(named(form, **options)))(*arrays) for form in ("xla", "reference"))
    for result, exact in zip(ours, truth, strict=True):
        assert result.dtype == np.float64
        np.testing.assert_allclose(result, exact, rtol=1e-9, atol=1e-9)


def test_memory_grows_like_the_length_and_that_of_the_equation_like_its_square():
    def bytes_for(form, length):
        x = jax.ShapeDtypeStruct((1, length, 2, 16), jnp.float32)
        return jax.jit(with_gradients(named(form, causal=True))).lower(x, x, x).compile().memory_analysis().temp_size_in_bytes

    blocks, all_scores = ([bytes_for(form, length) for length in (1024, 4096)] for form in ("xla", "reference"))
    assert blocks[1] < 4.4 * blocks[0]
    assert all_scores[1] > 12 * all_scores[0]
    assert all_scores[1] > 20 * blocks[1]


@pytest.mark.filterwarnings("ignore:The Pallas Triton backend is deprecated:DeprecationWarning")
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("target", "platform", "call"), [("tpu", "tpu", "@tpu_custom_call"), ("gpu", "cuda", "@__gpu$xla.gpu.triton")]
)
def test_it_lowers_for_accelerators_forward_and_back(target, platform, call, dtype, lowered):
    query, key = (jax.ShapeDtypeStruct((2, length, heads, 48), dtype) for length, heads in ((300, 4), (270, 2)))
    lengths = jax.ShapeDtypeStruct((2,), jnp.int32)
    attention = lambda lengths, *qkv: flash_attention(*qkv, causal=True, lengths=lengths, implementation="pallas")  # noqa: E731
    both = lambda lengths, *qkv: with_gradients(lambda *qkv: attention(lengths, *qkv))(*qkv)  # noqa: E731
    program = lowered(both, target, platform, lengths, query, key, key)
    assert program.count(call) == 3, "forward, dQ, and dK with dV"


def test_left_alone_it_is_the_equation_for_short_sequences_and_goes_by_blocks_for_long_ones():
    short, long = (jnp.zeros((1, length, 1, 1)) for length in (255, 256))
    assert attention_form(short, short, short) == "reference"
    assert attention_form(long, long, long) == "xla"
    mask = padding_mask(np.array([3]), 256)
    assert attention_form(long, long, long, mask=mask) == "reference", "it is as large as the scores already"
    with compiling_for("gpu"):
        assert attention_form(long, long, long) == "reference", "it is busy with that"
        huge = jnp.zeros((1, 2**14, 1, 1))
        assert attention_form(huge, huge, huge) == "xla"


def test_it_is_the_layers_equation():
    (query, key, value), _ = draw("several blocks, causal, more keys")

    @jax.jit
    def results(query, key, value):
        blocks = flash_attention(query, key, value, causal=True, implementation="xla")
        return dot_product_attention(query, key, value, is_causal=True), blocks

    equation, blocks = results(query, key, value)
    np.testing.assert_allclose(blocks, equation, rtol=1e-4, atol=1e-6)


def test_what_does_not_fit_is_refused(without_type_checks):
    x, pair = jnp.zeros((2, 3, 2, 4)), jnp.zeros((2, 3, 1, 4))
    refused = [
        (dict(key=x[:1], value=x[:1]), "one batch for all"),
        (dict(value=x[:, :2]), "a value for each key"),
        (dict(key=x[..., :3]), r"queries and keys of one depth.*got query\.shape=\(2, 3, 2, 4\), key\.shape=\(2, 3, 2, 3\)"),
        (dict(query=pair), "heads of keys that divide those of queries"),
        (dict(lengths=np.array([1])), r"a length for each sequence of the batch \(2,\), got \(1,\)"),
        (dict(lengths=np.array([1.5, 2.0])), r"lengths in whole numbers, got an array of float64"),
        (dict(lengths=np.array([1, 4])), r"lengths from 0 to 3, the number of keys, got \[1 4\]"),
        (dict(mask=np.ones((2, 1, 3, 4), bool)), r"a mask that broadcasts to \(2, 2, 3, 3\), got mask\.shape=\(2, 1, 3, 4\)"),
        (
            dict(mask=np.ones((3, 3), bool), implementation="xla"),
            "cannot run here, because it takes causal and lengths, but no mask",
        ),
        (dict(value=x.astype(jnp.bfloat16), implementation="xla"), "one dtype, and are of bfloat16 and float32"),
        (dict(implementation="mosaic"), "cannot run here, because it needs a TPU"),
        (dict(implementation="cudnn"), "got 'cudnn'"),
    ]
    for change, message in refused:
        with pytest.raises(ValueError, match=message):
            flash_attention(**dict(query=x, key=x, value=x) | change)


def test_the_online_softmax_forgets_where_the_pieces_began():
    """Two pieces after one another are one piece, whatever was met before: scores that are hidden, and larger ones later."""
    random = np.random.default_rng(0)
    scores, values = (jnp.asarray(random.normal(size=shape), jnp.float32) for shape in ((3, 8), (8, 2)))
    scores = scores.at[:, 5].set(40.0).at[0, :5].set(-jnp.inf)
    nothing = jnp.full((3, 1), jnp.finfo(jnp.float32).min), jnp.zeros((3, 1)), jnp.zeros((3, 2))
    once = online_softmax(nothing, scores, values)
    twice = online_softmax(online_softmax(nothing, scores[:, :5], values[:5]), scores[:, 5:], values[5:])
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(once[2] / once[1], jax.nn.softmax(scores) @ values, rtol=1e-5, atol=1e-6)
