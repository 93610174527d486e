"""The rows of each table, from stored results: what a reader of the report may see, and nothing of a locked outcome."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from aha.evidence.store_findings import all_findings
from experiments.analyse.across.kept_maps import key_of
from experiments.analyse.across.site_map import site_map
from experiments.analyse.analyses import latest_analysis
from experiments.analyse.corrected import best_difference, of_variant
from experiments.analyse.effects import Comparison, OutcomeReport, leading
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Opened
from experiments.models import Analysis, Experiment
from experiments.plan.design import Kind
from runs.payloads import Unreadable
from runs.refusals import Refused
from segments.models import Membership, SegmentVersion, slug_of
from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.instrument.causes import Place
from stats.results import Estimate, Interval, NotComputable, computable

LOCKED, UNREADABLE = "outcome_locked", "unreadable"
SHARE = "share"
UNITS = {Kind.PROPORTION: SHARE, Kind.MEAN: "per_user", Kind.RATIO: "ratio", Kind.QUANTILE: "value"}
PER_DOER = "{unit}_per_doer"
MEMBERS_READ = 20_000

type Row = dict[str, Any]
type Number = Estimate | Interval | NotComputable


class ExperimentRows:
    """The rows of one experiment's latest analysis that every reader of its report may see.

    A peek that isn't final is passed over: only some readers may see it.

    Attributes:
        analysis: None where there is no such analysis.
    """

    def __init__(self, experiment: Experiment, now: datetime) -> None:
        self.experiment, self.now = experiment, now
        self.analysis: Analysis | None = latest_analysis(experiment, peeks=False)
        self.result: AnalysisResult | Unreadable | None = READOUT.of(self.analysis)

    def verdicts(self) -> Iterator[Row]:
        """One row, or none without an analysis; no verdict while the outcome is locked, except of broken data."""
        analysis, result = self.analysis, self.result
        if analysis is None or result is None:
            return
        row: Row = {
            "experiment": self.experiment.key,
            "name": self.experiment.name or None,
            "moment": None if self.experiment.moment is None else self.experiment.moment.key,
            "analysis": analysis.pk,
            "data_until": analysis.as_of,
            "final": analysis.final,
            "written_at": self.now,
        }
        if isinstance(result, Unreadable):
            yield {**row, "reason": UNREADABLE}
            return
        at, verdict = result.maturity, result.verdict
        row |= {
            "state": at.state.value,
            "opens_on": at.opens_on,
            "verdict": None if verdict is None else str(verdict.code),
            "reason": LOCKED if verdict is None else verdict.reason,
            "outcome": result.plan.primary[0],
            "alpha": result.plan.alpha,
            "exposed": sum(at.exposed.values()),
            "mature": sum(at.mature.values()),
        }
        if isinstance(result, Opened):
            row |= {"variant": result.report.leading, "comparator": _comparator(result, leading(result.report))}
            if result.decision is not None:
                row |= {"decision": result.decision.ruling.value, "decision_reason": result.decision.ground.value}
        yield row

    def effects(self) -> Iterator[Row]:
        """Levels and effects of every outcome; none while the outcome is locked."""
        if not isinstance(self.result, Opened) or self.analysis is None:
            return
        head = {
            "experiment": self.experiment.key,
            "analysis": self.analysis.pk,
            "final": self.analysis.final,
            "written_at": self.now,
        }
        for place, outcome in enumerate(self.result.report.outcomes):
            plan = self.result.plan
            role = "primary" if outcome.name in plan.primary else "secondary"
            role = "guardrail" if outcome.name in plan.guardrails and role != "primary" else role
            about = {**head, "outcome": outcome.name, "role": role}
            for row in (*_levels(self.result, outcome), *_compared(self.result, outcome, first=place == 0)):
                yield {**about, **row}


def _comparator(result: Opened, row: Comparison) -> str:
    return row.compared_with or result.report.design.control


def _levels(result: Opened, outcome: OutcomeReport) -> Iterator[Row]:
    for label, value in outcome.values.items():
        if result.plan.is_lab and label == result.report.design.control:
            continue  # each nudge of a lab has other users without it
        numbers = _numbers(value.mean)
        if computable(value.mean):
            around = _numbers(value.interval)
            error = value.standard_error if computable(value.standard_error) else None
            numbers |= {name: around[name] for name in ("low", "high", "level")} | {"standard_error": error}
        arm = {"measure": "level", "variant": label, "n": value.n, "n_variant": value.n}
        yield {**arm, "unit": UNITS[outcome.kind], **numbers}


def _compared(result: Opened, outcome: OutcomeReport, *, first: bool) -> Iterator[Row]:
    unit = UNITS[outcome.kind]
    for row in outcome.comparisons:
        arms = _arms(outcome, row.variant, _comparator(result, row))
        adjusted = row.adjusted_p if computable(row.adjusted_p) else None
        plain = {**_numbers(row.difference), "adjusted_p_value": adjusted if computable(row.difference) else None}
        yield {"measure": "effect", **arms, "unit": unit, **plain}
        if first and of_variant(result, row.variant) is not None:
            corrected = best_difference(result, row)
            yield {"measure": "effect_corrected", **arms, "unit": unit, **_numbers(corrected)}
        if row.against_control is not None:
            control = _arms(outcome, row.variant, result.report.design.control)
            yield {"measure": "effect_against_control", **control, "unit": unit, **_numbers(row.against_control)}
        for part in row.by_segment:
            tried = part.adjusted_p if computable(part.adjusted_p) else None
            yield {
                "measure": "effect",
                "variant": row.variant,
                "comparator": arms["comparator"],
                "segment": part.segment,
                "n": part.n,
                "unit": unit,
                **_numbers(part.difference),
                "adjusted_p_value": tried,
            }
        if row.encouragement is not None:
            take_up, around = row.encouragement.take_up, row.encouragement.effect_set
            if first:
                yield {"measure": "take_up", **arms, "unit": SHARE, **_numbers(take_up, "difference")}
            numbers = _numbers(row.encouragement.effect)
            if computable(row.encouragement.effect):  # its own interval isn't valid where the nudge is weak
                numbers |= {"p_value": None, **_set(around)}
            yield {"measure": "behaviour", **arms, "unit": PER_DOER.format(unit=unit), **numbers}


def _arms(outcome: OutcomeReport, variant: str, comparator: str) -> Row:
    n = {name: outcome.values[name].n for name in (variant, comparator) if name in outcome.values}
    both = sum(n.values()) if len(n) == 2 else None
    return {
        "variant": variant,
        "comparator": comparator,
        "n": both,
        "n_variant": n.get(variant),
        "n_comparator": n.get(comparator),
    }


def _numbers(value: Any, centre: str = "estimate") -> Row:
    """Estimate, error, limits, level and p-value, as far as the value has them; or the reason why there is none."""
    if isinstance(value, NotComputable):
        return dict.fromkeys(("estimate", "standard_error", "low", "high", "level", "p_value")) | {
            "reason": str(value.reason)
        }
    if isinstance(value, float | int):
        return {"estimate": float(value), "reason": None}
    names = ("standard_error", "low", "high", "level", "p_value")
    return {"estimate": getattr(value, centre), **{name: getattr(value, name, None) for name in names}, "reason": None}


def _set(around: AndersonRubin | NotComputable) -> Row:
    if isinstance(around, NotComputable):
        return {"low": None, "high": None, "level": None, "shape": None}
    return {"low": around.low, "high": around.high, "level": around.level, "shape": Shape(around.shape).value}


# ── Memberships ───────────────────────────────────────────────────────────────
def current_versions(model: str | None = None) -> list[SegmentVersion]:
    """The current version of each segment model that isn't archived, or of one."""
    rows = SegmentVersion.objects.light("model").current().filter(model__archived_at=None).order_by("model__key")
    return list(rows if model is None else rows.filter(model__key=model))


def memberships(version: SegmentVersion, now: datetime) -> Iterator[Row]:
    """One row a user that the version has placed."""
    model = version.model
    rows = Membership.objects.filter(version=version).order_by("pk").values_list("unit", "segment__key", "place")
    for unit, found, place in rows.iterator(chunk_size=MEMBERS_READ):
        key: str | None = found
        yield {
            "segment_model": model.key,
            "version": version.number,
            "user_id": unit,
            "segment": None if key is None else slug_of(model.key, model.kind, version.number, key),
            "reason": None if key is not None else place,
            "members_of": version.refreshed_at,
            "written_at": now,
        }


# ── The map of causes ─────────────────────────────────────────────────────────
def map_rows(now: datetime) -> Iterator[Row]:
    """One row an outcome and behaviour, of final analyses alone: nothing of a locked plan is in it."""
    outcomes = {key_of(row.definition.outcome): row.definition.outcome for row in all_findings()}
    for outcome in outcomes.values() if outcomes else (None,):
        try:
            found = site_map(outcome=outcome)
        except Refused:  # nothing finished says anything about a behaviour
            continue
        unit = SHARE if found.share else "outcome"
        for place in found.places:
            promise = found.promises.get(place.behaviour)
            promised = _numbers(promise) if promise is not None else {}
            yield {
                "outcome": found.outcome,
                "behaviour": place.behaviour,
                "state": place.state.value,
                "n": found.users if place.measured is not None else 0,
                "unit": PER_DOER.format(unit=unit),
                **_effect(place),
                "promise": promised.get("estimate"),
                **{f"promise_{name}": promised.get(name) for name in ("low", "high", "level", "reason")},
                "promise_unit": None if promise is None else unit,
                "written_at": now,
            }


def _effect(place: Place) -> Row:
    adjusted, measured = place.adjusted_p, place.measured
    row: Row = {"adjusted_p_value": adjusted if computable(adjusted) else None}
    if measured is None:
        return row | {"reason": None if computable(adjusted) else str(adjusted.reason)}
    row |= {"read": "jointly" if measured.joint else "alone"}
    if isinstance(measured.effect, NotComputable):
        return row | {"reason": str(measured.effect.reason)}
    return row | {
        "effect": measured.effect,
        **_set(measured.effect_set),
        "p_value": measured.p_zero if computable(measured.p_zero) else None,
    }
