"""What the gap test says: groups, or styles of a continuum. Pure."""

from reporting.words import gettext
from segments.search.gaps import Shape
from segments.search.result import Report


def gap_why(report: Report) -> str:
    """What the gap test says of all neighbours together; "" for a run that had none."""
    if report.shape is Shape.GROUPS:
        return gettext(
            "Between all neighbours a gap was found, with fewer users in it than on either side: they are groups."
        )
    if report.shape is Shape.STYLES:
        return gettext(
            "But between some neighbours no gap was found, so nothing shows that users fall apart there. They are "
            "named styles of a continuum (corners, not groups): where one ends and the next begins is a choice."
        )
    return ""


def gaps_finding(report: Report) -> str:
    """Between how many pairs of neighbours there is a gap."""
    found = sum(gap.found for gap in report.gaps)
    return gettext("A gap was found between %(found)s of %(pairs)s pairs of neighbours") % {
        "found": found, "pairs": len(report.gaps),
    }  # fmt: skip
