"""What the method finds among behaviours that can't cause retention. Pure."""

from aha.report.claim import cell_words
from aha.study.candidates import AS_STRONG_AS_INERT
from aha.study.result import Controls, Report
from events.metrics import display_name
from reporting.numbers import decimal, difference, points
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from stats.results import computable


def part(report: Report) -> Part:
    """What does the method find where nothing is?"""
    found = report.controls
    heading = gettext("What does the method find where nothing is?")
    return Part("controls", heading, finding(found), table(found))


def finding(found: Controls) -> str:
    """What the negative controls say about the method."""
    null = found.null
    if not computable(null):
        return reason_words(null)
    text = gettext(
        "{n} behaviours that can't cause retention come out at {mean} points on average, with a spread of {sd}: that "
        "much this method makes out of nothing."
    )
    sentence = text.format(n=null.controls, mean=points(null.mean), sd=decimal(null.sd * 100, 1))
    if null.is_weak:
        sentence += " " + gettext("Fewer than ten controls: the spread may be larger.")
    return sentence


def table(found: Controls) -> Table | None:
    """The negative controls; None when nobody named any."""
    if not found.rows:
        return None
    rows = tuple((cell_words(row.behaviour, row.times, row.days), difference(row.adjusted)) for row in found.rows)
    columns = (gettext("inert behaviour"), gettext("left when all is held equal, points"))
    return Table(gettext("Negative controls"), columns, rows)


def warning(report: Report) -> str:
    """For the top of the page when inert behaviours come out as strong as candidates, else empty."""
    names = [display_name(row.behaviour) for row in report.candidates if AS_STRONG_AS_INERT in row.flags]
    if not names:
        return ""
    text = gettext(
        "Behaviours that can't cause retention come out as strong as {names}: what is measured here is not the effect "
        "of the behaviour."
    )
    return text.format(names=", ".join(names))
