"""Which nudge would part a behaviour from one that goes with it in all experiments so far. Pure."""

from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from scipy import stats

from aha.evidence.findings import Definition
from aha.evidence.joint_findings import MOVED_ALPHA, Nudge, Sorted, Together, alone, together
from stats.instrument.joint import conditional_f, confused_with, tells_apart
from stats.instrument.parting import chance_to_find, own_pattern, users_to_part
from stats.results import NotComputable, Reason, computable
from stats.summaries import Array


@dataclass(frozen=True)
class TriedNudge:
    """A nudge of a finished experiment that moves both behaviours in another proportion than the others.

    Attributes:
        nudge: name of its experiment.
        moves: effect on the share of users who do the behaviour; `moves_other` on the other one.
        users: of one more experiment with it, both groups together, to tell them apart.
        chance: that the effect is found then; 0 where no number of users is enough.
    """

    nudge: str
    moves: float
    moves_other: float
    users: int | NotComputable
    chance: float


@dataclass(frozen=True)
class Parting:
    """What would part two behaviours.

    Attributes:
        behaviour: text of the one that is to be tested; `other` goes with it.
        conditional_f: how well the nudges tell it so far; not computable with too few of them.
        tried: nudges that would part them, the one that takes fewest users first.
        take_up: share of users whom a new nudge moves to the other behaviour, and none to this one: as much as the
            strongest nudge so far moved its own.
        users: that such a new nudge takes to tell them apart, and `chance` to find the effect then.
        effect: that is to be found, in the outcome's unit per user who does it.
    """

    behaviour: str
    other: str
    conditional_f: float | NotComputable
    tried: tuple[TriedNudge, ...]
    take_up: float
    users: int | NotComputable
    chance: float
    effect: float


def parting_of(found: Sorted, claim: Definition, *, effect: float, power: float, alpha: float) -> Parting | None:
    """The nudge that parts a behaviour from the one that moves most alike; None where they are told apart, or nothing
    is known to go with it.

    Args:
        found: findings on the outcome.
        claim: the behaviour with its times and days.
        effect: of the behaviour to be found, in the outcome's unit per user who does it.
        power: chance with which that must be decided.
        alpha: two-sided error rate.
    """
    own = next((one for one in found.claims if one.same == claim.same), None)
    if own is None:
        return None
    claims, nudges = _read_with(found, own)
    if len(claims) < 2:
        return None
    parts, place, other = [nudge.part(claims) for nudge in nudges], claims.index(own), 1
    shown: float | NotComputable = NotComputable(Reason.TOO_FEW_EXPERIMENTS, {"n": len(nudges), "needed": len(claims)})
    if len(nudges) >= len(claims):
        moments = Together(claims, nudges).moments()
        shown = conditional_f(moments, place)
        if tells_apart(moments, shown):
            return None
        other = moments.behaviours.index(confused_with(moments, place))

    def sized(first_stages: Array, per_user: Array) -> tuple[int | NotComputable, float]:
        users = users_to_part(parts, place, first_stages, per_user, power=power)
        if not computable(users):
            return users, 0.0
        return users, chance_to_find(parts, place, first_stages, per_user, users=users, effect=effect, alpha=alpha)

    limit = float(stats.norm.isf(MOVED_ALPHA / 2))
    tried = []
    for at, (nudge, (effects, errors)) in enumerate(zip(nudges, parts, strict=True)):
        if own_pattern(parts, place, at) > limit:
            users, chance = sized(effects[1:], errors * nudge.finding.units)
            moves = float(effects[1 + place]), float(effects[1 + other])
            tried.append(TriedNudge(nudge.finding.name, *moves, users, chance))
    strongest = max(nudges, key=lambda nudge: abs(nudge.moments.effects[1]))
    row = np.zeros(len(claims))
    row[other] = abs(strongest.moments.effects[1])
    users, chance = sized(row, strongest.part(claims)[1] * strongest.finding.units)
    return Parting(
        behaviour=own.behaviour,
        other=claims[other].behaviour,
        conditional_f=shown,
        tried=tuple(sorted(tried, key=lambda one: one.users if computable(one.users) else inf)),
        take_up=float(row[other]),
        users=users,
        chance=chance,
        effect=effect,
    )


def _read_with(found: Sorted, own: Definition) -> tuple[tuple[Definition, ...], tuple[Nudge, ...]]:
    """The behaviours among which this one is read, and the nudges that measured all of them.

    Those of the joint reading; else it, and of those that its nudges moved beside it the one moved most.
    """
    jointly = together(found)
    if jointly is not None and own in jointly.claims:
        return jointly.claims, jointly.nudges
    by_itself, moved = alone(found, own)
    if not moved:
        return (own,), by_itself.nudges
    other = max(
        (claim for nudge in by_itself.nudges for claim in nudge.claims[1:] if claim.behaviour in moved),
        key=lambda claim: max(_moved(nudge, claim) for nudge in by_itself.nudges),
    )
    return (own, other), tuple(nudge for nudge in found.nudges if {own, other} <= set(nudge.claims))


def _moved(nudge: Nudge, claim: Definition) -> float:
    """In standard errors; 0 where it wasn't measured."""
    if claim not in nudge.claims:
        return 0.0
    place = nudge.claims.index(claim) + 1
    error = sqrt(nudge.moments.covariance[place][place])
    return abs(nudge.moments.effects[place]) / error if error > 0 else 0.0
