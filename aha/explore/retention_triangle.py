"""Retention: the curve, the triangle of signup weeks, and the segments side by side. Pure."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from aha.explore.question import PERIODS, Question
from aha.explore.report_parts import (
    RATIO_NAMES,
    Cell,
    Heat,
    HeatCell,
    Payload,
    Ratio,
    Series,
    Shown,
    compared,
    day,
    definition,
    difference,
    month_day,
    ninety_five,
    series_of,
    share_of_users,
    top_of,
    who,
)
from events.metrics import Active, MinDays, MinEvents, Survival, is_display_only
from reporting.charts import reading, shade_of, shade_range
from reporting.numbers import between, count, day_range, day_text, percent, points
from reporting.plain_svg import Sheet
from reporting.table import Row, Table
from reporting.words import days_words, gettext

SHADES = 9


def column_key(column: list[Any]) -> str:
    """Which column: its days, as an address holds them."""
    return f"{column[0]}-{'' if column[1] is None else column[1]}"


def shown(question: Question, payload: Payload) -> Shown:
    """Charts and tables of the view."""
    everybody = _everybody(payload)
    chosen = next((place for place, column in enumerate(payload["columns"]) if column[3]), None)
    finding = _finding(question, payload, everybody, chosen, [column_name(column) for column in payload["columns"]])
    segments = _segments_table(payload, chosen)
    payload = _periods(payload)
    names = [column_name(column) for column in payload["columns"]]
    retention = question.definition
    judged = retention is not None and not isinstance(retention, Survival) and not is_display_only(retention)
    return Shown(
        finding=finding,
        notes=(
            definition(question),
            _moved(question),
            gettext("On day 0 everybody is active, so the curve begins on day 1.")
            if leaves_day_0_out(question, payload)
            else "",
            *who(question, payload),
        ),
        sheets=(_curve(question, payload, names),),
        tables=(*segments, _curve_table(payload, names)),
        opened=len(segments),
        names=(
            "part",
            "segment",
            "week",
            "first_day",
            "last_day",
            "users",
            "retained",
            "eligible",
            *RATIO_NAMES,
            "complete",
        ),
        rows=tuple(_file_rows(payload)),
        heat=_heat(question, payload, names),
        outcome=question.retention if judged else "",
        warnings=_warnings(question, payload),
    )


def _periods(payload: Payload) -> Payload:
    """The same without what was counted for the definition alone."""
    kept = [place for place, column in enumerate(payload["columns"]) if not column[4]]

    def of(values: list[Any]) -> list[Any]:
        return [values[place] for place in kept]

    return payload | {
        "columns": of(payload["columns"]),
        "everybody": of(payload["everybody"]),
        "curves": {key: of(curve) for key, curve in payload["curves"].items()},
        "weeks": [row | {"cells": of(row["cells"])} for row in payload["weeks"]],
    }


def column_name(column: list[Any]) -> str:
    """Short label of a column's days."""
    first, last = column[0], column[1]
    if last is None or first is None:
        return f"{first}+"
    return str(first) if first == last else day_range(first, last)


def _everybody(payload: Payload) -> list[Ratio]:
    return [Ratio(retained, eligible) for eligible, retained in payload["everybody"]]


def _finding(question: Question, payload: Payload, everybody: list[Ratio], chosen: int | None, names: list[str]) -> str:
    if isinstance(question.definition, Survival):
        known = [(name, ratio) for name, ratio in zip(names, everybody, strict=True) if ratio.is_known]
        if not known:
            return gettext("No user's days are complete yet.")
        text = gettext("After day {day}, {share} of {users} users have not begun a silence of {gap}.")
        name, ratio = known[-1]
        return text.format(day=name, share=ratio, users=count(ratio.whole), gap=days_words(question.definition.gap))
    ratio = everybody[chosen or 0]
    if not ratio.is_known:
        return gettext("No user has these days complete yet, so there is no retention to show.")
    lines = series_of(payload)
    both = compared(gettext("Stayed"), lines, [_ratios(payload, line)[chosen or 0] for line in lines])
    return both or gettext("{share} of {users} users stayed ({limits}).").format(
        share=percent(ratio.share), users=count(ratio.whole), limits=ninety_five(ratio)
    )


def _moved(question: Question) -> str:
    match question.definition:
        case Survival(gap):
            text = gettext("A point shows who began no silence of {gap} whole days up to that day.")
            return text.format(gap=gap)
        case Active(window) if window.end_day is not None and question.by != "day":
            text = gettext("A point shows who was active on any of {days} days; days count from signup.")
            return text.format(days=PERIODS[question.by])
        case Active(window) if window.end_day is None:
            return gettext("A point shows who was active on that day or later. Late days have had less time.")
        case Active(window) | MinDays(window) | MinEvents(_, window) if len(window) > 1:
            text = gettext("The same window of {days} days, shifted along the days since signup.")
            return text.format(days=len(window))
    return gettext("A point shows the users who meet the definition on that day.")


# ── The curve ─────────────────────────────────────────────────────────────────
def _curve(question: Question, payload: Payload, names: list[str]) -> Sheet:
    first = 1 if leaves_day_0_out(question, payload) else 0
    names = names[first:]
    lines = [(line, _ratios(payload, line)[first:]) for line in series_of(payload)]
    known = [ratio for _, ratios in lines for ratio in ratios if ratio.is_known]
    drawn = [ratio.share if ratio.is_tiny else ratio.limits[1] for ratio in known]
    top = min(top_of(drawn, least=0.05), 1.0)
    sheet = Sheet("retention", gettext("Retention by days since signup"), (-0.5, len(names) - 0.5), (0.0, top))
    sheet.share_axis(gettext("retained (95% CI)"))
    sheet.x_axis(gettext("days since signup"), list(enumerate(names)))
    shift = 0.5 / max(len(lines), 1)
    for line, ratios in lines:
        aside = (line.place - (len(lines) - 1) / 2) * shift if len(lines) > 1 else 0.0
        with sheet.named(line.name):
            _one_line(sheet, line, ratios, names, aside)
    if len(lines) > 1:
        sheet.legend([(line.name, line.colour) for line, _ in lines])
    sheet.readings(
        [
            (place, reading(gettext("Day {day}").format(day=name), _said(lines, place)))
            for place, name in enumerate(names)
        ],
        [urlencode({"column": column_key(column)}) for column in payload["columns"][first:]],
    )
    return sheet


def leaves_day_0_out(question: Question, payload: Payload) -> bool:
    """Whether the curve begins after day 0, on which everybody is active: it would squeeze all other days."""
    columns = payload["columns"]
    return isinstance(question.definition, Active) and len(columns) > 1 and columns[0][:2] == [0, 0]


def _said(lines: list[tuple[Series, list[Ratio]]], place: int) -> list[tuple[str, str]]:
    return [(line.name, share_of_users(ratios[place])) for line, ratios in lines if ratios[place].is_known]


def _one_line(sheet: Sheet, line: Series, ratios: list[Ratio], names: list[str], aside: float) -> None:
    at = [(place + aside, ratio.share) if ratio.is_known else None for place, ratio in enumerate(ratios)]
    sheet.line(at, line.colour, line.place)
    for place, ratio in enumerate(ratios):
        if ratio.is_known:
            if not ratio.is_tiny:  # of a few users it would reach over most of the scale
                low, high = (min(limit, sheet.y_range[1]) for limit in ratio.limits)
                sheet.interval(place + aside, low, high, line.colour)
            title = gettext("{name}, day {day}: {share} of {users} users").format(
                name=line.name, day=names[place], share=ratio, users=count(ratio.whole)
            )
            sheet.dot(place + aside, ratio.share, line.colour, title, hollow=ratio.is_tiny, place=line.place)


def _ratios(payload: Payload, line: Series) -> list[Ratio]:
    return [Ratio(retained, eligible) for eligible, retained in payload["curves"].get(line.key, [])]


def _curve_table(payload: Payload, names: list[str]) -> Table:
    rows: list[Row] = []
    for line in series_of(payload):
        for name, ratio in zip(names, _ratios(payload, line), strict=True):
            rows.append((line.name, name, count(ratio.whole), count(ratio.part), str(ratio)))
    columns = (
        gettext("users"),
        gettext("days"),
        gettext("days complete"),
        gettext("retained"),
        gettext("share (95% CI)"),
    )
    note = gettext("A user counts for a column as soon as its days lie before the end of the data, and not earlier.")
    return Table(gettext("The curve in numbers"), columns, tuple(rows), note)


# ── Groups ──────────────────────────────────────────────────────────────────
def _segments_table(payload: Payload, chosen: int | None) -> tuple[Table, ...]:
    lines = series_of(payload)
    if chosen is None or len(lines) < 2:
        return ()
    ratios = [_ratios(payload, line)[chosen] for line in lines]
    rows: list[Row] = []
    for line, ratio in zip(lines, ratios, strict=True):
        against = "" if line.place == 0 else _against(ratio, ratios[0], len(lines) - 1)
        rows.append((line.name, count(ratio.whole), count(ratio.part), str(ratio), against))
    columns = (
        gettext("group"),
        gettext("days complete"),
        gettext("retained"),
        gettext("share (95% CI)"),
        gettext("points against {name}").format(name=lines[0].name),
    )
    note = gettext(
        "Intervals of differences are Newcombe's, made wider for the number of comparisons. A difference whose "
        "interval holds 0 isn't shown to be one, and none of them says why."
    )
    return (Table(gettext("Groups side by side"), columns, tuple(rows), note),)


def _against(ratio: Ratio, first: Ratio, comparisons: int) -> str:
    interval = difference(ratio, first, comparisons)
    if interval is None:
        return ""
    estimate, low, high = interval
    if low > 0:
        word = gettext("higher")
    elif high < 0:
        word = gettext("lower")
    else:
        word = gettext("can't say")
    return f"{points(estimate)} ({between(points(low), points(high))}): {word}"


def _warnings(question: Question, payload: Payload) -> tuple[str, ...]:
    retention = question.definition
    formed = payload["formed_until"]
    if retention is None or formed == -1 or isinstance(retention, Survival):
        return ()
    if formed is None or formed >= retention.window.start_day:
        return (
            gettext(
                "These segments also use what users do on the days on which retention is measured, so a difference "
                "between them may only say that again."
            ),
        )
    return ()


# ── The triangle ──────────────────────────────────────────────────────────────
def _heat(question: Question, payload: Payload, names: list[str]) -> Heat:
    scale = shade_range(_shares(payload))
    rows = tuple(
        (
            f"{day_text(row['week'])} ({count(row['users'])})",
            tuple(
                _cell(row, place, names[place], is_complete(payload, row, place), scale, payload["columns"][place])
                for place in range(len(names))
            ),
        )
        for row in payload["weeks"]
    )
    note = gettext(
        "Hatched: not all users of the week have these days behind them, so there is no number yet. Hatched cells "
        "enter no average; the curve counts each user as soon as its own days are complete."
    )
    if payload["all_weeks"] > len(payload["weeks"]):
        note += " " + gettext("The last {shown} of {all} weeks are shown.").format(
            shown=len(payload["weeks"]), all=payload["all_weeks"]
        )
    if question.by == "month":
        heading = (gettext("month of signup, its first day (users)"), *names)
        return Heat(gettext("Retention by month of signup"), heading, rows, note)
    heading = (gettext("week of signup, Monday (users)"), *names)
    return Heat(gettext("Retention by week of signup"), heading, rows, note)


def _shares(payload: Payload) -> list[float]:
    """Shares that set the colour scale: of complete cells, without day 0 and small groups where there are others."""
    cells = [
        (payload["columns"][place][0], Ratio(row["cells"][place][1], row["cells"][place][0]))
        for row in payload["weeks"]
        for place in range(len(payload["columns"]))
        if row["cells"][place][0] and is_complete(payload, row, place)
    ]
    later = [(first, ratio) for first, ratio in cells if first > 0] or cells
    solid = [(first, ratio) for first, ratio in later if not ratio.is_tiny] or later
    return [ratio.share for _, ratio in solid]


def is_complete(payload: Payload, row: Payload, place: int) -> bool:
    """Whether the week or month is over and every user of it has the column's days complete."""
    closed = day(payload["today"]) >= day(row["week"]) + timedelta(days=row["days"])
    return closed and bool(row["cells"][place][0] == row["users"])


def _cell(
    row: Payload, place: int, name: str, complete: bool, scale: tuple[float, float], column: list[Any]
) -> HeatCell:
    eligible, retained = row["cells"][place]
    week = month_day(row["week"])
    if not eligible:
        return HeatCell("", gettext("{week}, day {day}: not complete yet").format(week=week, day=name), "")
    if not complete:
        text = gettext("{week}, day {day}: complete for {eligible} of {users} users")
        title = text.format(week=week, day=name, eligible=count(eligible), users=count(row["users"]))
        return HeatCell("", title, "hatched")
    ratio = Ratio(retained, eligible)
    text = gettext("{week}, day {day}: {share} of {users} users")
    shade = shade_of(ratio.share, scale, SHADES)
    title = text.format(week=week, day=name, share=ratio, users=count(eligible))
    classes = f"shade-{shade}" if shade else ""
    return HeatCell(
        percent(ratio.share, 0 if ratio.share >= 0.1 else 1),
        title,
        f"{classes} tiny".strip() if ratio.is_tiny else classes,
        urlencode({"at": row["week"], "column": column_key(column)}),
    )


def _file_rows(payload: Payload) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for line in series_of(payload):
        for column, ratio in zip(payload["columns"], _ratios(payload, line), strict=True):
            users = next(row["users"] for row in payload["segments"] if row["key"] == line.key)
            cells = ratio.cells()
            rows.append(("curve", line.name, None, column[0], column[1], users, cells[0], cells[1], *cells[2:], None))
    for row in payload["weeks"]:
        for place, column in enumerate(payload["columns"]):
            eligible, retained = row["cells"][place]
            complete = is_complete(payload, row, place)
            share = Ratio(retained, eligible).cells()[2:] if complete else (None, None, None)
            rows.append(
                (
                    "cohort",
                    None,
                    row["week"],
                    column[0],
                    column[1],
                    row["users"],
                    retained,
                    eligible,
                    *share,
                    int(complete),
                )
            )
    return rows
