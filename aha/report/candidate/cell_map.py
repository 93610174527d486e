"""Every number of times and days of a candidate's behaviour. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from aha.report.candidate.jump import judged_of
from aha.report.claim import choice_caption
from aha.study.choice import Pick
from aha.study.result import Candidate, Report
from events.metrics import display_name
from reporting.charts import BLUE, GREY, ON_MARK, ORANGE, YELLOW, Drawn, alt, data, lines
from reporting.numbers import decimal, percent
from reporting.table import Part, Row, Table
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable


@dataclass(frozen=True)
class GridCell:
    """One square of the Z × Y map of a behaviour.

    Attributes:
        days, times: Y and Z.
        j: J, 0 to 1, None where it can't be had.
        chosen: the candidate's cell.
        as_good: in the indifference set.
        reason: why the cell wasn't computed, None where it was.
        a, b, c, o: the counts; 0 where it wasn't computed.
    """

    days: int
    times: int
    j: float | None
    chosen: bool
    as_good: bool
    reason: NotComputable | None
    a: int = 0
    b: int = 0
    c: int = 0
    o: int = 0
    recall: float | None = None
    ppv: float | None = None
    reach: float | None = None
    on_front: bool = False


def part(report: Report, candidate: Candidate, prefix: str) -> Part:
    """Every number of times and days."""
    cells = cells_of(report, candidate)
    slug, heading = f"{prefix}heat", gettext("Every number of times and days")
    text, numbers = finding(cells, candidate), table(cells, candidate)
    return Part(slug, heading, text, numbers, draw=lambda: chart(cells), note=choice_caption())


def finding(cells: Sequence[GridCell], candidate: Candidate) -> str:
    """How many cells would have done as well."""
    n = sum(cell.as_good for cell in cells)
    if candidate.by_step:
        text = gettext("Threshold chosen at the jump at {times}. By J, cells as good as the best: {n}.")
    elif n > 1:
        text = gettext("{n} cells are as good as the best; the cheapest of them is taken.")
    else:
        text = gettext("One cell is clearly the best by its rule.")
    return text.format(n=n, times=candidate.times)


def table(cells: Sequence[GridCell], candidate: Candidate) -> Table:
    """All cells of the behaviour."""
    rows: list[Row] = []
    for cell in cells:
        sign = " ◆" if cell.chosen else " ○" if cell.as_good else ""
        key = (str(cell.days), f"{cell.times}{sign}")
        if cell.reason is not None:
            rows.append((*key, reason_words(cell.reason), "", "", "", ""))
            continue
        shares = (cell.ppv, cell.recall, cell.reach)
        texts = ("" if value is None else percent(value) for value in shares)
        rows.append(
            (*key, "" if cell.j is None else decimal(cell.j, 3), *texts, gettext("yes") if cell.on_front else "")
        )
    columns = (
        gettext("within days"),
        gettext("at least … times"),
        "J",
        gettext("retained if did it (precision)"),
        gettext("doers of those who stay (recall)"),
        gettext("reach"),
        gettext("on the front"),
    )
    note = gettext(
        "◆: the candidate. ○: as good within one standard error. The front: no other cell is better in both."
    )
    return Table(
        gettext("All cells of {behaviour}").format(behaviour=display_name(candidate.behaviour)),
        columns,
        tuple(rows),
        note,
    )


def chart(found: Sequence[GridCell]) -> Drawn:
    """J of every cell, with the candidate, the cells as good, and those that may not be computed."""
    rows = [
        {
            "days": cell.days,
            "times": cell.times,
            "j": cell.j,
            "good": cell.as_good and not cell.chosen,
            "chosen": cell.chosen,
            "invalid": cell.reason is not None,
            "text": "" if cell.j is None else decimal(cell.j),
        }
        for cell in found
    ]
    strongest = max((cell.j for cell in found if cell.j is not None), default=1.0)
    base = alt.Chart(data(rows)).encode(
        x=alt.X("times:O", title=gettext("at least so many times"), axis=alt.Axis(labelAngle=0)),
        y=alt.Y("days:O", title=gettext("within days"), sort="ascending"),
    )
    colour = alt.Color("j:Q", scale=alt.Scale(domain=[0, strongest], range=["#F8FAFC", BLUE]), title="J")
    valid, invalid = base.transform_filter("!datum.invalid"), base.transform_filter("datum.invalid")
    layers = [
        valid.mark_rect(stroke="#FFFFFF", strokeWidth=2).encode(color=colour),
        invalid.mark_rect(fill="#F3F4F6", stroke="#FFFFFF", strokeWidth=2),
        invalid.mark_text(text="////", fontSize=13, color="#9CA3AF"),
        base.transform_filter("datum.good").mark_rect(filled=False, stroke=YELLOW, strokeWidth=2.5),
        base.transform_filter("datum.chosen").mark_rect(filled=False, stroke=ORANGE, strokeWidth=4),
        valid.mark_text(fontSize=11).encode(
            text="text:N", color=alt.condition(f"datum.j > {0.7 * strongest}", alt.value("#FFFFFF"), alt.value(ON_MARK))
        ),
    ]
    width = max(38 * len({cell.times for cell in found}), 240)
    signs = gettext("Bold frame: the candidate. Thin frames: as good within one standard error.")
    if any(cell.reason for cell in found):
        signs += " " + gettext("Hatched: these days reach into those on which retention is measured.")
    note = (
        alt.Chart(data([{}]))
        .mark_text(text=lines(signs, 100), align="left", baseline="top", fontSize=12, color=GREY, lineHeight=16)
        .encode(x=alt.value(0), y=alt.value(0))
        .properties(width=width, height=34)
    )
    grid = alt.layer(*layers).properties(width=width, height=32 * len({cell.days for cell in found}))
    return alt.vconcat(grid, note, spacing=8), 3 * len(rows)


def cells_of(report: Report, candidate: Candidate) -> tuple[GridCell, ...]:
    """Every cell of the candidate's behaviour, the invalid days too, by days and times."""
    asked, grid = report.asked, report.grid
    number = asked.behaviours.index(candidate.behaviour)
    judged = judged_of(report, candidate.behaviour)
    front = () if judged is None or not computable(judged.choice) else judged.choice.front
    found = [
        GridCell(
            days=grid.days[place],
            times=grid.times[place],
            j=grid.j[place],
            chosen=(grid.days[place], grid.times[place]) == (candidate.days, candidate.times),
            as_good=_among(candidate.indifference, grid.days[place], grid.times[place]),
            reason=None,
            a=grid.a[place],
            b=grid.b[place],
            c=grid.c[place],
            o=grid.o[place],
            recall=grid.recall[place],
            ppv=grid.ppv[place],
            reach=grid.reach[place],
            on_front=_among(front, grid.days[place], grid.times[place]),
        )
        for place in range(grid.size)
        if grid.behaviour[place] == number
    ]
    found += [
        GridCell(invalid.days, times, None, False, False, invalid.reason)
        for invalid in asked.invalid_days
        for times in asked.times[number]
    ]
    return tuple(sorted(found, key=lambda cell: (cell.days, cell.times)))


def _among(picks: Sequence[Pick], days: int, times: int) -> bool:
    return any((pick.days, pick.times) == (days, times) for pick in picks)
