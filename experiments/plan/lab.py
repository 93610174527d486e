"""A lab: what its nudges make of a plan. Its variants are the sets of nudges that a user may draw. Pure.

Source: docs/methods/joint.md, "The lab".
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import comb, prod

from experiments.plan.record import MOST_NUDGES, WHOLE, Plan, PlannedNudge, PlannedVariant

LONGEST_KEY = 15  # eight of them and dots between are the key of a variant
NUDGE_KEY = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_KEY}}}")
LEAST_NUDGES = 2
# Of users with a nudge, as `stats.instrument.lab` has them, which a web worker doesn't load.
LEAST_SHARE, LARGEST_SHARE = WHOLE // 5, WHOLE - WHOLE // 5
HALF, USUAL_TAKE_UP = WHOLE // 2, 0.1  # share and take-up of a nudge, unless given
NO_NUDGE = "none"  # variant without any nudge, the control
OFF = "off"  # arm of a nudge's comparison: all without it
JOIN = "."  # a nudge's key has no dot, a variant's may have
RESERVED = (NO_NUDGE, OFF, "default")  # keys of something else


def set_key(nudges: Sequence[str]) -> str:
    """Key of the variant with these nudges, in the plan's order."""
    return JOIN.join(nudges) or NO_NUDGE


def nudges_in(variant: str) -> frozenset[str]:
    """Keys of the nudges of a variant."""
    return frozenset() if variant == NO_NUDGE else frozenset(variant.split(JOIN))


def sides(variants: Iterable[str], nudge: str) -> Mapping[str, bool]:
    """The variants by which one nudge is compared, each with whether it has the nudge.

    A set counts where it may be drawn both with and without the nudge. With at most M nudges at once, users with M
    others never could have had this one and are left out. Among the rest the nudge is drawn independently of the
    others, as both sets of a pair have the same chance there.
    """
    keys = {nudges_in(key): key for key in variants}
    return {key: nudge in on for on, key in keys.items() if on ^ {nudge} in keys}


def with_and_without(counts: Mapping[str, int], variants: Iterable[str], nudge: str) -> tuple[int, int]:
    """Users with a nudge, and users without it among those who could have had it.

    Args:
        counts: users by variant, without those that have none.
        variants: all of the plan.
        nudge: its key.
    """
    has = sides(variants, nudge)
    with_it, without = (sum(counts.get(key, 0) for key, on in has.items() if on is side) for side in (True, False))
    return with_it, without


def variants_of(nudges: Sequence[PlannedNudge], most: int | None = None) -> tuple[PlannedVariant, ...]:
    """All sets of nudges as variants, the one without any first, then the smaller before the larger.

    Weights are whole steps, the largest remainders rounded up; a set of less than half a step is left out.

    Args:
        nudges: up to `MOST_NUDGES`, each drawn by itself.
        most: at most so many of them at once: each set that is small enough then has the same chance, whatever the
            nudges' shares (`stats.instrument.lab.sets_of`).
    """
    on = sorted(
        product((False, True), repeat=len(nudges[:MOST_NUDGES])), key=lambda each: (sum(each), [not it for it in each])
    )
    if most is not None and most < len(nudges):
        on = [each for each in on if sum(each) <= most]
        chances = [1 / len(on)] * len(on)
    else:
        chances = [
            prod(
                nudge.share / WHOLE if has else 1 - nudge.share / WHOLE for nudge, has in zip(nudges, each, strict=True)
            )
            for each in on
        ]
    variants = []
    for each, weight in zip(on, _whole_steps(chances), strict=True):
        keys = [nudge.key for nudge, has in zip(nudges, each, strict=True) if has]
        value = {nudge.key: has for nudge, has in zip(nudges, each, strict=True)}
        if weight:
            variants.append(PlannedVariant(set_key(keys), value, weight))
    return tuple(variants)


def _whole_steps(chances: Sequence[float]) -> list[int]:
    """Chances as whole steps that add up to `WHOLE`: those with the largest remainders are rounded up.

    The first, without any nudge, has at least one: a plan's first variant is its control.
    """
    steps = [int(chance * WHOLE) for chance in chances]
    steps[0] = max(steps[0], 1)
    by_rest = sorted(range(len(chances)), key=lambda place: steps[place] - chances[place] * WHOLE)
    for place in by_rest[: WHOLE - sum(steps)]:
        steps[place] += 1
    return steps


def is_nudge_key(text: str) -> bool:
    """True for a text that can be the key of a nudge."""
    return NUDGE_KEY.fullmatch(text) is not None and text not in RESERVED


def can_be_drawn(nudges: Sequence[PlannedNudge], most: int | None = None) -> bool:
    """True where `variants_of` can make the sets: few enough, other keys, shares that are shares."""
    keys = {nudge.key for nudge in nudges}
    return (
        0 < len(keys) == len(nudges) <= MOST_NUDGES
        and all(map(is_nudge_key, keys))
        and all(0 <= nudge.share <= WHOLE for nudge in nudges)
        and (most is None or most >= 1)
    )


def share_at_most(count: int, most: int) -> float:
    """Share of users with each of so many nudges where at most `most` of them, 1 or more, are had at once."""
    with_it = sum(comb(count - 1, size - 1) for size in range(1, most + 1))
    return with_it / sum(comb(count, size) for size in range(most + 1))


def flags_of(flag: str, nudges: Iterable[str]) -> tuple[str, ...]:
    """Names of all flags of a plan: its own, and `FLAG.NUDGE` for each nudge of a lab."""
    return (flag, *(f"{flag}{JOIN}{nudge}" for nudge in nudges))


def behaviours_of(plan: Plan) -> tuple[tuple[str, int], ...]:
    """The behaviours of the joint reading, with their times: those that the nudges lead to, the claim's first."""
    aimed = tuple(dict.fromkeys((nudge.behaviour, nudge.times) for nudge in plan.nudges))
    if plan.claim is None:
        return aimed
    own = (plan.claim.behaviour, plan.claim.times)
    return tuple(sorted(aimed, key=lambda pair: pair != own))


def compared(plan: Plan) -> Plan:
    """The plan as its arms are compared: a lab's by nudge, without the claim, which the joint reading is about."""
    if not plan.is_lab:
        return plan
    rows = tuple(replace(row, weights=None) for row in plan.audience)
    return replace(by_nudge(plan), claim=None, others=(), audience=rows)


def least_of_a_nudge(plan: Plan) -> float | None:
    """Smallest effect of interest of a whole nudge: that of the plan, of a behaviour on those who do it because of it,
    times the smallest take-up that a nudge is expected to have. None without one.
    """
    if plan.smallest_effect is None:
        return None
    return plan.smallest_effect * min(nudge.take_up for nudge in plan.nudges)


def by_nudge(plan: Plan) -> Plan:
    """The plan as its nudges are compared: one arm for each, beside `OFF`, all users without it.

    An arm's weight is the share of users with its nudge, so the weights don't add up to the whole.
    """
    with_it = {
        nudge.key: sum(variant.weight for variant in plan.variants if nudge.key in nudges_in(variant.key))
        for nudge in plan.nudges
    }
    arms = (PlannedVariant(nudge.key, True, with_it[nudge.key], name=nudge.name) for nudge in plan.nudges)
    return replace(plan, variants=(PlannedVariant(OFF, False, WHOLE), *arms))
