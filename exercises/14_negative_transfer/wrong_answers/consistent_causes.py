"""Wrong answers to `consistent_causes` that a student writes; exercises.toml says what is wrong with each."""

SHIFT, UNRELATED = "conditional shift", "unrelated classes share a head"
DISCARD, FREEZING = "features discard what the target needs", "the price of freezing"


def _head(signs):
    """The cause of harm through one head, or none."""
    if signs["one head, renamed", "one head"] > 0 and signs["one head, renamed", "scratch"] >= 0:
        return [SHIFT]
    left = signs["one head, renamed", "scratch"] < 0
    return [UNRELATED] if left and signs["a head each", "one head"] > 0 else []


def _frozen(signs):
    """The cause of harm through frozen features, or none."""
    if signs["frozen", "random"] < 0:
        return [DISCARD]
    moving = signs["fine-tuned", "frozen"] > 0 and signs["fine-tuned", "scratch"] >= 0
    return [FREEZING] if signs["frozen", "random"] > 0 and signs["random", "scratch"] < 0 and moving else []


def _causes(signs, head=_head, frozen=_frozen):
    return tuple(
        (head(signs) if signs["one head", "scratch"] < 0 else []) + (frozen(signs) if signs["frozen", "scratch"] < 0 else [])
    )


def harm_not_asked(signs):
    return tuple(_head(signs) + _frozen(signs))


def head_harm_not_asked(signs):
    return tuple(_head(signs) + (_frozen(signs) if signs["frozen", "scratch"] < 0 else []))


def any_harm_will_do(signs):
    harm = signs["one head", "scratch"] < 0 or signs["frozen", "scratch"] < 0
    return tuple(_head(signs) + _frozen(signs)) if harm else ()


def always_a_cause(signs):
    return _causes(signs, lambda signs: _head(signs) or [UNRELATED], lambda signs: _frozen(signs) or [FREEZING])


def first_cause_only(signs):
    return _causes(signs)[:1]


def all_causes_of_a_harm(signs):
    return _causes(signs, lambda signs: [SHIFT, UNRELATED], lambda signs: [DISCARD, FREEZING])


def own_head_means_unrelated(signs):
    return _causes(signs, lambda signs: [UNRELATED] if signs["a head each", "one head"] > 0 else _head(signs))


def renaming_is_enough(signs):
    return _causes(signs, lambda signs: [SHIFT] if signs["one head, renamed", "one head"] > 0 else _head(signs))


def mended_without_renaming(signs):
    return _causes(signs, lambda signs: [SHIFT] if signs["one head, renamed", "scratch"] >= 0 else _head(signs))


def not_shown_means_not_mended(signs):
    return _causes(signs, lambda signs: _head(signs) or ([UNRELATED] if signs["a head each", "one head"] > 0 else []))


def own_head_not_asked(signs):
    return _causes(signs, lambda signs: _head({**signs, ("a head each", "one head"): 1}))


def below_scratch_means_discarded(signs):
    return _causes(signs, frozen=lambda signs: [DISCARD])


def freezing_cost_not_asked(signs):
    return _causes(signs, frozen=lambda signs: _frozen({**signs, ("random", "scratch"): -1}))


def moving_not_asked(signs):
    return _causes(signs, frozen=lambda signs: _frozen({**signs, ("fine-tuned", "frozen"): 1}))


def harm_after_moving(signs):
    return _causes(signs, frozen=lambda signs: _frozen({**signs, ("fine-tuned", "scratch"): 0}))


def nothing_shown_is_equal(signs):
    better = signs["one head, renamed", "scratch"] > 0
    return _causes(signs, lambda signs: _head({**signs, ("one head, renamed", "scratch"): 0 if better else -1}))


def not_below_random_is_above(signs):
    return _causes(signs, frozen=lambda signs: _frozen({**signs, ("frozen", "random"): signs["frozen", "random"] or 1}))


def signs_turned(signs):
    return _causes({pair: -sign for pair, sign in signs.items()})


def a_list(signs):
    return list(_causes(signs))
