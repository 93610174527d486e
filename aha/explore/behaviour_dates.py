"""How many users do a behaviour on each date or in each week, of the active and of the new. Pure."""

from collections import defaultdict
from datetime import date, timedelta

from aha.explore.question import Question
from aha.explore.report_parts import (
    RATIO_NAMES,
    TINY,
    Cell,
    Payload,
    Ratio,
    Series,
    Shown,
    behaviour_name,
    day,
    left_out,
    series_of,
    share_of_users,
    top_of,
    who,
)
from reporting.charts import BLUE, ORANGE, date_ticks, reading
from reporting.numbers import count, day_text, limits
from reporting.plain_svg import Sheet
from reporting.table import Row, Table
from reporting.words import days_words, gettext, week_words

type Point = Payload


def shown(question: Question, payload: Payload) -> Shown:
    """Charts and tables of the view."""
    name = behaviour_name(question.parsed_behaviour)
    lines = series_of(payload)
    by_line = {line.key: [row for row in payload["rows"] if row["segment"] == line.key] for line in lines}
    everybody = payload["everybody"]
    return Shown(
        finding=_finding(question, payload, everybody, name),
        notes=(_said(question), left_out(payload, len(everybody)), *who(question, payload)),
        sheets=(
            _users(question, payload, by_line, lines),
            _shares(question, payload, everybody)
            if len(lines) < 2
            else _shares_by_line(question, payload, by_line, lines),
        ),
        tables=(_table(question, payload, by_line, lines),),
        names=(
            *("at", "segment", "users", "events", "active_users"),
            *(f"of_active_{name}" for name in RATIO_NAMES),
            *("signups", "new_users_with_complete_days", "new_users_who_did_it"),
            *(f"of_new_{name}" for name in RATIO_NAMES),
            "state",
        ),
        rows=tuple(_file_rows(question, payload, by_line, lines)),
        outcome=f"count:{question.parsed_behaviour}:0-{question.days - 1}",
    )


def state(payload: Payload, row: Point, everywhere: bool = True) -> str:
    """``gap`` where the log has no events of any user, ``open`` where the period isn't over, else ``whole``."""
    if day(row["at"]) + timedelta(days=row["days"]) > day(payload["today"]):
        return "open"
    return "gap" if everywhere and row["at"] in _silent(payload) else "whole"


def _silent(payload: Payload) -> set[str]:
    """Dates without any active user: more likely missing data than no users."""
    totals: dict[str, int] = defaultdict(int)
    for row in payload["everybody"]:
        totals[row["at"]] += row["active"] + row["signups"] + row["users"]
    return {at for at, users in totals.items() if not users}


def _finding(question: Question, payload: Payload, rows: list[Point], name: str) -> str:
    whole = [row for row in rows if state(payload, row) == "whole"]
    if not whole:
        return gettext("No date is complete yet.")
    last = whole[-1]
    ratio = Ratio(last["users"], last["active"])
    if question.by == "month":
        text = gettext("In the month from {at}, {users} users did {behaviour}: {share} of the active users.")
    elif question.by == "week":
        text = gettext("In the week of {at}, {users} users did {behaviour}: {share} of the active users.")
    else:
        text = gettext("On {at}, {users} users did {behaviour}: {share} of the active users.")
    return text.format(at=day_text(last["at"]), users=count(last["users"]), behaviour=name, share=ratio)


def _said(question: Question) -> str:
    text = gettext(
        "Active: any event but exposures. New users count on the date of their signup, when they have completed the "
        "first {days}; they did it when they did it on these days. Hollow points: not complete yet, or fewer "
        "than {tiny} users. A gap in the line: the log holds no event of anybody."
    )
    return text.format(days=days_words(question.days), tiny=TINY)


# ── Pictures ──────────────────────────────────────────────────────────────────
def _sheet(slug: str, label: str, rows: list[Point], top: float, by: str) -> Sheet:
    """Dates follow each other without a gap (a date without events is a row, too), so a row's place is its time."""
    sheet = Sheet(slug, label, (-0.6, len(rows) - 0.4), (0.0, top), height=270.0)
    sheet.x_axis(_period(by), date_ticks([day(row["at"]) for row in rows]))
    return sheet


def _heading(row: Point, by: str) -> str:
    at = day_text(row["at"])
    return {"day": at, "week": week_words(at), "month": str(row["at"])[:7]}[by]


def _period_of(row: Point) -> tuple[date, date]:
    return day(row["at"]), day(row["at"]) + timedelta(days=row["days"] - 1)


def _period(by: str) -> str:
    return {"day": gettext("date"), "week": gettext("week, Monday"), "month": gettext("month")}[by]


def _users(question: Question, payload: Payload, by_line: dict[str, list[Point]], lines: tuple[Series, ...]) -> Sheet:
    rows = next(iter(by_line.values()), [])
    top = top_of([row["users"] for points in by_line.values() for row in points])
    sheet = _sheet("users", gettext("Users who did it"), rows, top, question.by)
    sheet.count_axis(gettext("users who did it"))
    for line in lines:
        points = by_line[line.key]
        values = [(row, row["users"] if state(payload, row) != "gap" else None) for row in points]
        with sheet.named(line.name):
            _line(sheet, payload, values, line)
    if len(lines) > 1:
        sheet.legend([(line.name, line.colour) for line in lines])
    sheet.readings(
        [(place, _users_said(question, payload, by_line, lines, place)) for place in range(len(rows))],
        [f"at={row['at']}" for row in rows],
        [_period_of(row) for row in rows],
    )
    return sheet


def _users_said(
    question: Question, payload: Payload, by_line: dict[str, list[Point]], lines: tuple[Series, ...], place: int
) -> str:
    rows = [(line.name, by_line[line.key][place]) for line in lines]
    heading = _heading(rows[0][1], question.by)
    if state(payload, rows[0][1]) == "open":
        heading = gettext("{what} (not complete)").format(what=heading)
    text = gettext("{users} users, {events} events")
    return reading(
        heading,
        [
            (name, text.format(users=count(row["users"]), events=count(row["events"])))
            for name, row in rows
            if state(payload, row) != "gap"
        ],
    )


def _line(sheet: Sheet, payload: Payload, values: list[tuple[Point, int | None]], line: Series) -> None:
    whole = [value if state(payload, row) == "whole" else None for row, value in values]
    sheet.line(
        [(place, value) if value is not None else None for place, value in enumerate(whole)], line.colour, line.place
    )
    for place, (row, value) in enumerate(values):
        if value is not None:
            text = gettext("{at}, {name}: {users} users, {events} events")
            title = text.format(
                at=day_text(row["at"]), name=line.name, users=count(row["users"]), events=count(row["events"])
            )
            title = title if whole[place] is not None else gettext("{what} (not complete)").format(what=title)
            sheet.dot(place, value, line.colour, title, hollow=whole[place] is None, place=line.place)


def _shares(question: Question, payload: Payload, rows: list[Point]) -> Sheet:
    kinds = [
        (gettext("of the active users"), BLUE, [_of_active(payload, row) for row in rows]),
        (gettext("of the new users"), ORANGE, [_of_new(payload, row) for row in rows]),
    ]
    return _drawn_shares(question, rows, [(name, colour, ratios) for name, colour, ratios in kinds])


def _shares_by_line(
    question: Question, payload: Payload, by_line: dict[str, list[Point]], lines: tuple[Series, ...]
) -> Sheet:
    rows = next(iter(by_line.values()))
    kinds = [(line.name, line.colour, [_of_active(payload, row) for row in by_line[line.key]]) for line in lines]
    return _drawn_shares(question, rows, kinds)


def _drawn_shares(question: Question, rows: list[Point], kinds: list[tuple[str, str, list[Ratio | None]]]) -> Sheet:
    known = [ratio for _, _, ratios in kinds for ratio in ratios if ratio is not None]
    solid = [ratio.share for ratio in known if not ratio.is_tiny] or [ratio.share for ratio in known]
    sheet = _sheet(
        "shares", gettext("Share of users who did it"), rows, min(top_of(solid, least=0.02) * 1.2, 1.06), question.by
    )
    sheet.share_axis(gettext("share of users (95% CI)"))
    for place, (name, colour, ratios) in enumerate(kinds):
        with sheet.named(name):
            _share_line(sheet, rows, (name, colour, ratios), place)
    sheet.legend([(name, colour) for name, colour, _ in kinds])
    said = [[(name, ratios[at]) for name, _, ratios in kinds] for at in range(len(rows))]
    sheet.readings(
        [
            (at, reading(_heading(row, question.by), [(name, share_of_users(ratio)) for name, ratio in known if ratio]))
            for at, (row, known) in enumerate(zip(rows, said, strict=True))
        ],
        periods=[_period_of(row) for row in rows],
    )
    return sheet


def _share_line(sheet: Sheet, rows: list[Point], kind: tuple[str, str, list[Ratio | None]], place: int) -> None:
    name, colour, ratios = kind
    top = sheet.y_range[1]
    solid = [ratio if ratio is not None and not ratio.is_tiny else None for ratio in ratios]
    sheet.line([(at, min(ratio.share, top)) if ratio else None for at, ratio in enumerate(solid)], colour, place)
    for at, ratio in enumerate(ratios):
        if ratio is None:
            continue
        text = gettext("{at}, {name}: {share} of {users} users")
        title = text.format(at=day_text(rows[at]["at"]), name=name, share=ratio, users=count(ratio.whole))
        if not ratio.is_tiny:  # of a few users it would reach over most of the scale
            low, high = (min(limit, top) for limit in ratio.limits)
            sheet.interval(at, low, high, colour)
        sheet.dot(at, min(ratio.share, top), colour, title, hollow=ratio.is_tiny, place=place)


def _of_active(payload: Payload, row: Point) -> Ratio | None:
    ratio = Ratio(min(row["users"], row["active"]), row["active"])
    return ratio if ratio.is_known and state(payload, row) == "whole" else None


def _of_new(payload: Payload, row: Point) -> Ratio | None:
    """Ratio for dates whose new users all have their days complete, else None."""
    ratio = Ratio(row["did"], row["ready"])
    return ratio if ratio.is_known and row["ready"] == row["signups"] and state(payload, row) == "whole" else None


# ── Numbers ───────────────────────────────────────────────────────────────────
def _table(question: Question, payload: Payload, by_line: dict[str, list[Point]], lines: tuple[Series, ...]) -> Table:
    rows: list[Row] = []
    for line in lines:
        for row in reversed(by_line[line.key]):
            new = _of_new(payload, row)
            active = Ratio(min(row["users"], row["active"]), row["active"])
            rows.append(
                (
                    row["at"],
                    line.name,
                    count(row["users"]),
                    count(row["events"]),
                    _share_words(active),
                    _share_words(new) if new is not None else "",
                    count(row["signups"]),
                    _state_words(state(payload, row)),
                )
            )
    columns = (
        _period(question.by),
        gettext("users"),
        gettext("did it"),
        gettext("events"),
        gettext("of the active users (95% CI)"),
        gettext("of the new users (95% CI)"),
        gettext("new users"),
        gettext("state"),
    )
    return Table(gettext("The behaviour over time in numbers"), columns, tuple(rows))


def _share_words(ratio: Ratio) -> str:
    if not ratio.is_known:
        return ""
    text = limits(ratio.share, *ratio.limits)
    return gettext("{share}, only {users} users").format(share=text, users=ratio.whole) if ratio.is_tiny else text


def _state_words(code: str) -> str:
    return {"whole": gettext("complete"), "open": gettext("not yet"), "gap": gettext("no data")}[code]


def _file_rows(
    question: Question, payload: Payload, by_line: dict[str, list[Point]], lines: tuple[Series, ...]
) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for line in lines:
        for row in by_line[line.key]:
            active, new = Ratio(min(row["users"], row["active"]), row["active"]), Ratio(row["did"], row["ready"])
            rows.append(
                (
                    *(row["at"], line.name, row["users"], row["events"], row["active"], *active.cells()[2:]),
                    *(row["signups"], row["ready"], row["did"], *new.cells()[2:], state(payload, row)),
                )
            )
    return rows
