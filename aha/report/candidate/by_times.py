"""A, B and C of a candidate's behaviour by number of times. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from aha.report.axes import WIDTH
from aha.report.candidate.cell_map import cells_of
from aha.report.claim import claim_words
from aha.study.result import Candidate, Report
from reporting.charts import BLUE, INK, ON_MARK, SKY, YELLOW, Drawn, alt, data, share_axis
from reporting.counted import days_words, times_words
from reporting.numbers import count, percent
from reporting.table import Part, Table
from reporting.words import gettext

RARE = 0.05  # numbers of times that fewer of the doers reach are a long tail of bars that say nothing


@dataclass(frozen=True)
class Split:
    """One number of times: shares of the union of doers and stayers, and the counts behind them."""

    times: int
    a: int
    b: int
    c: int
    chosen: bool

    @property
    def union(self) -> int:
        """A + B + C."""
        return self.a + self.b + self.c

    def share(self, part: int) -> float:
        """Part of the union, 0 to 1."""
        return part / self.union if self.union else 0.0


def part(report: Report, candidate: Candidate, prefix: str) -> Part:
    """A, B and C by number of times."""
    rows = splits(report, candidate)
    heading = gettext("A, B and C by number of times")
    drawn = up_to_most(rows)
    note = ""
    if len(drawn) < len(rows):
        text = gettext("The picture ends at {n} times, the 95th percentile of those who do it at all.")
        note = text.format(n=drawn[-1].times)
    return Part(
        f"{prefix}stack",
        heading,
        finding(rows, candidate),
        table(rows, candidate),
        note=note,
        draw=lambda: chart(drawn),
    )


def up_to_most(rows: Sequence[Split]) -> Sequence[Split]:
    """The numbers of times up to the 95th percentile of those who do it at all, and to the chosen one."""
    if not rows:
        return rows
    doers = rows[0].b + rows[0].c
    last = max(place for place, row in enumerate(rows) if row.chosen or row.b + row.c >= RARE * doers)
    return rows[: last + 1]


def finding(rows: Sequence[Split], candidate: Candidate) -> str:
    """B at the chosen Z."""
    row = next((row for row in rows if row.chosen), None)
    if row is None:
        return claim_words(candidate)
    text = gettext("At {times}, {b} of those who did it or stayed are both.")
    return text.format(times=times_words(row.times), b=percent(row.share(row.b), 0))


def table(found: Sequence[Split], candidate: Candidate) -> Table:
    """A, B and C for every Z within the candidate's days."""
    rows = tuple(
        (
            f"{row.times}{' ◆' if row.chosen else ''}",
            *(f"{count(n)} ({percent(row.share(n), 0)})" for n in (row.a, row.b, row.c)),
            count(row.union),
        )
        for row in found
    )
    columns = (
        gettext("at least … times"),
        gettext("A: stayed without"),
        gettext("B: did it and stayed"),
        gettext("C: did it and left"),
        gettext("A + B + C"),
    )
    title = gettext("A, B and C within {days}").format(days=days_words(candidate.days))
    return Table(title, columns, rows, gettext("Shares of A + B + C; B's share is J. ◆: the candidate."))


def chart(found: Sequence[Split]) -> Drawn:
    """A, B and C by number of times."""
    parts = {
        "b": gettext("B: did it and stayed"),
        "a": gettext("A: stayed without"),
        "c": gettext("C: did it and left"),
    }
    rows = [
        {
            "times": row.times,
            "part": parts[name],
            "share": row.share(n),
            "order": place,
            "chosen": row.chosen,
            "text": percent(row.share(n), 0) if row.share(n) >= 0.08 else "",
        }
        for row in found
        for place, (name, n) in enumerate((("b", row.b), ("a", row.a), ("c", row.c)))
    ]
    x = alt.X("times:O", title=gettext("at least so many times"), axis=alt.Axis(labelAngle=0))
    base = alt.Chart(data(rows)).encode(x=x, order="order:Q")
    y = alt.Y(
        "share:Q", stack=True, title=gettext("share of A + B + C"), axis=share_axis(), scale=alt.Scale(domain=[0, 1])
    )
    colour = alt.Color(
        "part:N",
        title=None,
        scale=alt.Scale(domain=list(parts.values()), range=[BLUE, SKY, YELLOW]),
        legend=alt.Legend(orient="bottom", labelLimit=300),
    )
    mark = alt.Chart(data([{"times": row.times, "text": "◆"} for row in found if row.chosen]))
    layers = [
        base.mark_bar().encode(y=y, color=colour),
        base.mark_text(fontSize=11, dy=9, baseline="top").encode(
            y=alt.Y("share:Q", stack=True),
            text="text:N",
            color=alt.condition(f"datum.part === '{parts['b']}'", alt.value("#FFFFFF"), alt.value(ON_MARK)),
        ),
        mark.mark_text(fontSize=16, color=INK, dy=-10).encode(x=x, y=alt.value(0), text="text:N"),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=240), 2 * len(rows) + 1


def splits(report: Report, candidate: Candidate) -> tuple[Split, ...]:
    """A, B and C of the candidate's behaviour for every Z, within the candidate's days."""
    return tuple(
        Split(cell.times, cell.a, cell.b, cell.c, cell.chosen)
        for cell in cells_of(report, candidate)
        if cell.days == candidate.days and cell.reason is None and cell.a + cell.b + cell.c
    )
