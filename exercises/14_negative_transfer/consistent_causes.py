"""Exercise: from what was shown to what it is consistent with.

The four causes are "conditional shift", "unrelated classes share a head", "features discard what the target needs" and "the
price of freezing", in this order.
"""

from collections.abc import Mapping

Sign = int  # of a difference: 1 shown to be above 0, −1 shown to be below 0, 0 neither


def consistent_causes(signs: Mapping[tuple[str, str], Sign]) -> tuple[str, ...]:
    """The causes of negative transfer that the shown differences are consistent with; none where there is no harm.

    One head that hurts: it is a *conditional shift* if renaming the source's classes mends it and none is shown after it, and
    *unrelated classes share a head* if harm is left when they are renamed, and a head for each mends it.
    Frozen features that hurt: they *discard what the target needs* if those of an untrained network are better; it is *the
    price of freezing* if those are worse, freezing costs the untrained network too, and fine-tuning mends it.

    Args:
      signs: for pairs of arms, (arm, reference), 1 where the arm is shown to be better, −1 where it is shown to be worse, and
        0 where nothing is shown. It reads the pairs of `CONTRASTS`.
    """
    raise NotImplementedError("TODO: before you look for a cause, which two pairs say whether there is any harm to explain?")
