"""Outcome lock: refuse queries whose conditions would tell the arms of a locked experiment apart.

Exposures are not the only trace of an arm: an app may log it as an event, a property or a trait of its own. Anyone who
can query the outcome of users with such a mark learns the outcome of that arm, directly or by subtraction. So each
single condition of a query about users is checked by itself, whatever expression it stands in (`stats.arm_marks`
decides when a condition identifies an arm).

Every query entry point passes its conditions to `refuse_arm_marks` first. Experiments are an app above this one: they
provide the experiments with a locked outcome by `locked_arms` in their `apps.py`. Without any, nothing is queried.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string

from events.metrics import (
    Behaviour,
    Capped,
    Expression,
    Metric,
    MinEvents,
    Quantile,
    Ratio,
    Survival,
    behaviours_of,
    display_name,
    properties_of,
)
from events.metrics.sql_statement import VALUE
from events.schema import EXPOSURE_EVENTS
from events.store.ownership import StoreRefused
from events.warehouse import queries
from events.warehouse.columns import CLOSE, property_text, utc
from events.warehouse.queries import comparing, selected
from events.warehouse.session import WarehouseSession, questions
from events.warehouse.unit_values import Basis, between, how_many
from events.windows import DayMode, LastDays, Window
from runs.refusals import Refused
from stats.arm_marks import FEWEST, PlannedArms, one_sided, parts_the_arms

if TYPE_CHECKING:
    import ibis.expr.types as ir

type Users = npt.NDArray[np.int64]  # by stratum and arm

MOST_TIMES = 20  # higher counts per user are pooled
# Minimum share of users for groups that a query separates without naming them (numbers of times, values of a property):
# a few users who did something very often don't identify an arm; the nudge has merely moved them.
UNNAMED = 0.1
EVER = Window(0, 1_000_000)
BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
KEPT = 4_096


@dataclass(frozen=True)
class Did:
    """Users who did something at least `least` times: ever, or in a window of days from their first `start`.

    Days up to the data's end have no `start`. They are checked as dates of UTC where days are rolling, so that up to
    a day more counts.
    """

    behaviour: Behaviour
    start: str = ""
    window: Window | LastDays = EVER
    least: int = 1

    def __str__(self) -> str:
        return display_name(str(self.behaviour))


@dataclass(frozen=True)
class Said:
    """Users by the value of a property: each frequent value counts as a condition, even if the query names none."""

    property: str
    event: str = ""

    def __str__(self) -> str:
        return self.property


@dataclass(frozen=True)
class Written:
    """An SQL metric: each of its comparisons by itself, and whether it gives a user a value other than 0."""

    expression: Expression
    start: str = "*"

    def __str__(self) -> str:
        return self.expression.sql


@dataclass(frozen=True)
class Among:
    """Users given by their ids: those with a trait, or in a segment."""

    name: str
    ids: Callable[[], Iterable[str]] = field(compare=False)

    def __str__(self) -> str:
        return self.name


type Condition = Did | Said | Written | Among


@dataclass(frozen=True)
class LockedArms:
    """An experiment whose outcome is locked.

    Attributes:
        key: of the experiment; `version` of its row.
        planned: share of each arm by stratum of the audience; all above 0, each row adds up to 1.
        groups: of a lab, for each nudge whether each arm has it: that must stay secret, too.
        units: given the open warehouse, ``user_id, cell`` of the units that the experiment counts; `cell` is the index
            of the stratum times the number of arms, plus the index of the arm.
    """

    key: str
    version: int
    planned: tuple[tuple[float, ...], ...]
    units: Callable[[WarehouseSession], AbstractContextManager[ir.Table]]
    groups: tuple[tuple[bool, ...], ...] = ()


def of_start(event: str) -> tuple[Condition, ...]:
    """The condition that a start event implies; none for the first event of any kind."""
    return () if event in ("", "*") else (Did(Behaviour(event)),)


def of_metric(metric: Metric, start: str = "*") -> tuple[Condition, ...]:
    """The conditions that a retention or metric implies for users who begin with `start`; activity implies none."""
    if isinstance(metric, Ratio):
        return of_metric(metric.numerator, start) + of_metric(metric.denominator, start)
    if isinstance(metric, Capped | Quantile):
        return of_metric(metric.of, start)
    if isinstance(metric, Survival):
        return ()
    window, least = _closed(metric.window), metric.times if isinstance(metric, MinEvents) else 1
    written = (Written(metric, start),) if isinstance(metric, Expression) else ()
    done = (Did(behaviour, start, window, least) for behaviour in behaviours_of(metric))
    return *written, *done, *(Said(name, event) for name, event in properties_of(metric))


def refuse_arm_marks(
    conditions: Mapping[str, Iterable[Condition]], *, store: WarehouseSession | None = None, day_mode: str = "rolling"
) -> None:
    """Refuse a query if one of its conditions tells the arms of a locked experiment apart.

    Args:
        conditions: each single condition of the query, not the expression around them, by the option or field in which
            it stands; "" for none.
        store: the open warehouse; None opens it if needed.
        day_mode: how days are counted then.

    Raises:
        Refused: naming the condition and the experiment, but no arm.
    """
    fields = {condition: at for at, some in conditions.items() for condition in some}
    for condition, key in arm_marks(fields, store=store, day_mode=day_mode).items():
        raise Refused(
            "“{condition}” can't be asked about while the outcome of the experiment “{experiment}” is locked: it "
            "would show who is in which group.",
            condition=str(condition),
            experiment=key,
            at=fields[condition],
        )


def arm_marks(
    conditions: Iterable[Condition], *, store: WarehouseSession | None = None, day_mode: str = "rolling"
) -> dict[Condition, str]:
    """The conditions that tell arms apart, each with the key of an experiment whose outcome is locked.

    Args:
        conditions: each single condition.
        store, day_mode: as for `refuse_arm_marks`.
    """
    wanted = list(dict.fromkeys(conditions))
    experiments = _locked() if wanted else []
    marks: dict[Condition, str] = {}
    if not experiments:
        return marks
    with ExitStack() as stack:
        if store is None:
            try:
                store = stack.enter_context(questions(day_mode=day_mode))
            except StoreRefused:
                raise
            except Refused:  # without events there are no exposures
                return marks
        store = store.about(None, None)  # of all users, whomever the question is about
        for experiment in experiments:
            left = [condition for condition in wanted if condition not in marks]
            marks |= dict.fromkeys(_marks(store, experiment, left), experiment.key)
    return {condition: marks[condition] for condition in wanted if condition in marks}


def _locked() -> list[LockedArms]:
    names = [app.locked_arms for app in apps.get_app_configs() if hasattr(app, "locked_arms")]
    return [experiment for name in names for experiment in import_string(name)()]


_known: dict[tuple[object, ...], bool] = {}


def _marks(store: WarehouseSession, experiment: LockedArms, wanted: Sequence[Condition]) -> list[Condition]:
    """The conditions that tell the arms of one experiment apart; results on the same data are cached."""
    basis = store.basis
    data = settings.EVENTS_URL, settings.WAREHOUSE_URL, store.events, basis.data_end, basis.clock
    names = {
        condition: (*data, experiment.key, experiment.version, experiment.planned, experiment.groups, condition)
        for condition in wanted
    }
    new = [condition for condition in wanted if isinstance(condition, Among) or names[condition] not in _known]
    marks = dict.fromkeys(new, False) | dict(_asked(store, experiment, new)) if new else {}
    if len(_known) + len(marks) > KEPT:
        _known.clear()
    _known.update({names[condition]: tells for condition, tells in marks.items() if not isinstance(condition, Among)})
    return [condition for condition in wanted if (marks[condition] if condition in marks else _known[names[condition]])]


def _asked(
    store: WarehouseSession, experiment: LockedArms, wanted: Sequence[Condition]
) -> Iterator[tuple[Condition, bool]]:
    planned = PlannedArms(np.array(experiment.planned), np.array(experiment.groups, dtype=np.bool_))
    with experiment.units(store) as units, store.warehouse.kept(units) as arms:
        everybody = _by_arm(_rows(store, arms.group_by("cell").aggregate(users=arms.count())), planned)
        if everybody.sum() < FEWEST:
            return
        did: dict[str, list[Did]] = defaultdict(list)
        for condition in wanted:
            match condition:
                case Did():
                    did[condition.start].append(condition)
                case Said():
                    yield condition, _said(store, arms, condition, planned)
                case Written():
                    yield condition, _written(store, arms, condition, planned)
                case Among():
                    yield condition, parts_the_arms(_among(store, arms, condition, planned), everybody, planned)
        for start, some in did.items():
            yield from _did(store, arms, start, some, planned)


def _did(
    store: WarehouseSession, arms: ir.Table, start: str, some: Sequence[Did], planned: PlannedArms
) -> Iterator[tuple[Did, bool]]:
    """Check all behaviours with the same start event in one query."""
    import ibis

    behaviours = list(dict.fromkeys(condition.behaviour for condition in some))
    windows = {condition.window: _days_from_start(condition.window, store.basis) for condition in some}
    last, most = (
        max(window.end_day or 0 for window in windows.values()),
        max(MOST_TIMES, *(condition.least for condition in some)),
    )
    with store.warehouse.kept(_with_clock(store, arms, start)) as users:
        everybody = _by_arm(_rows(store, users.group_by("cell").aggregate(users=users.count())), planned)
        log = queries.occurrences(store.log, users, store.basis, days=last + 1, behaviours=behaviours, keep=("cell",))
        numbers = {f"n_{at}": how_many(between(log.day, window)) for at, window in enumerate(windows.values())}
        counts = log.group_by("user_id", "cell", "place").aggregate(**numbers)
        counts = counts.mutate(**{name: ibis.least(counts[name], most).cast("int64") for name in numbers})
        rows = _rows(store, counts.group_by("cell", "place", *numbers).aggregate(users=counts.count()))
    for condition in some:
        place, name = behaviours.index(condition.behaviour), f"n_{list(windows).index(condition.window)}"
        own = [row for row in rows if row["place"] == place and row[name]]
        times = {n: _by_arm([row for row in own if row[name] == n], planned) for n in {row[name] for row in own}}
        yield condition, _tells(times, everybody, condition.least, planned)


def _days_from_start(window: Window | LastDays, basis: Basis) -> Window:
    """The window in days from the start; the last days in days since 1970, where everyone's start lies without one."""
    if isinstance(window, Window):
        return window
    zone, end, first_date = basis.clock.time_zone, basis.data_end, date(1970, 1, 1)
    if basis.clock.mode is DayMode.CALENDAR:
        first, after = window.dates(zone, end)
        return Window(max((first - first_date).days, 0), (after - first_date).days - 1)
    since, until = window.span(zone, end)
    return Window(max((since - BEFORE_ALL).days, 0), (until - CLOSE - BEFORE_ALL).days)


def _tells(times: dict[int, Users], everybody: Users, named: int, planned: PlannedArms) -> bool:
    """Check users by how often they did it: at least once, at least `named` times, and any other frequent number."""
    nobody = np.zeros_like(everybody)
    for least in (1, named):
        if parts_the_arms(sum((users for n, users in times.items() if n >= least), nobody), everybody, planned):
            return True
    groups = [*times.values(), *(sum((u for n, u in times.items() if n >= least), nobody) for least in times)]
    return any(group.sum() >= UNNAMED * everybody.sum() and one_sided(group, planned) for group in groups)


def _with_clock(store: WarehouseSession, arms: ir.Table, start: str) -> ir.Table:
    """``user_id, cell, anchor, anchor_date``; without a start event everyone's anchor lies before their first event."""
    import ibis

    if not start:
        return arms.mutate(anchor=utc(BEFORE_ALL), anchor_date=ibis.literal(date(1970, 1, 1)))
    users = store.cohort(start).join(arms, "user_id")
    return users.select("user_id", "cell", "anchor", "anchor_date")


def _said(store: WarehouseSession, arms: ir.Table, condition: Said, planned: PlannedArms) -> bool:
    """Whether a frequent value of the property tells an arm apart."""
    log = store.log.filter(store.log.event == condition.event) if condition.event else store.log
    log = log.filter(~log.event.isin(EXPOSURE_EVENTS))
    values = log.select("user_id", value=property_text(log.properties, condition.property, store.basis.dialect))
    values = values.filter(values.value.notnull()).distinct().join(arms, "user_id").select("user_id", "value", "cell")
    with store.warehouse.kept(values) as table:
        number = _rows(store, table.aggregate(users=table.user_id.nunique()))[0]["users"]
        frequent = table.group_by("value").aggregate(all_users=table.count())
        frequent = frequent.filter(frequent.all_users >= max(FEWEST, UNNAMED * number))
        some = table.join(frequent, "value")
        rows = _rows(store, some.group_by("value", "cell").aggregate(users=some.count()))
    by_value: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_value[row["value"]].append(row)
    return any(one_sided(_by_arm(some, planned), planned) for some in by_value.values())


def _written(store: WarehouseSession, arms: ir.Table, condition: Written, planned: PlannedArms) -> bool:
    with store.warehouse.kept(_with_clock(store, arms, condition.start)) as users:
        everybody = _by_arm(_rows(store, users.group_by("cell").aggregate(users=users.count())), planned)
        table, number = comparing(store.log, users, condition.expression, store.basis)
        compared = table.join(users.select("user_id", "cell"), "user_id")
        passes = {f"c_{at}": compared[f"c_{at}"].sum() for at in range(number)}
        rows = _rows(store, compared.group_by("cell").aggregate(**passes)) if number else []
        given = selected(store.log, users, condition.expression, store.basis)
        given = given.filter(given[VALUE].fill_null(0) != 0).join(users.select("user_id", "cell"), "user_id")
        gives = _rows(store, given.group_by("cell").aggregate(users=given.count()))
    sides = [_by_arm(rows, planned, f"c_{at}") for at in range(number)]
    return any(parts_the_arms(side, everybody, planned) for side in (*sides, _by_arm(gives, planned)))


def _among(store: WarehouseSession, arms: ir.Table, condition: Among, planned: PlannedArms) -> Users:
    import ibis

    ids = list(condition.ids())
    named = store.warehouse.keyed(ibis.memtable({"user_id": ids}, schema={"user_id": "string"}))
    some = arms.semi_join(named, "user_id")
    return _by_arm(_rows(store, some.group_by("cell").aggregate(users=some.count())) if ids else [], planned)


def _rows(store: WarehouseSession, question: ir.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = store.warehouse.arrow(question).to_pylist()
    return rows


def _by_arm(rows: Iterable[dict[str, Any]], planned: PlannedArms, name: str = "users") -> Users:
    """Rows with `cell` and a count as an array of strata by arms."""
    counts = np.zeros(planned.shares.size, dtype=np.int64)
    for row in rows:
        counts[row["cell"]] += int(row[name] or 0)
    return counts.reshape(planned.shares.shape)


def _closed(window: Window) -> Window:
    return window if window.end_day is not None else Window(window.start_day, EVER.end_day)
