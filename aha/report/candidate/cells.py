"""Sections of a candidate's page that show all cells of its behaviour. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from aha.report.axes import WIDTH
from aha.report.candidate.honesty import judged_of
from aha.report.claim import choice_caption, claim_words, number_words
from aha.study.choice import Pick
from aha.study.report_columns import wilson_interval
from aha.study.result import Candidate, Report
from events.metrics import display_name
from reporting.charts import BLUE, GREY, INK, ON_MARK, ORANGE, SKY, YELLOW, Drawn, alt, data, lines, share_axis
from reporting.numbers import count, decimal, limits, percent
from reporting.table import Part, Row, Table
from reporting.words import days_words, gettext, reason_words, times_words
from stats.results import NotComputable, computable

# Every number of times and days of a candidate's behaviour. Pure.


@dataclass(frozen=True)
class GridCell:
    """One square of the Z × Y map of a behaviour.

    Attributes:
        days, times: Y and Z.
        j: J, 0 to 1, None where it isn't computable.
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


def cell_map_part(report: Report, candidate: Candidate, prefix: str) -> Part:
    """Every number of times and days."""
    cells = cells_of(report, candidate)
    slug, heading = f"{prefix}heat", gettext("Every number of times and days")
    text, numbers = cell_map_finding(cells, candidate), cell_map_table(cells, candidate)
    return Part(slug, heading, text, numbers, draw=lambda: cell_map_chart(cells), note=choice_caption())


def cell_map_finding(cells: Sequence[GridCell], candidate: Candidate) -> str:
    """How many cells would have done as well."""
    n = sum(cell.as_good for cell in cells)
    if candidate.by_step:
        text = gettext("Threshold chosen at the jump at {times}. By J, cells as good as the best: {n}.")
    elif n > 1:
        text = gettext("{n} cells are as good as the best; the cheapest of them is taken.")
    else:
        text = gettext("One cell is clearly the best by its rule.")
    return text.format(n=n, times=candidate.times)


def cell_map_table(cells: Sequence[GridCell], candidate: Candidate) -> Table:
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


def cell_map_chart(found: Sequence[GridCell]) -> Drawn:
    """J of every cell, with the candidate, the cells as good, and the invalid ones."""
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


# A, B and C of a candidate's behaviour by number of times. Pure.

RARE = 0.05  # share of doers: bars for numbers of times that fewer reach are left out


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


def by_times_part(report: Report, candidate: Candidate, prefix: str) -> Part:
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
        by_times_finding(rows, candidate),
        by_times_table(rows, candidate),
        note=note,
        draw=lambda: by_times_chart(drawn),
    )


def up_to_most(rows: Sequence[Split]) -> Sequence[Split]:
    """The numbers of times up to the 95th percentile of those who do it at all, and to the chosen one."""
    if not rows:
        return rows
    doers = rows[0].b + rows[0].c
    last = max(place for place, row in enumerate(rows) if row.chosen or row.b + row.c >= RARE * doers)
    return rows[: last + 1]


def by_times_finding(rows: Sequence[Split], candidate: Candidate) -> str:
    """B at the chosen Z."""
    row = next((row for row in rows if row.chosen), None)
    if row is None:
        return claim_words(candidate)
    text = gettext("At {times}, {b} of those who did it or stayed are both.")
    return text.format(times=times_words(row.times), b=percent(row.share(row.b), 0))


def by_times_table(found: Sequence[Split], candidate: Candidate) -> Table:
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


def by_times_chart(found: Sequence[Split]) -> Drawn:
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


# Precision against recall of every cell of a candidate's behaviour. Pure.


def precision_recall_part(report: Report, candidate: Candidate, prefix: str) -> Part:
    """Precision against recall; the numbers are in the table of `cell_map`."""
    return Part(
        f"{prefix}pareto",
        gettext("Precision against recall"),
        precision_recall_finding(candidate),
        None,
        draw=lambda: precision_recall_chart(report, candidate),
        note=gettext(
            "Each mark is a cell; the front is drawn through those with a reach of 5 to 80% that no other beats in "
            "both. The numbers are in the table above."
        ),
    )


def precision_recall_finding(candidate: Candidate) -> str:
    """Precision and recall of the candidate in words."""
    cell = candidate.cell
    if not computable(cell.ppv) or not computable(cell.recall):
        return claim_words(candidate)
    text = gettext("Of those who did it {ppv} stayed; of those who stayed {recall} did it.")
    return text.format(ppv=percent(cell.ppv.estimate, 0), recall=percent(cell.recall.estimate, 0))


def precision_recall_chart(report: Report, candidate: Candidate) -> Drawn:
    """Precision against recall of every cell."""
    kinds = [gettext("candidate"), gettext("on the front"), gettext("other cells")]
    # The candidate comes last, so that it is drawn on top.
    rows = [
        {
            "recall": cell.recall,
            "ppv": cell.ppv,
            "kind": kinds[0] if cell.chosen else kinds[1] if cell.on_front else kinds[2],
            "order": 0 if cell.chosen else 1 if cell.on_front else 2,
        }
        for cell in sorted(cells_of(report, candidate), key=lambda cell: (cell.chosen, cell.on_front))
        if cell.recall is not None and cell.ppv is not None and cell.reason is None
    ]
    base = alt.Chart(data(rows)).encode(
        x=alt.X(
            "recall:Q",
            title=gettext("recall: doers of those who stay"),
            axis=share_axis(),
            scale=alt.Scale(domain=[0, 1]),
        ),
        y=alt.Y(
            "ppv:Q",
            title=gettext("precision: retained, of those who did it"),
            axis=share_axis(),
            scale=alt.Scale(domain=[0, 1]),
        ),
    )
    legend = alt.Legend(orient="right", title=None)
    dots = base.mark_point(filled=True, opacity=1).encode(
        color=alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[ORANGE, BLUE, "#9CA3AF"]), legend=legend),
        shape=alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=["diamond", "square", "circle"]), legend=legend),
        size=alt.Size("kind:N", scale=alt.Scale(domain=kinds, range=[220, 70, 40]), legend=legend),
    )
    front = base.transform_filter("datum.order < 2").mark_line(color=BLUE, strokeWidth=1, interpolate="step-before")
    text = number_words(candidate.times, candidate.days)
    label = base.transform_filter("datum.order === 0").mark_text(
        text=text, align="left", dx=12, dy=-8, fontSize=12, fontWeight="bold", color=ORANGE
    )
    rate = report.population.rate
    layers = [front, dots, label]
    if computable(rate):
        line = alt.Chart(data([{"at": rate.estimate, "text": gettext("stay of all")}])).encode(y="at:Q")
        layers = [
            line.mark_rule(color=GREY, strokeDash=[4, 3]),
            line.mark_text(align="right", dy=-7, fontSize=11, color=GREY).encode(x=alt.value(420), text="text:N"),
            *layers,
        ]
    return alt.layer(*layers).properties(width=420, height=300), len(rows) + 4


# The four counts of a cell: A, B, C and O. Pure.


def counts_table(candidate: Candidate) -> Table:
    """The four counts of the candidate and the metrics from them, with intervals."""
    cell = candidate.cell
    return four_counts(cell.a, cell.b, cell.c, cell.o)


def four_counts(a: int, b: int, c: int, o: int) -> Table:
    """A, B, C, O as counts, as shares of A + B + C and of all users."""
    union, everybody = a + b + c, a + b + c + o
    names = (
        gettext("A: stayed without"),
        gettext("B: did it and stayed"),
        gettext("C: did it and left"),
        gettext("O: neither"),
    )
    rows = [
        (gettext("retained if did it: B of B + C"), count(b + c), _of(b, b + c), ""),
        (gettext("retained if not: A of A + O"), count(a + o), _of(a, a + o), ""),
        (gettext("did it, among retained: B of A + B"), count(a + b), _of(b, a + b), ""),
    ]
    rows += [
        (name, count(n), "" if name is names[3] else _of(n, union), _of(n, everybody))
        for name, n in zip(names, (a, b, c, o), strict=True)
    ]
    columns = (gettext("who"), gettext("users"), gettext("share (95% CI)"), gettext("of all users"))
    note = gettext("All users. A, B and C as shares of A + B + C; B's share is J. Intervals are of this one cell.")
    return Table(gettext("The four counts"), columns, tuple(rows), note)


def _of(part: int, whole: int) -> str:
    if not whole:
        return ""
    found = wilson_interval(part, whole)
    return limits(found.estimate, found.low, found.high)
