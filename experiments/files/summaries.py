"""Past experiments from a file of summaries, one row an experiment: effects with their errors, no users' rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction

from aha.evidence.findings import Definition, OutcomeMoments, PastFinding
from aha.evidence.store_findings import keep_findings, refuse_double
from events.metrics import is_display_only, parse_behaviour, parse_metric
from experiments.analyse.codes import Code
from experiments.files.cleaning import find_column, refuse_doubled
from experiments.files.reading import Source, read_table
from experiments.plan.design import Kind, kind_of
from reporting.words import Message, say
from runs.refusals import Refused
from stats.instrument.anderson_rubin import Shape, anderson_rubin
from stats.instrument.joint import MOST_BEHAVIOURS
from stats.iv_moments import IvMoments
from stats.summaries import Array

NEEDED = ("name", "behaviour", "times", "days", "outcome", "from", "to", "users_control", "users_variant")
EFFECTS = ("effect", "effect_error", "take_up", "take_up_error")
# Without covariances this part of the bound belongs to the effect on the outcome, the rest to the take-ups, each alike.
OF_OUTCOME = 0.75
BOUND = "any_link"
LARGEST_COVARIANCE = 1 + 1e-6


@dataclass(frozen=True)
class Cells:
    """One row of the file; columns by their lower-case names, empty cells left out."""

    file: str
    row: int
    values: Mapping[str, Any]

    def refused(self, column: str, why: Message) -> Refused:
        """The refusal of this row's cell."""
        where = say("{file}: row {row}, column {column!r}: {why}", file=self.file, row=self.row, column=column, why=why)
        return Refused(where)

    def text(self, column: str) -> str:
        """A text that must be there."""
        value = str(self.values.get(column, "")).strip()
        if not value:
            raise self.refused(column, say("a value is missing"))
        return value

    def number(self, column: str, *, low: float = -inf, above: bool = False) -> float:
        """A finite number of at least ``low`` (or above it)."""
        text = self.text(column)
        try:
            value = float(text)
        except ValueError:
            raise self.refused(column, say("{given!r} is no number", given=text)) from None
        if not isfinite(value) or value < low or (above and value == low):
            raise self.refused(column, say("{given!r} is too small or not finite", given=text))
        return value

    def whole(self, column: str, low: int) -> int:
        """A whole number of at least ``low``."""
        value = self.number(column, low=low)
        if value != int(value):
            raise self.refused(column, say("{given!r} is no whole number", given=self.text(column)))
        return int(value)

    def day(self, column: str) -> date:
        """A day as 2026-01-31."""
        value = self.values.get(column)
        if isinstance(value, date):
            return value.date() if isinstance(value, datetime) else value
        text = self.text(column)
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise self.refused(column, say("{given!r} is no date; write 2026-01-31", given=text)) from None


def import_summaries(path: Path, *, by: User | None = None) -> tuple[PastFinding, ...]:
    """Store a finding for each row of a file; all of them, or none.

    Raises:
        Refused: the file can't be read, a cell is wrong, or an experiment is stored already.
    """
    source = read_table(path, text_columns=frozenset({"name", "variant", "comparator", "from", "to"}))
    findings = [finding_of(cells) for cells in rows_of(source)]
    with transaction.atomic():
        for finding in findings:
            refuse_double([finding])
            keep_findings([finding], by=by)
    return tuple(findings)


def rows_of(source: Source) -> Iterator[Cells]:
    """The rows of a file whose columns are known.

    Raises:
        Refused: there is no row, or a needed column is missing.
    """
    refuse_doubled(source)
    if source.table.num_rows == 0:
        raise Refused("{file}: the file has a header but no rows", file=source.name)
    for name in (*NEEDED, *EFFECTS):
        find_column(source, name, "--summaries")
    for place, row in enumerate(source.table.to_pylist()):
        values = {name.casefold(): value for name, value in row.items() if value not in (None, "") and value == value}
        yield Cells(source.name, place + source.first_row, values)


def finding_of(cells: Cells) -> PastFinding:
    """The finding of one row.

    Raises:
        Refused: a cell is wrong; the sentence names row and column.
    """
    definition = _definition(cells)
    behaviours, times = _behaviours(cells, definition)
    effects, covariance, known = _moments(cells, len(behaviours))
    own = covariance[:2, :2] if known else _own_covariance(cells)
    users = (cells.whole("users_control", 2), cells.whole("users_variant", 2))
    kind = kind_of(definition.outcome)
    itt, stage, v_r, v_d, c_rd = (float(value) for value in (*effects[:2], own[0, 0], own[1, 1], own[0, 1]))
    moments = IvMoments(itt, stage, v_r, v_d, c_rd, *users)
    first, last = cells.day("from"), cells.day("to")
    if last < first:
        raise cells.refused("to", say("{last} lies before {first}", last=last, first=first))
    name = cells.text("name")
    return PastFinding(
        name=name,
        origin="file",
        source=name,
        variant=str(cells.values.get("variant", "variant")),
        comparator=str(cells.values.get("comparator", "control")),
        definition=definition,
        kind=str(kind),
        moments=moments,
        verdict=str(_verdict(moments)),
        started=first,
        ended=last,
        reach=_optional(cells, "reach"),
        promised=_optional(cells, "promised"),
        promised_error=_optional(cells, "promised_error"),
        caution="" if known or "covariance" in cells.values else BOUND,
        outcomes=(
            OutcomeMoments(
                definition.outcome,
                str(kind),
                behaviours,
                times,
                tuple(float(effect) for effect in effects),
                tuple(tuple(float(value) for value in line) for line in covariance),
                *users,
            ),
        ),
    )


def _definition(cells: Cells) -> Definition:
    outcome = cells.text("outcome")
    try:
        behaviour, metric = str(parse_behaviour(cells.text("behaviour"))), parse_metric(outcome)
    except Refused as refusal:
        raise Refused("{file}: row {row}: {why}", file=cells.file, row=cells.row, why=refusal.message) from None
    if is_display_only(metric):
        why = say("{given!r} grows as the data age: no experiment can be judged by it", given=outcome)
        raise cells.refused("outcome", why)
    if kind_of(str(metric)) is Kind.QUANTILE:
        raise cells.refused(
            "outcome", say("{given!r} is a quantile, which has no effect of a behaviour", given=outcome)
        )
    return Definition(behaviour, cells.whole("times", 1), cells.whole("days", 1), str(metric))


def _behaviours(cells: Cells, definition: Definition) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The row's behaviours, the one that was nudged to first, and the times of each."""
    names, times = [definition.behaviour], [definition.times]
    for number in range(2, MOST_BEHAVIOURS + 1):
        if f"behaviour_{number}" not in cells.values:
            break
        column = f"behaviour_{number}"
        try:
            names.append(str(parse_behaviour(cells.text(column))))
        except Refused as refusal:
            raise Refused("{file}: row {row}: {why}", file=cells.file, row=cells.row, why=refusal.message) from None
        times.append(cells.whole(f"times_{number}", 1))
    if len(set(names)) < len(names):
        raise cells.refused(f"behaviour_{len(names)}", say("a behaviour is named twice"))
    return tuple(names), tuple(times)


def _moments(cells: Cells, behaviours: int) -> tuple[Array, Array, bool]:
    """Effects and their covariance, and whether it was given or is the bound for any."""
    ends = ["", *(f"_{number}" for number in range(2, behaviours + 1))]
    effects = [cells.number("effect"), *(cells.number(f"take_up{end}") for end in ends)]
    columns = ["effect_error", *(f"take_up_error{end}" for end in ends)]
    errors = np.array([cells.number(column, low=0.0, above=True) for column in columns])
    names = {(0, place + 1): f"covariance{end}" for place, end in enumerate(ends)}
    pairs = combinations(range(1, behaviours + 1), 2)
    names |= {(one, two): f"covariance_{one}_{two}" for one, two in pairs}
    if not all(column in cells.values for column in names.values()):
        return np.array(effects), covariance_bound(errors), False
    covariance = np.diag(errors**2)
    for (one, two), column in names.items():
        covariance[one, two] = covariance[two, one] = cells.number(column)
    correlation = covariance / np.outer(errors, errors)
    if float(np.abs(correlation).max()) > LARGEST_COVARIANCE or float(np.linalg.eigvalsh(correlation)[0]) < -1e-6:
        raise cells.refused("covariance", say("no effects with these errors can have these covariances"))
    return np.array(effects), covariance, True


def _own_covariance(cells: Cells) -> Array:
    """That of outcome and own behaviour, where those of further behaviours are missing."""
    errors = np.array([cells.number("effect_error"), cells.number("take_up_error")])
    if "covariance" not in cells.values:
        return covariance_bound(errors)
    return np.diag(errors**2) + cells.number("covariance") * (1 - np.eye(2))


def covariance_bound(errors: Array) -> Array:
    """A covariance matrix that is at least as large as every one with these errors, whatever the correlations.

    For any t > 0 with sum 1, (sum w_i s_i)^2 <= sum w_i^2 s_i^2 / t_i by Cauchy and Schwarz, so that diag(s^2 / t)
    gives every combination of the effects at least its variance.

    Source: Hanebeck, Briechle, Horn 2001; Julier, Uhlmann 1997; docs/methods/joint.md, "Summaries without covariances".
    """
    parts = np.full(len(errors), (1 - OF_OUTCOME) / (len(errors) - 1))
    parts[0] = OF_OUTCOME
    return np.diag(errors**2 / parts)


def _verdict(moments: IvMoments) -> Code:
    """What the effects say by themselves; a summary doesn't tell what else was checked."""
    effect_set = anderson_rubin(moments)
    if effect_set.shape is not Shape.INTERVAL:
        return Code.NUDGE_FAILED if effect_set.contains(0.0) else Code.INCONCLUSIVE
    if effect_set.low is not None and effect_set.low > 0:
        return Code.CAUSES
    return Code.HARMS if effect_set.high is not None and effect_set.high < 0 else Code.INCONCLUSIVE


def _optional(cells: Cells, column: str) -> float | None:
    return cells.number(column) if column in cells.values else None
