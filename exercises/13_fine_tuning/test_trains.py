"""What `trains` must do: the names are those of a network with LoRA in its hidden layers, and of one with normalization."""

import pytest

from exercises.runner.expectations import expect_that

LORA = ("*.lora_a", "*.lora_b", "head")


@pytest.fixture(scope="module")
def trains(answer):
    def ask(name, include, expected, because, exclude=()):
        got = answer(name, include, exclude)
        call = f"trains({name!r}, {include}, {exclude})"
        expect_that(got is not None and bool(got) == expected, call, got, str(expected), because)

    return ask


def test_a_parameter_that_no_pattern_means_stays(trains):
    because = "LoRA's base is a parameter, and stays: weight decay would move it, though no gradient reaches it"
    trains("hidden.0.kernel", LORA, False, because)
    trains("hidden.0.bias", LORA, False, "so does its bias")
    trains("hidden.0.kernel", (), False, "nothing is included, and nothing trains")


def test_one_pattern_is_enough(trains):
    trains("hidden.0.lora_a", LORA, True, "`*.lora_a` means it; the other two patterns need not")
    trains("hidden.1.lora_b", LORA, True, "`*.lora_b` means it")
    trains("head.kernel", LORA, True, "`head` means the module, with all that is in it")


def test_without_exclude_all_that_is_included_trains(answer):
    got = answer("head.kernel", ("head",))
    because = "to leave out `exclude` excludes nothing"
    expect_that(got is not None and bool(got), "trains('head.kernel', ('head',))", got, "True", because)


def test_exclude_wins(trains):
    trains("norms.0.scale", ("*",), False, "`norms` means it, and what is excluded stays, whatever else means it", ("norms",))
    trains("hidden.0.kernel", ("*",), True, "`norms` does not mean it", ("norms",))
    trains("hidden.0.kernel", ("hidden.0.kernel",), False, "a module that is excluded counts as much as a name", ("hidden",))


def test_one_excluding_pattern_is_enough(trains):
    trains("hidden.0.bias", ("*",), False, "`*.bias` means it; `norms` need not", ("norms", "*.bias"))
    trains("norms.0.scale", ("*",), False, "`norms` means it; `*.bias` need not", ("norms", "*.bias"))
    trains("hidden.0.kernel", ("*",), True, "neither of the two means it", ("norms", "*.bias"))


def test_a_pattern_means_a_path_or_a_module(trains):
    trains("header.kernel", ("head",), False, "header begins like head, and is another module")
    trains("hidden.10.kernel", ("*",), True, "hidden.10 is not in hidden.1", ("hidden.1",))
    trains("encoder.head.kernel", ("head",), False, "a path begins at the model")
