"""The Venn picture of one cell of a study's grid: which cells there are, and what the chosen one says. Pure."""

from dataclasses import dataclass

from aha.report.candidate.counts import four_counts
from aha.report.claim import cell_words
from aha.report.venn import Venn, venn
from aha.study.result import Report
from events.metrics import display_name
from reporting.numbers import percent
from reporting.table import Table
from reporting.words import gettext


@dataclass(frozen=True)
class VennCell:
    """One cell with its picture.

    Attributes:
        behaviour, days, times: the cell.
        behaviours, all_days, all_times: what can be chosen instead.
        sentence: what the picture shows, for readers and screen readers.
        venn: the circles.
        table: the four counts with intervals.
    """

    behaviour: str
    days: int
    times: int
    behaviours: tuple[tuple[str, str], ...]
    all_days: tuple[int, ...]
    all_times: tuple[int, ...]
    sentence: str
    venn: Venn
    table: Table


def venn_cell(report: Report, behaviour: str, days: int, times: int) -> VennCell | None:
    """The cell that was asked for; for times that the behaviour doesn't have, the nearest. None for an unknown one."""
    asked, grid = report.asked, report.grid
    if behaviour not in asked.behaviours or days not in asked.valid_days:
        return None
    number = asked.behaviours.index(behaviour)
    all_times = asked.times[number]
    if not all_times:
        return None
    times = min(all_times, key=lambda known: (abs(known - times), known))
    place = grid.find(number, days, times)
    if place is None:
        return None
    a, b, c, o = grid.a[place], grid.b[place], grid.c[place], grid.o[place]
    union = a + b + c
    text = gettext("{cell}: {b} of those who did it or stayed are both.")
    sentence = text.format(cell=cell_words(behaviour, times, days), b=percent(b / union if union else 0.0, 0))
    table = four_counts(a, b, c, o)
    return VennCell(
        behaviour,
        days,
        times,
        tuple((name, display_name(name)) for name in asked.behaviours),
        asked.valid_days,
        all_times,
        sentence,
        venn(a, b, c),
        table,
    )
