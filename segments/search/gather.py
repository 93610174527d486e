"""Run the warehouse queries of a segmentation and arrange the results as arrays in the order of the units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from events.metrics import Active, Behaviour, Retention, Survival, outcome_window, parse_behaviour
from events.schema import EXPOSURE_EVENTS
from events.warehouse import queries
from events.warehouse.arm_marks import Did, arm_marks, of_metric, of_start, refuse_arm_marks
from events.warehouse.session import WarehouseSession
from events.windows import Window
from runs.progress import Early, unseen
from runs.refusals import Refused
from segments.search import queries as own
from segments.search.composition import Play, profiled_rows
from segments.search.features import Flags, Floats, Ints, UnitTable, least_days
from segments.search.partial_results import STARTED, TIERS, Started, TierSizes, tier_sizes
from segments.search.question import Inputs

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa


# Query results about numbered units as arrays, in the order of the units' ids.

Whole = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Numbers:
    """Row of each unit number in the arrays, which have one fixed order, while engines sort texts differently.

    Attributes:
        ids: the units' ids, sorted.
        place: the row of each number.
        tenure: complete days since the anchor, by row.
    """

    ids: Any
    place: Ints
    tenure: Floats

    def __len__(self) -> int:
        return len(self.place)

    @classmethod
    def of(cls, rows: pa.Table) -> Numbers:
        """From ``user_id, unit, complete_days``, one row per unit."""
        rows = rows.sort_by("user_id")
        place = np.empty(len(rows), dtype=np.int64)
        place[rows["unit"].to_numpy()] = np.arange(len(rows))
        return cls(rows["user_id"].to_numpy(), place, rows["complete_days"].to_numpy().astype(np.float64))

    def numbers_of(self, rows: Ints) -> Whole:
        """The numbers of the units of these rows."""
        number = np.empty(len(self), dtype=np.int32)
        number[self.place] = np.arange(len(self), dtype=np.int32)
        return number[rows]

    def spread(self, rows: pa.Table, name: str, *, missing: float = 0.0) -> Floats:
        """A column of a query result by row; `missing` for units without one."""
        values = np.full(len(self), missing)
        values[self.place[rows["unit"].to_numpy()]] = rows[name].to_numpy()
        return values


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts, units x behaviours, in total and in the second half of each unit's days."""

    whole: Whole
    second: Whole

    @classmethod
    def of(cls, batches: Iterable[pa.RecordBatch], numbers: Numbers, behaviours: int) -> Counts:
        """From the rows of `queries.pattern`; without halves `second` stays 0."""
        whole, second = (np.zeros((len(numbers), behaviours), dtype=np.int32) for _ in range(2))
        for rows in batches:
            cells = numbers.place[rows["unit"].to_numpy()], rows["place"].to_numpy()
            whole[cells] = rows["n"].to_numpy()
            if "second" in rows.schema.names:
                second[cells] = rows["second"].to_numpy()
        return cls(whole, second)


def whole_table(
    numbers: Numbers, activity: pa.Table, counts: Whole, behaviours: Sequence[str], window: Window
) -> UnitTable:
    """All units on all days of the window.

    Args:
        numbers: the units.
        activity: the rows of `queries.activity`.
        counts: units x behaviours.
        behaviours: their text forms.
        window: with an end; `recency` of a unit without activity is its whole length.
    """
    end = window.end_day or 0
    return UnitTable(
        numbers.ids,
        tuple(behaviours),
        counts,
        numbers.spread(activity, "active_days"),
        numbers.spread(activity, "sessions"),
        numbers.tenure,
        end - numbers.spread(activity, "last_day", missing=end - len(window)),
    )


def half_tables(whole: UnitTable, second_days: Floats, second_counts: Whole) -> tuple[UnitTable, UnitTable]:
    """Tables of the two halves of the days of some units.

    Args:
        whole: these units on all days.
        second_days: number of each unit's active days in the second half.
        second_counts: units x behaviours, on those days.

    Each half has its own active days, and sessions in proportion to them: otherwise its sessions per day would double.
    """
    return (
        _half(whole, whole.active_days - second_days, whole.counts - second_counts),
        _half(whole, second_days, second_counts),
    )


def _half(whole: UnitTable, days: Floats, counts: Any) -> UnitTable:
    sessions = whole.sessions * days / np.maximum(whole.active_days, 1)
    return UnitTable(whole.unit_ids, whole.behaviours, counts, days, sessions, whole.tenure, whole.recency)


# Preliminary counts of a segmentation: eligible users, and activity tiers of a sample.

ALL_AT_ONCE = 200_000  # up to so many users are counted without a sample
SAMPLE = 20_000


def first_counts(
    store: WarehouseSession, inputs: Inputs, users: ir.Table, *, signed_up: int, seed: int, early: Early
) -> None:
    """Publish the number of eligible users, and the activity tiers of a sample where counting all users is slow.

    Args:
        store: the open warehouse.
        inputs: inputs of the run.
        users: the eligible units with their clocks, numbered.
        signed_up: number of units of the cohort.
        seed: of the sample.
        early: callback for partial results.
    """
    import ibis
    import pyarrow as pa

    eligible = int(store.run(users.aggregate(n=users.count())).n.iloc[0])
    early(STARTED, Started(signed_up, eligible))
    if eligible <= ALL_AT_ONCE:
        return
    rows = store.warehouse.arrow(users).sort_by("user_id")
    chosen = np.sort(np.random.default_rng(seed).permutation(rows.num_rows)[:SAMPLE])
    some = ibis.memtable(rows.take(pa.array(chosen)))
    log = store.log.semi_join(some.select("user_id"), "user_id")
    activity = store.warehouse.arrow(own.activity(own.days(log, some, store.basis, inputs.window)))
    active_days = np.zeros(len(chosen))  # users without activity have no row
    active_days[: len(activity)] = activity["active_days"].to_numpy()
    early(TIERS, tiers_of(active_days, inputs, eligible=eligible, seed=seed))


def tiers_of(active_days: Any, inputs: Inputs, *, eligible: int, seed: int) -> TierSizes:
    """The activity tiers of the counted users, with the run's rule."""
    return tier_sizes(active_days.astype(np.int64), eligible=eligible, seed=seed, least=least_days(len(inputs.window)))


MAX_BEHAVIOURS = 60  # by number of users; more would make a wide, noisy matrix (docs/methods/segments.md)


def read_play(store: WarehouseSession, inputs: Inputs, *, seed: int, early: Early = unseen) -> Play:
    """Counts, activity, halves and outcome of the eligible units.

    Args:
        store: the open warehouse.
        inputs: the question.
        seed: of the split of each unit's active days into halves, and of the sample for profiles.
        early: called with preliminary counts as soon as they are known.

    Raises:
        Refused: an event that the log doesn't have, or no unit whose windows are complete.
    """
    store.need_event(inputs.signup_event, "--signup-event")
    refuse_marks(store, inputs)
    store = store.about(*inputs.dates)
    everybody = store.cohort(inputs.signup_event)
    signed_up = int(store.run(everybody.aggregate(n=everybody.count())).n.iloc[0])
    with store.warehouse.kept(own.numbered(_eligible(everybody, inputs))) as users:
        if early is not unseen:
            first_counts(store, inputs, users, signed_up=signed_up, seed=seed, early=early)
        behaviours = choose_behaviours(store, inputs)
        numbers = _numbers(store, users)
        if not len(numbers):
            raise Refused(
                "none of {count:,} users has completed the window {window} and the outcome.",
                count=signed_up,
                window=inputs.window,
                at="window",
            )
        days = own.days(store.log, users, store.basis, inputs.window)
        with store.warehouse.kept(own.halves(days, users, seed=seed)) as dealt:
            activity = store.warehouse.arrow(own.activity(dealt))
            active_days = numbers.spread(activity, "active_days")
            early(TIERS, tiers_of(active_days, inputs, eligible=len(numbers), seed=seed))
            counts = _counts(store, users, numbers, inputs.window, behaviours, halves=dealt)
        whole = whole_table(numbers, activity, counts.whole, list(map(str, behaviours)), inputs.window)
        rows = profiled_rows(len(whole), seed)
        second_days = numbers.spread(activity, "second")
        halves = half_tables(whole.take(rows), second_days[rows], counts.second[rows])
        retained = _retained(store, users, numbers, inputs.definition)
        follow_up = _follow_up(store, users, numbers, inputs.definition, rows)
    return Play(whole, rows, *halves, retained, follow_up, signed_up)


def read_units(store: WarehouseSession, inputs: Inputs, behaviours: tuple[str, ...] | None) -> UnitTable:
    """Counts and activity of all units that a model places: their window is complete, even if their outcome isn't.

    Args:
        store: the open warehouse.
        inputs: of the published version.
        behaviours: behaviours of its model; None chooses as for a new segmentation.
    """
    chosen = choose_behaviours(store, inputs) if behaviours is None else [parse_behaviour(name) for name in behaviours]
    users = own.eligible(store.cohort(inputs.signup_event), inputs.window)
    with store.warehouse.kept(own.numbered(users)) as numbered:
        numbers = _numbers(store, numbered)
        days = own.days(store.log, numbered, store.basis, inputs.window)
        activity = store.warehouse.arrow(own.activity(days))
        counts = _counts(store, numbered, numbers, inputs.window, chosen)
    return whole_table(numbers, activity, counts.whole, list(map(str, chosen)), inputs.window)


def refuse_marks(store: WarehouseSession, inputs: Inputs) -> None:
    """Refuse a segmentation whose conditions the outcome lock forbids.

    Raises:
        Refused: names the option that would reveal the arms of a locked experiment.
    """
    refuse_arm_marks(
        {
            "signup-event": of_start(inputs.signup_event),
            "retention": () if inputs.definition is None else of_metric(inputs.definition, inputs.signup_event),
            "behaviours": _done(map(parse_behaviour, inputs.behaviours), inputs),
        },
        store=store,
    )


def _done(behaviours: Iterable[Behaviour], inputs: Inputs) -> list[Did]:
    return [Did(behaviour, inputs.signup_event, inputs.window) for behaviour in behaviours]


def choose_behaviours(store: WarehouseSession, inputs: Inputs) -> list[Behaviour]:
    """The listed behaviours, or the event names with the most users.

    Raises:
        Refused: a listed behaviour whose event the log doesn't have, or a log with no events besides the signup event.
    """
    if inputs.behaviours:
        return check_behaviours(store, inputs)
    names = store.run(store.event_names().select("event", "users"))
    names = names.sort_values(["users", "event"], ascending=[False, True])
    known = [str(name) for name in names.event if name not in EXPOSURE_EVENTS]
    # The signup event happens once, so it doesn't describe a day of play; events that reveal arms are excluded.
    behaviours = [Behaviour(name) for name in known if name != inputs.signup_event][:MAX_BEHAVIOURS]
    marks = {mark.behaviour for mark in arm_marks(_done(behaviours, inputs), store=store) if isinstance(mark, Did)}
    behaviours = [behaviour for behaviour in behaviours if behaviour not in marks]
    if not behaviours:
        raise Refused("the log has no event besides {event!r}.", event=inputs.signup_event, at="behaviours")
    return behaviours


def check_behaviours(store: WarehouseSession, inputs: Inputs) -> list[Behaviour]:
    """The listed behaviours; empty where the log's events are used.

    Raises:
        Refused: one whose event the log doesn't have.
    """
    listed, known = [parse_behaviour(text) for text in inputs.behaviours], set(store.names) - set(EXPOSURE_EVENTS)
    for behaviour in listed:
        if behaviour.event not in known:
            raise Refused("there is no event {event!r} in the log.", event=behaviour.event, at="behaviours")
    return listed


def _eligible(everybody: Any, inputs: Inputs) -> Any:
    """The users whose windows are complete."""
    definition = inputs.definition
    if isinstance(definition, Survival):
        users = own.eligible(everybody, inputs.window)
        return users.filter(users.complete_days > definition.gap)
    return own.eligible(everybody, inputs.window, None if definition is None else outcome_window(definition))


def _numbers(store: WarehouseSession, users: Any) -> Numbers:
    """Build `Numbers` from numbered users."""
    names = store.warehouse.named(users.select("user_id", "unit", "complete_days"))
    return Numbers.of(store.warehouse.arrow(names))


def _counts(
    store: WarehouseSession,
    users: Any,
    numbers: Numbers,
    window: Window,
    behaviours: list[Behaviour],
    *,
    halves: Any = None,
) -> Counts:
    """Counts of numbered users."""
    query = own.pattern(store.log, users, store.basis, window, behaviours, halves=halves)
    return Counts.of(store.warehouse.batches(query), numbers, len(behaviours))


def _retained(store: WarehouseSession, users: Any, numbers: Numbers, definition: Retention | None) -> Floats | None:
    """1.0 or 0.0 for each unit, NaN where it is unknown; None without a definition."""
    if definition is None:
        return None
    query = queries.retention(store.log, users, store.basis, definition).select("unit", "retained")
    return numbers.spread(store.warehouse.arrow(query), "retained", missing=np.nan)


def _follow_up(
    store: WarehouseSession, users: Any, numbers: Numbers, definition: Retention | None, rows: Ints
) -> tuple[Floats, Flags] | None:
    """Days to churn or to the end of observation, and whether churn was observed, for these rows."""
    import ibis

    if not isinstance(definition, Active | Survival):
        return None
    gap = definition.gap if isinstance(definition, Survival) else 7
    if (numbers.tenure <= gap).any():  # not observed long enough
        return None
    if len(rows) < len(numbers):
        some = ibis.memtable({"unit": numbers.numbers_of(rows)}, schema={"unit": "int32"})
        users = users.semi_join(some, "unit")
    query = queries.survival_times(store.log, users, store.basis, gap)
    times = store.warehouse.arrow(query.select("unit", "duration", "churned"))
    duration, churned = (numbers.spread(times, name)[rows] for name in ("duration", "churned"))
    return duration, churned > 0
