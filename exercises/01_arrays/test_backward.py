"""What `backward` must do."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exercises.runner.expectations import compact, expect, expect_refusal, expect_that


@dataclass(eq=False)  # no two nodes are equal
class Node:
    name: str
    value: Any
    parents: tuple = ()
    pullback: Any = lambda gradient: ()

    def __post_init__(self):
        self.value = np.asarray(self.value, np.float64)

    def __repr__(self):
        return self.name


def times(name, a, b):
    return Node(name, a.value * b.value, (a, b), lambda gradient: (gradient * b.value, gradient * a.value))


def plus(name, a, b):
    return Node(name, a.value + b.value, (a, b), lambda gradient: (gradient, gradient))  # one array for both parents


def total(name, a):
    return Node(name, a.value.sum(), (a,), lambda gradient: (np.full(a.value.shape, gradient),))


@pytest.fixture(scope="module")
def backward(answer):
    return answer


def check(backward, tape, expected, told, because=""):
    """Asks for the gradients of a tape, and holds them against {node: gradient}."""
    gradients = backward(tape)
    call = f"backward({tape}) with {told}"
    expect_that(isinstance(gradients, dict), call, gradients, "a dict from node to gradient")
    for node, gradient in expected.items():
        expect_that(node in gradients, call, f"a dict without {node}", f"a gradient for each of {tape}")
        expect(gradients[node], gradient, f"backward({tape})[{node}] with {told}", because)


def test_the_gradient_of_the_output_by_itself_is_one(backward):
    x = Node("x", 5.0)
    check(backward, [x], {x: 1.0}, "x = 5", "∂x/∂x = 1, whatever the value of x")


def test_a_product_passes_the_other_factor_on(backward):
    x, y = Node("x", 3.0), Node("y", 4.0)
    z = times("z", x, y)
    check(backward, [x, y, z], {z: 1.0, x: 4.0, y: 3.0}, "z = x · y, x = 3, y = 4", "∂z/∂x = y and ∂z/∂y = x")


def test_the_chain_rule_multiplies_along_the_way(backward):
    x, y, w = Node("x", 3.0), Node("y", 4.0), Node("w", 10.0)
    z = times("z", x, y)
    out = times("out", z, w)
    told = "z = x · y, out = z · w, x = 3, y = 4, w = 10"
    because = "∂out/∂x = ∂out/∂z · ∂z/∂x = 10 · 4: the pullback of z is given z's own gradient, and it is 10"
    check(backward, [x, y, w, z, out], {out: 1.0, z: 10.0, w: 12.0, x: 40.0, y: 30.0}, told, because)


def test_a_value_that_is_used_twice_gets_the_sum(backward):
    x = Node("x", 3.0)
    z = times("z", x, x)
    because = "z = x²: both factors are x, each sends 3 back, and the slope of x² at 3 is 6"
    check(backward, [x, z], {x: 6.0}, "z = x · x, x = 3", because)


def test_all_uses_of_a_value_are_added_up(backward):
    x = Node("x", 3.0)
    z = times("z", x, x)
    out = plus("out", z, x)
    because = "x is used twice in z and once in out, and every use counts: 3 + 3 + 1; z is used once"
    check(backward, [x, z, out], {x: 7.0, z: 1.0}, "z = x · x, out = z + x, x = 3", because)


def test_arrays_have_gradients_in_their_own_shape(backward):
    x, y = Node("x", [[1.0, 2.0]]), Node("y", [[3.0, 5.0]])
    z = times("z", x, y)
    out = total("out", z)
    check(
        backward,
        [x, y, z, out],
        {x: [[3, 5]], y: [[1, 2]], z: [[1, 1]]},
        "z = x · y, out = sum of z, x = [[1, 2]], y = [[3, 5]]",
    )


def test_one_gradient_on_its_way_to_two_parents_is_not_changed_for_both(backward):
    x, y = Node("x", [1.0, 1.0]), Node("y", [1.0, 1.0])
    s = plus("s", x, y)
    t = plus("t", s, x)
    out = total("out", t)
    told = "s = x + y, t = s + x, out = sum of t"
    because = (
        "a sum hands one array to both parents. `gradients[x] += …` changes that array for all who hold it: make a new one"
    )
    check(backward, [x, y, s, t, out], {t: [1, 1], s: [1, 1], y: [1, 1], x: [2, 2]}, told, because)


def test_asking_twice_gives_the_same_answer_and_changes_no_value(backward):
    x = Node("x", 3.0)
    z = times("z", x, x)
    backward([x, z])
    because = "nothing may be left over from the last time: each call starts with an empty dict"
    check(backward, [x, z], {x: 6.0}, "z = x · x, x = 3, asked a second time", because)
    expect(
        np.stack([x.value, z.value]),
        [3, 9],
        "the values of x and z after backward([x, z])",
        "gradients are no business of the values",
    )


@settings(max_examples=30, derandomize=True, database=None, deadline=None, report_multiple_bugs=False)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=5))
def test_it_agrees_with_finite_differences_on_any_tape(backward, steps):
    def run(start):
        """All that the last node was computed from, in order, and how."""
        tape, told = [Node("x", start)], {}
        for product, i, j in steps:
            a, b = tape[i % len(tape)], tape[j % len(tape)]
            node = (times if product else plus)(f"n{len(tape)}", a, b)
            told[node] = f"{node} = {a} {'·' if product else '+'} {b}"
            tape.append(node)
        needed = {tape[-1]}
        for node in reversed(tape):
            if node in needed:
                needed.update(node.parents)
        return [node for node in tape if node in needed], ", ".join(text for node, text in told.items() if node in needed)

    tape, told = run(1.1)
    slope = (run(1.1 + 1e-6)[0][-1].value - run(1.1 - 1e-6)[0][-1].value) / 2e-6
    gradients, call = backward(tape), f"backward({tape})[x] with x = 1.1, {told}"
    expect_that(isinstance(gradients, dict), call, gradients, "a dict from node to gradient")
    expect(gradients[tape[0]], slope, call, f"moving x a little says {compact(float(slope))}", rtol=1e-5)


@pytest.mark.parametrize("value", [[1.0, 2.0], [3.0]], ids=str)
def test_a_tape_that_does_not_end_in_one_number_is_refused(backward, value):
    x = Node("x", value)
    because = "two outputs have two gradients; which one was meant? Even [3] has an axis: its shape is (1,), not ()"
    expect_refusal(lambda: backward([x]), f"backward([x]) with x = {value}", because)


def test_an_empty_tape_is_refused(backward):
    expect_refusal(lambda: backward([]), "backward([])", "there is no output to take the gradient of")
