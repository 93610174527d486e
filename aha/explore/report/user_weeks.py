"""New, current, returning and dormant users of each week. Pure."""

from collections import defaultdict
from datetime import timedelta

from aha.explore.question import Question
from aha.explore.report.shown import PALETTE, Cell, Payload, Shown, day, month_day, series_of, top_of, who
from reporting.numbers import count
from reporting.plain_svg import Sheet
from reporting.table import Row, Table
from reporting.words import gettext

KINDS = ("new", "current", "returning", "dormant")


def kind_name(kind: str) -> str:
    """A kind in words."""
    return {
        "new": gettext("new"),
        "current": gettext("current"),
        "returning": gettext("returning"),
        "dormant": gettext("dormant"),
    }[kind]


def shown(question: Question, payload: Payload) -> Shown:
    """The whole view."""
    weeks = _weeks(payload)
    return Shown(
        finding=_finding(payload, weeks),
        notes=(
            gettext(
                "New: signed up in this week. Current: active in this week and in the week before. Returning: active "
                "in this week and not in the week before. Dormant: active in the week before and not in this one."
            ),
            *who(question, payload),
        ),
        sheets=(_chart(payload, weeks),),
        tables=(_table(payload, weeks),),
        names=("week", "segment", *KINDS, "active", "complete"),
        rows=tuple(_file_rows(payload)),
    )


def _weeks(payload: Payload) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    for row in payload["rows"]:
        for kind in KINDS:
            found[row["week"]][kind] += row[kind]
    return dict(sorted(found.items()))


def is_over(payload: Payload, week: str) -> bool:
    """Whether the data hold the whole week."""
    return day(payload["today"]) >= day(week) + timedelta(days=7)


def _finding(payload: Payload, weeks: dict[str, dict[str, int]]) -> str:
    over = [week for week in weeks if is_over(payload, week)]
    if not over:
        return gettext("No week is complete yet.")
    last = weeks[over[-1]]
    text = gettext(
        "In the week of {week}, {active} users were active: {new} new, {current} current, {returning} returning; "
        "{dormant} of the week before stayed away."
    )
    active = last["new"] + last["current"] + last["returning"]
    return text.format(week=over[-1], active=count(active), **{kind: count(last[kind]) for kind in KINDS})


def _chart(payload: Payload, weeks: dict[str, dict[str, int]]) -> Sheet:
    high = top_of([row["new"] + row["current"] + row["returning"] for row in weeks.values()])
    low = -top_of([row["dormant"] for row in weeks.values()])
    sheet = Sheet("lifecycle", gettext("Users by week"), (-0.6, len(weeks) - 0.4), (low, high))
    sheet.count_axis(gettext("users"))
    sheet.x_axis(gettext("week, Monday"), [(place, month_day(week)) for place, week in enumerate(weeks)])
    for place, (week, row) in enumerate(weeks.items()):
        hatched, base = not is_over(payload, week), 0.0
        for kind in ("current", "returning", "new", "dormant"):
            ends = (0.0, -float(row[kind])) if kind == "dormant" else (base, base + row[kind])
            base = base if kind == "dormant" else ends[1]
            title = f"{week}, {kind_name(kind)}: {count(row[kind])}"
            if hatched:
                title = gettext("{what} (week not complete)").format(what=title)
            sheet.bar((place - 0.38, place + 0.38), ends, PALETTE[kind], title, hatched=hatched)
    sheet.legend([(kind_name(kind), PALETTE[kind]) for kind in KINDS])
    return sheet


def _table(payload: Payload, weeks: dict[str, dict[str, int]]) -> Table:
    rows: tuple[Row, ...] = tuple(
        (week, *(count(row[kind]) for kind in KINDS), gettext("yes") if is_over(payload, week) else gettext("not yet"))
        for week, row in reversed(weeks.items())
    )
    columns = (gettext("week, Monday"), *map(kind_name, KINDS), gettext("week complete"))
    return Table(gettext("Users by week in numbers"), columns, rows)


def _file_rows(payload: Payload) -> list[tuple[Cell, ...]]:
    names = {line.key: line.name for line in series_of(payload)}
    return [
        (
            row["week"],
            names.get(row["segment"], row["segment"]),
            *(row[kind] for kind in KINDS),
            row["new"] + row["current"] + row["returning"],
            int(is_over(payload, row["week"])),
        )
        for row in sorted(payload["rows"], key=lambda row: (row["week"], row["segment"]))
    ]
