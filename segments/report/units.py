"""Which users were looked at, and with which samples and seed. Pure."""

from reporting.numbers import decimal, percent
from reporting.table import Table
from reporting.words import gettext
from segments.search.result import Report
from stats.results import computable


def flow(report: Report) -> Table:
    """From signups to units with a group."""
    units = report.units
    rows = [
        (gettext("signed up"), units.signed_up),
        (gettext("left out: their days aren't over yet"), units.too_young),
        (gettext("looked at"), units.eligible),
        (gettext("left out: fewer than three active days, so no pattern to see"), units.too_little_data),
        (gettext("in a group"), units.clustered),
        (gettext("of these unlike any group (farther out than 99 in 100 of those who formed it)"), units.unlike),
    ]
    text = tuple((name, f"{count:,}") for name, count in rows)
    return Table(gettext("Flow of users"), (gettext("step"), gettext("users")), text)


def samples(report: Report) -> Table:
    """Seed and sizes of the samples."""
    names = {
        "units": gettext("users looked at"),
        "train": gettext("users the groups were fitted on"),
        "reference": gettext("users in resamples, table of groups and null"),
    }
    rows = [(gettext("seed"), str(report.seed))]
    rows += [(names.get(name, name), f"{count:,}") for name, count in report.rows.items()]
    exact = gettext("exact") if report.fidelity is None else percent(report.fidelity)
    rows.append((gettext("new users placed as the groups would have"), exact))
    found = report.agreement
    if computable(found):
        rows.append((gettext("agreement of groups made from half of the days"), decimal(found.adjusted_rand)))
    return Table(gettext("Seed and samples"), (gettext("quantity"), gettext("value")), tuple(rows))
