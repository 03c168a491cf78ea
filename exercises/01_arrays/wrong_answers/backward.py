"""Wrong answers to `backward` that a student writes; exercises.toml says what is wrong with each."""

import numpy as np


def last_use_wins(tape):
    return _backward(tape, add=lambda old, new: new)


def first_use_wins(tape):
    return _backward(tape, add=lambda old, new: old)


def added_in_place(tape):
    def add(old, new):
        old += new
        return old

    return _backward(tape, add=add)


def starts_with_the_value(tape):
    return _backward(tape, start=lambda value: np.array(value))


def read_forwards(tape):
    _check(tape)
    gradients: dict = {node: np.zeros(node.value.shape) for node in tape}
    gradients[tape[-1]] = np.ones(())
    for node in tape:
        for parent, gradient in zip(node.parents, node.pullback(gradients[node]), strict=True):
            gradients[parent] = gradients[parent] + gradient
    return gradients


def own_gradient_not_passed_on(tape):
    return _backward(tape, given=lambda gradient: np.ones(gradient.shape))


def inputs_alone(tape):
    gradients = _backward(tape)
    return {node: gradients[node] for node in tape if not node.parents}


def left_over_from_last_time(tape):
    _check(tape)
    for node in tape:
        if not hasattr(node, "gradient"):
            node.gradient = np.zeros(node.value.shape)
    tape[-1].gradient = np.ones(())
    for node in reversed(tape):
        for parent, gradient in zip(node.parents, node.pullback(node.gradient), strict=True):
            parent.gradient = parent.gradient + gradient
    return {node: node.gradient for node in tape}


def any_output_accepted(tape):
    return _backward(tape, check=lambda tape: None) if tape else {}


def _check(tape):
    if not tape or tape[-1].value.shape != ():
        raise ValueError("a tape has to end in a single number.")


def _backward(
    tape,
    *,
    add=lambda old, new: old + new,
    start=lambda value: np.ones(value.shape),
    given=lambda gradient: gradient,
    check=_check,
):
    check(tape)
    gradients = {tape[-1]: start(tape[-1].value)}
    for node in reversed(tape):
        for parent, gradient in zip(node.parents, node.pullback(given(gradients[node])), strict=True):
            gradients[parent] = add(gradients[parent], gradient) if parent in gradients else gradient
    return gradients
