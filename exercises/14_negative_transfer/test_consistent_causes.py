"""What `consistent_causes` must do: a case for each sentence of its docstring, and what must not be concluded."""

import pytest

from exercises.runner.expectations import expect_that

HURTS, MENDED, HARMFUL_STILL = ("one head", "scratch"), ("one head, renamed", "one head"), ("one head, renamed", "scratch")
OWN_HEAD = ("a head each", "one head")
FROZEN, AGAINST_RANDOM, RANDOM = ("frozen", "scratch"), ("frozen", "random"), ("random", "scratch")
MOVING, TUNED = ("fine-tuned", "frozen"), ("fine-tuned", "scratch")
OTHERS = (("one head", "one head, permuted"), ("fine-tuned, old head", "fine-tuned"))

SHIFT, UNRELATED = "conditional shift", "unrelated classes share a head"
DISCARD, FREEZING = "features discard what the target needs", "the price of freezing"


@pytest.fixture(scope="module")
def consistent_causes(answer):
    return answer


@pytest.mark.parametrize(
    ("shown", "causes", "because"),
    [
        ({HURTS: -1, MENDED: 1}, (SHIFT,), "renaming mends the harm, and none is left"),
        ({HURTS: -1, MENDED: 1, HARMFUL_STILL: 1}, (SHIFT,), "renamed, the source even helps"),
        (
            {HURTS: -1, MENDED: 1, OWN_HEAD: 1},
            (SHIFT,),
            "a head for each mends a conditional shift, too; renaming tells them apart",
        ),
        ({HURTS: -1, HARMFUL_STILL: -1, OWN_HEAD: 1}, (UNRELATED,), "renaming leaves harm, and a head for each mends it"),
        ({HURTS: -1, OWN_HEAD: 1}, (), "neither that renaming mends it is shown, nor that harm is left: both stories are open"),
        ({HURTS: -1, HARMFUL_STILL: -1}, (), "harm is left, but that a head for each mends it is not shown"),
        ({HURTS: -1, MENDED: 1, HARMFUL_STILL: -1, OWN_HEAD: 1}, (UNRELATED,), "renaming mends a part, and harm is left"),
        ({HURTS: -1, MENDED: 1, HARMFUL_STILL: -1}, (), "nothing that was tried takes the harm away"),
        ({HURTS: -1}, (), "harm, and nothing that mends it: no cause stands out"),
        ({FROZEN: -1, AGAINST_RANDOM: -1}, (DISCARD,), "an untrained network has better features"),
        (
            {FROZEN: -1, AGAINST_RANDOM: -1, RANDOM: -1, MOVING: 1},
            (DISCARD,),
            "below random comes first: freezing is not the reason",
        ),
        ({FROZEN: -1, AGAINST_RANDOM: 1, RANDOM: -1, MOVING: 1}, (FREEZING,), "good features, that have to move"),
        (
            {FROZEN: -1, RANDOM: -1, MOVING: 1},
            (),
            "whether they are better or worse than random ones is not shown: both stories are open",
        ),
        ({FROZEN: -1, AGAINST_RANDOM: 1, RANDOM: -1, MOVING: 1, TUNED: 1}, (FREEZING,), "and once they move, they even help"),
        ({FROZEN: -1, AGAINST_RANDOM: 1, MOVING: 1}, (), "that freezing costs by itself is not shown"),
        ({FROZEN: -1, AGAINST_RANDOM: 1, RANDOM: -1}, (), "that moving mends it is not shown"),
        ({FROZEN: -1, AGAINST_RANDOM: 1, RANDOM: -1, MOVING: 1, TUNED: -1}, (), "it hurts when the features move, too"),
        (
            {HURTS: -1, MENDED: 1, FROZEN: -1, AGAINST_RANDOM: -1},
            (SHIFT, DISCARD),
            "two kinds of harm, each with its cause",
        ),
        (
            {HURTS: -1, FROZEN: -1, AGAINST_RANDOM: 1, RANDOM: -1, MOVING: 1},
            (FREEZING,),
            "what explains the one harm does not explain the other",
        ),
        (
            {HURTS: -1, AGAINST_RANDOM: 1, RANDOM: -1, MOVING: 1},
            (),
            "frozen features do not hurt: there is no price to explain",
        ),
        ({FROZEN: -1, MENDED: 1, OWN_HEAD: 1}, (), "one head does not hurt: there is nothing to mend"),
    ],
    ids=lambda value: None if not isinstance(value, tuple) else " and ".join(value) or "none",
)
def test_each_harm_has_its_cause_where_one_is_shown(consistent_causes, shown, causes, because):
    expect_causes(consistent_causes, shown, causes, because)


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {HURTS: 1, FROZEN: 1},
        {MENDED: 1, OWN_HEAD: 1},
        {AGAINST_RANDOM: -1},
        {AGAINST_RANDOM: 1, RANDOM: -1, MOVING: 1},
        {HURTS: 1, MENDED: 1, OWN_HEAD: 1, FROZEN: 1, AGAINST_RANDOM: -1},
        {TUNED: -1},
    ],
    ids=["nothing", "it helps", "renaming helps more", "below random", "random loses", "help and the rest", "tuning hurts"],
)
def test_without_harm_there_is_no_cause(consistent_causes, shown):
    expect_causes(consistent_causes, shown, (), "neither one head nor frozen features are shown to hurt")


def expect_causes(consistent_causes, shown, causes, because):
    pairs = (HURTS, MENDED, HARMFUL_STILL, OWN_HEAD, FROZEN, AGAINST_RANDOM, RANDOM, MOVING, TUNED, *OTHERS)
    returned = consistent_causes({pair: shown.get(pair, 0) for pair in pairs})
    words = ", ".join(f"{pair}: {sign:+d}" for pair, sign in shown.items()) or "nothing"
    call = f"consistent_causes(signs) with {words}, and 0 for all other pairs"
    expect_that(returned == causes, call, returned, f"{causes}", because)
