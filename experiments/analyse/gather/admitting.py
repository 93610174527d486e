"""Exclude the exposures that don't count, inside the warehouse as far as possible.

Exposures from client keys are checked against assignment rows and draws, which the warehouse doesn't have. So the
distinct pairs of unit and arm that client keys reported are read out of the warehouse, and only the wrong pairs are
sent back: none, unless exposures are forged. Sending the assignments in instead would move all of them on every
analysis, and registering tables isn't possible on every engine. For experiments since 0.5, four times per unit reported
by a client key are sent in too (`newcomers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from events.asking import Questions
from events.senders import mark_of
from experiments.analyse.gather import queries
from experiments.analyse.gather.admission import NO_CLUSTER, OTHER_SOURCE, WRONG_ARM, AdmissionRule, SetAside
from experiments.analyse.gather.newcomers import NEVER, Ints, Past, judge

if TYPE_CHECKING:
    import ibis.expr.types as ir

NAMED_UNITS = 50  # in each arm, as a verdict needs them (`experiments.analyse.health.flow`): then only they decide
KEY = "user_key"  # the unit's column inside the warehouse; rows and draws use its id


@dataclass(frozen=True)
class Admitted:
    """The exposures that count, and counts of the others.

    Attributes:
        exposures: those that count; `verified` is 1 for those of a unit that a server names.
        aside: the others by sender and reason.
        apart: True when servers have named enough units, so that exposures that aren't `verified` decide nothing; None
            where the experiment admits exposures as 0.4 did.
    """

    exposures: ir.Table
    aside: tuple[SetAside, ...] = ()
    apart: bool | None = None

    @property
    def verified(self) -> ir.Table:
        """The exposures of units that a server named."""
        return self.exposures.filter(self.exposures.verified == 1)

    @property
    def deciding(self) -> ir.Table:
        """The exposures that the analysis uses."""
        return self.verified if self.apart else self.exposures


def admitted(
    questions: Questions,
    exposures: ir.Table,
    rule: AdmissionRule | None,
    *,
    variants: Sequence[str],
    clustered: bool = False,
) -> Admitted:
    """Separate the exposures that count from the others.

    Args:
        questions: the open warehouse.
        exposures: the materialised result of `queries.exposures`.
        rule: None admits everything.
        variants: the arms of the plan.
        clustered: whole clusters are drawn, so that an exposure must name one.
    """
    if rule is not None and rule.until is not None:
        exposures = queries.before(exposures, rule.until)
    heard = [] if rule is None else questions.warehouse.arrow(queries.heard(exposures)).to_pylist()
    if rule is None or not heard:
        return Admitted(exposures, apart=None if rule is None or rule.new_ids is None else False)
    at_door = any(row["source"] == "" for row in heard)
    heard = [row for row in heard if row["source"] != ""]
    heard.sort(key=lambda row: int(row["source"]))
    strange = [row for row in heard if int(row["source"]) not in rule.sources]
    aside = [
        SetAside(_name(rule, row["source"]), OTHER_SOURCE, int(row["exposures"]), int(row["units"])) for row in strange
    ]
    own = [int(row["source"]) for row in heard if int(row["source"]) in rule.sources]
    wrong = _wrong(questions, exposures, rule, own)
    for source in map(str, own if wrong is not None else ()):
        rows = wrong.filter(pc.equal(wrong["source"], source))
        unnamed = pc.and_(pc.equal(rows["cluster"], ""), clustered)
        for reason, some in ((NO_CLUSTER, rows.filter(unnamed)), (WRONG_ARM, rows.filter(pc.invert(unnamed)))):
            if some.num_rows:
                events, units = int(pc.sum(some["exposures"]).as_py()), len(some["user_id"].unique())
                aside.append(SetAside(_name(rule, source), reason, events, units))
    pairs = None
    if wrong is not None and wrong.num_rows:
        pairs = wrong.select([KEY, "variant", "cluster"]).rename_columns(["user_id", "variant", "cluster"])
    counted = queries.admitted(exposures, own, pairs)
    if rule.new_ids is None or rule.evaluated is None:
        return Admitted(counted, tuple(aside))
    if not own and not at_door:
        return Admitted(counted, tuple(aside), apart=False)
    return _newcomers(questions, counted, rule, tuple(aside), variants)


def _newcomers(
    questions: Questions, counted: ir.Table, rule: AdmissionRule, aside: tuple[SetAside, ...], variants: Sequence[str]
) -> Admitted:
    """Apply the rule since 0.5 for exposures from client keys."""
    house = questions.warehouse
    found: pa.Table = house.arrow(house.named(queries.past(questions.log, counted), key=KEY))
    if rule.evaluated is None or rule.new_ids is None or not found.num_rows:
        return Admitted(counted, aside, apart=False)
    names = found["born_by"].to_pylist()
    past = Past(
        sign_at=_micros(found["sign_at"]),
        sign_time=_micros(found["sign_time"]),
        server_at=_micros(found["server_at"]),
        born_at=_micros(found["born_at"]),
        born_by=np.array([mark_of(name) for name in names], dtype=np.str_),
    )
    judged = judge(past, rule.evaluated(found["user_id"].to_pylist()), rule.new_ids)
    moments = {field.name: _moments(getattr(judged, field.name)) for field in fields(judged)}
    table = queries.judged(counted, pa.table({"user_id": found[KEY], **moments}))
    rows = house.arrow(queries.refused(table)).to_pylist()
    rows.sort(key=lambda row: (row["refused"], row["source"]))
    more = [
        SetAside(_name(rule, row["source"]), row["refused"], int(row["exposures"]), int(row["units"])) for row in rows
    ]
    counted = table.filter(table.refused == "").drop("refused")
    by_arm = {row["variant"]: row for row in house.arrow(queries.known_units(counted)).to_pylist()}
    enough = all(name in by_arm and by_arm[name]["named"] >= NAMED_UNITS for name in variants)
    return Admitted(counted, (*aside, *more), enough and any(row["others"] for row in by_arm.values()))


def _micros(column: pa.ChunkedArray) -> Ints:
    """Timestamps as microseconds since 1970; NEVER for nulls."""
    numbers = pc.fill_null(column.cast(pa.timestamp("us")).cast(pa.int64()), NEVER)
    return np.asarray(numbers.to_numpy(), dtype=np.int64)


def _moments(numbers: Ints) -> pa.Array:
    return pa.array(numbers, pa.int64()).cast(pa.timestamp("us"))


def _wrong(questions: Questions, exposures: ir.Table, rule: AdmissionRule, sources: list[int]) -> Any:
    """Pairs of unit and arm reported by client keys of these sources that are wrong; None without any report."""
    if not sources:
        return None
    said: pa.Table = questions.warehouse.arrow(questions.warehouse.named(queries.claims(exposures, sources), key=KEY))
    true = rule.owed(*(said[name].to_pylist() for name in ("user_id", "variant", "cluster")))
    return said.filter(pa.array(~true))


def _name(rule: AdmissionRule, source: str) -> str:
    return rule.names.get(int(source), source) if source else ""
