"""Which findings are read together, and the moments of all of them: several nudges, several behaviours. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

import numpy as np
from scipy import stats

from aha.evidence.findings import INVALID, Definition, OutcomeMoments, PastFinding, key_of, outcome_moments
from stats.instrument.joint import MOST_BEHAVIOURS, JointMoments, stack_nudges
from stats.summaries import Array

# Another behaviour is read beside those that experiments were about where a nudge moved it: docs/methods/joint.md.
MOVED_ALPHA = 0.05


class Left(StrEnum):
    """Why a finding isn't on the map."""

    INVALID = "invalid"
    WHOLE_CLUSTERS = "whole_clusters"
    SHARES_CONTROL = "shares_control"
    OTHER_OUTCOME = "other_outcome"
    OTHER_CLAIM = "other_claim"


@dataclass(frozen=True)
class Nudge:
    """One finding on the map's outcome.

    Attributes:
        finding: it.
        moments: on this outcome.
        claims: behaviour, times and days of each measured behaviour, its own first; written alike where they mean the
            same.
    """

    finding: PastFinding
    moments: OutcomeMoments
    claims: tuple[Definition, ...]

    def moved(self, claim: Definition) -> bool:
        """Whether this nudge changed how many users do a behaviour."""
        place = self.claims.index(claim) + 1
        error = sqrt(self.moments.covariance[place][place])
        return abs(self.moments.effects[place]) > float(stats.norm.isf(MOVED_ALPHA / 2)) * error

    def part(self, claims: Sequence[Definition]) -> tuple[Array, Array]:
        """Effects on the outcome and these behaviours, and their covariance."""
        places = [0, *(self.claims.index(claim) + 1 for claim in claims)]
        effects, covariance = np.array(self.moments.effects), np.array(self.moments.covariance)
        return effects[places], covariance[np.ix_(places, places)]


@dataclass(frozen=True)
class Together:
    """Behaviours and the nudges that measured all of them, at least as many."""

    claims: tuple[Definition, ...]
    nudges: tuple[Nudge, ...]

    def moments(self) -> JointMoments:
        """Of nudges that share no user."""
        parts = [nudge.part(self.claims) for nudge in self.nudges]
        names = [f"{place + 1}. {nudge.finding.name}" for place, nudge in enumerate(self.nudges)]
        behaviours = [claim.behaviour for claim in self.claims]
        return stack_nudges(names, behaviours, [effects for effects, _ in parts], [errors for _, errors in parts])


@dataclass(frozen=True)
class Sorted:
    """Findings of one outcome.

    Attributes:
        nudges: those that count, the oldest first.
        left_out: the others that have the outcome or were meant for it, with the reason.
        claims: each behaviour that an experiment was about, in the definition that most of them share.
    """

    nudges: tuple[Nudge, ...]
    left_out: tuple[tuple[PastFinding, Left], ...]
    claims: tuple[Definition, ...]


def usual_outcome(findings: Iterable[PastFinding]) -> str | None:
    """The outcome on which most experiments have findings; of equally many the latest. None without a finding."""
    rows = list(findings)
    often = Counter(same for same, _key in {(row.definition.same[3], key_of(row)) for row in rows})
    if not often:
        return None
    latest = {same: max(row.ended for row in rows if row.definition.same[3] == same) for same in often}
    best = max(often, key=lambda same: (often[same], latest[same], same))
    return next(row.definition.outcome for row in rows if row.definition.same[3] == best)


def sort_findings(findings: Iterable[PastFinding], outcome: str) -> Sorted:
    """The findings on one outcome, each behaviour in one definition.

    Args:
        findings: of any behaviour and outcome.
        outcome: metric text.
    """
    rows = sorted(findings, key=lambda row: (row.started, row.source, row.place))
    nudges: list[Nudge] = []
    left: list[tuple[PastFinding, Left]] = []
    seen: set[str] = set()
    for row in rows:
        moments = _on(row, outcome)
        why = _why(row, moments, seen)
        if why is not None or moments is None:
            left.append((row, why or Left.OTHER_OUTCOME))
            continue
        seen.add(key_of(row))
        nudges.append(Nudge(row, moments, _claims(row, moments, outcome)))
    usual = _usual_claims(nudges)
    kept = tuple(nudge for nudge in nudges if nudge.claims[0] in usual)
    left += [(nudge.finding, Left.OTHER_CLAIM) for nudge in nudges if nudge.claims[0] not in usual]
    return Sorted(kept, tuple(left), usual)


def _on(row: PastFinding, outcome: str) -> OutcomeMoments | None:
    """A finding's moments on an outcome; earlier versions stored those of its own behaviour alone."""
    wanted = Definition("any", 1, 1, outcome).same[3]
    for moments in row.outcomes:
        if Definition("any", 1, 1, moments.outcome).same[3] == wanted:
            return moments
    if row.definition.same[3] != wanted:
        return None
    return outcome_moments(outcome, row.kind, (row.definition.behaviour, row.definition.times), row.moments)


def _why(row: PastFinding, moments: OutcomeMoments | None, seen: set[str]) -> Left | None:
    if moments is None:
        return Left.OTHER_OUTCOME
    if row.verdict == INVALID:
        return Left.INVALID
    if row.whole_clusters:
        return Left.WHOLE_CLUSTERS
    return Left.SHARES_CONTROL if key_of(row) in seen else None


def _claims(row: PastFinding, moments: OutcomeMoments, outcome: str) -> tuple[Definition, ...]:
    found = []
    for behaviour, times in zip(moments.behaviours, moments.times, strict=True):
        same = Definition(behaviour, times, row.definition.days, outcome).same
        found.append(Definition(same[0], same[1], same[2], outcome))
    return tuple(found)


def _usual_claims(nudges: Sequence[Nudge]) -> tuple[Definition, ...]:
    """The most frequent definition of each behaviour that was nudged to; of equally many the latest."""
    often = Counter(nudge.claims[0] for nudge in nudges)
    latest = {claim: max(nudge.finding.ended for nudge in nudges if nudge.claims[0] == claim) for claim in often}
    best: dict[str, Definition] = {}
    for claim in sorted(often, key=lambda claim: (often[claim], latest[claim])):
        best[claim.behaviour] = claim
    return tuple(best[behaviour] for behaviour in sorted(best))


def together(found: Sorted) -> Together | None:
    """The behaviours and nudges of one joint reading: as many behaviours as possible that were nudged to, and all that
    these nudges moved beside them.

    Each set of behaviours that some nudge measured is tried. Those nobody nudged to enter where a nudge of the set
    moved them. A set needs as many nudges as behaviours.

    Returns:
        The largest; None where no two behaviours can be read together.
    """
    best: Together | None = None
    for measured in sorted({frozenset(nudge.claims) for nudge in found.nudges}, key=len, reverse=True):
        nudges = tuple(nudge for nudge in found.nudges if measured <= set(nudge.claims))
        own = [claim for claim in found.claims if claim in measured]
        beside = sorted(
            (claim for claim in measured - set(own) if any(nudge.moved(claim) for nudge in nudges)),
            key=lambda claim: claim.same,
        )
        claims = tuple([*own, *beside][:MOST_BEHAVIOURS])
        if len(claims) < 2 or len(claims) > len(nudges) or len(own) + len(beside) > MOST_BEHAVIOURS:
            continue
        if best is None or (len(own), len(nudges)) > (_own(best, found), len(best.nudges)):
            best = Together(claims, nudges)
    return best


def _own(one: Together, found: Sorted) -> int:
    return sum(claim in found.claims for claim in one.claims)


def alone(found: Sorted, claim: Definition) -> tuple[Together, tuple[str, ...]]:
    """A behaviour's own nudges, and the other behaviours that they are known to have moved."""
    nudges = tuple(nudge for nudge in found.nudges if nudge.claims[0] == claim)
    moved = {
        other.behaviour
        for nudge in nudges
        for other in nudge.claims[1:]
        if other.behaviour not in nudge.moments.consequences and nudge.moved(other)
    }
    return Together((claim,), nudges), tuple(sorted(moved))
