"""Behaviours that a study without candidates set aside: their best number, and why no claim was made of it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from aha.report.claim import cell_words
from aha.report.marks import flag_sentence, flag_words
from aha.study.cell_metrics import RECOMMENDED_REACH
from aha.study.result import Report
from events.metrics import display_name
from reporting.numbers import percent

MOST = 5


@dataclass(frozen=True)
class SetAside:
    """One behaviour.

    Attributes:
        cell: behaviour, number of times and days, in words: the largest J at a recommended reach.
        did, other: retention of those who did it and of the others, of all eligible users.
        reach: share of the eligible users who did.
        marks: short name and meaning of each mark.
        fields: the same cell as a moment made by hand is given it.
    """

    cell: str
    did: str
    other: str
    reach: str
    marks: tuple[tuple[str, str], ...]
    fields: dict[str, str]


def set_aside(report: Report) -> tuple[SetAside, ...]:
    """At most five, the largest overlap J first; none where the study has candidates or is too small to say anything.

    The numbers were chosen and measured on the same users, so they look better than they are: the page says so.
    """
    if report.candidates or report.floor is not None:
        return ()
    found = sorted(_best_cells(report), key=lambda place: -(report.grid.j[place] or 0.0))
    return tuple(_row(report, place) for place in found[:MOST])


def _best_cells(report: Report) -> Iterator[int]:
    grid = report.grid
    least, most = RECOMMENDED_REACH
    best: dict[int, int] = {}
    for place, (number, reach, j) in enumerate(zip(grid.behaviour, grid.reach, grid.j, strict=True)):
        if reach is None or j is None or not least <= reach <= most:
            continue
        if number not in best or j > (grid.j[best[number]] or 0.0):
            best[number] = place
    yield from best.values()


def _row(report: Report, place: int) -> SetAside:
    grid, inputs = report.grid, report.asked.inputs
    behaviour = report.asked.behaviours[grid.behaviour[place]]
    times, days = grid.times[place], grid.days[place]
    codes = [row.flag.value for row in report.flags if row.behaviour == behaviour]
    fields = {
        "name": display_name(behaviour).replace("_", " ").capitalize() + f" {times}+",
        "behaviour": behaviour,
        "times": str(times),
        "days": str(days),
        "signup_event": inputs.signup_event,
        "retention": inputs.retention,
    }
    return SetAside(
        cell=cell_words(behaviour, times, days),
        did=percent(grid.ppv[place] or 0.0),
        other=percent(grid.retained_without[place] or 0.0),
        reach=percent(grid.reach[place] or 0.0),
        marks=tuple((flag_words(code), flag_sentence(code)) for code in codes),
        fields=fields,
    )
