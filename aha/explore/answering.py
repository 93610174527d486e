"""The answer to a question, as plain numbers: opened, checked, asked, and kept for the next who asks the same."""

import hashlib
import json
import uuid
from contextlib import ExitStack
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Any

from aha.explore import members as segment_members
from aha.explore import queries
from aha.explore.question import ACTIVITY, FUNNEL, LIFECYCLE, RETENTION, TIMES, Question, can_judge
from aha.explore.retention_columns import columns
from events.arm_marks import Did, of_metric, of_start, refuse_arm_marks
from events.metrics import MinEvents, Survival, outcome_window
from events.prepared.opened import Prepared, Stop, kept_folder, prepared
from events.windows import first_days
from runs.progress import Progress
from runs.refusals import Refused
from segments.published.segment_marks import of_segments

SCHEMA = 1  # of kept answers
MOST_COHORTS = 26
MOST_DATES = 92
MOST_WEEKS = 53
MOST_SEGMENTS = 12
type Payload = dict[str, Any]


def answer(question: Question, *, stop: Stop, progress: Progress) -> Payload:
    """The numbers of a question; from what is kept when the store is still the same.

    Raises:
        Refused: naming the field, as `Question` calls it, that can't be answered.
        Cancelled: `stop` was asked.
    """
    with prepared(day_mode=question.day_mode, stop=stop, progress=progress) as asked:
        _refuse_marks(question)  # also where an answer is kept: an experiment may have started since
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
    """The gate of the outcome lock: of the store itself, since arms stand in properties."""
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
            "segment": of_segments(*segment_members.named(question.segment)) if question.segment else (),
        },
        day_mode=question.day_mode,
    )


def _version_of_members(question: Question) -> str:
    if not question.segment:
        return ""
    version, _ = segment_members.named(question.segment)
    return f"{version.pk} {version.refreshed_at}"


def _fresh(asked: Prepared, question: Question) -> Payload:
    _need_events(asked, question)
    people = asked.people(question.signup)
    chosen = segment_members.members(asked, question.segment) if question.segment else None
    population = queries.population(people, first=question.first, last=question.last, members=chosen)
    sizes = {row["segment"]: row for row in asked.rows(queries.sizes(population))}
    end = asked.basis.data_end
    found = {
        "end": end.isoformat(),
        "today": asked.basis.clock.local_date(end).isoformat(),
        "events": asked.numbers.events,
        "users": sum(row["users"] for row in sizes.values()),
        "segments": _segments(question, {key: row["users"] for key, row in sizes.items()}),
        "formed_until": segment_members.formed_until(question.segment) if question.segment else -1,
    }
    if not found["users"]:
        return found
    asking = {RETENTION: _retention, ACTIVITY: _activity, TIMES: _times, LIFECYCLE: _lifecycle, FUNNEL: _funnel}
    return found | asking[question.view](asked, question, population, list(sizes.values()))


def _need_events(asked: Prepared, question: Question) -> None:
    """Refuse a name that the log doesn't have, with the nearest that it has."""
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
    """Key, name and size of each segment that is compared, the largest first; those without users too."""
    if not question.segment:
        return [{"key": "", "name": "", "users": users.get("", 0)}]
    _, found = segment_members.named(question.segment)
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
