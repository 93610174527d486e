"""Findings and what they give together as JSON values, for `pool`, REST, `discover` and `import_experiment`. Pure."""

from typing import Any

from aha.evidence.past.finding_rows import Definition, PastFinding
from aha.evidence.past.pool_findings import PastExperiments, Summary, own_effect
from reporting.document import chosen, outward
from stats.instrument.arms_set import Piece
from stats.instrument.pooled import Answer, Pooled
from stats.results import Estimate, Interval, NotComputable, computable
from stats.synthesis.random_effects import RandomEffects

INTERVAL = ("estimate", "low", "high", "level")
MOMENTS = ("itt", "first_stage", "v_r", "v_d", "c_rd", "n_control", "n_variant", "degrees_of_freedom")


def document(found: PastExperiments) -> dict[str, Any]:
    """What past experiments say of a behaviour: the document of `pool --json` and of REST.

    Where the nudges disagree there is no pooled set in it, only the reason.
    """
    said = found.pooled
    written: dict[str, Any] = outward(
        {
            **definition_document(found.definition),
            "experiments": len({(row.origin, row.source) for row in found.used}),
            "findings": [finding_document(row) for row in found.used],
            "left_out": [{**finding_document(row.finding), "why": row.why.value} for row in found.left_out],
            **(_together(said) if computable(said) else {"answer": None, "pooled": said}),
        }
    )
    return written


def _together(said: Pooled) -> dict[str, Any]:
    disagree = said.answer is Answer.NUDGES_DISAGREE
    agreement = said.agreement
    pooled: Any = said.answer_set
    if computable(pooled):
        pooled = {
            "estimate": said.liml.estimate if computable(said.liml) else said.liml,
            "set": pieces_document(pooled.pieces),
            "anderson_rubin": pieces_document(said.anderson_rubin.pieces),
            "jackknife": _interval(said.jive),
            "level": said.level,
        }
    return {
        "answer": said.answer.value,
        "mean_f": said.mean_f,
        "pooled": pooled,
        "agreement": agreement
        if not computable(agreement)
        else {
            **chosen(agreement, "statistic", "degrees_of_freedom", "p_over_identified", "p_intercept", "p_value"),
            "agree": not disagree,
        },
        "egger": {"slope": _interval(said.egger.slope), "intercept": _interval(said.egger.intercept)}
        if computable(said.egger)
        else said.egger,
        "random_effects": _random(said.random_effects),
        "influence": [
            {"source": row.key.partition(":")[2], **chosen(row, "name", "weight", "misfit", "without", "p_without")}
            for row in said.influence
        ],
    }


def finding_document(row: PastFinding) -> dict[str, Any]:
    """One finding with its moments and its own effect."""
    own = own_effect(row)
    written: dict[str, Any] = outward(
        {
            **chosen(row, "name", "origin", "source", "variant", "comparator", "placebo", "kind", "verdict", "caution"),
            **definition_document(row.definition),
            "started": row.started.isoformat(),
            "ended": row.ended.isoformat(),
            "moments": chosen(row.moments, *MOMENTS),
            "corrected": None if row.corrected is None else chosen(row.corrected, "itt", "v_r", "c_rd"),
            "effect": {
                "estimate": own.estimate,
                "shape": own.around.shape.value,
                "low": own.around.low,
                "high": own.around.high,
                "level": own.around.level,
            },
            **chosen(row, "reach", "promised", "promised_error"),
        }
    )
    return written


def summary_document(found: Summary) -> dict[str, Any]:
    """A study's few numbers about past experiments."""
    effect: Any = found.estimate
    if found.answer is not None:
        effect = {"estimate": found.estimate, "set": pieces_document(found.pieces), "level": found.level}
    answer = None if found.answer is None else found.answer.value
    written: dict[str, Any] = outward(
        {"experiments": found.experiments, "left_out": found.left_out, "answer": answer, "effect": effect}
    )
    return written


def definition_document(found: Definition) -> dict[str, Any]:
    """The definition that findings share."""
    return {name: getattr(found, name) for name in ("behaviour", "times", "days", "outcome")}


def pieces_document(pieces: tuple[Piece, ...]) -> list[dict[str, float | None]]:
    """Disjoint intervals in order; null is an unbounded side."""
    return [{"low": low, "high": high} for low, high in pieces]


def _interval(found: Estimate | Interval | NotComputable) -> Any:
    return chosen(found, *INTERVAL)  # which leaves a reason as it is


def _random(found: RandomEffects | NotComputable) -> Any:
    if not computable(found):
        return found
    return {
        "mean": _interval(found.mean),
        "prediction": _interval(found.prediction),
        **chosen(found, "spread", "experiments"),
    }
