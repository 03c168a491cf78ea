"""A profile gives each moment to one operation, and each operation to the line of JAX that it comes from."""

import pytest

from benchmarks.profile import STEPS, direction, kind_of, of_a_step, origins, own_times, table


def event(name, start, length, thread=1):
    return {"ph": "X", "pid": 1, "tid": thread, "ts": start, "dur": length, "args": {"hlo_module": "jit_step", "hlo_op": name}}


def test_a_loop_has_only_the_time_that_its_body_leaves():
    events = [
        event("while.1", 0, 100),
        event("dot.2", 10, 30),
        event("dot.2", 50, 30),
        event("add.3", 55, 5),
        event("dot.2", 100, 7),
    ]
    own = {name: time for (_, name), time in own_times(events).items()}
    assert own == {"while.1": [40], "dot.2": [30, 25, 7], "add.3": [5]}


def test_threads_do_not_lie_inside_each_other_and_other_events_do_not_count():
    events = [
        event("a", 0, 10),
        event("b", 2, 4, thread=2),
        {"ph": "M", "pid": 1},
        {"ph": "X", "pid": 1, "tid": 1, "ts": 0, "dur": 9},
    ]
    assert {name: time for (_, name), time in own_times(events).items()} == {"a": [10], "b": [4]}


def test_a_step_that_was_slow_for_once_does_not_count():
    one_after_the_other = [2.0, 3.0] * (STEPS - 1) + [200.0, 300.0]
    assert of_a_step(one_after_the_other) == 5
    assert of_a_step([2.0 * STEPS]) == 2  # what does not run in every step is shared out


def test_an_operation_is_traced_to_its_name_in_jax():
    text = """HloModule jit_step, entry_computation_layout={}

%fused (p: f32[2]) -> f32[2] {
  ROOT %mul.4 = f32[2] multiply(%p, %p), metadata={op_name="jit(step)/jit(main)/transpose(jvp(f))/mul" source_line=3}
}
  %dot.7 = f32[2,2]{1,0} dot(%a, %b), metadata={op_name="jit(step)/jvp(f)/dot_general"}
  %copy.1 = f32[2] copy(%a)
"""
    found = origins([text])
    assert found["jit_step", "dot.7"] == ("dot_general", "forward")
    assert found["jit_step", "mul.4"] == ("mul", "backward")
    assert ("jit_step", "copy.1") not in found


@pytest.mark.parametrize(("name", "kind"), [("dot.12", "dot"), ("loop_fusion_3", "loop_fusion"), ("copy", "copy")])
def test_what_jax_does_not_know_goes_by_what_it_is(name, kind):
    assert kind_of(name) == kind


def test_what_is_neither_forward_nor_backward_is_the_update():
    assert direction("jit(step)/add") == "update and the rest"


def test_the_table_sums_up_what_it_does_not_list():
    text = table("gpt", {"parts": [["dot_general", "forward", 6.0], *([f"op{i}", "backward", 0.25] for i in range(16))]})
    assert "| dot_general | forward | 6.00 | 60% |" in text
    assert "| 7 others | | 1.75 | 18% |" in text
