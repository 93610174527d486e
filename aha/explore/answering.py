"""Compute the result of an Explore query and cache it; limit concurrent queries and cancel abandoned ones."""

import fcntl
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import connections

from aha.explore import queries
from aha.explore.queries import columns
from aha.explore.question import ACTIVITY, FUNNEL, LIFECYCLE, RETENTION, TIMES, Question, can_judge
from aha.study.population import last_day_of, segments_named
from events.arm_marks import Did, of_metric, of_start, refuse_arm_marks
from events.metrics import MinEvents, Survival, outcome_window
from events.prepared import numbered_log
from events.prepared.opened import Prepared, Stop, kept_folder, prepared
from events.windows import first_days
from runs.progress import Cancelled, Progress
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentVersion
from segments.published.segment_marks import of_segments

if TYPE_CHECKING:
    import ibis.expr.types as ir


# Restrict a query to the members of a published segment, or of all segments of a model.

BLOCK = 50_000


def named(key: str) -> tuple[SegmentVersion, list[Segment]]:
    """The segment version with this key, and its segments.

    Raises:
        Refused: no published segment has this key.
    """
    return segments_named(key)


def formed_until(key: str) -> int | None:
    """The last day of a user's life that affects its segment; -1 for traits only, None for unlimited."""
    return last_day_of(named(key)[0])


def members(asked: Prepared, key: str) -> "ir.Table":
    """``user_id`` (the number) and ``segment`` (its key) of every member."""
    version, segments = named(key)
    refreshed = version.refreshed_at.isoformat() if version.refreshed_at else ""
    keys = {segment.pk: segment.key for segment in segments}
    name = f"members {version.pk} {refreshed} {sorted(keys)}"
    return asked.kept(name, lambda: _members(asked, version, keys))


def _members(asked: Prepared, version: SegmentVersion, keys: dict[int, str]) -> "ir.Table":
    import ibis
    import pyarrow as pa

    rows = Membership.objects.filter(version=version, segment__in=keys).values_list("unit", "segment_id")
    units: list[str] = []
    segments: list[str] = []
    for unit, segment in rows.iterator(chunk_size=BLOCK):
        units.append(unit)
        segments.append(keys[segment])
    table = pa.table({"user_id": pa.array(units, pa.string()), "segment": pa.array(segments, pa.string())})
    found = ibis.memtable(table).join(asked.names, "user_id")
    # Two members may since have been merged into one user, who counts in one segment only.
    return found.group_by(user_id="number").aggregate(segment=found.segment.argmin(found.user_id))


SCHEMA = 1  # of cached results
MOST_COHORTS = 26
MOST_DATES = 92
MOST_WEEKS = 53
MOST_SEGMENTS = 12
type Payload = dict[str, Any]


def answer(question: Question, *, stop: Stop, progress: Progress) -> Payload:
    """The numbers of a question, cached as long as the event store is unchanged.

    Raises:
        Refused: names the field of `Question` that can't be answered.
        Cancelled: `stop` was set.
    """
    with prepared(day_mode=question.day_mode, stop=stop, progress=progress) as asked:
        _refuse_marks(question)  # also for cached results: an experiment may have started since
        members_of = _version_of_members(question)
        key = hashlib.sha256(f"{SCHEMA} {question.key()} {members_of}".encode()).hexdigest()[:24]
        place = kept_folder(asked.numbers) / f"{key}.json"
        if place.exists():
            kept: Payload = json.loads(place.read_text(encoding="utf-8"))
            return kept
        progress("counting", 0.0)
        found = _fresh(asked, question)
        place.parent.mkdir(exist_ok=True)
        part = place.with_name(f"{uuid.uuid4().hex}.tmp")
        part.write_text(json.dumps(found), encoding="utf-8")
        part.replace(place)
        return found


def _refuse_marks(question: Question) -> None:
    """Refuse what the outcome lock forbids: conditions that tell the arms of a locked experiment apart."""
    days, start = first_days(question.days), question.signup
    behaviour = [question.parsed_behaviour] if question.behaviour else []
    refuse_arm_marks(
        {
            "signup": of_start(start),
            "retention": () if question.definition is None else of_metric(question.definition, start),
            "behaviour": [
                *(Did(one, start, days, question.times) for one in behaviour),
                *(Did(one, start) for one in behaviour),
            ],
            "steps": [Did(step, start, days) for step in question.parsed_steps],
            "segment": of_segments(*named(question.segment)) if question.segment else (),
        },
        day_mode=question.day_mode,
    )


def _version_of_members(question: Question) -> str:
    if not question.segment:
        return ""
    version, _ = named(question.segment)
    return f"{version.pk} {version.refreshed_at}"


def _fresh(asked: Prepared, question: Question) -> Payload:
    _need_events(asked, question)
    people = asked.people(question.signup)
    chosen = members(asked, question.segment) if question.segment else None
    population = queries.population(people, first=question.first, last=question.last, members=chosen)
    sizes = {row["segment"]: row for row in asked.rows(queries.sizes(population))}
    end = asked.basis.data_end
    found = {
        "end": end.isoformat(),
        "today": asked.basis.clock.local_date(end).isoformat(),
        "events": asked.numbers.events,
        "users": sum(row["users"] for row in sizes.values()),
        "segments": _segments(question, {key: row["users"] for key, row in sizes.items()}),
        "formed_until": formed_until(question.segment) if question.segment else -1,
    }
    if not found["users"]:
        return found
    asking = {RETENTION: _retention, ACTIVITY: _activity, TIMES: _times, LIFECYCLE: _lifecycle, FUNNEL: _funnel}
    return found | asking[question.view](asked, question, population, list(sizes.values()))


def _need_events(asked: Prepared, question: Question) -> None:
    """Refuse an event name that is not in the log, and suggest the nearest."""
    names = asked.event_names()
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


def _segments(question: Question, users: dict[str, int]) -> list[Payload]:
    """Key, name and size of each compared segment, the largest first, including empty ones."""
    if not question.segment:
        return [{"key": "", "name": "", "users": users.get("", 0)}]
    _, found = named(question.segment)
    rows: list[Payload] = [{"key": row.key, "name": str(row), "users": users.get(row.key, 0)} for row in found]
    return sorted(rows, key=lambda row: -row["users"])[:MOST_SEGMENTS]


# ── One function a view ───────────────────────────────────────────────────────
def _retention(asked: Prepared, question: Question, people: Any, sizes: list[Payload]) -> Payload:
    definition = question.definition
    if definition is None:
        raise ValueError("this view needs a retention definition")
    found = columns(definition, max(row["oldest"] for row in sizes))
    acts = None
    if isinstance(definition, MinEvents):
        acts = _acts(asked, people, definition.event)
    rows = asked.rows(queries.triangle(people, definition, found, acts))
    cells: dict[date, Payload] = {}
    curves: dict[str, list[list[int]]] = {}
    for row in rows:
        pairs = [[int(row[f"e_{k}"]), int(row[f"r_{k}"])] for k in range(len(found))]
        week = _date(row["week"])
        cohort = cells.setdefault(week, {"week": week.isoformat(), "users": 0, "cells": [[0, 0]] * len(found)})
        cohort["users"] += row["users"]
        cohort["cells"] = _sum(cohort["cells"], pairs)
        curves[row["segment"]] = _sum(curves.get(row["segment"], [[0, 0]] * len(found)), pairs)
    return {
        "columns": [[column.first, column.last, column.needs, column.chosen] for column in found],
        "weeks": [cells[week] for week in sorted(cells)][-MOST_COHORTS:],
        "all_weeks": len(cells),
        "curves": curves,
    }


def _sum(left: list[list[int]], right: list[list[int]]) -> list[list[int]]:
    return [[a + c, b + d] for (a, b), (c, d) in zip(left, right, strict=True)]


def _acts(asked: Prepared, people: Any, event: str) -> Any:
    log = asked.log.filter(asked.log.event == event).mutate(value=None)
    return queries.since_signup(log, people, asked.basis)


def _activity(asked: Prepared, question: Question, people: Any, sizes: list[Payload]) -> Payload:
    behaviour = question.parsed_behaviour
    log = queries.since_signup(
        asked.acts(behaviour), people, asked.basis, distinct=bool(behaviour.distinct), segmented=bool(question.segment)
    )
    last = asked.newest_date
    places = _places(min(_date(row["first_date"]) for row in sizes), last, question.by)
    acts = queries.placed(log, asked.basis, places, question.days)
    with ExitStack() as stack:
        kept = stack.enter_context(asked.warehouse.kept(acts))
        events = {(row["place"], row["segment"]): row["events"] for row in asked.rows(queries.events_by_place(kept))}
        users = stack.enter_context(asked.warehouse.kept(queries.user_places(kept, len(places))))
        done = {row["segment"]: row for row in asked.rows(queries.users_by_place(people, users, len(places)))}
        new = asked.rows(queries.new_by_date(people, users, question.by, question.days))
    signed = {(_date(row["at"]), row["segment"]): row for row in new}
    active = {row["segment"]: row for row in asked.rows(queries.active_dates(people, asked.monday, places))}
    rows = []
    for segment in (row["segment"] for row in sizes):
        for k, (at, days) in enumerate(places):
            fresh = signed.get((at, segment), {})
            rows.append(
                {
                    "at": at.isoformat(),
                    "segment": segment,
                    "days": days,
                    "users": int(done.get(segment, {}).get(f"u_{k}", 0)),
                    "events": int(events.get((k, segment), 0)),
                    "active": int(active.get(segment, {}).get(f"a_{k}", 0)),
                    "signups": int(fresh.get("signups", 0)),
                    "ready": int(fresh.get("ready", 0)),
                    "did": int(fresh.get("did", 0)),
                }
            )
    return {"rows": rows, "first": places[0][0].isoformat(), "last_date": last.isoformat()}


def _places(oldest: date, last: date, by: str) -> list[tuple[date, int]]:
    """The dates, or Mondays, that are shown, oldest first; each with its number of days."""
    size, most = (7, MOST_WEEKS) if by == "week" else (1, MOST_DATES)
    start, end = (day - timedelta(days=day.weekday()) if by == "week" else day for day in (oldest, last))
    number = min(most, (end - start).days // size + 1)
    return [(end - timedelta(days=size * back), size) for back in reversed(range(number))]


def _times(asked: Prepared, question: Question, people: Any, sizes: list[Payload]) -> Payload:
    import ibis

    definition, behaviour = question.definition, question.parsed_behaviour
    judged = definition is not None and can_judge(definition, question.days)
    needs = question.days
    if definition is not None and judged and not isinstance(definition, Survival):
        column = next(column for column in columns(definition, 0) if column.chosen)
        needs = max(needs, outcome_window(definition).days_needed)
        if isinstance(definition, MinEvents):
            acts = _acts(asked, people, definition.event)
            people = people.left_join(queries.often(acts, [column]), "user_id").drop("user_id_right")
        people = people.mutate(stayed=queries.retained(people, definition, column, "_n0"))
    else:
        people = people.mutate(stayed=ibis.literal(False))
    log = queries.since_signup(asked.acts(behaviour), people, asked.basis, distinct=bool(behaviour.distinct))
    rows = asked.rows(queries.times_within(people, log, days=question.days, needs=needs))
    counts: dict[tuple[str, int], list[int]] = {}
    for row in rows:
        cell = counts.setdefault((row["segment"], int(row["n"])), [0, 0])
        cell[0] += row["users"]
        cell[1] += row["users"] if row["stayed"] else 0
    found = [[segment, n, *cell] for (segment, n), cell in sorted(counts.items())]
    return {"counts": found, "judged": judged, "needs": needs}


def _lifecycle(asked: Prepared, _question: Question, people: Any, sizes: list[Payload]) -> Payload:
    last = asked.newest_date
    places = _places(min(_date(row["first_date"]) for row in sizes), last, "week")
    weeks = [week for week, _ in places]
    rows = asked.rows(queries.weeks_of_users(people, asked.monday, weeks))
    kinds = ("new", "current", "returning", "dormant")
    found = [
        {"week": week.isoformat(), "segment": row["segment"], **{kind: int(row[f"{kind}_{k}"]) for kind in kinds}}
        for row in rows
        for k, week in enumerate(weeks)
    ]
    return {"rows": found, "last_date": last.isoformat()}


def _funnel(asked: Prepared, question: Question, people: Any, _sizes: list[Payload]) -> Payload:
    steps = question.parsed_steps
    with ExitStack() as stack:
        table = people.filter(people.complete_days >= question.days)
        table = table.select("user_id", "anchor", "anchor_date", "segment")
        for k, step in enumerate(steps):
            asked.stop.check()
            reached = queries.next_step(table, asked.acts(step), k, asked.basis, days=question.days)
            table = stack.enter_context(asked.warehouse.kept(reached))
        rows = asked.rows(queries.funnel(table, len(steps)))
    found = [
        {
            "segment": row["segment"],
            "users": int(row["users"]),
            "reached": [int(row[f"s_{k}"]) for k in range(len(steps))],
            "seconds": [None, *(_number(row[f"t_{k}"]) for k in range(1, len(steps)))],
        }
        for row in rows
    ]
    return {"rows": found}


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def _date(value: Any) -> date:
    found: date = value.date() if hasattr(value, "date") else value
    return found


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
    key = hashlib.sha256(f"{numbered_log.folder()} {question.key()}".encode()).hexdigest()[:24]
    sign = numbered_log.folder() / "asked" / key
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
