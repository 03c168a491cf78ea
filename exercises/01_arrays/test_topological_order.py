"""What `topological_order` must do."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exercises.runner.expectations import expect_that


@dataclass(eq=False)  # no two nodes are equal
class Node:
    name: str
    parents: tuple = ()
    value: np.ndarray = field(default_factory=lambda: np.ones(()))

    def pullback(self, gradient):
        return tuple(gradient for _ in self.parents)

    def __repr__(self):
        return self.name


@pytest.fixture(scope="module")
def topological_order(answer):
    return answer


def check(order, output, nodes, call):
    """Holds a list against its definition, one demand after the other."""
    expect_that(isinstance(order, list), call, order, "a list of nodes")
    expect_that(
        set(order) >= nodes,
        call,
        order,
        f"all of {sorted(map(str, nodes))}",
        "whatever the output was computed from is part of it",
    )
    expect_that(set(order) <= nodes, call, order, f"only {sorted(map(str, nodes))}", "nothing else was computed from")
    expect_that(
        len(set(order)) == len(order), call, order, "each node once", "its gradient is sent back once, when it is complete"
    )
    for place, node in enumerate(order):
        early = all(parent in order[:place] for parent in node.parents)
        because = f"{node} was computed from {', '.join(map(str, node.parents))}: it stands behind all of them"
        expect_that(early, call, order, "parents before their children", because)
    expect_that(order[-1] is output, call, order, f"{output} at the end", "everything else was needed for it")


def test_a_single_node_is_its_own_order(topological_order):
    x = Node("x")
    check(topological_order(x), x, {x}, "topological_order(x) with x from nothing")


def test_a_chain_is_read_from_its_start(topological_order):
    x = Node("x")
    y = Node("y", (x,))
    z = Node("z", (y,))
    check(topological_order(z), z, {x, y, z}, "topological_order(z) with y from x, z from y")


def test_a_node_used_twice_is_listed_once(topological_order):
    x = Node("x")
    y = Node("y", (x, x))
    check(topological_order(y), y, {x, y}, "topological_order(y) with y from (x, x)")


@pytest.mark.parametrize("long_way_first", [True, False])
def test_a_short_way_and_a_long_way_to_one_node(topological_order, long_way_first):
    x = Node("x")
    a = Node("a", (x,))
    b = Node("b", (a,))
    z = Node("z", (b, x, a) if long_way_first else (a, x, b))
    call = f"topological_order(z) with a from x, b from a, z from {z.parents}"
    check(topological_order(z), z, {x, a, b, z}, call)


def test_a_diamond_on_a_diamond(topological_order):
    x = Node("x")
    a, b = Node("a", (x,)), Node("b", (x,))
    c = Node("c", (a, b))
    d, e = Node("d", (c,)), Node("e", (c, x))
    z = Node("z", (e, d))
    call = "topological_order(z) with a and b from x, c from (a, b), d from c, e from (c, x), z from (e, d)"
    check(topological_order(z), z, {x, a, b, c, d, e, z}, call)


def test_nodes_with_equal_values_are_different_nodes(topological_order):
    x, y = Node("x", value=np.ones(2)), Node("y", value=np.ones(2))
    z = Node("z", (x, y), np.ones(2))
    check(topological_order(z), z, {x, y, z}, "topological_order(z) with z from (x, y), all of them with the value [1, 1]")


def test_it_may_be_asked_again(topological_order):
    x = Node("x")
    y = Node("y", (x,))
    z = Node("z", (y, x))
    topological_order(z)
    call = "topological_order({}) with y from x, z from (y, x), after topological_order(z)"
    for output, needed in ((z, {x, y, z}), (y, {x, y})):
        order = topological_order(output)
        because = "nothing may be left over from the last time: what has been entered is noted in a new set, not on the nodes"
        same = isinstance(order, list) and set(order) == needed
        expect_that(same, call.format(output), order, f"all of {sorted(map(str, needed))}, as the first time", because)


def test_what_the_output_does_not_need_is_not_listed(topological_order):
    x = Node("x")
    y = Node("y", (x,))
    Node("other", (x, y))
    check(topological_order(y), y, {x, y}, "topological_order(y) with y from x, and another node from (x, y)")


@settings(max_examples=40, derandomize=True, database=None, deadline=None, report_multiple_bugs=False)
@given(st.lists(st.lists(st.integers(0, 100), min_size=1, max_size=3), min_size=1, max_size=8))
def test_any_computation_can_be_ordered(topological_order, choices):
    nodes = [Node("n0")]
    for choice in choices:
        nodes.append(Node(f"n{len(nodes)}", tuple(nodes[c % len(nodes)] for c in choice)))
    output, needed, waiting = nodes[-1], set(), [nodes[-1]]
    while waiting:
        node = waiting.pop()
        needed.add(node)
        waiting += node.parents
    told = ", ".join(f"{node} from {node.parents}" for node in nodes if node in needed and node.parents)
    check(topological_order(output), output, needed, f"topological_order({output}) with {told}")
