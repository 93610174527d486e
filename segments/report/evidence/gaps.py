"""Groups, or styles of a continuum: what the gap test says. Pure."""

from reporting.numbers import decimal, p_value
from reporting.table import Part, Table
from reporting.words import gettext
from segments.search.gaps import Shape
from segments.search.result import Report


def part(report: Report) -> Part | None:
    """Groups or styles? None for a run without stable groups, or of version 0.3."""
    if not report.gaps:
        return None
    heading = gettext("Groups, or styles of a continuum?")
    return Part("gaps", heading, finding(report), table(report))


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


def finding(report: Report) -> str:
    """Between how many pairs of neighbours there is a gap."""
    found = sum(gap.found for gap in report.gaps)
    return gettext("A gap was found between %(found)s of %(pairs)s pairs of neighbours") % {
        "found": found,
        "pairs": len(report.gaps),
    }


def table(report: Report) -> Table:
    """The gap test of each pair of neighbours."""
    rows = tuple(
        (
            f"g{row.first + 1} – g{row.second + 1}",
            f"{row.units:,}",
            decimal(row.dip, 4),
            p_value(row.adjusted_p),
            gettext("yes") if row.found else gettext("not found"),
        )
        for row in report.gaps
    )
    columns = (gettext("pair"), gettext("users looked at"), gettext("dip"), gettext("adjusted p"), gettext("gap"))
    note = gettext(
        "The most active third of a pair, at most 2,000 users, on the line that tells the two best apart. Dip: how far "
        "their places are from one hill (Hartigan), 0 to 0.25; p against samples of one hill, Holm over the pairs. A "
        "gap that is not found may also be one too shallow for so many users to show."
    )
    return Table(gettext("Gaps between neighbours"), columns, rows, note)
