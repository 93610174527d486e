"""The weekly share of new users who reach a moment: its sentence and table. Pure."""

from aha.moments.reached import WeeklyReach
from aha.report.reach_picture import FEW
from reporting.numbers import count, percent, share
from reporting.table import Row, Table
from reporting.words import gettext
from stats.results import computable


def finding(found: WeeklyReach) -> str:
    """The last complete week against the one before."""
    done = [row for row in found.weeks if row.complete and computable(row.share) and row.eligible >= FEW]
    shares = [row.share.estimate for row in done if computable(row.share)]
    if not shares:
        return gettext("No week with {n} users or more is complete yet.").format(n=FEW)
    if len(shares) == 1:
        text = gettext("In the last complete week {now} of the new users reached it.")
        return text.format(now=percent(shares[-1]))
    text = gettext("In the last complete week {now} of the new users reached it, in the week before {before}.")
    return text.format(now=percent(shares[-1]), before=percent(shares[-2]))


def table(found: WeeklyReach) -> Table:
    """The weeks, newest first."""
    rows: tuple[Row, ...] = tuple(
        (
            str(row.week),
            count(row.signups),
            count(row.eligible),
            count(row.reached),
            share(row.share),
            gettext("yes") if row.complete else gettext("not yet"),
        )
        for row in reversed(found.weeks)
    )
    columns = (
        gettext("week of signup (Monday)"),
        gettext("signed up"),
        gettext("days complete"),
        gettext("reached it"),
        gettext("share (95% CI)"),
        gettext("week complete"),
    )
    note = gettext(
        "Only users whose days are complete can have reached it. Weeks that are not complete may still change."
    )
    return Table(gettext("Reach by signup week"), columns, rows, note)
