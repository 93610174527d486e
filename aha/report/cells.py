"""Sections of a candidate's page that show all cells of its behaviour. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aha.report.axes import WIDTH
from aha.report.claim import choice_caption, claim_words, number_words
from aha.report.honesty import judged_of
from aha.study.cells import Cell
from aha.study.choice import Pick
from aha.study.report_columns import wilson_interval
from aha.study.result import Candidate, Report
from events.metrics import display_name
from reporting.charts import (
    AMBER,
    BLUE,
    DEEP,
    GREY,
    INK,
    ON_MARK,
    ORANGE,
    SKY,
    YELLOW,
    Drawn,
    alt,
    data,
    lines,
    shade_range,
    share_axis,
)
from reporting.numbers import count, decimal, limits, percent
from reporting.table import Part, Row, Table
from reporting.words import days_words, gettext, reason_words, times_words
from stats.results import NotComputable, computable

# Every number of times and days of a candidate's behaviour. Pure.


type Key = tuple[int, int]


@dataclass(frozen=True)
class CellMap:
    """The Z × Y map of a behaviour: every number of days and times.

    Attributes:
        cells: by days and times, or why these days have none.
        chosen: days and times of the candidate.
        as_good: those of the indifference set. front: those on the front of precision and recall.
    """

    cells: Mapping[Key, Cell | NotComputable]
    chosen: Key
    as_good: frozenset[Key]
    front: frozenset[Key]

    @property
    def computed(self) -> tuple[Cell, ...]:
        """Rows of the map that were computed: without the invalid days."""
        return tuple(cell for cell in self.cells.values() if computable(cell))


def cell_map_part(squares: CellMap, candidate: Candidate, prefix: str) -> Part:
    """Every number of times and days."""
    slug, heading = f"{prefix}heat", gettext("Every number of times and days")
    text, numbers = cell_map_finding(squares, candidate), cell_map_table(squares, candidate)
    return Part(slug, heading, text, numbers, draw=lambda: cell_map_chart(squares), note=choice_caption())


def cell_map_finding(squares: CellMap, candidate: Candidate) -> str:
    """How many cells are as good within one standard error."""
    n = len(squares.as_good)
    if candidate.by_step:
        text = gettext("Threshold chosen at the jump at {times}. By J, cells as good as the best: {n}.")
    elif n > 1:
        text = gettext("{n} cells are as good as the best; the cheapest of them is taken.")
    else:
        text = gettext("One cell is clearly the best by its rule.")
    return text.format(n=n, times=candidate.times)


def cell_map_table(squares: CellMap, candidate: Candidate) -> Table:
    """All cells of the behaviour."""
    rows: list[Row] = []
    for key, cell in squares.cells.items():
        sign = " ◆" if key == squares.chosen else " ○" if key in squares.as_good else ""
        names = (str(key[0]), f"{key[1]}{sign}")
        if isinstance(cell, NotComputable):
            rows.append((*names, reason_words(cell), "", "", "", ""))
            continue
        j = decimal(cell.j.estimate, 3) if computable(cell.j) else ""
        shares = (percent(value.estimate) if computable(value) else "" for value in (cell.ppv, cell.recall, cell.reach))
        rows.append((*names, j, *shares, gettext("yes") if key in squares.front else ""))
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


def cell_map_chart(squares: CellMap) -> Drawn:
    """J of every cell, with the candidate, the cells as good, and the invalid ones."""
    overlaps = {key_of(cell): cell.j.estimate for cell in squares.computed if computable(cell.j)}
    rows = [
        {
            "days": days,
            "times": times,
            "j": overlaps.get((days, times)),
            "good": (days, times) in squares.as_good and (days, times) != squares.chosen,
            "chosen": (days, times) == squares.chosen,
            "invalid": isinstance(cell, NotComputable),
            "text": decimal(overlaps[days, times]) if (days, times) in overlaps else "",
        }
        for (days, times), cell in squares.cells.items()
    ]
    low, high = shade_range([*overlaps.values()])  # one outstanding cell doesn't spend all colours
    deep = low + 0.7 * (high - low)  # above it the colour needs white letters
    base = alt.Chart(data(rows)).encode(
        x=alt.X("times:O", title=gettext("at least so many times"), axis=alt.Axis(labelAngle=0)),
        y=alt.Y("days:O", title=gettext("within days"), sort="ascending"),
    )
    colour = alt.Color("j:Q", scale=alt.Scale(domain=[low, high], clamp=True, range=["#F8FAFC", DEEP]), title="J")
    valid, invalid = base.transform_filter("!datum.invalid"), base.transform_filter("datum.invalid")
    # A layer without marks would be a picture without a name to a screen reader.
    good, hatched = base.transform_filter("datum.good"), any(row["invalid"] for row in rows)
    layers = [
        valid.mark_rect(stroke="#FFFFFF", strokeWidth=2).encode(color=colour),
        *([invalid.mark_rect(fill="#F3F4F6", stroke="#FFFFFF", strokeWidth=2)] if hatched else []),
        *([invalid.mark_text(text="////", fontSize=13, color=GREY)] if hatched else []),
        *([good.mark_rect(filled=False, stroke=YELLOW, strokeWidth=2.5)] if any(row["good"] for row in rows) else []),
        base.transform_filter("datum.chosen").mark_rect(filled=False, stroke=ORANGE, strokeWidth=4),
        valid.mark_text(fontSize=12).encode(
            text="text:N", color=alt.condition(f"datum.j > {deep}", alt.value("#FFFFFF"), alt.value(ON_MARK))
        ),
    ]
    width = max(38 * len({times for _, times in squares.cells}), 240)
    signs = gettext("Bold frame: the candidate. Thin frames: as good within one standard error.")
    if hatched:
        signs += " " + gettext("Hatched: these days overlap those on which retention is measured.")
    note = (
        alt.Chart(data([{}]))
        .mark_text(text=lines(signs, 100), align="left", baseline="top", fontSize=12, color=GREY, lineHeight=16)
        .encode(x=alt.value(0), y=alt.value(0))
        .properties(width=width, height=34)
    )
    grid = alt.layer(*layers).properties(width=width, height=32 * len({days for days, _ in squares.cells}))
    return alt.vconcat(grid, note, spacing=8), 3 * len(rows)


def cell_map(report: Report, candidate: Candidate) -> CellMap:
    """Every cell of the candidate's behaviour, the invalid days too, by days and times."""
    question = report.asked
    judged = judged_of(report, candidate.behaviour)
    front = () if judged is None or not computable(judged.choice) else judged.choice.front
    cells: dict[Key, Cell | NotComputable] = {key_of(cell): cell for cell in report.cells(candidate.behaviour)}
    for invalid in question.invalid_days:
        for times in question.times[question.behaviours.index(candidate.behaviour)]:
            cells[invalid.days, times] = invalid.reason
    return CellMap(
        dict(sorted(cells.items())),
        key_of(candidate),
        frozenset(map(key_of, candidate.indifference)) & cells.keys(),
        frozenset(map(key_of, front)),
    )


def key_of(cell: Cell | Candidate | Pick) -> Key:
    """Days and times of a cell."""
    return cell.days, cell.times


# A, B and C of a candidate's behaviour by number of times. Pure.

RARE = 0.05  # share of doers: bars for numbers of times that fewer reach are left out


def by_times_part(squares: CellMap, candidate: Candidate, prefix: str) -> Part:
    """A, B and C by number of times."""
    rows = cells_by_times(squares, candidate)
    heading = gettext("A, B and C by number of times")
    drawn = up_to_most(rows, candidate)
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
        draw=lambda: by_times_chart(drawn, candidate),
    )


def up_to_most(rows: Sequence[Cell], candidate: Candidate) -> Sequence[Cell]:
    """Numbers of times up to the 95th percentile among users who did it, and at least to the chosen one."""
    if not rows:
        return rows
    doers = rows[0].b + rows[0].c
    last = max(place for place, row in enumerate(rows) if row.times == candidate.times or row.b + row.c >= RARE * doers)
    return rows[: last + 1]


def by_times_finding(rows: Sequence[Cell], candidate: Candidate) -> str:
    """Sentence on B (did it and stayed) at the chosen number of times."""
    row = next((row for row in rows if row.times == candidate.times), None)
    if row is None:
        return claim_words(candidate)
    text = gettext("At {times}, {b} of those who did it or stayed are both.")
    return text.format(times=times_words(row.times), b=percent(row.b / row.union, 0))


def by_times_table(cells: Sequence[Cell], candidate: Candidate) -> Table:
    """A, B and C for every Z within the candidate's days."""
    rows = tuple(
        (
            f"{row.times}{' ◆' if row.times == candidate.times else ''}",
            *(f"{count(n)} ({percent(n / row.union, 0)})" for n in (row.a, row.b, row.c)),
            count(row.union),
        )
        for row in cells
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


def by_times_chart(cells: Sequence[Cell], candidate: Candidate) -> Drawn:
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
            "share": n / row.union,
            "order": place,
            "chosen": row.times == candidate.times,
            "text": percent(n / row.union, 0) if n / row.union >= 0.08 else "",
        }
        for row in cells
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
        scale=alt.Scale(domain=list(parts.values()), range=[DEEP, SKY, AMBER]),
        legend=alt.Legend(orient="bottom", labelLimit=300),
    )
    mark = alt.Chart(data([{"times": row.times, "text": "◆"} for row in cells if row.times == candidate.times]))
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


def cells_by_times(squares: CellMap, candidate: Candidate) -> tuple[Cell, ...]:
    """The cells of the candidate's behaviour within the candidate's days, for every Z that shares can be given of."""
    return tuple(cell for cell in squares.computed if cell.days == candidate.days and cell.union)


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
            "Each mark is a cell; the front is drawn through those done by 5 to 80 percent of users that no other "
            "beats in both. The numbers are in the table above."
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
    squares = cell_map(report, candidate)

    def kind(cell: Cell) -> int:
        return 0 if key_of(cell) == squares.chosen else 1 if key_of(cell) in squares.front else 2

    # The candidate comes last, so that it is drawn on top.
    rows = [
        {"recall": cell.recall.estimate, "ppv": cell.ppv.estimate, "kind": kinds[kind(cell)], "order": kind(cell)}
        for cell in sorted(squares.computed, key=kind, reverse=True)
        if computable(cell.recall) and computable(cell.ppv)
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
        color=alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[ORANGE, BLUE, GREY]), legend=legend),
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
    interval = wilson_interval(part, whole)
    return limits(interval.estimate, interval.low, interval.high)
