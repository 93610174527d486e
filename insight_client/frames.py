"""Records as pandas tables. A missing number is NaN, with the cause in the column `reason`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import pandas as pd

from insight_client.missing import NotComputable
from insight_client.records import (
    Analysis,
    Candidate,
    Day,
    Effect,
    Estimate,
    Experiment,
    Mean,
    Metric,
    Moment,
    Reading,
    Rung,
    Segment,
    Study,
)

# What a table leaves out: whole documents, and what is a table of its own.
ASIDE = {"report", "plan", "document", "inputs", "candidates", "curve", "health", "ladder", "whole"}
NAN = float("nan")

type Row = dict[str, Any]


def frame(records: Sequence[Any], kind: type[Any]) -> pd.DataFrame:
    """One row per record. `Estimate` fields become three columns: name, name_low, name_high (and name_n where known).

    Args:
        records: records of one class.
        kind: their class, which determines the columns of an empty table.
    """
    rows = [_row(record) for record in records]
    if not rows:
        return pd.DataFrame(columns=[*(one.name for one in fields(kind) if _shown(one.name)), "reason"])
    return pd.DataFrame(rows)


def studies(records: Sequence[Study]) -> pd.DataFrame:
    """Studies, without their reports; `reason` is why a study failed."""
    return frame(records, Study)


def candidates(study: Study) -> pd.DataFrame:
    """The candidates of a study, the best first."""
    return frame(study.candidates, Candidate)


def ladder(candidate: Candidate) -> pd.DataFrame:
    """The adjustment ladder of a candidate, one row per step."""
    return frame(candidate.ladder, Rung)


def curve(study: Study) -> pd.DataFrame:
    """The retention curve of a study, one row per day."""
    return frame(study.curve, Day)


def moments(records: Sequence[Moment]) -> pd.DataFrame:
    """AHA moments."""
    return frame(records, Moment)


def experiments(records: Sequence[Experiment]) -> pd.DataFrame:
    """Experiments."""
    return frame(records, Experiment)


def analyses(records: Sequence[Analysis]) -> pd.DataFrame:
    """Analyses with the code of their verdict; `reason` explains an empty one."""
    table = frame(records, Analysis)
    table["reason"] = [
        record.reason if record.code or not record.locked else record.locked.sentence for record in records
    ]
    return table


def effects(analysis: Analysis) -> pd.DataFrame:
    """Effects by outcome and arm.

    Raises:
        Locked: the plan keeps the outcomes locked for now.
    """
    return frame(analysis.effects, Effect)


def readings(analysis: Analysis) -> pd.DataFrame:
    """Promised and found effects of an analysis, as compared on its page.

    Raises:
        Locked: the plan keeps the outcomes locked for now.
    """
    return frame(analysis.readings, Reading)


def segments(records: Sequence[Segment]) -> pd.DataFrame:
    """Published segments."""
    return frame(records, Segment)


def metrics(records: Sequence[Metric]) -> pd.DataFrame:
    """The catalogue of metrics."""
    return frame(records, Metric)


def _row(record: Any) -> Row:
    row: Row = {}
    reasons: list[str] = []
    for one in fields(record):
        if not _shown(one.name):
            continue
        value = getattr(record, one.name)
        if isinstance(value, Estimate):
            parts = {one.name: value.value, f"{one.name}_low": value.low, f"{one.name}_high": value.high}
            row |= _cells(parts, value.n, reasons)
        elif isinstance(value, Mean):
            row |= _cells({one.name: value.value, f"{one.name}_error": value.standard_error}, value.n, reasons)
        elif isinstance(value, NotComputable):
            row[one.name] = NAN
            reasons.append(f"{one.name}: {value.reason}")
        elif isinstance(value, tuple):
            row[one.name] = ", ".join(map(str, value))
        else:
            row[one.name] = value
    own = row.pop("reason", "")
    row["reason"] = "; ".join([own] if own else list(dict.fromkeys(reasons)))
    return row


def _cells(parts: Mapping[str, Any], n: int | None, reasons: list[str]) -> Row:
    """Numbers of one field as columns; n as the column of the first one's name and `_n`."""
    reasons += _said_once(parts)
    shown = {column: NAN if isinstance(part, NotComputable) else part for column, part in parts.items()}
    return shown if n is None else {**shown, f"{next(iter(parts))}_n": n}


def _said_once(parts: Mapping[str, Any]) -> Iterable[str]:
    """The reasons of the missing numbers; one shared by estimate and limits is given once."""
    said: dict[str, str] = {}
    for column, part in parts.items():
        if isinstance(part, NotComputable):
            said.setdefault(part.reason, column)
    return [f"{column}: {reason}" for reason, column in said.items()]


def _shown(name: str) -> bool:
    return not name.startswith("_") and name not in ASIDE
