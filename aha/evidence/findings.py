"""Findings of experiments about one behaviour, and what they give together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache

from events.metrics import Active, parse_behaviour, parse_metric
from stats.instrument.anderson_rubin import AndersonRubin, anderson_rubin
from stats.instrument.arms import EffectSet, Piece
from stats.instrument.encouragement import wald
from stats.instrument.pooled import Answer, Instrument, Pooled, pooled
from stats.instrument.pooled_sets import SharedControl
from stats.iv_moments import IvMoments
from stats.results import NotComputable, computable

# A finding of one finished experiment, the definition it speaks of, and which findings may be pooled. Pure.
#
# The rule, in the order in which a finding is left out (docs/pooling.md):
#
# 1. one definition: the same behaviour, times, days and outcome; 2. sound data: a verdict of INVALID says that its
# data can't answer, whatever the question; 3. one's own behaviour: where clusters were moved as wholes, the effect
# holds what friends did, too; 4. each user counts once: arms of one experiment share its control group. Where that
# group's errors are known, all arms are pooled with them; otherwise the first arm of the plan alone.
#
# Neither the effect, its p-value nor the strength of the nudge decides: whoever picks by results picks a result.

INVALID = "INVALID"


@dataclass(frozen=True)
class Definition:
    """What findings must agree on: at least `times` acts within `days` days, judged by one outcome.

    Attributes:
        behaviour: behaviour text.
        times, days: Z and Y.
        outcome: metric text.
    """

    behaviour: str
    times: int
    days: int
    outcome: str

    @property
    def same(self) -> tuple[str, int, int, str]:
        """Equal for definitions that mean the same, however they are written: ``week:2`` is ``window:8-14``."""
        return _behaviour_key(self.behaviour), self.times, self.days, _outcome_key(self.outcome)


@cache
def _behaviour_key(text: str) -> str:
    return str(parse_behaviour(text))


@cache
def _outcome_key(text: str) -> str:
    definition = parse_metric(text)
    if isinstance(definition, Active):
        return f"active {definition.window}"
    return str(definition)


def same_behaviour(one: str, other: str) -> bool:
    """True when two texts name one behaviour."""
    return _behaviour_key(one) == _behaviour_key(other)


@dataclass(frozen=True)
class PastFinding:
    """What one arm of one finished experiment says.

    Attributes:
        name: of the experiment, as people call it.
        origin: `experiment` of this site or `file`; `source` its key, or the name that the file was given.
        variant: compared with `comparator`, which is a placebo where `placebo` says so.
        place: of the arm among those that nudge to the behaviour, in the order of the plan, from 1.
        definition: of behaviour and outcome; `kind` is `proportion`, `mean` or `ratio`.
        moments: effect on outcome and behaviour with their (co)variances, as measured: what pools take, whatever rule
            ended the experiment.
        corrected: the same with the effect on the outcome corrected for the looks of its plan; None for one look. It is
            what one experiment alone is told and priced by, since a plan that may stop early stops by luck.
        reach: share of units that reach it without the nudge, 0 to 1; None where it isn't known.
        promised: headline of the ladder in the study that the experiment tested; None where nobody measured it.
        promised_error: its standard error; None where it isn't known.
        verdict: code.
        caution: `corrected` where version 0.4 kept only what is corrected for its looks and its analysis is gone, so
            that `moments` are those; `optimistic` as it could end at any look: too large alone on average; else "".
        started, ended: first and last local date.
        shared: errors of the group that it is compared with, which other arms share; None where they aren't known.
        whole_clusters: clusters were moved as wholes, so that the effect is no member's own.
    """

    name: str
    origin: str
    source: str
    variant: str
    comparator: str
    definition: Definition
    kind: str
    moments: IvMoments
    verdict: str
    started: date
    ended: date
    placebo: bool = False
    place: int = 1
    reach: float | None = None
    promised: float | None = None
    promised_error: float | None = None
    caution: str = ""
    shared: SharedControl | None = None
    corrected: IvMoments | None = None
    whole_clusters: bool = False

    @property
    def units(self) -> int:
        """Of both arms."""
        return self.moments.n_control + self.moments.n_variant


class Why(StrEnum):
    """Why a finding of the same behaviour isn't pooled."""

    OTHER_CLAIM = "other_claim"
    OTHER_OUTCOME = "other_outcome"
    INVALID = "invalid"
    WHOLE_CLUSTERS = "whole_clusters"
    SHARES_CONTROL = "shares_control"
    NO_VARIANCE = "no_variance"


@dataclass(frozen=True)
class LeftOut:
    """A finding that isn't pooled, and why."""

    finding: PastFinding
    why: Why


def sort_out(
    findings: Sequence[PastFinding], definition: Definition
) -> tuple[tuple[PastFinding, ...], tuple[LeftOut, ...]]:
    """Findings of a behaviour that may be pooled on a definition, oldest first, and those left out with the reason.

    Args:
        findings: of any behaviour; those of another one aren't named at all.
        definition: what is asked about.
    """
    wanted = definition.same
    used: list[PastFinding] = []
    left: list[LeftOut] = []
    rows = [row for row in findings if row.definition.same[0] == wanted[0]]
    for row in sorted(rows, key=lambda one: (one.started, one.source, one.place)):
        same = [one for one in used if (one.origin, one.source) == (row.origin, row.source)]
        twice = bool(same) and any(not _shares(one, same[0]) for one in (*same, row))
        why = _why(row, wanted, twice=twice)
        if why is None:
            used.append(row)
        else:
            left.append(LeftOut(row, why))
    return tuple(used), tuple(left)


def _shares(row: PastFinding, first: PastFinding) -> bool:
    return row.shared is not None and row.comparator == first.comparator


def _why(row: PastFinding, wanted: tuple[str, int, int, str], *, twice: bool) -> Why | None:
    same = row.definition.same
    if same[1:3] != wanted[1:3]:
        return Why.OTHER_CLAIM
    if same[3] != wanted[3]:
        return Why.OTHER_OUTCOME
    if row.verdict == INVALID:
        return Why.INVALID
    if row.whole_clusters:
        return Why.WHOLE_CLUSTERS
    return Why.SHARES_CONTROL if twice else None


def usual_definition(
    findings: Sequence[PastFinding],
    behaviour: str,
    *,
    times: int | None = None,
    days: int | None = None,
    outcome: str | None = None,
) -> Definition | None:
    """The definition that most experiments of a behaviour share, of those that agree with what is given.

    Of equally many the one with the latest experiment; None where no finding agrees.
    """
    rows = [
        row
        for row in findings
        if same_behaviour(row.definition.behaviour, behaviour)
        and times in (None, row.definition.times)
        and days in (None, row.definition.days)
        and (outcome is None or _outcome_key(outcome) == row.definition.same[3])
    ]
    if not rows:
        return None
    often = Counter(same for same, _source in {(row.definition.same, (row.origin, row.source)) for row in rows})
    latest = {same: max(row.ended for row in rows if row.definition.same == same) for same in often}
    best = max(often, key=lambda same: (often[same], latest[same], same))
    return next(row.definition for row in rows if row.definition.same == best)


# All findings of one definition together: what may be pooled, what it gives, and what to lead with. Pure.

ALPHA = 0.05


@dataclass(frozen=True)
class PastExperiments:
    """What past experiments say of a behaviour on one definition.

    Attributes:
        definition: what was asked about.
        used: findings that are pooled, the oldest first.
        left_out: findings of the same behaviour that aren't, with the reason.
        pooled: what they say together; ``NO_EXPERIMENT_YET`` where none may be used.
    """

    definition: Definition
    used: tuple[PastFinding, ...]
    left_out: tuple[LeftOut, ...]
    pooled: Pooled | NotComputable


@dataclass(frozen=True)
class Summary:
    """What past experiments say in a few numbers, as a study keeps it.

    Attributes:
        experiments: how many are pooled; `left_out` findings of the same behaviour aren't.
        answer: which of the pooled numbers leads; None without an experiment.
        estimate: that number, in the outcome's unit per unit that reaches the behaviour.
        pieces: effects that aren't rejected, or the interval of Egger's slope where the nudges disagree; None is an
            unbounded side.
        level: of these.
    """

    experiments: int
    left_out: int
    answer: Answer | None
    estimate: float | NotComputable
    pieces: tuple[Piece, ...]
    level: float


def pool_findings(findings: Sequence[PastFinding], definition: Definition, *, alpha: float = ALPHA) -> PastExperiments:
    """Sort findings out by the rule of `finding_rows` and pool what is left.

    Args:
        findings: of any behaviour.
        definition: of behaviour and outcome.
        alpha: two-sided error rate.
    """
    used, left = sort_out(findings, definition)
    found = pooled([instrument(row) for row in used], alpha=alpha)
    if not computable(found) or not found.left_out:
        return PastExperiments(definition, used, left, found)
    flat = {(one.key, one.name) for one in found.left_out}
    dropped = [row for row in used if (key_of(row), instrument(row).name) in flat]
    kept = tuple(row for row in used if row not in dropped)
    return PastExperiments(definition, kept, (*left, *(LeftOut(row, Why.NO_VARIANCE) for row in dropped)), found)


def key_of(row: PastFinding) -> str:
    """One experiment's key among those of this site and files."""
    return f"{row.origin}:{row.source}"


def instrument(row: PastFinding) -> Instrument:
    """A finding as an instrument for the behaviour."""
    name = row.name if row.place == 1 else f"{row.name} · {row.variant}"
    return Instrument(key_of(row), name, row.moments, row.shared)


@dataclass(frozen=True)
class OwnEffect:
    """What one finding says alone: the Wald ratio beside the Anderson-Rubin set."""

    estimate: float | NotComputable
    around: AndersonRubin


def own_effect(row: PastFinding, *, alpha: float = ALPHA) -> OwnEffect:
    """The effect of the behaviour among those whom this nudge moved."""
    ratio = wald(row.moments, alpha=alpha)
    return OwnEffect(ratio.estimate if computable(ratio) else ratio, anderson_rubin(row.moments, alpha=alpha))


def summary(found: PastExperiments) -> Summary:
    """The answer in a few numbers: never a pooled set where the nudges disagree."""
    said = found.pooled
    if not computable(said):
        return Summary(0, len(found.left_out), None, said, (), 1 - ALPHA)
    numbers = answer_of(said)
    estimate, pieces = (numbers, ()) if isinstance(numbers, NotComputable) else numbers
    return Summary(said.experiments, len(found.left_out), said.answer, estimate, pieces, said.level)


def answer_of(said: Pooled) -> tuple[float | NotComputable, tuple[Piece, ...]] | NotComputable:
    """The number to lead with and what surrounds it.

    Where the nudges disagree it is Egger's slope, which allows each nudge to act by itself; else LIML with the
    conditional likelihood-ratio set.
    """
    if said.answer is Answer.NUDGES_DISAGREE:
        if not computable(said.egger):
            return said.egger
        slope = said.egger.slope
        return slope.estimate, ((slope.low, slope.high),)
    around: EffectSet | NotComputable = said.answer_set
    estimate = said.liml.estimate if computable(said.liml) else said.liml
    return estimate, around.pieces if computable(around) else ()
