"""Retention: the curve, the triangle of signup weeks, and the segments side by side. Pure."""

from datetime import timedelta

from aha.explore.question import Question
from aha.explore.report.shown import (
    RATIO_NAMES,
    Cell,
    Heat,
    HeatCell,
    Payload,
    Ratio,
    Series,
    Shown,
    day,
    definition,
    difference,
    month_day,
    series_of,
    top_of,
    who,
)
from events.metrics import Active, MinDays, MinEvents, Survival, is_display_only
from reporting.numbers import between, count, day_range, percent, points
from reporting.plain_svg import Sheet
from reporting.table import Row, Table
from reporting.words import days_words, gettext

SHADES = 9


def shown(question: Question, payload: Payload) -> Shown:
    """Charts and tables of the view."""
    names = [column_name(column) for column in payload["columns"]]
    everybody = _everybody(payload)
    chosen = next((place for place, column in enumerate(payload["columns"]) if column[3]), None)
    found = question.definition
    judged = found is not None and not isinstance(found, Survival) and not is_display_only(found)
    return Shown(
        finding=_finding(question, everybody, chosen, names),
        notes=(definition(question), _moved(question), *who(question, payload)),
        sheets=(_curve(payload, everybody, names),),
        tables=(*(segments := _segments_table(payload, chosen)), _curve_table(payload, names)),
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
        heat=_heat(payload, names),
        outcome=question.retention if judged else "",
        warnings=_warnings(question, payload),
    )


def column_name(column: list[int | None]) -> str:
    """Short label of a column's days."""
    first, last = column[0], column[1]
    if last is None or first is None:
        return f"{first}+"
    return str(first) if first == last else day_range(first, last)


def _everybody(payload: Payload) -> list[Ratio]:
    sums = [[0, 0] for _ in payload["columns"]]
    for curve in payload["curves"].values():
        for total, (eligible, retained) in zip(sums, curve, strict=True):
            total[0] += eligible
            total[1] += retained
    return [Ratio(retained, eligible) for eligible, retained in sums]


def _finding(question: Question, everybody: list[Ratio], chosen: int | None, names: list[str]) -> str:
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
    return gettext("Retention is {share} of {users} users.").format(share=ratio, users=count(ratio.whole))


def _moved(question: Question) -> str:
    match question.definition:
        case Survival(gap):
            text = gettext("A point shows who began no silence of {gap} whole days up to that day.")
            return text.format(gap=gap)
        case Active(window) if window.end_day is None:
            return gettext("A point shows who was active on that day or later. Late days have had less time.")
        case Active(window) | MinDays(window) | MinEvents(_, window) if len(window) > 1:
            text = gettext("The same window of {days} days, moved along the days since signup.")
            return text.format(days=len(window))
    return gettext("A point shows the users who meet the definition on that day.")


# ── The curve ─────────────────────────────────────────────────────────────────
def _curve(payload: Payload, everybody: list[Ratio], names: list[str]) -> Sheet:
    lines = [(line, _ratios(payload, line)) for line in series_of(payload)]
    top = top_of([ratio.limits[1] for _, ratios in lines for ratio in ratios if ratio.is_known], least=0.05)
    sheet = Sheet(
        "retention", gettext("Retention by days since signup"), (-0.5, len(names) - 0.5), (0.0, min(top, 1.0))
    )
    sheet.share_axis(gettext("retained (95% CI)"))
    sheet.x_axis(gettext("days since signup"), list(enumerate(names)))
    shift = 0.5 / max(len(lines), 1)
    for line, ratios in lines:
        aside = (line.place - (len(lines) - 1) / 2) * shift if len(lines) > 1 else 0.0
        _one_line(sheet, line, ratios, names, aside)
    if len(lines) > 1:
        sheet.legend([(line.name, line.colour) for line, _ in lines])
    return sheet


def _one_line(sheet: Sheet, line: Series, ratios: list[Ratio], names: list[str], aside: float) -> None:
    at = [(place + aside, ratio.share) if ratio.is_known else None for place, ratio in enumerate(ratios)]
    sheet.line(at, line.colour, line.place)
    for place, ratio in enumerate(ratios):
        if ratio.is_known:
            sheet.interval(place + aside, *ratio.limits, line.colour)
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


# ── Segments ──────────────────────────────────────────────────────────────────
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
        gettext("segment"),
        gettext("days complete"),
        gettext("retained"),
        gettext("share (95% CI)"),
        gettext("points against {name}").format(name=lines[0].name),
    )
    note = gettext(
        "Intervals of differences are Newcombe's, made wider for the number of comparisons. A difference whose "
        "interval holds 0 isn't shown to be one, and none of them says why."
    )
    return (Table(gettext("Segments side by side"), columns, tuple(rows), note),)


def _against(ratio: Ratio, first: Ratio, comparisons: int) -> str:
    found = difference(ratio, first, comparisons)
    if found is None:
        return ""
    estimate, low, high = found
    if low > 0:
        word = gettext("higher")
    elif high < 0:
        word = gettext("lower")
    else:
        word = gettext("can't tell")
    return f"{points(estimate)} ({between(points(low), points(high))}): {word}"


def _warnings(question: Question, payload: Payload) -> tuple[str, ...]:
    found = question.definition
    formed = payload["formed_until"]
    if found is None or formed == -1 or isinstance(found, Survival):
        return ()
    if formed is None or formed >= found.window.start_day:
        return (
            gettext(
                "These segments also use what users do on the days on which retention is measured, so a difference "
                "between them may only say that again."
            ),
        )
    return ()


# ── The triangle ──────────────────────────────────────────────────────────────
def _heat(payload: Payload, names: list[str]) -> Heat:
    highest = max(_shares(payload), default=0.0)
    rows = tuple(
        (
            f"{row['week']} ({count(row['users'])})",
            tuple(
                _cell(row, place, names[place], is_complete(payload, row, place), highest)
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
    heading = (gettext("week of signup, Monday (users)"), *names)
    return Heat(gettext("Retention by week of signup"), heading, rows, note)


def _shares(payload: Payload) -> list[float]:
    """Shares that set the colour scale, without day 0 if there are later days: nearly everybody is active on day 0."""
    found = [
        (column[0], retained / eligible)
        for row in payload["weeks"]
        for column, (eligible, retained) in zip(payload["columns"], row["cells"], strict=True)
        if eligible
    ]
    later = [share for first, share in found if first > 0]
    return later or [share for _, share in found]


def is_complete(payload: Payload, row: Payload, place: int) -> bool:
    """Whether the week is over and every user of it has the column's days complete."""
    closed = day(payload["today"]) >= day(row["week"]) + timedelta(days=7)
    return closed and bool(row["cells"][place][0] == row["users"])


def _cell(row: Payload, place: int, name: str, complete: bool, highest: float) -> HeatCell:
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
    shade = min(SHADES, max(1, round(SHADES * ratio.share / highest))) if highest and ratio.share else 0
    title = text.format(week=week, day=name, share=ratio, users=count(eligible))
    classes = f"shade-{shade}" if shade else ""
    return HeatCell(
        percent(ratio.share, 0 if ratio.share >= 0.1 else 1),
        title,
        f"{classes} tiny".strip() if ratio.is_tiny else classes,
    )


def _file_rows(payload: Payload) -> list[tuple[Cell, ...]]:
    found: list[tuple[Cell, ...]] = []
    for line in series_of(payload):
        for column, ratio in zip(payload["columns"], _ratios(payload, line), strict=True):
            users = next(row["users"] for row in payload["segments"] if row["key"] == line.key)
            cells = ratio.cells()
            found.append(("curve", line.name, None, column[0], column[1], users, cells[0], cells[1], *cells[2:], None))
    for row in payload["weeks"]:
        for place, column in enumerate(payload["columns"]):
            eligible, retained = row["cells"][place]
            complete = is_complete(payload, row, place)
            share = Ratio(retained, eligible).cells()[2:] if complete else (None, None, None)
            found.append(
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
    return found
