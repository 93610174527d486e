"""All findings of one definition together: what may be pooled, what it gives, and what to lead with. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from aha.evidence.past.finding_rows import Definition, LeftOut, PastFinding, Why, sort_out
from stats.instrument.anderson_rubin import AndersonRubin, anderson_rubin
from stats.instrument.arms_set import EffectSet, Piece
from stats.instrument.encouragement import wald
from stats.instrument.pooled import Answer, Instrument, Pooled, pooled
from stats.results import NotComputable, computable

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
