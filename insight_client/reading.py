"""Convert JSON of the site to records. Unknown fields are ignored."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from insight_client.missing import NotComputable, Number, read, read_number
from insight_client.records import (
    Analysis,
    Candidate,
    Day,
    Effect,
    Estimate,
    Experiment,
    Json,
    Mean,
    Metric,
    Moment,
    Reading,
    Rung,
    Segment,
    Size,
    Study,
    Verdict,
)

NOT_GIVEN = "The site gives no such number."
NO_INTERVAL = "The site gives no interval of it."
UNBOUNDED = "The data don't limit it on this side."


def study(row: Json) -> Study:
    """A study, with its report where there is one."""
    report = row.get("report")
    if not isinstance(report, dict) or "candidates" not in report:
        return Study(**_study(row))
    return Study(
        **_study(row),
        users=report["population"]["eligible"],
        retained=estimate(report["population"]["rate"], report["population"]["eligible"]),
        candidates=tuple(candidate(one) for one in report["candidates"]),
        none_because=_none_because(report),
        curve=tuple(_day(one) for one in report["curve"]["points"]),
        report=report,
    )


def _study(row: Json) -> Json:
    kept = ("id", "title", "status", "stage", "share", "reason", "inputs")
    return {name: row[name] for name in kept} | {
        "created_at": _time(row["created_at"]),
        "finished_at": _time_or_none(row["finished_at"]),
    }


def _none_because(report: Json) -> str:
    for name in ("floor", "luck"):
        found = read(report.get(name))
        if isinstance(found, NotComputable):
            return found.reason
    return ""


def _day(point: Json) -> Day:
    return Day(point["day"], Estimate(point["share"], point["low"], point["high"], point["units"]))


def candidate(row: Json) -> Candidate:
    """A candidate of a study's report."""
    cell = row["cell"]
    n = sum(cell[name] for name in ("a", "b", "c", "o"))
    doers = cell["b"] + cell["c"]
    honest = row["hold_out_j"]
    held_out = read(row["honesty"]["hold_out"])
    if row["by_step"] and not isinstance(held_out, NotComputable):
        honest = row["honesty"]["train"]["j"]  # a step was found on the hold-out: the training part judges it
    return Candidate(
        behaviour=row["behaviour"],
        times=row["times"],
        days=row["days"],
        step=row["step"],
        reach=estimate(cell["reach"], n),
        base=estimate(cell["base"], n),
        retained_with=estimate(cell["ppv"], doers),
        retained_without=estimate(cell["retained_without"], n - doers),
        difference=estimate(cell["difference"], n),
        j=estimate(honest),
        ladder=tuple(Rung(one["name"], estimate(one["difference"], one["units"])) for one in row["ladder"]["rungs"]),
        flags=tuple(row["flags"]),
    )


def moment(row: Json) -> Moment:
    """An AHA moment."""
    kept = ("key", "name", "behaviour", "times", "days", "retention", "status", "study", "intact")
    return Moment(**{name: row[name] for name in kept}, created_at=_time(row["created_at"]))


def experiment(row: Json) -> Experiment:
    """An experiment, from a list or in full."""
    kept: Json = {name: row[name] for name in ("key", "name", "status", "moment", "planned_end")}
    return Experiment(
        **kept,
        created_at=_time(row["created_at"]),
        started_at=_time_or_none(row["started_at"]),
        stopped_at=_time_or_none(row["stopped_at"]),
        plan=row if "variants" in row else {},
    )


def analysis(row: Json) -> Analysis:
    """An analysis, from a list or in full."""
    kept = ("id", "experiment", "status", "reason", "final", "peek")
    found: Json = {name: row[name] for name in kept} | {
        "code": row["verdict"],
        "as_of": _time_or_none(row["as_of"]),
        "created_at": _time(row["created_at"]),
    }
    document = row.get("document")
    if not isinstance(document, dict) or "state" not in document:
        return Analysis(**found, _locked=_without_document(row))
    is_open = document["state"] == "open" and document["report"] is not None
    verdict = document["verdict"]
    return Analysis(
        **found,
        heading=document["heading"],
        sentence=document["sentence"],
        health=tuple((one["check"], one["severity"], one["message"]) for one in document["health"]),
        document=document,
        _locked=None if is_open else (document["state_reason"] or document["heading"], document["opens_on"]),
        _verdict=None if not is_open or verdict is None else Verdict(verdict["code"], verdict["reason"]),
        _effects=tuple(_effects(document["report"])) if is_open else (),
        _readings=tuple(_reading(one) for one in document["contrasts"]) if is_open else (),
    )


def _reading(row: Json) -> Reading:
    value, low, high = (read_number(row[name], NOT_GIVEN) for name in ("estimate", "low", "high"))
    if isinstance(low, NotComputable) and isinstance(high, NotComputable):
        low = high = NotComputable(NO_INTERVAL)
    return Reading(row["label"], Estimate(value, low, high), row["causal"])


def _without_document(row: Json) -> tuple[str, str | None]:
    """A list gives no documents, a run that isn't done has none, and one of another version may be unreadable."""
    if row.get("document"):
        return row["document"].get("unreadable", NOT_GIVEN), None
    if "document" in row:
        return row["reason"] or f"This analysis is {row['status']}; there is nothing to read.", None
    return "A list shows no outcome: ask for the analysis itself.", None


def _effects(report: Json) -> list[Effect]:
    found = []
    for outcome in report["outcomes"]:
        control = outcome["values"].get(report["control"])
        for row in outcome["comparisons"]:
            nudge = row["encouragement"]
            found.append(
                Effect(
                    outcome=outcome["name"],
                    variant=row["variant"],
                    kind=outcome["kind"],
                    control=_mean(control),
                    arm=_mean(outcome["values"].get(row["variant"])),
                    difference=estimate(row["difference"]),
                    take_up=None if nudge is None else estimate(nudge["take_up"], key="difference"),
                    effect=None if nudge is None else _effect(nudge),
                    shape="" if nudge is None else _shape(nudge["anderson_rubin"]),
                    estimand="own" if nudge is None else nudge.get("estimand", "own"),
                )
            )
    return found


def _mean(value: Any) -> Mean | NotComputable:
    found = read(value)
    if not isinstance(found, dict):
        return found if isinstance(found, NotComputable) else NotComputable(NOT_GIVEN)
    return Mean(read_number(found["mean"], NOT_GIVEN), read_number(found["standard_error"], NOT_GIVEN), found["n"])


def _effect(nudge: Json) -> Estimate:
    """The estimate with the limits of its Anderson-Rubin set; an unbounded side is `NotComputable`."""
    whole = estimate(nudge["effect"])
    limits = read(nudge["anderson_rubin"])
    if isinstance(limits, NotComputable):
        return Estimate(whole.value, limits, limits)
    return Estimate(whole.value, read_number(limits["low"], UNBOUNDED), read_number(limits["high"], UNBOUNDED))


def _shape(value: Any) -> str:
    found = read(value)
    return "" if isinstance(found, NotComputable) else str(found["shape"])


def segment(row: Json) -> Segment:
    """A published segment."""
    kept = ("id", "model", "version", "key", "name", "size", "shape", "targetable")
    return Segment(**{name: row[name] for name in kept}, stability=read_number(row["stability"], NOT_GIVEN))


def metric(row: Json) -> Metric:
    """A metric with its current definition."""
    current = row["current"] or {}
    return Metric(
        **{name: row[name] for name in ("key", "description", "unit", "status", "version", "owner")},
        name=row["name_en"],
        definition=current.get("definition", ""),
    )


def size(row: Json) -> Size:
    """What the site proposes for a plan."""
    inflow: Mapping[str, Any] = row["inflow"]
    return Size(
        **{
            name: read_number(row[name], NOT_GIVEN)
            for name in ("planned_units", "days", "planned_effect", "smallest_effect", "take_up")
        },
        per_day=read_number(inflow["per_day"], NOT_GIVEN),
        whole=row,
    )


def estimate(value: Any, n: int | None = None, *, key: str = "estimate") -> Estimate:
    """An object with `estimate`, `low`, `high`, or the reason why all three are missing."""
    found = read(value)
    if isinstance(found, dict):
        parts: list[Number] = [read_number(found.get(name), NOT_GIVEN) for name in (key, "low", "high")]
        return Estimate(parts[0], parts[1], parts[2], n)
    whole = read_number(value, NOT_GIVEN)
    if isinstance(whole, NotComputable):
        return Estimate(whole, whole, whole, n)
    return Estimate(whole, NotComputable(NO_INTERVAL), NotComputable(NO_INTERVAL), n)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _time_or_none(text: str | None) -> datetime | None:
    return None if text is None else _time(text)
