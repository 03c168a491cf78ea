"""What `l2_sp` must do. `start` is where training begins, `now` where it has come to."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from exercises.runner.expectations import expect, expect_refusal, expect_that

START = {"header": [3.0], "hidden": [1.0, -2.0], "head": [0.5, 4.0]}
NOW = {"header": [5.0], "hidden": [2.0, -2.5], "head": [1.0, 2.0]}
LATER = {"header": [4.0], "hidden": [0.0, 1.0], "head": [-1.0, 3.0]}
SLOPES = {"header": [0.25], "hidden": [10.0, 20.0], "head": [-1.0, 1.0]}
ZEROS = {name: [0.0] * len(values) for name, values in START.items()}


@pytest.fixture(scope="module")
def l2_sp(answer):
    return answer


def tree(values):
    """{"head": {"kernel": …}, …}, fresh arrays at each call."""
    return {name: {"kernel": jnp.array(numbers)} for name, numbers in values.items()}


def made(l2_sp, call, *arguments, **options):
    """The transformation, once it has been seen to be one."""
    transformation = l2_sp(*arguments, **options)
    whole = hasattr(transformation, "init") and hasattr(transformation, "update")
    expect_that(whole, call, transformation, "an optax.GradientTransformation, with init and update")
    return transformation


def test_later_the_rest_is_pulled_to_the_start(l2_sp):
    call = "l2_sp(0.5, beta=0.1)"
    transformation = made(l2_sp, call, 0.5, beta=0.1)
    changed, _ = transformation.update(tree(SLOPES), transformation.init(tree(START)), tree(NOW))
    because = "α (w − w₀) = 0.5 · ([2, −2.5] − [1, −2]) is added: a step goes against the gradient, and so back to the start"
    call_hidden = f"{call}; hidden's gradient [10, 20], w₀ = [1, −2], w = [2, −2.5]"
    expect(changed["hidden"]["kernel"], [10.5, 19.75], call_hidden, because)
    because = "β v = 0.1 · [1, 2] is added: where the head began counts for nothing"
    expect(changed["head"]["kernel"], [-0.9, 1.2], f"{call}; the head's gradient [−1, 1], v = [1, 2]", because)
    because = "header is not the head: 0.5 · (5 − 3) is added"
    expect(changed["header"]["kernel"], [1.25], f"{call}; header's gradient [0.25], w₀ = [3], w = [5]", because)


def test_at_the_start_only_the_head_is_pulled(l2_sp):
    call = "l2_sp(0.5, beta=0.1)"
    transformation = made(l2_sp, call, 0.5, beta=0.1)
    changed, _ = transformation.update(tree(SLOPES), transformation.init(tree(START)), tree(START))
    because = "w is where it began: nothing is added to the gradient of the loss"
    expect(changed["hidden"]["kernel"], [10, 20], f"{call}; hidden's gradient [10, 20] at the first step", because)
    because = "the head is pulled to 0 from the first step on: β v = [0.05, 0.4] is added"
    expect(
        changed["head"]["kernel"], [-0.95, 1.4], f"{call}; the head's gradient [−1, 1] at the first step, v = [0.5, 4]", because
    )


def test_without_beta_the_head_is_free(l2_sp):
    call = "l2_sp(0.5)"
    transformation = made(l2_sp, call, 0.5)
    changed, _ = transformation.update(tree(SLOPES), transformation.init(tree(START)), tree(NOW))
    because = "β is 0 where nothing is said: the new head goes where the loss sends it"
    expect(changed["head"]["kernel"], [-1, 1], f"{call}; the head's gradient [−1, 1], v = [1, 2]", because)


def test_the_start_stays_the_start(l2_sp):
    call = "l2_sp(0.5)"
    transformation = made(l2_sp, call, 0.5)
    _, state = transformation.update(tree(ZEROS), transformation.init(tree(START)), tree(NOW))
    changed, _ = transformation.update(tree(ZEROS), state, tree(LATER))
    because = "α (w − w₀) with the w₀ of the first step, not the w of the last one"
    call = f"{call}; the second update: hidden's gradient [0, 0], w₀ = [1, −2], before w = [2, −2.5], now w = [0, 1]"
    expect(changed["hidden"]["kernel"], [-0.5, 1.5], call, because)


def test_the_start_is_in_the_state(l2_sp):
    transformation = made(l2_sp, "l2_sp(0.5)", 0.5)
    first, _ = transformation.init(tree(START)), transformation.init(tree(LATER))
    changed, _ = transformation.update(tree(ZEROS), first, tree(NOW))
    because = (
        "each state is a start of its own: 0.5 · ([2, −2.5] − [1, −2]). Saved with a run, it is there when the run goes on"
    )
    call = "l2_sp(0.5); init(first), init(second), then an update with the first state: hidden's w₀ = [1, −2], w = [2, −2.5]"
    expect(changed["hidden"]["kernel"], [0.5, -0.25], call, because)


def test_the_start_outlives_the_parameters_it_was_taken_from(l2_sp):
    transformation, start = made(l2_sp, "l2_sp(0.5)", 0.5), tree(START)
    state = transformation.init(start)
    for leaf in jax.tree.leaves(start):
        leaf.delete()  # as a jitted step does with memory that it is given
    call = "l2_sp(0.5); an update after the memory of the first parameters has been given away"
    because = "the state needs a copy of the start: jnp.copy of each array"
    try:
        changed, _ = transformation.update(tree(ZEROS), state, tree(NOW))
    except (RuntimeError, ValueError) as error:
        if "deleted" not in str(error):
            raise
        expect_that(False, call, f"{type(error).__name__}: {error}", "the gradients", because)
    else:
        expect(changed["hidden"]["kernel"], [0.5, -0.25], call, because)


def test_training_ends_between_the_start_and_what_the_loss_wants(l2_sp):
    call = "optax.chain(l2_sp(1.0, beta=3.0), optax.sgd(0.2)), 60 steps under jit on the loss ½ |w − goal|²"
    optimizer = optax.chain(made(l2_sp, "l2_sp(1.0, beta=3.0)", 1.0, beta=3.0), optax.sgd(0.2))
    goal, weights = tree(NOW), tree(START)
    state = optimizer.init(weights)

    @jax.jit
    def step(weights, state):
        slopes = jax.tree.map(lambda w, aim: w - aim, weights, goal)
        updates, state = optimizer.update(slopes, state, weights)
        return optax.apply_updates(weights, updates), state

    for _ in range(60):
        weights, state = step(weights, state)
    because = "w − goal + α (w − w₀) = 0 with α = 1: halfway between w₀ = [1, −2] and the goal [2, −2.5]"
    expect(weights["hidden"]["kernel"], [1.5, -2.25], f"{call}; hidden", because, rtol=1e-4)
    because = "v − goal + β v = 0 with β = 3: a quarter of the goal [1, 2]"
    expect(weights["head"]["kernel"], [0.25, 0.5], f"{call}; the head", because, rtol=1e-4)


def test_the_head_goes_by_its_name(l2_sp):
    call = 'l2_sp(0.5, beta=0.1, head="blocks.1")'
    transformation = made(l2_sp, call, 0.5, beta=0.1, head="blocks.1")
    weights = {"blocks": {1: {"kernel": jnp.array([2.0])}, 10: {"kernel": jnp.array([2.0])}}}
    zeros = jax.tree.map(jnp.zeros_like, weights)
    changed, _ = transformation.update(zeros, transformation.init(weights), weights)
    got = [changed["blocks"][layer]["kernel"][0] for layer in (1, 10)]
    because = "blocks.1 is the head and gets β v = 0.1 · 2; blocks.10 is another layer, at its start"
    expect(np.array(got), [0.2, 0], f"{call}; the gradients of blocks.1 and blocks.10, both 0, with weights of 2", because)


@pytest.mark.parametrize(("alpha", "beta"), [(-1.0, 0.0), (1.0, -0.5)])
def test_a_negative_pull_is_refused(l2_sp, alpha, beta):
    because = "it would push away from the start, the further the stronger"
    expect_refusal(lambda: l2_sp(alpha, beta=beta), f"l2_sp({alpha}, beta={beta})", because)
