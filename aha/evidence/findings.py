"""Findings of experiments about one behaviour, and their meta-analysis."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache

import numpy as np

from events.metrics import Active, parse_behaviour, parse_metric
from stats.instrument.anderson_rubin import AndersonRubin, anderson_rubin
from stats.instrument.arms import EffectSet, Piece
from stats.instrument.encouragement import wald
from stats.instrument.other_behaviours import OtherMoments
from stats.instrument.pooled import Answer, Instrument, Pooled, pooled
from stats.instrument.pooled_sets import SharedControl
from stats.iv_moments import IvMoments
from stats.results import NotComputable, computable

# The finding of one finished experiment, the definition it refers to, and which findings may be pooled. Pure.
#
# The rule, in the order in which a finding is left out (docs/pooling.md):
#
# 1. one definition: the same behaviour, times, days and outcome; 2. sound data: the verdict INVALID means that the
# data can't answer any question; 3. individual effects: where whole clusters were nudged, the effect includes what
# friends did; 4. each user counts once: arms of one experiment share its control group. Where the control group's
# errors are known, all arms are pooled with their covariance; otherwise only the first arm of the plan.
#
# Effect, p-value and strength of the nudge don't decide: selecting findings by their results would bias the pool.

INVALID = "INVALID"


@dataclass(frozen=True)
class Definition:
    """What findings must have in common to be pooled: at least `times` acts within `days` days, and one outcome.

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
    """True when two texts define the same behaviour."""
    return _behaviour_key(one) == _behaviour_key(other)


@dataclass(frozen=True)
class OutcomeMoments:
    """What one nudge did to one outcome and to several behaviours, with the covariance of all of it.

    Attributes:
        outcome: metric text; `kind` is `proportion`, `mean` or `ratio`.
        behaviours: text of each, the finding's own first; `times` are the least numbers of acts, within its days.
        consequences: those behaviours that the plan holds to be consequences of the first.
        effects: on the outcome, in its unit, then on the share of users who do each behaviour.
        covariance: of the effects, in their order.
        n_control, n_variant: users.
    """

    outcome: str
    kind: str
    behaviours: tuple[str, ...]
    times: tuple[int, ...]
    effects: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    n_control: int
    n_variant: int
    consequences: tuple[str, ...] = ()


def outcome_moments(
    outcome: str,
    kind: str,
    own: tuple[str, int],
    moments: IvMoments,
    others: OtherMoments | None = None,
    times: Sequence[int] = (),
    consequences: Sequence[str] = (),
) -> OutcomeMoments:
    """The record of a comparison's moments.

    Args:
        outcome: metric text, and its kind.
        own: text and times of the behaviour that the nudge is for.
        moments: of outcome and this behaviour, as measured.
        others: of the other behaviours; None where none was measured.
        times: of each other behaviour.
        consequences: texts of those that are consequences of the behaviour.
    """
    effects, covariance = [moments.itt, moments.first_stage], np.array([[moments.v_r, moments.c_rd]] * 2)
    covariance[1] = moments.c_rd, moments.v_d
    names: tuple[str, ...] = ()
    if others is not None:
        names = others.names
        effects += [float(stage) for stage in others.first_stages]
        beside = np.vstack([others.with_itt, others.with_first_stage])
        covariance = np.block([[covariance, beside], [beside.T, others.covariance]])
    return OutcomeMoments(
        outcome,
        kind,
        (own[0], *names),
        (own[1], *times),
        tuple(effects),
        tuple(tuple(float(value) for value in line) for line in covariance),
        moments.n_control,
        moments.n_variant,
        tuple(consequences),
    )


@dataclass(frozen=True)
class PastFinding:
    """Result of one arm of one finished experiment.

    Attributes:
        name: display name of the experiment.
        origin: `experiment` of this site or `file`; `source` is its key, or the name given to the file.
        variant: compared with `comparator`, which is a placebo where `placebo` says so.
        place: position of the arm, from 1, among the plan's arms that nudge to the behaviour.
        definition: of behaviour and outcome; `kind` is `proportion`, `mean` or `ratio`.
        moments: effect on outcome and behaviour with their (co)variances, as measured: what pools take, whatever rule
            ended the experiment.
        corrected: the same with the effect on the outcome corrected for the interim looks of its plan; None for one
            look. Used where one experiment stands alone, since early stopping biases its uncorrected effect.
        reach: share of units that reach it without the nudge, 0 to 1; None where unknown.
        promised: headline of the ladder in the study that the experiment tested; None where there is none.
        promised_error: its standard error; None where it isn't known.
        verdict: code.
        caution: `corrected`: version 0.4 stored only the corrected effect and the analysis is gone, so `moments` are
            corrected; `optimistic`: it could stop at any look, so alone it is too large on average; else "".
        started, ended: first and last local date.
        shared: errors of the comparison group, which other arms share; None where unknown.
        whole_clusters: whole clusters were nudged, so the effect is not that of a member's own behaviour.
        outcomes: every registered outcome with all measured behaviours, for joint readings; empty in findings of
            earlier versions.
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
    outcomes: tuple[OutcomeMoments, ...] = ()

    @property
    def units(self) -> int:
        """Number of units in both arms."""
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
    """Findings that may be pooled for a definition, oldest first, and those left out with the reason.

    Args:
        findings: of any behaviour; those of another behaviour appear in neither list.
        definition: the definition to pool.
    """
    wanted = definition.same
    used: list[PastFinding] = []
    left: list[LeftOut] = []
    rows = [row for row in findings if row.definition.same[0] == wanted[0]]
    for row in sorted(rows, key=lambda finding: (finding.started, finding.source, finding.place)):
        same = [finding for finding in used if (finding.origin, finding.source) == (row.origin, row.source)]
        twice = bool(same) and any(not _shares(finding, same[0]) for finding in (*same, row))
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
    """The most frequent definition among a behaviour's findings that match the given times, days and outcome.

    Ties go to the one with the latest experiment; None where no finding matches.
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


# Meta-analysis of all findings on one definition, and which of its estimates to show first. Pure.

ALPHA = 0.05


@dataclass(frozen=True)
class PastExperiments:
    """Pooled results of past experiments with a behaviour, on one definition.

    Attributes:
        definition: the definition that was pooled.
        used: findings that are pooled, the oldest first.
        left_out: findings of the same behaviour that aren't, with the reason.
        pooled: the meta-analysis; ``NO_EXPERIMENT_YET`` where no finding may be used.
    """

    definition: Definition
    used: tuple[PastFinding, ...]
    left_out: tuple[LeftOut, ...]
    pooled: Pooled | NotComputable


@dataclass(frozen=True)
class Summary:
    """Pooled results of past experiments in a few numbers, as stored with a study.

    Attributes:
        experiments: how many are pooled; `left_out` findings of the same behaviour aren't.
        answer: which pooled estimate `estimate` is; None without an experiment.
        estimate: that number, in the outcome's unit per unit that reaches the behaviour.
        pieces: confidence set of the effect, or the interval of Egger's slope where the nudges disagree; None is an
            unbounded side.
        level: confidence level of `pieces`.
    """

    experiments: int
    left_out: int
    answer: Answer | None
    estimate: float | NotComputable
    pieces: tuple[Piece, ...]
    level: float


def pool_findings(findings: Sequence[PastFinding], definition: Definition, *, alpha: float = ALPHA) -> PastExperiments:
    """Select findings with `sort_out` and pool them.

    Args:
        findings: of any behaviour.
        definition: of behaviour and outcome.
        alpha: two-sided error rate.
    """
    used, left = sort_out(findings, definition)
    pool = pooled([instrument(row) for row in used], alpha=alpha)
    if not computable(pool) or not pool.left_out:
        return PastExperiments(definition, used, left, pool)
    flat = {(item.key, item.name) for item in pool.left_out}
    dropped = [row for row in used if (key_of(row), instrument(row).name) in flat]
    remaining = tuple(row for row in used if row not in dropped)
    return PastExperiments(definition, remaining, (*left, *(LeftOut(row, Why.NO_VARIANCE) for row in dropped)), pool)


def key_of(row: PastFinding) -> str:
    """Key of an experiment, unique over this site's experiments and imported files."""
    return f"{row.origin}:{row.source}"


def instrument(row: PastFinding) -> Instrument:
    """A finding as an instrument for the behaviour."""
    name = row.name if row.place == 1 else f"{row.name} · {row.variant}"
    return Instrument(key_of(row), name, row.moments, row.shared)


@dataclass(frozen=True)
class OwnEffect:
    """Effect estimated from one finding alone: Wald ratio and Anderson-Rubin set."""

    estimate: float | NotComputable
    around: AndersonRubin


def own_effect(row: PastFinding, *, alpha: float = ALPHA) -> OwnEffect:
    """The effect of the behaviour among those whom this nudge moved."""
    ratio = wald(row.moments, alpha=alpha)
    return OwnEffect(ratio.estimate if computable(ratio) else ratio, anderson_rubin(row.moments, alpha=alpha))


def summary(past: PastExperiments) -> Summary:
    """The pooled results in a few numbers; without a pooled set where the nudges disagree."""
    pool = past.pooled
    if not computable(pool):
        return Summary(0, len(past.left_out), None, pool, (), 1 - ALPHA)
    numbers = answer_of(pool)
    estimate, pieces = (numbers, ()) if isinstance(numbers, NotComputable) else numbers
    return Summary(pool.experiments, len(past.left_out), pool.answer, estimate, pieces, pool.level)


def answer_of(pool: Pooled) -> tuple[float | NotComputable, tuple[Piece, ...]] | NotComputable:
    """The estimate to show first, and its confidence set.

    Where the nudges disagree it is Egger's slope, which allows each nudge a direct effect; else LIML with the
    conditional likelihood-ratio set.
    """
    if pool.answer is Answer.NUDGES_DISAGREE:
        if not computable(pool.egger):
            return pool.egger
        slope = pool.egger.slope
        return slope.estimate, ((slope.low, slope.high),)
    around: EffectSet | NotComputable = pool.answer_set
    estimate = pool.liml.estimate if computable(pool.liml) else pool.liml
    return estimate, around.pieces if computable(around) else ()
