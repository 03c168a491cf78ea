import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nn import autodiff
from nn.autodiff import Node, backward, numerical_gradient, topological_order, unbroadcast, value_and_grad

random = np.random.default_rng(0)
A, B, ROW, POSITIVE = random.normal(size=(2, 3)), random.normal(size=(3, 2)), random.normal(size=(1, 3)), np.full((2, 3), 1.7)
JAX = {"exp": jnp.exp, "log": jnp.log, "tanh": jnp.tanh, "relu": jax.nn.relu}
OURS = {name: getattr(autodiff, name) for name in JAX}

# name → (a scalar function written once for both, its arguments)
EXPRESSIONS = {
    "add": (lambda f, x, y: ((x + y) * x).sum(), (A, POSITIVE)),
    "add a number on either side": (lambda f, x: ((2 + x) * (x + 3)).sum(), (A,)),
    "add a stretched row": (lambda f, x, y: ((x + y) ** 2).sum(), (A, ROW)),
    "multiply by a stretched row": (lambda f, x, y: (x * y).sum(), (A, ROW)),
    "subtract on either side": (lambda f, x, y: ((x - y) * (1 - x)).sum(), (A, POSITIVE)),
    "divide on either side": (lambda f, x, y: (x / y + 2 / y + y / 4).sum(), (A, POSITIVE)),
    "negate": (lambda f, x: (-x * x).sum(), (A,)),
    "power": (lambda f, x: (x**3 + x**0.5).sum(), (POSITIVE,)),
    "matrix product": (lambda f, x, y: ((x @ y) ** 2).sum(), (A, B)),
    "exp": (lambda f, x: f["exp"](x * x).sum(), (A,)),
    "log": (lambda f, x: f["log"](x * x).sum(), (A,)),
    "tanh": (lambda f, x: f["tanh"](3 * x).sum(), (A,)),
    "relu": (lambda f, x: (f["relu"](x) * x).sum(), (np.array([-1.0, 0.0, 2.0]),)),
    "sum along the first axis": (lambda f, x: (x.sum(axis=0) ** 2).sum(), (A,)),
    "sum along the last axis": (lambda f, x: (x * x.sum(axis=-1, keepdims=True)).sum(), (A,)),
    "mean": (lambda f, x: (x.mean(axis=1) ** 2).sum() * x.mean(), (A,)),
    "used many times": (lambda f, x: (x * x * x + x).sum() / x.sum(), (A,)),
    "not used": (lambda f, x, y: x.sum(), (A, B)),
    "softmax cross-entropy": (
        lambda f, x, w: -((x @ w - f["log"](f["exp"](x @ w).sum(axis=1, keepdims=True))) * np.eye(2)).sum(axis=1).mean(),
        (A, B),
    ),
}


@pytest.fixture(scope="module")
def by_jax():
    """All values and gradients at once: one compilation."""

    def everything(arguments):
        return {
            name: jax.value_and_grad(lambda *xs, f=function: f(JAX, *xs), argnums=tuple(range(len(arguments[name]))))(
                *arguments[name]
            )
            for name, (function, _) in EXPRESSIONS.items()
        }

    arguments = {name: tuple(jnp.asarray(x, jnp.float32) for x in xs) for name, (_, xs) in EXPRESSIONS.items()}
    return jax.device_get(jax.jit(everything)(arguments))


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_value_and_gradients_are_those_of_jax(name, by_jax):
    function, arguments = EXPRESSIONS[name]
    value, gradients = value_and_grad(lambda *xs: function(OURS, *xs))(*arguments)
    expected_value, expected = by_jax[name]
    assert value == pytest.approx(float(expected_value), rel=1e-5, abs=1e-5)
    assert len(gradients) == len(arguments)
    for gradient, other, x in zip(gradients, expected, arguments, strict=True):
        assert gradient.shape == x.shape and gradient.dtype == np.float64
        np.testing.assert_allclose(gradient, other, rtol=1e-4, atol=1e-5)


def test_gradients_of_arrays_of_fewer_axes_agree_with_finite_differences():
    """NumPy's own broadcasting adds axes in front; JAX forbids that in these tests."""
    x, vector, number = A, np.array([1.0, -2.0, 0.5]), np.array(0.7)

    def loss(x, vector, number):
        return (autodiff.tanh(x * vector + number) / (number * number + 1)).sum()

    _, gradients = value_and_grad(loss)(x, vector, number)
    arguments = (x, vector, number)
    for i, gradient in enumerate(gradients):

        def of_one(value, i=i):
            return loss(*(Node(value if j == i else other) for j, other in enumerate(arguments))).value

        np.testing.assert_allclose(gradient, numerical_gradient(of_one, arguments[i]), rtol=1e-7, atol=1e-9)


def test_an_array_on_the_left_leaves_the_work_to_the_node():
    x = Node(A)
    for made, array in ((A * x, A * A), (A + x, A + A), (A - x, A - A), (A / x, A / A), (B @ x, B @ A)):
        assert isinstance(made, Node)
        np.testing.assert_allclose(made.value, array)


@pytest.mark.parametrize(
    ("shape", "wide"), [((), (2, 3)), ((3,), (2, 3)), ((1,), (3,)), ((2, 1), (2, 3)), ((1, 3), (4, 2, 3)), ((2, 3), (2, 3))]
)
def test_unbroadcast_is_the_adjoint_of_broadcasting(shape, wide):
    """⟨g, broadcast(v)⟩ = ⟨unbroadcast(g), v⟩ for every g and v."""
    gradient, v = random.normal(size=wide), random.normal(size=shape)
    back = unbroadcast(gradient, shape)
    assert isinstance(back, np.ndarray) and back.shape == shape
    assert (gradient * np.broadcast_to(v, wide)).sum() == pytest.approx(float((back * v).sum()), rel=1e-12)


@pytest.mark.parametrize(("shape", "wide"), [((2,), (3,)), ((2, 3), (3,)), ((3, 1), (2, 3)), ((3,), (1,))])
def test_unbroadcast_refuses_what_does_not_broadcast(shape, wide):
    with pytest.raises(ValueError, match=r"unbroadcast expects a shape that broadcasts to .*, got .*\."):
        unbroadcast(np.zeros(wide), shape)


def test_every_node_is_listed_once_behind_its_parents():
    x = Node(2.0)
    y = x * x
    output = (y + x) * (x + y) + autodiff.exp(y)
    order = topological_order(output)
    assert order[-1] is output and {x, y} < set(order)
    assert len(set(order)) == len(order)
    for place, node in enumerate(order):
        assert all(order.index(parent) < place for parent in node.parents)


def test_the_order_of_a_chain_longer_than_pythons_stack_is_found():
    node = start = Node(1.0)
    for _ in range(1500):
        node = node + 0.0
    assert backward(topological_order(node))[start] == 1


def test_each_node_is_read_once_though_paths_double_at_every_step():
    """60 doublings: 2⁶⁰ paths lead back to x. Reading each path would take longer than the universe has had."""
    calls = []
    node = x = Node(1.0)
    for _ in range(60):
        node = Node(node.value * 2, (node, node), lambda gradient: (calls.append(1) or gradient, gradient))
    assert backward(topological_order(node))[x] == 2.0**60
    assert len(calls) == 60


def test_one_gradient_sent_to_two_parents_is_not_changed_for_both():
    """A sum hands the same array to both sides; adding to it in place for one would change the other's."""
    x, y = Node(np.ones(2)), Node(np.ones(2))
    one, two = Node(x.value, (x,), lambda gradient: (gradient,)), x + y
    shared = Node(one.value + two.value, (one, two), lambda gradient: (gradient, gradient))
    output = (shared + x).sum()
    gradients = backward(topological_order(output))
    np.testing.assert_array_equal(gradients[x], [3, 3])
    for node in (one, two, shared, y):
        np.testing.assert_array_equal(gradients[node], [1, 1])


def test_a_tape_that_does_not_end_in_one_number_is_refused():
    with pytest.raises(
        ValueError, match=r"backward expects a tape that ends in a single number.*got one that ends in shape \(2,\)"
    ):
        backward([Node(np.ones(2))])
    with pytest.raises(ValueError, match="got an empty one"):
        backward([])


def test_the_product_refuses_vectors():
    with pytest.raises(ValueError, match=r"expects two matrices, got shapes \(2, 3\) and \(3,\)"):
        Node(A) @ np.ones(3)


def test_central_differences_are_exact_for_quadratics_in_any_shape():
    x = np.arange(6).reshape(2, 3)  # whole numbers: a bump must not be cut off
    before = x.copy()
    gradient = numerical_gradient(lambda x: (x**2).sum(), x, step=0.5)
    np.testing.assert_array_equal(gradient, 2 * before)
    np.testing.assert_array_equal(x, before)
    assert numerical_gradient(lambda x: x**2, 3.0).shape == ()


def test_the_error_of_central_differences_falls_with_the_square_of_the_step():
    large, small = (abs(numerical_gradient(np.exp, 1.0, step) - np.e) for step in (1e-1, 1e-2))
    assert large / small == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("step", [0.0, -1e-3, np.nan])
def test_a_step_that_is_not_above_zero_is_refused(step):
    with pytest.raises(ValueError, match="numerical_gradient expects a step above 0"):
        numerical_gradient(np.sum, np.ones(2), step)
