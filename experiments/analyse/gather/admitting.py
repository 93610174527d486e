"""Set exposures aside that don't count, by who sent them; and who met which arm of a locked experiment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.db.models import OuterRef, Q, Subquery

from aha.explore.groups import FinishedArms
from events.models import Source
from events.people.identity import visitors_of
from events.schema import mark_of
from events.warehouse.arm_marks import LockedArms
from events.warehouse.increments import appended
from events.warehouse.session import WarehouseSession
from experiments.analyse.gather import queries
from experiments.analyse.gather.admission import (
    NEVER,
    NO_CLUSTER,
    OTHER_SOURCE,
    WRONG_ARM,
    AdmissionRule,
    Bools,
    Evaluated,
    Ints,
    Past,
    SetAside,
    drawn,
    judge,
)
from experiments.models import Analysis, Assignment, Experiment, Rollout
from experiments.plan.derived import Question, senders
from experiments.plan.derived import asked as asked_of
from experiments.plan.lab import nudges_in
from experiments.plan.record import Plan
from experiments.plan.stored import flag_of, plan_of, with_parts

if TYPE_CHECKING:
    import ibis.expr.types as ir


# Which exposures of a stored experiment count, by who sent them (docs/methods/integrity.md; docs/security.md).

UNITS_AT_A_TIME = 5_000
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def rule_of(experiment: Experiment) -> AdmissionRule:
    """The rule of a started experiment: which sources are accepted, and which arm each unit should have.

    It only checks units reported by client keys: everything else is decided inside the warehouse.
    """
    flag = flag_of(with_parts([experiment.key]).get())
    keys = {arm.pk: arm.key for arm in flag.arms}

    def owed(units: Sequence[str], arms: Sequence[str], clusters: Sequence[str]) -> Bools:
        correct = own(units, arms, clusters)
        # An arm assigned to a visitor before login is the person's own too: the log has the user's id.
        others = visitors_of({unit for unit, is_own in zip(units, correct, strict=True) if not is_own})
        places = [(at, name) for at, unit in enumerate(units) if not correct[at] for name in others.get(unit, ())]
        theirs = own([name for _, name in places], *([column[at] for at, _ in places] for column in (arms, clusters)))
        for (at, _), is_own in zip(places, theirs, strict=True):
            correct[at] |= is_own
        return correct

    def own(units: Sequence[str], arms: Sequence[str], clusters: Sequence[str]) -> Bools:
        stored: dict[str, set[str]] = {}
        for at in range(0, len(units), UNITS_AT_A_TIME):
            some = Assignment.objects.filter(experiment=experiment, unit__in=units[at : at + UNITS_AT_A_TIME])
            rows = some.values_list("unit", "variant_id", "former_variant")
            stored |= {unit: {keys[pk] for pk in (arm, former) if pk in keys} for unit, arm, former in rows}
        correct = np.array([arm in stored.get(unit, ()) for unit, arm in zip(units, arms, strict=True)], dtype=np.bool_)
        new = [place for place, unit in enumerate(units) if unit not in stored]
        correct[new] = drawn(flag, *([column[place] for place in new] for column in (units, arms, clusters)))
        return correct

    def evaluated(units: Sequence[str]) -> Evaluated:
        place = {unit: at for at, unit in enumerate(units)}
        others = visitors_of(place)
        belongs = {name: unit for unit, names in others.items() for name in names} | {unit: unit for unit in units}
        first = np.full(len(units), NEVER)
        named, visits = np.zeros(len(units), dtype=np.bool_), np.full(len(units), "", dtype="<U8")
        for ids in batched(belongs, UNITS_AT_A_TIME):
            some = Assignment.objects.filter(experiment=experiment, unit__in=ids)
            for unit, moment, visit, named_at in some.values_list("unit", "assigned_at", "visit", "named_at"):
                row = place[belongs[unit]]
                named[row] |= not visit or named_at is not None
                if (when := (moment - EPOCH) // MICROSECOND) < first[row]:
                    first[row], visits[row] = when, visit
        return Evaluated(first, named, visits)

    until = Rollout.objects.filter(experiment=experiment).values_list("first_at", flat=True).first()
    names = dict(Source.objects.values_list("pk", "name"))
    return AdmissionRule(
        senders(plan_of(experiment)), owed, names, until, evaluated=evaluated, new_ids=experiment.client_new_ids
    )


# Exclude the exposures that don't count, inside the warehouse as far as possible.
#
# Exposures from client keys are checked against assignment rows and draws, which the warehouse doesn't have. So the
# distinct pairs of unit and arm that client keys reported are read out of the warehouse, and only the wrong pairs are
# sent back: none, unless exposures are forged. Sending the assignments in instead would move all of them on every
# analysis, and registering tables isn't possible on every engine. For experiments since 0.5, four times per unit
# reported by a client key are sent in too (`newcomers`).

NAMED_UNITS = 50  # in each arm, as a verdict needs them (`experiments.analyse.health.flow`): then only they decide
KEY = "user_key"  # the unit's column inside the warehouse; rows and draws use its id


@contextmanager
def exposures_of(questions: WarehouseSession, question: Question) -> Iterator[ir.Table]:
    """The experiment's exposures (`queries.exposures`), materialised; of earlier analyses those that came since."""
    about = "exposures", question.experiment, question.variants, question.clustered
    ask = partial(queries.exposures, question=question, basis=questions.basis)
    with appended(questions.warehouse, about, ask) as exposures:
        yield exposures


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
    questions: WarehouseSession,
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
    questions: WarehouseSession,
    counted: ir.Table,
    rule: AdmissionRule,
    aside: tuple[SetAside, ...],
    variants: Sequence[str],
) -> Admitted:
    """Apply the rule since 0.5 for exposures from client keys."""
    house = questions.warehouse
    units: pa.Table = house.arrow(house.named(queries.past(questions.log, counted), key=KEY))
    if rule.evaluated is None or rule.new_ids is None or not units.num_rows:
        return Admitted(counted, aside, apart=False)
    names = units["born_by"].to_pylist()
    past = Past(
        sign_at=_micros(units["sign_at"]),
        sign_time=_micros(units["sign_time"]),
        server_at=_micros(units["server_at"]),
        born_at=_micros(units["born_at"]),
        born_by=np.array([mark_of(name) for name in names], dtype=np.str_),
    )
    judged = judge(past, rule.evaluated(units["user_id"].to_pylist()), rule.new_ids)
    moments = {field.name: _moments(getattr(judged, field.name)) for field in fields(judged)}
    table = queries.judged(counted, pa.table({"user_id": units[KEY], **moments}))
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


def _wrong(questions: WarehouseSession, exposures: ir.Table, rule: AdmissionRule, sources: list[int]) -> Any:
    """Pairs of unit and arm reported by client keys of these sources that are wrong; None without any report."""
    if not sources:
        return None
    claims: pa.Table = questions.warehouse.arrow(questions.warehouse.named(queries.claims(exposures, sources), key=KEY))
    true = rule.owed(*(claims[name].to_pylist() for name in ("user_id", "variant", "cluster")))
    return claims.filter(pa.array(~true))


def _name(rule: AdmissionRule, source: str) -> str:
    return rule.names.get(int(source), source) if source else ""


# Experiments with a locked outcome and the exposed units of their arms; used by `events.warehouse.arm_marks`.

RUNNING = (Experiment.Status.RUNNING, Experiment.Status.PAUSED, Experiment.Status.STOPPED)


def locked_arms() -> list[LockedArms]:
    """Started experiments whose latest analysis doesn't show the outcome; a peek doesn't unlock it."""
    rows = [row for row in _latest() if not row.found_figures or row.found_peek]  # type: ignore[attr-defined]
    plans = [(row, plan_of(row)) for row in rows]
    # Rows without variants, which no start allows, have no arms to compare.
    return [
        LockedArms(row.key, row.version, tuple(plan.shares.values()), partial(_units, row), _with_each_nudge(plan))
        for row, plan in plans
        if plan.variants
    ]


def _with_each_nudge(plan: Plan) -> tuple[tuple[bool, ...], ...]:
    """For each nudge of a lab, whether each arm has it; empty for a test."""
    return tuple(tuple(nudge.key in nudges_in(arm) for arm in plan.arms) for nudge in plan.nudges)


MOST_FINISHED = 100


def finished_arms() -> list[FinishedArms]:
    """Experiments whose final analysis shows the outcome, the newest first; a peek is never final."""
    final = Analysis.objects.filter(status=Analysis.Status.DONE, final=True, peek=False, figures__isnull=False)
    rows = Experiment.objects.filter(pk__in=final.values("experiment")).select_related("moment", "layer", "holdout")
    ended = rows.filter(status__in=(Experiment.Status.STOPPED, Experiment.Status.CONCLUDED))
    return [
        FinishedArms(
            row.key,
            row.title,
            row.version,
            tuple(arm.name or arm.key for arm in row.variants.all()),
            partial(_arms, row),
        )
        for row in ended.prefetch_related("variants").order_by("-pk")[:MOST_FINISHED]
    ]


@contextmanager
def _arms(row: Experiment, store: WarehouseSession) -> Iterator[ir.Table]:
    """``user_id, arm`` of the units that the experiment's analysis counts; `arm` is the index of the arm."""
    number = len(plan_of(row).variants)
    with _units(row, store) as units:
        yield units.select("user_id", arm=(units.cell % number).cast("int32"))


def _latest() -> list[Experiment]:
    done = Analysis.objects.filter(experiment=OuterRef("pk"), status=Analysis.Status.DONE).order_by("-pk")
    rows = Experiment.objects.filter(status__in=RUNNING).select_related("moment", "layer", "holdout")
    final = Q(pk__in=Analysis.objects.filter(status=Analysis.Status.DONE, final=True).values("experiment"))
    return list(
        rows.exclude(final).annotate(
            found_figures=Subquery(done.values("figures")[:1]), found_peek=Subquery(done.values("peek")[:1])
        )
    )


@contextmanager
def _units(row: Experiment, store: WarehouseSession) -> Iterator[ir.Table]:
    """``user_id, cell`` of the units that the experiment's analysis would count, each in its first arm."""
    import ibis

    plan = plan_of(row)
    question, shares = asked_of(plan), plan.shares
    with exposures_of(store, question) as exposures:
        variants, clustered = tuple(question.variants), question.clustered
        counted = admitted(store, exposures, rule_of(row), variants=variants, clustered=clustered).deciding
        met = queries.met(counted, variants)
        units = met.filter(met.variant.isin(variants))
        strata = [(units.segment == name, place * len(question.variants)) for place, name in enumerate(shares)]
        arms = [(units.variant == key, place) for place, key in enumerate(question.variants)]
        cell = ibis.cases(*strata, else_=0) + ibis.cases(*arms, else_=0)
        yield units.select("user_id", cell=cell.cast("int32"))
