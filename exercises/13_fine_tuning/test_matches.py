"""What `matches` must do."""

import pytest

from exercises.runner.expectations import expect_that


@pytest.fixture(scope="module")
def matches(answer):
    def ask(name, pattern, expected, because):
        got = answer(name, pattern)
        right = got is not None and bool(got) == expected
        expect_that(right, f"matches({name!r}, {pattern!r})", got, str(expected), because)

    return ask


def test_a_path_means_itself_and_a_module_all_that_is_in_it(matches):
    matches("head.kernel", "head.kernel", True, "it is the very path")
    matches("hidden.0.kernel", "hidden.0", True, "the kernel is in the module hidden.0")
    matches("hidden.0.kernel", "hidden", True, "hidden.0 is in hidden, and so is its kernel")
    matches("hidden", "hidden", True, "modules have paths, too")
    matches("hidden.0.kernel", "head", False, "that is another module")


def test_a_module_ends_at_a_dot(matches):
    matches("hidden.10.kernel", "hidden.1", False, "hidden.10 begins like hidden.1, and is another layer")
    matches("hidden.1.kernel", "hidden.1", True, "this one is in it")
    matches("header.bias", "head", False, "header is no part of head")
    matches("norms.0.scale", "norm", False, "nor norms of norm")


def test_a_path_begins_at_the_model(matches):
    matches("encoder.head.kernel", "head", False, "encoder.head is not the head of the model")
    matches("hidden.0.kernel", "kernel", False, "the model itself has no kernel")
    matches("hidden", "hidden.0", False, "a part of a module is not the module: to mean one layer must not freeze them all")


def test_a_dot_is_a_dot(matches):
    matches("hidden_0.kernel", "hidden.0", False, "only `*` stands for something else")


def test_a_star_stands_for_anything(matches):
    matches("hidden.0.bias", "hidden.*.bias", True, "`*` is the 0")
    matches("hidden.0.kernel", "hidden.*.bias", False, "a kernel is no bias")
    matches("blocks.3.attention.query.kernel", "blocks.*.attention", True, "a pattern with `*` may mean a module, too")
    matches("blocks.3.attention.query.lora_a", "*.lora_a", True, "`*` is blocks.3.attention.query: dots are no border to it")
    matches("head.kernel", "*", True, "all of it")
    matches("hidden.1.kernel", "*.1", True, "every module that is called 1")
    matches("hidden.11.kernel", "*.1", False, "hidden.11 is not called 1")
