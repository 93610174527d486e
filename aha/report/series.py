"""The rows behind each chart of a study: charts draw them, tables print them, so both say the same. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from aha.study.cell_metrics import Interval
from aha.study.choice import Pick
from aha.study.exhibits import NullPicture, Swarm, WeekCell
from aha.study.report_columns import wilson_interval
from aha.study.result import Candidate, Judged, Ranked, Report
from stats.results import NotComputable, computable

MOST_RANKED = 15
SWARM_BINS = 60
# Beyond so many times the largest value of the null the observed one is written at the edge: true to scale, the whole
# null would be one thin bar.
FAR = 1.6


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


@dataclass(frozen=True)
class WeekRow:
    """One signup week of a candidate: share that reached it, and retention of both sides, with intervals."""

    week: str
    units: int
    reach: Interval
    doers: Interval | None
    others: Interval | None


@dataclass(frozen=True)
class Dot:
    """A unit in the beeswarm: SHAP in log-odds, height within its row (-1 to 1), value as a quantile (0 to 1)."""

    shap: float
    height: float
    quantile: float


def judged_of(report: Report, behaviour: str) -> Judged | None:
    """What was judged of one behaviour."""
    return next((row for row in report.judged if row.behaviour == behaviour), None)


def cells_of(report: Report, candidate: Candidate) -> tuple[GridCell, ...]:
    """Every cell of the candidate's behaviour, the invalid days too, by days and times."""
    asked, grid = report.asked, report.grid
    number = asked.behaviours.index(candidate.behaviour)
    judged = judged_of(report, candidate.behaviour)
    front = () if judged is None or not computable(judged.choice) else judged.choice.front
    found = [
        GridCell(
            days=grid.days[place], times=grid.times[place], j=grid.j[place],
            chosen=(grid.days[place], grid.times[place]) == (candidate.days, candidate.times),
            as_good=_among(candidate.indifference, grid.days[place], grid.times[place]),
            reason=None, a=grid.a[place], b=grid.b[place], c=grid.c[place], o=grid.o[place],
            recall=grid.recall[place], ppv=grid.ppv[place], reach=grid.reach[place],
            on_front=_among(front, grid.days[place], grid.times[place]),
        )
        for place in range(grid.size)
        if grid.behaviour[place] == number
    ]  # fmt: skip
    found += [
        GridCell(invalid.days, times, None, False, False, invalid.reason)
        for invalid in asked.invalid_days
        for times in asked.times[number]
    ]
    return tuple(sorted(found, key=lambda cell: (cell.days, cell.times)))


def _among(picks: Sequence[Pick], days: int, times: int) -> bool:
    return any((pick.days, pick.times) == (days, times) for pick in picks)


def splits(report: Report, candidate: Candidate) -> tuple[Split, ...]:
    """A, B and C of the candidate's behaviour for every Z, within the candidate's days."""
    return tuple(
        Split(cell.times, cell.a, cell.b, cell.c, cell.chosen)
        for cell in cells_of(report, candidate)
        if cell.days == candidate.days and cell.reason is None and cell.a + cell.b + cell.c
    )


def week_rows(weeks: Sequence[WeekCell]) -> tuple[WeekRow, ...]:
    """Shares of a candidate by signup week."""
    rows = []
    for week in weeks:
        others = week.units - week.reached
        stayed = week.retained - week.reached_retained
        rows.append(
            WeekRow(
                week.week,
                week.units,
                wilson_interval(week.reached, week.units),
                wilson_interval(week.reached_retained, week.reached) if week.reached else None,
                wilson_interval(stayed, others) if others else None,
            )
        )
    return tuple(rows)


def ranked(report: Report) -> tuple[Ranked, ...]:
    """The most important features, one row per feature; empty without a ranking."""
    model = report.model
    if not computable(model) or not computable(model.ranking):
        return ()
    return model.ranking[:MOST_RANKED]


def tied(row: Ranked, rows: Sequence[Ranked]) -> bool:
    """True when another group's range of ranks overlaps this one's: they can't be put in order."""
    return any(
        other.group != row.group and other.rank_low <= row.rank_high and row.rank_low <= other.rank_high
        for other in rows
    )


def swarm_dots(swarm: Swarm) -> tuple[Dot, ...]:
    """The units of one behaviour, stacked where many lie together, so that the width of a row shows how many."""
    if not swarm.shap:
        return ()
    low, high = min(swarm.shap), max(swarm.shap)
    width = (high - low) / SWARM_BINS or 1.0
    stacks: dict[int, int] = {}
    heights = []
    for shap in swarm.shap:
        place = int((shap - low) / width)
        step = stacks[place] = stacks.get(place, -1) + 1
        heights.append((step + 1) // 2 * (1 if step % 2 else -1))
    tallest = max(map(abs, heights)) or 1
    scale = max(tallest, 6)  # a few lonely units must not be thrown to the edge
    return tuple(
        Dot(shap, height / scale, quantile)
        for shap, height, quantile in zip(swarm.shap, heights, swarm.quantile, strict=True)
    )


def observed_far(picture: NullPicture) -> bool:
    """True when the observed maximum lies so far out that it is drawn at the edge."""
    return picture.observed > FAR * picture.edges[-1]
