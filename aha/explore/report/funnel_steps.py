"""A funnel of two to five steps: who came how far, and how long it took. Pure."""

from aha.explore.question import Question
from aha.explore.report.shown import (
    RATIO_NAMES,
    Cell,
    Payload,
    Ratio,
    Shown,
    behaviour_name,
    difference,
    series_of,
    who,
)
from reporting.counted import days_words
from reporting.numbers import between, count, decimal, percent, points
from reporting.plain_svg import Sheet
from reporting.table import Row, Table
from reporting.words import gettext

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def shown(question: Question, payload: Payload) -> Shown:
    """The whole view."""
    steps = [behaviour_name(step) for step in question.parsed_steps]
    text = gettext(
        "Users count when they have completed the first {days}, and only what they do on these days. Each step must "
        "come later than the one before; other events may lie between them."
    )
    return Shown(
        finding=_finding(payload, steps, question.days),
        notes=(text.format(days=days_words(question.days)), *who(question, payload)),
        sheets=(_chart(payload, steps),),
        tables=(_table(payload, steps), *_compared(payload)),
        names=(
            "segment",
            "step",
            "behaviour",
            "reached",
            "eligible",
            *RATIO_NAMES,
            "share_of_step_before",
            "median_seconds",
        ),
        rows=tuple(_file_rows(payload, steps)),
    )


def duration(seconds: float | None) -> str:
    """A time in the unit that reads best; empty for none."""
    if seconds is None:
        return ""
    if seconds < MINUTE:
        return gettext("{number} s").format(number=decimal(seconds, 0))
    if seconds < HOUR:
        return gettext("{number} min").format(number=decimal(seconds / MINUTE, 0))
    if seconds < 2 * DAY:
        return gettext("{number} h").format(number=decimal(seconds / HOUR, 1))
    return gettext("{number} days").format(number=decimal(seconds / DAY, 1))


def _everybody(payload: Payload) -> tuple[int, list[int]]:
    rows = payload["rows"]
    reached = [sum(row["reached"][place] for row in rows) for place in range(len(rows[0]["reached"]))] if rows else []
    return sum(row["users"] for row in rows), reached


def _finding(payload: Payload, steps: list[str], days: int) -> str:
    users, reached = _everybody(payload)
    if not users:
        return gettext("No user has completed the first {days} yet.").format(days=days_words(days))
    text = gettext("{share} of {users} users get from signup to {last} within {days}.")
    return text.format(share=Ratio(reached[-1], users), users=count(users), last=steps[-1], days=days_words(days))


def _chart(payload: Payload, steps: list[str]) -> Sheet:
    lines = series_of(payload)
    rows = {row["segment"]: row for row in payload["rows"]}
    sheet = Sheet("funnel", gettext("Who comes how far"), (-0.5, len(steps) - 0.5), (0.0, 1.06), bottom=52.0)
    sheet.share_axis(gettext("share of the users whose days are complete"))
    sheet.x_axis(gettext("step"), [(place, _short(f"{place + 1}. {step}")) for place, step in enumerate(steps)])
    wide = 0.72 / max(len(lines), 1)
    for line in lines:
        row = rows.get(line.key)
        if row is None or not row["users"]:
            continue
        for place, reached in enumerate(row["reached"]):
            ratio = Ratio(reached, row["users"])
            left = place - 0.36 + wide * line.place
            text = gettext("{name}, {step}: {share}, {reached} of {users} users")
            title = text.format(
                name=line.name, step=steps[place], share=ratio, reached=count(reached), users=count(row["users"])
            )
            sheet.bar((left, left + wide * 0.94), (0.0, ratio.share), line.colour, title)
            sheet.interval(left + wide * 0.47, *ratio.limits, "#111827")
            if len(lines) <= 2:
                sheet.note(left + wide * 0.47, ratio.limits[1], percent(ratio.share))
    if len(lines) > 1:
        sheet.legend([(line.name, line.colour) for line in lines])
    return sheet


def _short(text: str) -> str:
    return text if len(text) <= 22 else f"{text[:21]}…"


def _table(payload: Payload, steps: list[str]) -> Table:
    names = {line.key: line.name for line in series_of(payload)}
    rows: list[Row] = []
    for row in payload["rows"]:
        before = row["users"]
        for place, reached in enumerate(row["reached"]):
            rows.append(
                (
                    names.get(row["segment"], row["segment"]),
                    f"{place + 1}. {steps[place]}",
                    count(reached),
                    str(Ratio(reached, row["users"])),
                    str(Ratio(reached, before)) if before else "",
                    duration(row["seconds"][place]),
                )
            )
            before = reached
    columns = (
        gettext("users"),
        gettext("step"),
        gettext("reached it"),
        gettext("of all (95% CI)"),
        gettext("of the step before (95% CI)"),
        gettext("median time since the step before"),
    )
    return Table(gettext("The funnel in numbers"), columns, tuple(rows))


def _compared(payload: Payload) -> tuple[Table, ...]:
    lines = series_of(payload)
    rows = {row["segment"]: row for row in payload["rows"]}
    known = [line for line in lines if line.key in rows and rows[line.key]["users"]]
    if len(known) < 2:
        return ()
    first = Ratio(rows[known[0].key]["reached"][-1], rows[known[0].key]["users"])
    found: list[Row] = []
    for line in known[1:]:
        ratio = Ratio(rows[line.key]["reached"][-1], rows[line.key]["users"])
        compared = difference(ratio, first, len(known) - 1)
        if compared is not None:
            estimate, low, high = compared
            found.append((line.name, str(ratio), f"{points(estimate)} ({between(points(low), points(high))})"))
    columns = (
        gettext("segment"),
        gettext("share at the last step (95% CI)"),
        gettext("points against {name}").format(name=known[0].name),
    )
    note = gettext("A difference whose interval holds 0 isn't shown to be one, and none of them says why.")
    return (Table(gettext("Segments at the last step"), columns, tuple(found), note),)


def _file_rows(payload: Payload, steps: list[str]) -> list[tuple[Cell, ...]]:
    names = {line.key: line.name for line in series_of(payload)}
    found: list[tuple[Cell, ...]] = []
    for row in payload["rows"]:
        before = row["users"]
        for place, reached in enumerate(row["reached"]):
            share = round(reached / before, 6) if before else None
            found.append(
                (
                    names.get(row["segment"], row["segment"]),
                    place + 1,
                    steps[place],
                    *Ratio(reached, row["users"]).cells(),
                    share,
                    row["seconds"][place],
                )
            )
            before = reached
    return found
