"""Compute the result of an Explore query and cache it; limit concurrent queries and cancel abandoned ones."""

import fcntl
import hashlib
import json
import threading
import time
import uuid
from calendar import monthrange
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from functools import reduce
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import connections
from django.utils import timezone

from aha.explore import groups, queries
from aha.explore.groups import MOST_SEGMENTS, Group
from aha.explore.queries import Column, columns
from aha.explore.question import (
    ACTIVITY,
    BY_CALENDAR,
    FUNNEL,
    LEVELS,
    LIFECYCLE,
    PERIODS,
    RETENTION,
    TIMES,
    Question,
    can_judge,
)
from events.catalogue.listing import catalogue
from events.metrics import Behaviour, MinEvents, Retention, Survival, outcome_window
from events.warehouse.arm_marks import Did, of_metric, of_start, refuse_arm_marks
from events.warehouse.explore_session import ASKED, Prepared, Stop, folder, prepared
from events.windows import Clock, DayMode, first_days
from runs.progress import Cancelled, Progress, silent
from runs.refusals import Refused

SCHEMA = 3  # of cached results
MOST_COHORTS = 26
MOST_DATES = 92
MOST_WEEKS = 53
MOST_MONTHS = 24
type Payload = dict[str, Any]


def answer(question: Question, *, stop: Stop, progress: Progress) -> Payload:
    """The numbers of a question, cached as long as the event store is unchanged.

    Raises:
        Refused: names the field of `Question` that can't be answered.
        Cancelled: `stop` was set.
    """
    with prepared(day_mode=question.day_mode, stop=stop, progress=progress) as session:
        refuse_marks(question)  # also for cached results: an experiment may have started since
        key = hashlib.sha256(f"{SCHEMA} {question.key()} {groups.version_of(question)}".encode()).hexdigest()[:24]
        place = session.folder / f"{key}.json"
        if place.exists():
            cached: Payload = json.loads(place.read_text(encoding="utf-8"))
            refuse_marks_of_values(question, cached)
            return cached
        progress("counting", 0.0)
        payload = _fresh(session, question)
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f"{uuid.uuid4().hex}.tmp")
        part.write_text(json.dumps(payload), encoding="utf-8")
        part.replace(place)
        return payload


def refuse_marks(question: Question) -> None:
    """Refuse what the outcome lock forbids: conditions that tell the arms of a locked experiment apart."""
    days, start = first_days(question.days), question.signup
    behaviour = [question.parsed_behaviour] if question.behaviour else []
    refuse_arm_marks(
        {
            "signup": of_start(start),
            "retention": () if question.definition is None else of_metric(question.definition, start),
            "behaviour": [
                *(Did(parsed, start, days, question.times) for parsed in behaviour),
                *(Did(parsed, start) for parsed in behaviour),
            ],
            "steps": [Did(step, start, days) for step in question.parsed_steps],
            "segment": groups.conditions_of(question),
        },
        day_mode=question.day_mode,
    )


def refuse_marks_of_values(question: Question, payload: Payload) -> None:
    """The same for the values by which an answer is grouped, which are known only once it is counted."""
    conditions = groups.conditions_of_values(question, payload["segments"])
    refuse_arm_marks({"group": conditions}, day_mode=question.day_mode)


def _fresh(session: Prepared, question: Question) -> Payload:
    asked = asked_of(session, question)
    sizes, some = {row["segment"]: row for row in asked.sizes}, asked.groups
    end = session.basis.data_end
    if question.view in BY_CALENDAR:
        (first, last), today = question.days_from(session.newest_site_date), session.site_date(end)
    else:
        (first, last), today = question.days_from(session.newest_date), session.basis.clock.local_date(end)
    payload = {
        "end": end.isoformat(),
        "counted_at": timezone.now().isoformat(timespec="seconds"),
        "today": today.isoformat(),
        "zone": session.basis.clock.time_zone,
        "first": None if first is None else first.isoformat(),
        "last": None if last is None else last.isoformat(),
        "events": session.span.events,
        "users": sum(row["users"] for row in sizes.values()),
        "segments": _segments(question, some, {key: row["users"] for key, row in sizes.items()}),
        "formed_until": groups.formed_until(question),
    }
    refuse_marks_of_values(question, payload)  # before anything else is counted of them
    if not payload["users"]:
        return payload
    asking = {
        RETENTION: _retention,
        ACTIVITY: _activity,
        TIMES: _times,
        LIFECYCLE: _lifecycle,
        LEVELS: _levels,
        FUNNEL: _funnel,
    }
    return payload | asking[question.view](asked)


@dataclass(frozen=True)
class Asked:
    """What every view is counted from.

    Attributes:
        session: the open snapshot.
        question: what is asked.
        people: the population, each with its part in ``segment``.
        sizes: one row for each part.
        groups: of these parts.
    """

    session: Prepared
    question: Question
    people: Any
    sizes: list[Payload]
    groups: list[Group]


def asked_of(session: Prepared, question: Question) -> Asked:
    """The population of a question, with its groups.

    Raises:
        Refused: names the field of `Question` that can't be answered.
    """
    _need_events(session, question)
    people, first, last = session.people(question.signup), None, None
    if question.view in BY_CALENDAR:
        people = queries.in_site_dates(people, session.basis)
    else:
        first, last = question.days_from(session.newest_date)
    signed = queries.signed_up(people, first=first, last=last)
    population, some = groups.grouped(session, question, signed)
    return Asked(session.about(first, last), question, population, session.rows(queries.sizes(population)), some)


def _need_events(session: Prepared, question: Question) -> None:
    """Refuse an event name that is not in the log, and suggest the nearest."""
    names = session.event_names()
    fields = {question.signup: "signup"}
    for event in question.events:
        if event in names:
            continue
        at = fields.get(event) or _field_of(question, event)
        near = get_close_matches(event, names, n=1, cutoff=0.6)
        if near:
            raise Refused("there is no event {event!r}. Did you mean {near!r}?", event=event, near=near[0], at=at)
        some = ", ".join(names[:5])
        raise Refused("there is no event {event!r}. The most frequent are {names}.", event=event, names=some, at=at)


def _field_of(question: Question, event: str) -> str:
    if question.behaviour and question.parsed_behaviour.event == event:
        return "behaviour"
    return "steps" if any(step.event == event for step in question.parsed_steps) else "retention"


def _segments(question: Question, some: list[Group], users: dict[str, int]) -> list[Payload]:
    """Key, name and size of each group side by side. Segments stand in the order of their size, empty ones too."""
    rows: list[Payload] = [
        {
            "key": group.key,
            "name": group.name,
            "pattern": group.pattern,
            "values": group.values,
            "users": sum(users.get(part, 0) for part in group.parts),
        }
        for group in some
        if group.key not in (groups.OTHERS, groups.UNKNOWN) or users.get(group.key)
    ]
    if question.segment and not question.compare and not question.group:
        rows = sorted(rows, key=lambda row: -row["users"])[:MOST_SEGMENTS]
    return rows


# ── One function a view ───────────────────────────────────────────────────────
def windows_of(asked: Asked) -> tuple[Retention, tuple[Column, ...], Any]:
    """The retention that is asked for, its columns, and for "at least so many events" the acts of that event."""
    definition = asked.question.definition
    if definition is None:
        raise ValueError("this view needs a retention definition")
    windows = columns(definition, max(row["oldest"] for row in asked.sizes), PERIODS[asked.question.by])
    return definition, windows, _acts(asked, definition.event) if isinstance(definition, MinEvents) else None


def _retention(asked: Asked) -> Payload:
    session, people = asked.session, asked.people
    definition, windows, acts = windows_of(asked)
    rows = session.rows(queries.triangle(people, definition, windows, acts, asked.question.by))
    cells: dict[date, Payload] = {}
    parts: dict[str, list[list[int]]] = {}
    nobody = [[0, 0]] * len(windows)
    for row in rows:
        pairs = [[int(row[f"e_{k}"]), int(row[f"r_{k}"])] for k in range(len(windows))]
        week = _date(row["week"])
        cohort = cells.setdefault(
            week, {"week": week.isoformat(), "days": _days_of(week, asked.question.by), "users": 0, "cells": nobody}
        )
        cohort["users"] += row["users"]
        cohort["cells"] = _sum(cohort["cells"], pairs)
        parts[row["segment"]] = _sum(parts.get(row["segment"], nobody), pairs)
    return {
        "columns": [[column.first, column.last, column.needs, column.chosen, column.aside] for column in windows],
        "weeks": [cells[week] for week in sorted(cells)][-MOST_COHORTS:],
        "all_weeks": len(cells),
        "curves": {
            group.key: reduce(_sum, (parts[part] for part in group.parts if part in parts), nobody)
            for group in asked.groups
        },
        "everybody": reduce(_sum, parts.values(), nobody),
    }


def _sum(left: list[list[int]], right: list[list[int]]) -> list[list[int]]:
    return [[a + c, b + d] for (a, b), (c, d) in zip(left, right, strict=True)]


def _acts(asked: Asked, event: str) -> Any:
    session = asked.session
    acts = session.acts(Behaviour(event), session.basis.start(0))
    return queries.since_signup(acts, asked.people, session.basis, segmented=False)


COUNTED = ("users", "events", "active", "signups", "ready", "did")


def acts_of(asked: Asked) -> Any:
    """The acts of the question's behaviour since signup, as far as they count."""
    behaviour = asked.question.parsed_behaviour
    since, until = _reach(asked)
    return queries.since_signup(
        asked.session.acts(behaviour, since, until),
        asked.people,
        asked.session.basis,
        distinct=bool(behaviour.distinct),
        segmented=any(row["segment"] for row in asked.sizes),
    )


def _reach(asked: Asked) -> tuple[datetime | None, datetime | None]:
    """UTC moments between which acts count, the second exclusive; None for no bound."""
    basis, question = asked.session.basis, asked.question
    if question.view not in BY_CALENDAR:
        return basis.start(0), basis.end(question.days - 1)
    places, _number = places_of(asked, question.by)
    if not places:
        return None, None
    midnight = Clock(DayMode.CALENDAR, basis.clock.time_zone).midnight
    (first, _), (last, size) = places[0], places[-1]
    # Who signs up on the last date is early for so many days more; 24 hours may end on a later date than a date does.
    more = question.days + (1 if basis.clock.mode is DayMode.ROLLING else -1)
    since = None if question.parsed_behaviour.distinct else midnight(first)  # a value counts once, where it came first
    return since, min(basis.data_end, midnight(last + timedelta(days=size + more)))


def _activity(asked: Asked) -> Payload:
    session, question, people = asked.session, asked.question, asked.people
    log = acts_of(asked)
    places, number = places_of(asked, question.by)
    if not places:
        return {"users": 0}
    acts = queries.placed(log, session.basis, places, question.days)
    with ExitStack() as stack:
        table = stack.enter_context(session.warehouse.kept(acts))
        events = {(row["place"], row["segment"]): row["events"] for row in session.rows(queries.events_by_place(table))}
        users = stack.enter_context(session.warehouse.kept(queries.user_places(table, len(places))))
        done = {row["segment"]: row for row in session.rows(queries.users_by_place(people, users, len(places)))}
        new = session.rows(queries.new_by_date(people, users, question.by, question.days))
    signed = {(_date(row["at"]), row["segment"]): row for row in new}
    active = {row["segment"]: row for row in session.rows(queries.active_dates(people, session.monday, places))}
    parts: dict[tuple[str, int], dict[str, int]] = {}
    for part in (row["segment"] for row in asked.sizes):
        for k, (at, _) in enumerate(places):
            fresh = signed.get((at, part), {})
            parts[part, k] = {
                "users": int(done.get(part, {}).get(f"u_{k}", 0)),
                "events": int(events.get((k, part), 0)),
                "active": int(active.get(part, {}).get(f"a_{k}", 0)),
                "signups": int(fresh.get("signups", 0)),
                "ready": int(fresh.get("ready", 0)),
                "did": int(fresh.get("did", 0)),
            }

    def rows_of(key: str, some: Sequence[str]) -> list[Payload]:
        return [
            {
                "at": at.isoformat(),
                "segment": key,
                "days": days,
                **{name: sum(parts[part, k][name] for part in some if (part, k) in parts) for name in COUNTED},
            }
            for k, (at, days) in enumerate(places)
        ]

    return {
        "rows": [row for group in asked.groups for row in rows_of(group.key, group.parts)],
        "everybody": rows_of("", [row["segment"] for row in asked.sizes]),
        "last_date": session.newest_site_date.isoformat(),
        "all_places": number,
    }


def places_of(asked: Asked, by: str) -> tuple[list[tuple[date, int]], int]:
    """The dates, or Mondays, that are shown, oldest first, each with its number of days; and how many there are."""
    end_of_data = asked.session.newest_site_date
    first, last = asked.question.days_from(end_of_data)
    oldest = min(_date(row["first_date"]) for row in asked.sizes)
    oldest, newest = max(oldest, first or oldest), min(end_of_data, last or end_of_data)
    if newest < oldest:
        return [], 0
    if by == "month":
        months = range(_month(oldest), _month(newest) + 1)
        firsts = [date(month // 12, month % 12 + 1, 1) for month in months]
        return [(first, _days_of(first, by)) for first in firsts[-MOST_MONTHS:]], len(firsts)
    size, most = (7, MOST_WEEKS) if by == "week" else (1, MOST_DATES)
    start, end = (day - timedelta(days=day.weekday()) if by == "week" else day for day in (oldest, newest))
    number = (end - start).days // size + 1
    return [(end - timedelta(days=size * back), size) for back in reversed(range(min(most, number)))], number


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _days_of(first: date, by: str) -> int:
    """Days of the month that begins on this date, or of a week."""
    return monthrange(first.year, first.month)[1] if by == "month" else 7


def judged_after(question: Question) -> tuple[bool, int]:
    """Whether times are compared with retention, and the complete days that a user needs to count then."""
    definition = question.definition
    if definition is None or not can_judge(definition, question.days):
        return False, question.days
    return True, max(question.days, 0 if isinstance(definition, Survival) else outcome_window(definition).days_needed)


def _times(asked: Asked) -> Payload:
    import ibis

    session, question, people = asked.session, asked.question, asked.people
    definition = question.definition
    judged, needs = judged_after(question)
    if definition is not None and judged and not isinstance(definition, Survival):
        column = next(column for column in columns(definition, 0) if column.chosen)
        if isinstance(definition, MinEvents):
            acts = _acts(asked, definition.event)
            people = people.left_join(queries.often(acts, [column]), "user_id").drop("user_id_right")
        people = people.mutate(stayed=queries.retained(people, definition, column, "_n0"))
    else:
        people = people.mutate(stayed=ibis.literal(False))
    rows = session.rows(queries.times_within(people, acts_of(asked), days=question.days, needs=needs))

    def entries(key: str, parts: Sequence[str]) -> list[list[Any]]:
        counts: dict[int, list[int]] = {}
        for row in rows:
            if row["segment"] in parts:
                cell = counts.setdefault(int(row["n"]), [0, 0])
                cell[0] += row["users"]
                cell[1] += row["users"] if row["stayed"] else 0
        return [[key, n, *cell] for n, cell in sorted(counts.items())]

    return {
        "counts": [entry for group in asked.groups for entry in entries(group.key, group.parts)],
        "everybody": entries("", [row["segment"] for row in asked.sizes]),
        "judged": judged,
        "needs": needs,
    }


def _lifecycle(asked: Asked) -> Payload:
    session = asked.session
    places, number = places_of(asked, "week")
    if not places:
        return {"users": 0}
    weeks = [week for week, _ in places]
    rows = session.rows(queries.weeks_of_users(asked.people, session.monday, weeks))
    kinds = ("new", "current", "returning", "dormant")
    entries = [
        {"week": week.isoformat(), "segment": row["segment"], **{kind: int(row[f"{kind}_{k}"]) for kind in kinds}}
        for row in rows
        for k, week in enumerate(weeks)
    ]
    return {"rows": entries, "last_date": session.newest_site_date.isoformat(), "all_places": number}


def _levels(asked: Asked) -> Payload:
    session, levels = asked.session, asked.question.chosen_levels
    periods = periods_of(asked, levels.days)
    known = {"model": levels.model, "number": levels.number, "days": levels.days, "low": levels.low, "mid": levels.mid}
    found: Payload = {"levels": known, "rows": [], "periods": [first.isoformat() for first in periods]}
    if not periods:
        return found
    for row in session.rows(queries.levels_of_users(asked.people, session.monday, periods, levels)):
        codes = {name: queries.LEVEL_CODES[row[name]] for name in ("before", "now")}
        first = periods[row["place"]].isoformat()
        found["rows"].append({"week": first, "segment": row["segment"], **codes, "users": int(row["users"])})
    found["rows"].sort(key=lambda row: (row["week"], row["segment"], row["before"], row["now"]))
    return found


def periods_of(asked: Asked, days: int) -> list[date]:
    """First dates of the periods that are over, oldest first: of whole weeks, the newest ends with a whole week."""
    weeks = [monday for monday, _days in places_of(asked, "week")[0]]
    today = asked.session.site_date(asked.session.basis.data_end)
    over = [monday for monday in weeks if monday + timedelta(days=7) <= today]
    step = days // 7
    return [
        monday - timedelta(days=days - 7)
        for monday in over[::-1][::step]
        if monday - timedelta(days=days - 7) >= weeks[0]
    ][::-1]


@contextmanager
def taken_steps(asked: Asked) -> Iterator[Any]:
    """The users whose days are complete, with ``at_k``, when each took the k-th step."""
    session, question, people = asked.session, asked.question, asked.people
    with ExitStack() as stack:
        table = people.filter(people.complete_days >= question.days)
        table = table.select("user_id", "anchor", "anchor_date", "segment")
        for k, step in enumerate(question.parsed_steps):
            session.stop.check()
            acts = session.acts(step, session.basis.start(0), session.basis.end(question.days - 1))
            reached = queries.next_step(table, acts, k, session.basis, days=question.days)
            table = stack.enter_context(session.warehouse.kept(reached))
        yield table


def _funnel(asked: Asked) -> Payload:
    session, steps = asked.session, asked.question.parsed_steps
    with taken_steps(asked) as table:
        rows = session.rows(queries.funnel(table, len(steps)))
        found = {group.key: _funnel_of(asked, table, group, rows) for group in asked.groups}
    users = [f"s_{k}" for k in range(len(steps))]
    everybody = {
        "users": sum(row["users"] for row in rows),
        "reached": [sum(row[name] for row in rows) for name in users],
    }
    segments = [
        {
            "segment": key,
            "users": int(row["users"]),
            "reached": [int(row[name]) for name in users],
            "seconds": [None, *(_number(row[f"t_{k}"]) for k in range(1, len(steps)))],
        }
        for key, row in found.items()
        if row is not None
    ]
    return {"rows": segments, "everybody": everybody}


def _funnel_of(asked: Asked, table: Any, group: Group, rows: list[Payload]) -> Payload | None:
    """The row of one group; medians of a group of several parts are asked for again, since they don't add up."""
    import ibis

    if len(group.parts) == 1:
        return next((row for row in rows if row["segment"] == group.key), None)
    some = table.filter(table.segment.isin(group.parts)).mutate(segment=ibis.literal(group.key))
    return next(iter(asked.session.rows(queries.funnel(some, len(asked.question.steps)))), None)


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _date(value: Any) -> date:
    day: date = value.date() if hasattr(value, "date") else value
    return day


# Limits concurrent queries per web process and cancels queries whose client has gone.
#
# `ask` waits briefly for the result; the client polls until it is there. Each poll, in any process, touches a file on
# disk as a heartbeat. A file lock keeps two processes from computing the same query: the second reads the cache.

log = structlog.get_logger()
PATIENCE = 0.9  # seconds that a page waits before it is sent without the result
LEFT_AFTER = 12.0  # seconds without a heartbeat after which a query is cancelled
WATCH_EVERY = 1.0
MOST_WAITING = 12  # queued and running queries of one process; further ones have to poll again
KEPT_RESULTS = 60.0  # seconds that a finished result stays in memory to be fetched


@dataclass(frozen=True)
class Reply:
    """State of a query: result, refusal, failure or progress.

    Attributes:
        payload: the result; None while there is none.
        refused: why there will be none.
        failed: True after an error; the log has it.
        stage: the running stage.
        share: share of the stage that is done, 0 to 1.
        seconds: seconds since the start.
    """

    payload: Payload | None = None
    refused: Refused | None = None
    failed: bool = False
    stage: str = ""
    share: float = 0.0
    seconds: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the client has to poll again."""
        return self.payload is None and self.refused is None and not self.failed


@dataclass
class _Work:
    question: Question
    sign: Path
    future: "Future[Payload]" = field(default_factory=Future)
    stop: Stop = field(default_factory=Stop)
    since: float = field(default_factory=time.monotonic)
    stage: str = "waiting"
    share: float = 0.0

    def listen(self, stage: str, share: float) -> None:
        self.stage, self.share = stage, share

    @property
    def is_left(self) -> bool:
        """Whether the last poll is more than `LEFT_AFTER` seconds ago."""
        try:
            return time.time() - self.sign.stat().st_mtime > LEFT_AFTER
        except FileNotFoundError:
            return True


_at_work: dict[str, _Work] = {}
_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def ask(question: Question, *, patience: float = PATIENCE) -> Reply:
    """The result if it is ready within `patience` seconds, else the progress; call again until it is there."""
    key = hashlib.sha256(f"{folder()} {question.key()}".encode()).hexdigest()[:24]
    sign = folder() / ASKED / key
    sign.parent.mkdir(parents=True, exist_ok=True)
    sign.touch()
    work = _begin(key, question, sign)
    if work is None:
        time.sleep(min(patience, PATIENCE))
        return Reply(stage="waiting")
    try:
        payload = work.future.result(timeout=patience)
    except TimeoutError:
        return Reply(stage=work.stage, share=work.share, seconds=int(time.monotonic() - work.since))
    except Refused as refusal:
        outcome = Reply(refused=refusal)
    except Cancelled:
        outcome = Reply(stage="waiting")
    except Exception:
        outcome = Reply(failed=True)
    else:
        outcome = Reply(payload=payload)
    with _lock:
        _at_work.pop(key, None)
    return outcome


def _begin(key: str, question: Question, sign: Path) -> _Work | None:
    """The running query, started if need be; None when this process has reached its limit."""
    global _pool  # noqa: PLW0603 - one a process, made in it and not before a fork
    with _lock:
        _forget_finished()
        work = _at_work.get(key)
        if work is not None:
            return work
        if len(_at_work) >= MOST_WAITING:
            return None
        if _pool is None:
            _pool = ThreadPoolExecutor(settings.EXPLORE_QUESTIONS, thread_name_prefix="explore")
        if not _at_work:
            threading.Thread(target=_watch, name="explore-watch", daemon=True).start()
        work = _at_work[key] = _Work(question, sign)
        work.future = _pool.submit(_answer, work)
        return work


def _answer(work: _Work) -> Payload:
    try:
        with _first(work):
            return answer(work.question, stop=work.stop, progress=work.listen)
    except (Refused, Cancelled):
        raise
    except Exception:
        log.exception("explore.failed", view=work.question.view)
        raise
    finally:
        connections.close_all()
        work.since = time.monotonic()


@contextmanager
def _first(work: _Work) -> Iterator[None]:
    """Lock so that only one process computes a query; the others then find the result in the cache."""
    with work.sign.with_suffix(".lock").open("w") as file:
        while True:
            work.stop.check()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.1)
        yield


def _watch() -> None:
    """Cancel queries without heartbeat and drop unfetched results, until no query is left."""
    while True:
        time.sleep(WATCH_EVERY)
        with _lock:
            for work in _at_work.values():
                if not work.future.done() and work.is_left:
                    work.stop.now()
                    work.future.cancel()
            _forget_finished()
            if not _at_work:
                return


def _forget_finished() -> None:
    """Drop finished queries that were not fetched for `KEPT_RESULTS` seconds: results are cached on disk anyway."""
    now = time.monotonic()
    for key, work in list(_at_work.items()):
        if work.future.cancelled() or (work.future.done() and (work.stop.asked or now - work.since > KEPT_RESULTS)):
            del _at_work[key]


# Warm the caches of Explore in a worker: active days and users of the newest store.


def prepare() -> bool:
    """Update the caches; False when there is nothing to prepare.

    Until it has run, the first query on a new version of the store does the same work and waits for it.
    """
    if settings.WAREHOUSE_URL:
        return False
    try:
        with prepared(day_mode="rolling", stop=Stop(), progress=silent, newest=True) as session:
            signup = catalogue().guess_signup()
            if signup == "*" or signup in session.event_names():
                session.people(signup)
    except Refused:  # no event yet, or a store that must not be read: pages say so
        return False
    return True
