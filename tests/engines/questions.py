"""Every question of the queries modules that a warehouse may be asked, on one log.

Explore's own (`aha/explore/queries.py`) are not among them, nor the few that read its users by number: it prepares the
site's event store and refuses any other warehouse.
"""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from aha.study import queries as study
from events.catalogue import queries as catalogue
from events.metrics import Count, parse_behaviour, parse_metric, parse_retention
from events.simulation import EXPERIMENT_KEY
from events.warehouse import queries
from events.warehouse.unit_values import Basis, level_counts
from events.windows import LastDays, Window
from experiments.analyse.gather import queries as gather
from experiments.plan.derived import Question
from launches import queries as launches
from launches.balance import queries as balance
from launches.growth import queries as growth
from segments.published import queries as published
from segments.rules import RecentCount
from segments.search import queries as search

MODULES = (study, catalogue, queries, gather, published, search, launches, balance, growth)
ON_NUMBERS_ONLY = {"search.one_in", "search.acts_within", "published.recent_active_days"}
# Asked as parts of others (a funnel, an SQL metric, the one pass of `outcomes`; a metric's check), or of the embedded
# engine only.
NOT_BY_THEMSELVES = {
    *("warehouse.came_through", "warehouse.selected", "warehouse.numbers", "gather.unit_numbers"),
    *("catalogue.past_units", "warehouse.person_digests"),
}
# The list of events samples users by the engine's own hash, which Ibis can't write for Trino.
WITH_A_HASH = {f"catalogue.{name}" for name in ("sampled", "sample_sizes")}
BEHAVIOURS = [parse_behaviour(text) for text in ("friend_add", "chat", "signup[platform=ios]", "signup#country")]
METRICS = {
    "a": "window:21-27",
    "b": "count:chat:0-6",
    "c": "min_days:7-20:3",
    "d": "active_days:0-13",
    "e": "capped:3.5:count:chat:0-6",
    "f": "unbounded:14",
    "g": "funnel:signup:chat:friend_add:0-6",
    "h": "sql:0-6:SELECT user_id, count(*) FILTER (WHERE event = 'chat') / (1 + count(property('platform'))) AS value "
    "FROM events GROUP BY user_id",
}
PLAN = Question(
    EXPERIMENT_KEY,
    ("control", "nudge"),
    ("window:21-27", "count:chat:0-6", "count:shop:0-13 / active_days:0-13", "on_day:1"),
    "friend_add",
    3,
    7,
    ("platform", "channel"),
    active_days_before=2,
    others=(("chat", 2), ("shop", 1)),
)
SINCE = datetime(2026, 1, 5, tzinfo=UTC)


type Keep = Callable[[ir.Table], ir.Table]


def as_it_is(question: ir.Table) -> ir.Table:
    """Keep nothing: whoever builds on the question computes it again."""
    return question


def asked(log: ir.Table, basis: Basis, keep: Keep = as_it_is, *, select: bool = True) -> dict[str, ir.Table]:
    """Each question by the name of its function, in the order in which they build on each other.

    Args:
        log, basis: what they are asked of.
        keep: gives what `Warehouse.kept` makes of a table that others are built on.
        select: with the SQL metric, which some engines refuse.
    """
    return (
        _counted(log, basis, keep, _metrics(select))
        | _listed(log, basis)
        | _studied(log, basis, keep)
        | _grouped(log, basis, keep)
        | _gathered(log, basis, keep)
        | _launched(log, basis)
    )


def functions() -> set[str]:
    """The functions that give a question, by the same names."""
    return {
        f"{_short(module)}.{name}"
        for module in MODULES
        for name, found in vars(module).items()
        if inspect.isfunction(found)
        and found.__module__ == module.__name__
        and not name.startswith("_")
        and found.__annotations__.get("return") in (ir.Table, "ir.Table")
    }


def _short(module: Any) -> str:
    return str(module.__name__.split(".")[-2])


def _users(log: ir.Table, basis: Basis) -> ir.Table:
    return queries.cohort(log, "signup", basis)


def _metrics(select: bool) -> dict[str, Any]:
    """Those of `METRICS`, none of which is a ratio or a quantile."""
    return {name: parse_metric(text) for name, text in METRICS.items() if select or not text.startswith("sql:")}


def _counted(log: ir.Table, basis: Basis, keep: Keep, metrics: dict[str, Any]) -> dict[str, ir.Table]:
    users, window = keep(_users(log, basis)), Window(0, 6)
    exposed = keep(queries.exposure_log(log, EXPERIMENT_KEY, basis))
    met = exposed.group_by("user_id").aggregate(anchor=exposed.time.min(), variant=exposed.variant.max())
    clocked = queries.with_clock(met, basis)
    dates = basis.between(SINCE, SINCE + timedelta(days=2))
    early = keep(_users(log, dates))
    dated = queries.day_counts(log, SINCE, SINCE + timedelta(days=2), basis.clock)
    earlier = queries.day_counts(log, SINCE - timedelta(days=9), SINCE, basis.clock)
    return {
        "warehouse.span": queries.span(log, basis.clock),
        "warehouse.strangers": queries.strangers(log, "u00"),
        "warehouse.event_names": queries.event_names(log),
        "warehouse.cohort": users,
        "warehouse.exposure_log": exposed,
        "warehouse.first_and_last": queries.first_and_last(log, SINCE),
        "warehouse.day_counts": dated,
        "warehouse.first_days": queries.first_days(dated, earlier, "*"),
        "warehouse.events_by_date": queries.events_by_date(log, basis.clock),
        "warehouse.lateness": queries.lateness(log, SINCE, SINCE + timedelta(days=9), range(2, 5)),
        "warehouse.with_clock": clocked,
        "warehouse.activity_days": queries.activity_days(log, users, basis, window),
        "warehouse.activity_since_anchor": queries.activity_since_anchor(log, users, basis, window),
        "warehouse.counts": queries.counts(log, users, basis, days=7, behaviours=BEHAVIOURS),
        "warehouse.occurrences": queries.occurrences(log, users, basis, days=7, behaviours=BEHAVIOURS),
        "warehouse.matching": queries.matching(log, BEHAVIOURS, basis),
        "warehouse.outcomes": queries.outcomes(log, clocked, basis, metrics, keep=("variant",)),
        "warehouse.retention": queries.retention(log, users, basis, parse_retention("window:21-27")),
        "warehouse.survival_times": queries.survival_times(log, users, basis, 7),
        "warehouse.retention_curve": queries.retention_curve(log, clocked, basis, [1, 7, 21], by=["variant"]),
        "warehouse.counts of dates": queries.counts(log, early, dates, days=7, behaviours=BEHAVIOURS),
        "warehouse.retention of dates": queries.retention(log, early, dates, parse_retention("window:3-5")),
        "warehouse.in_dates": queries.in_dates(users, SINCE.date(), None),
    }


def _listed(log: ir.Table, basis: Basis) -> dict[str, ir.Table]:
    names = ["signup", "chat", "friend_add"]
    pairs = catalogue.pairs(log, names, 1)
    sample = catalogue.sampled(log, {"signup": 1, "chat": 1})
    found = {
        "catalogue.names": catalogue.names(log, 5),
        "catalogue.number_of_names": catalogue.number_of_names(log),
        "catalogue.weeks": catalogue.weeks(log, dict.fromkeys(names, SINCE.date()), "Asia/Seoul"),
        "catalogue.days": catalogue.days(log, "chat", "Asia/Seoul"),
        "catalogue.pairs": pairs,
        "catalogue.names_of_pairs": catalogue.names_of_pairs(pairs),
        "catalogue.reach": catalogue.reach(pairs, "signup"),
        "catalogue.sampled": sample,
        "catalogue.sample_sizes": catalogue.sample_sizes(sample),
    }
    if basis.dialect not in catalogue.KEYS:  # properties aren't listed there
        return found
    members = catalogue.members(sample, basis.dialect)
    return found | {
        "catalogue.members": members,
        "catalogue.properties": catalogue.properties(members, 10),
        "catalogue.values": catalogue.values(members, 3),
    }


def _studied(log: ir.Table, basis: Basis, keep: Keep) -> dict[str, ir.Table]:
    import ibis

    units = study.units(log, _users(log, basis), basis, parse_retention("window:21-27"))
    number = ibis.row_number().over(ibis.window(order_by="user_id")).cast("int32")
    users = keep(units.filter(units.mature).mutate(unit=number))
    return {
        "study.units": units,
        "study.unit_counts": study.unit_counts(log, users, basis, days=[1, 3, 7], behaviours=BEHAVIOURS),
        "study.histogram": study.histogram(log, users, basis, days=[1, 7], cap=4),
        "study.histogram of some": study.histogram(log, users, basis, days=[1, 7], cap=4, behaviours=BEHAVIOURS),
        "study.active_days": study.active_days(log, users, basis, days=[1, 7]),
        "study.daily_counts": study.daily_counts(log, users, basis, days=3, behaviours=BEHAVIOURS),
        "study.days_active": study.days_active(log, users, basis, days=7),
        "study.first_times": study.first_times(log, basis, BEHAVIOURS),
        "study.first_sessions": study.first_sessions(log, users, basis, BEHAVIOURS, days=7),
        "study.signup_properties": study.signup_properties(log, users, basis, "signup"),
        "study.reached_by_week": study.reached_by_week(log, users, basis, BEHAVIOURS[0], days=7, times=3),
        "study.standing_of_units": study.standing_of_units(log, users, basis, BEHAVIOURS[0], days=7, times=3),
    }


def _launched(log: ir.Table, basis: Basis) -> dict[str, ir.Table]:
    start, end = SINCE, SINCE + timedelta(days=9)
    dates = basis.between(start, end)
    people = _users(log, dates)
    groups = log.filter(log.event == "signup").group_by("user_id").aggregate(launch_group=log.event.max())
    visited = growth.visited_days(log, basis, start=start, end=end)
    outcomes = {"outcome": parse_metric("window:3-5"), "unmoved": parse_metric("count:chat:0-6 / active_days:0-6")}
    return {
        "launches.new_users": launches.new_users(
            *(log, people, dates, outcomes),
            start=start,
            end=end,
            groups=groups,
            took_part=Count(BEHAVIOURS[1], Window(0, 6)),
        ),
        "balance.active_users": balance.active_users(log, basis, start=start, end=end),
        "balance.user_days": balance.user_days(log, basis, BEHAVIOURS[:3], start=start, end=end),
        "growth.visited_days": visited,
        "growth.active_weeks": growth.active_weeks(visited, start.date()),
        "launches.calendar_days": launches.calendar_days(log, basis, BEHAVIOURS[0], start=start, end=end),
        "launches.calendar_days of groups": launches.calendar_days(
            log, basis, None, start=start, end=end, groups=groups
        ),
    }


def _grouped(log: ir.Table, basis: Basis, keep: Keep) -> dict[str, ir.Table]:
    window = Window(0, 13)
    users = keep(search.eligible(_users(log, basis), window, Window(21, 27)))
    numbered = search.numbered(users)
    days = search.days(log, numbered, basis, window)
    dealt = search.halves(days, numbered)
    return {
        "search.eligible": users,
        "search.numbered": numbered,
        "search.days": days,
        "search.halves": dealt,
        "search.activity": search.activity(dealt),
        "search.pattern": search.pattern(log, numbered, basis, window, BEHAVIOURS, halves=dealt),
        "search.life": search.life(log, users, basis),
        "search.counts_within": search.counts_within(log, users, basis, [(BEHAVIOURS[0], 3), (BEHAVIOURS[1], 7)]),
        "published.recent_counts": published.recent_counts(
            log, users, basis, [RecentCount(each, LastDays(9, 3)) for each in (None, *BEHAVIOURS)]
        ),
        "search.names_among": search.names_among(log, ["chat", "nothing"]),
        "search.active_on": search.active_on(log, users, basis, window, 3),
    }


def _gathered(log: ir.Table, basis: Basis, keep: Keep) -> dict[str, ir.Table]:
    exposures = keep(gather.exposures(log, PLAN, basis))
    wrong = pa.table({"user_id": ["u0000001"], "variant": ["nudge"], "cluster": [""]})
    moment = pa.array([SINCE.replace(month=2, tzinfo=None)], pa.timestamp("us"))
    columns = ("sign_at", "sign_time", "named_from", "until")
    units = pa.table({"user_id": ["u0000001"], **dict.fromkeys(columns, moment)})
    judged = gather.judged(exposures, units)
    met = keep(gather.met(gather.admitted(exposures, [1], wrong), PLAN.variants))
    units = keep(gather.units(log, met, PLAN, basis))
    values = keep(gather.unit_values(log, units, PLAN, basis, first_anchor=SINCE, most_days=90))
    return {
        "gather.exposures": exposures,
        "gather.before": gather.before(exposures, SINCE.replace(month=2)),
        "gather.heard": gather.heard(exposures),
        "gather.claims": gather.claims(exposures, [1]),
        "gather.admitted": gather.admitted(exposures, [1], wrong),
        "gather.past": gather.past(log, exposures),
        "gather.judged": judged,
        "gather.refused": gather.refused(judged),
        "gather.known_units": gather.known_units(exposures),
        "gather.met": met,
        "gather.met_counts": gather.met_counts(met),
        "gather.signups_of": gather.signups_of(log, PLAN, basis),
        # In this world nobody is there before the exposure: asked of a later moment.
        "gather.before_exposure": gather.before_exposure(
            log, met.mutate(exposed_at=met.exposed_at + ibis.interval(days=5)), PLAN, basis
        ),
        "gather.units": units,
        "gather.span": gather.span(units),
        "gather.unit_values": values,
        "gather.known_events": gather.known_events(log, "chat"),
        "gather.cells": gather.cells(values, PLAN, [["ios"], ["ad"], ["0"]]),
        "gather.times": gather.times(values, 20),
        "gather.bins": gather.bins(values, PLAN, 1),
        "gather.late": gather.late(log, basis, SINCE),
        "known_before.level_counts": level_counts(values, "c_0", 10),
        "gather.exposures_by_day": gather.exposures_by_day(values),
        "gather.durations": gather.durations(values, 7, 3),
        "gather.long_durations": gather.long_durations(log, units, basis, 40),
        "gather.complete_days": gather.complete_days(values),
        "gather.curve": gather.curve(values, 40),
        "gather.arm_sizes": gather.arm_sizes(values, 1),
        "gather.arm_quantiles": gather.arm_quantiles(values, 1, 0.9, {0: 0.01, 1: 0.02}),
        "gather.below_quantiles": gather.below_quantiles(values, {1: [2.0, 3.0]}),
    }
