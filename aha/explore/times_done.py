"""Histogram of how often users did a behaviour within their first days, with retention for each number. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from aha.explore.question import Question
from aha.explore.report_parts import (
    RATIO_NAMES,
    Cell,
    Payload,
    Ratio,
    Series,
    Shown,
    compared,
    definition,
    difference,
    series_of,
    share_of_users,
    top_of,
    who,
)
from aha.report.claim import cell_words
from reporting.charts import BLUE, ORANGE, PALE, reading
from reporting.numbers import between, count, percent, points
from reporting.plain_svg import Sheet
from reporting.table import Row, Table
from reporting.words import days_words, gettext, times_words

CUT = 0.95
MOST_BARS = 30
type Counts = dict[int, tuple[int, int]]  # users and retained by number of times


@dataclass(frozen=True)
class Bar:
    """Users with one number of times; in the last bar, with this number or more."""

    times: int
    more: bool
    users: int
    retained: int

    @property
    def name(self) -> str:
        """Axis label."""
        return f"{self.times}+" if self.more else str(self.times)


def shown(question: Question, payload: Payload) -> Shown:
    """Charts and tables of the view."""
    counts = _counts(payload, None)
    bars = bars_of(counts)
    judged = payload["judged"]
    by_group = _by_segment(question, payload)
    sheets = [_histogram(bars, question)]
    if judged:
        sheets.append(_retention(bars, question))
    why = gettext("How often and staying go together here; only an experiment can say whether one causes the other.")
    text = gettext(
        "Users count when the days that are needed ({needs}) are complete; what they do on days 0 to {last} counts."
    )
    return Shown(
        finding=_finding(question, payload, counts),
        notes=(
            text.format(needs=payload["needs"], last=question.days - 1),
            *((definition(question), why) if judged else ()),
            *who(question, payload),
        ),
        sheets=tuple(sheets),
        tables=(*((_four(counts, question.times),) if judged else ()), *by_group, _table(bars, judged)),
        opened=int(judged) + len(by_group),
        names=("segment", "times", "users", "retained", *RATIO_NAMES),
        rows=tuple(_file_rows(payload)),
        outcome=f"count:{question.parsed_behaviour}:0-{question.days - 1}",
        warnings=_warnings(question, judged),
    )


def _warnings(question: Question, judged: bool) -> tuple[str, ...]:
    if judged or question.definition is None:
        return ()
    text = gettext(
        "Retention isn't shown: {days} days of behaviour must end before retention is measured, or being around would "
        "predict itself. Choose fewer days or later retention days; survival and “or later” can't be used here."
    )
    return (text.format(days=question.days),)


def _counts(payload: Payload, segment: str | None) -> Counts:
    entries = payload["everybody"] if segment is None else payload["counts"]
    return {times: (users, retained) for key, times, users, retained in entries if segment in (None, key)}


def last_bar(counts: Counts) -> int:
    """Number of the last bar, which joins all higher ones: one above the 95th percentile of the times of doers."""
    doers = sum(users for times, (users, _) in counts.items() if times > 0)
    seen = 0
    for times in sorted(times for times in counts if times > 0):
        seen += counts[times][0]
        if seen >= CUT * doers:
            return min(times, MOST_BARS) + 1
    return 1


def bars_of(counts: Counts) -> tuple[Bar, ...]:
    """A bar for each number of times, including empty ones, and one for more."""
    last = last_bar(counts)
    bars = [Bar(times, False, *counts.get(times, (0, 0))) for times in range(last)]
    rest = [pair for times, pair in counts.items() if times >= last]
    if rest:
        bars.append(Bar(last, True, sum(users for users, _ in rest), sum(retained for _, retained in rest)))
    return tuple(bars)


def four_counts(counts: Counts, times: int) -> tuple[int, int, int, int]:
    """A, B, C, O of "at least so many times"."""
    b = sum(retained for n, (_, retained) in counts.items() if n >= times)
    a = sum(retained for n, (_, retained) in counts.items() if n < times)
    did = sum(users for n, (users, _) in counts.items() if n >= times)
    rest = sum(users for n, (users, _) in counts.items() if n < times)
    return a, b, did - b, rest - a


def _finding(question: Question, payload: Payload, counts: Counts) -> str:
    users = sum(users for users, _ in counts.values())
    if not users:
        return gettext("No user's days are complete yet.")
    lines = series_of(payload)
    cell = cell_words(question.behaviour, question.times, question.days)
    if both := compared(cell, lines, [_did(_counts(payload, line.key), question.times) for line in lines]):
        return both
    did = _did(counts, question.times)
    return gettext("{share} of {users} users do {cell}.").format(share=did, users=count(users), cell=cell)


def _did(counts: Counts, least: int) -> Ratio:
    """Users who did it at least so many times, of all."""
    return Ratio(
        sum(number for times, (number, _) in counts.items() if times >= least),
        sum(number for number, _ in counts.values()),
    )


def _often(bar: Bar) -> str:
    return gettext("{n} times").format(n=bar.name) if bar.more else times_words(bar.times)


# ── Pictures ──────────────────────────────────────────────────────────────────
def _axis(sheet: Sheet, bars: Sequence[Bar], question: Question) -> None:
    title = gettext("times within {days}").format(days=days_words(question.days))
    sheet.x_axis(title, [(place, bar.name) for place, bar in enumerate(bars)])


def _histogram(bars: Sequence[Bar], question: Question) -> Sheet:
    top = top_of([bar.users for bar in bars])
    sheet = Sheet("times", gettext("Users by number of times"), (-0.6, len(bars) - 0.4), (0.0, top), height=270.0)
    sheet.count_axis(gettext("users"))
    _axis(sheet, bars, question)
    users = sum(bar.users for bar in bars)
    for place, bar in enumerate(bars):
        share = Ratio(bar.users, users)
        title = gettext("{times}: {users} users, {share}").format(
            times=_often(bar), users=count(bar.users), share=share
        )
        colour = BLUE if bar.times >= question.times else PALE
        sheet.bar((place - 0.4, place + 0.4), (0.0, float(bar.users)), colour, title)
    sheet.legend([(f"< {question.times}", PALE), (f"≥ {question.times}", BLUE)])
    said = [(bar, Ratio(bar.users, users)) for bar in bars]
    sheet.readings(
        [
            (place, reading(_often(bar), [(gettext("users"), f"{count(bar.users)} · {share}")]))
            for place, (bar, share) in enumerate(said)
        ]
    )
    return sheet


def _retention(bars: Sequence[Bar], question: Question) -> Sheet:
    known = [(place, bar, Ratio(bar.retained, bar.users)) for place, bar in enumerate(bars) if bar.users]
    top = min(top_of([ratio.limits[1] for _, _, ratio in known if not ratio.is_tiny], least=0.05), 1.06)
    sheet = Sheet("stayed", gettext("Retention by number of times"), (-0.6, len(bars) - 0.4), (0.0, top), height=270.0)
    sheet.share_axis(gettext("retained (95% CI)"))
    _axis(sheet, bars, question)
    for place, bar, ratio in known:
        if not ratio.is_tiny:  # of a few users it would reach over most of the scale
            low, high = (min(limit, top) for limit in ratio.limits)
            sheet.interval(place, low, high, ORANGE)
        text = gettext("{times}: {share} of {users} users retained")
        title = text.format(times=_often(bar), share=ratio, users=count(bar.users))
        sheet.dot(place, min(ratio.share, top), ORANGE, title, hollow=ratio.is_tiny)
    retained = gettext("retained")
    sheet.readings([(place, reading(_often(bar), [(retained, share_of_users(ratio))])) for place, bar, ratio in known])
    return sheet


# ── Numbers ───────────────────────────────────────────────────────────────────
def _table(bars: Sequence[Bar], judged: bool) -> Table:
    users = sum(bar.users for bar in bars)
    rows: list[Row] = []
    for bar in bars:
        row: Row = (bar.name, count(bar.users), str(Ratio(bar.users, users)))
        rows.append(
            (*row, count(bar.retained), str(Ratio(bar.retained, bar.users)) if bar.users else "") if judged else row
        )
    columns: Row = (gettext("times"), gettext("users"), gettext("share of users (95% CI)"))
    if judged:
        columns = (*columns, gettext("retained"), gettext("retention (95% CI)"))
    note = gettext("The last row joins what lies above the 95th percentile of the users who did it at all.")
    return Table(gettext("Times in numbers"), columns, tuple(rows), note)


def _four(counts: Counts, times: int) -> Table:
    a, b, c, o = four_counts(counts, times)
    users = a + b + c + o
    words = (
        (gettext("A: stayed without it"), a),
        (gettext("B: did it and stayed"), b),
        (gettext("C: did it and left"), c),
        (gettext("neither"), o),
    )
    rows: list[Row] = [(name, count(number), str(Ratio(number, users))) for name, number in words]
    interval = difference(Ratio(b, b + c), Ratio(a, a + o), 1)
    note = ""
    if interval is not None:
        estimate, low, high = interval
        text = gettext(
            "Retention is {did} of those who did it often enough and {rest} of the others: {points} points ({limits})."
        )
        note = text.format(
            did=percent(b / (b + c)),
            rest=percent(a / (a + o)),
            points=points(estimate),
            limits=between(points(low), points(high)),
        )
    columns = (gettext("group"), gettext("users"), gettext("share of users (95% CI)"))
    title = gettext("{times} or more, and staying").format(times=times_words(times))
    return Table(title, columns, tuple(rows), note)


def _by_segment(question: Question, payload: Payload) -> tuple[Table, ...]:
    lines: tuple[Series, ...] = series_of(payload)
    if len(lines) < 2:
        return ()
    rows: list[Row] = []
    for line in lines:
        counts = _counts(payload, line.key)
        did = _did(counts, question.times)
        row: Row = (line.name, count(did.whole), str(did))
        if payload["judged"]:
            a, b, c, o = four_counts(counts, question.times)
            row = (*row, str(Ratio(b, b + c)), str(Ratio(a, a + o)))
        rows.append(row)
    columns: Row = (gettext("group"), gettext("users"), gettext("did it often enough (95% CI)"))
    if payload["judged"]:
        columns = (*columns, gettext("retention of those who did"), gettext("retention of the others"))
    return (Table(gettext("Groups side by side"), columns, tuple(rows)),)


def _file_rows(payload: Payload) -> list[tuple[Cell, ...]]:
    names = {line.key: line.name for line in series_of(payload)}
    rows: list[tuple[Cell, ...]] = []
    for key, times, users, retained in payload["counts"]:
        share = Ratio(retained, users).cells()[2:] if payload["judged"] else (None, None, None)
        rows.append((names.get(key, key), times, users, retained if payload["judged"] else None, *share))
    return rows
