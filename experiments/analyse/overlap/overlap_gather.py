"""Query units exposed to two experiments, and their outcomes where both are open. A heavy import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from events.asking import Questions
from events.windows import Clock, DayMode
from experiments.analyse.gather import queries as unit_queries
from experiments.analyse.gather.admission import AdmissionRule
from experiments.analyse.gather.admitting import admitted
from experiments.analyse.gather.gather_cells import rows_of
from experiments.analyse.overlap import queries
from experiments.analyse.overlap.pairs import Counts
from experiments.plan.question import Question
from stats.ratios import linearised
from stats.results import NotComputable, Reason
from stats.summaries import Mean

if TYPE_CHECKING:
    import ibis.expr.types as ir

type Cells = list[list[Mean]]


@dataclass(frozen=True)
class Side:
    """One experiment's question and exposure rule.

    Attributes:
        asked: its own question, with its first primary outcome only.
        rule: which exposures count; None accepts every sender.
    """

    asked: Question
    rule: AdmissionRule | None


@dataclass(frozen=True)
class Met:
    """Exposed units of each experiment, materialised in the warehouse while they are compared."""

    questions: Questions
    sides: Mapping[str, Side]
    tables: Mapping[str, ir.Table]
    exposures: Mapping[str, ir.Table]

    def exposed(self, key: str) -> tuple[int, ...]:
        """Exposed units by arm."""
        found = {row["variant"]: int(row["units"]) for row in self._rows(queries.sizes(self.tables[key]))}
        return tuple(found.get(arm, 0) for arm in self.sides[key].asked.variants)

    def shared(self, first: str, second: str) -> Counts:
        """Units exposed to both, by arms."""
        rows = self._rows(queries.counts(queries.both(self.tables[first], self.tables[second])))
        found = {(row["variant"], row["segment"]): int(row["units"]) for row in rows}
        one, other = (self.sides[key].asked.variants for key in (first, second))
        return tuple(tuple(found.get((a, b), 0) for b in other) for a in one)

    def cells(self, first: str, second: str, until: datetime) -> Cells | NotComputable:
        """The first's outcome over mature units exposed to both before `until`, by arms of both."""
        asked = self.sides[first].asked
        one, other = (self._met_by(key, until) for key in (first, second))
        clock = Clock(DayMode(asked.day_mode), self.questions.basis.clock.time_zone)
        basis = replace(self.questions.basis, clock=clock, data_end=until)
        with self.questions.warehouse.kept(queries.both(one, other)) as shared:
            units = unit_queries.units(self.questions.log, shared, asked, basis)
            (span,) = self._rows(unit_queries.span(units))
            if not span["units"]:
                return NotComputable(Reason.NO_DATA)
            rows = self._rows(
                queries.cells(
                    self.questions.log,
                    shared,
                    asked,
                    basis,
                    first_anchor=span["first_anchor"],
                    most_days=int(span["most_days"]),
                )
            )
        return _table(rows, asked, self.sides[second].asked.variants)

    def _met_by(self, key: str, until: datetime) -> ir.Table:
        return _met(queries.before(self.exposures[key], until), self.sides[key].asked.variants)

    def _rows(self, question: ir.Table) -> list[dict[str, Any]]:
        return rows_of(self.questions, question)


@contextmanager
def met_of(questions: Questions, sides: Sequence[Side]) -> Iterator[Met]:
    """Exposed units of each experiment, materialised in the warehouse until the block ends."""
    with ExitStack() as stack:
        tables, kept = {}, {}
        for side in sides:
            found = stack.enter_context(
                questions.warehouse.kept(unit_queries.exposures(questions.log, side.asked, questions.basis))
            )
            variants, clustered = tuple(side.asked.variants), side.asked.clustered
            counted = admitted(questions, found, side.rule, variants=variants, clustered=clustered).deciding
            kept[side.asked.experiment] = counted
            met = _met(counted, side.asked.variants)
            tables[side.asked.experiment] = stack.enter_context(questions.warehouse.kept(met))
        yield Met(questions, {side.asked.experiment: side for side in sides}, tables, kept)


def _met(exposures: ir.Table, arms: Sequence[str]) -> ir.Table:
    return queries.of_planned_arms(unit_queries.met(exposures, arms), arms)


def _table(rows: Sequence[Mapping[str, Any]], asked: Question, others: Sequence[str]) -> Cells:
    """The moments as a complete table, with empty cells where there are no units."""
    found = {(row["arm"], row["segment"]): _mean(row, asked) for row in rows}
    empty = Mean(0, 0.0, 0.0)
    return [[found.get((place, other), empty) for other in others] for place, _ in enumerate(asked.variants)]


def _mean(row: Mapping[str, Any], asked: Question) -> Mean:
    """Mean of one cell; a ratio is linearised."""
    n, size = int(row["n_0"]), len(unit_queries.block_columns(asked, 0))
    means, covariance = np.zeros((1, size)), np.zeros((1, size, size))
    for a in range(size if n else 0):
        means[0, a] = row[f"m_0_{a}"]
        for b in range(a + 1):
            covariance[0, a, b] = covariance[0, b, a] = (row[f"s_0_{a}_{b}"] or 0.0) if n > 1 else 0.0
    if size > 1:
        means, covariance = linearised(means, covariance, means[0, :2])
    return Mean(n, float(means[0, 0]), max(float(covariance[0, 0, 0]), 0.0))
