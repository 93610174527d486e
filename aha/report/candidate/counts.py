"""The four counts of a cell: A, B, C and O. Pure."""

from aha.study.report_columns import wilson_interval
from aha.study.result import Candidate
from reporting.numbers import count, limits
from reporting.table import Table
from reporting.words import gettext


def table(candidate: Candidate) -> Table:
    """The four counts of the candidate and what they say, with intervals."""
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
