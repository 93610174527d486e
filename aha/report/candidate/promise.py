"""What moving more users across a candidate's number would be worth. Pure."""

from aha.study.result import Candidate
from reporting.numbers import difference, percent, points
from reporting.table import Table
from reporting.words import gettext, reason_words
from stats.results import computable


def finding(candidate: Candidate) -> str:
    """What moving more users across would be worth, by both readings."""
    found = candidate.promise
    if not computable(found.naive):
        return reason_words(found.naive)
    text = gettext(
        "If {moved} more of all users reached it, retention would rise by {naive} points were the raw difference an "
        "effect, and by {adjusted} with all that was measured held equal. Neither is a promise before an experiment."
    )
    adjusted = gettext("an unknown number") if not computable(found.adjusted) else points(found.adjusted.estimate)
    return text.format(moved=percent(found.moved, 0), naive=points(found.naive.estimate), adjusted=adjusted)


def table(candidate: Candidate) -> Table:
    """The promises side by side."""
    found = candidate.promise
    rows = (
        (gettext("raw difference taken for an effect"), difference(found.naive)),
        (gettext("all that was measured held equal"), difference(found.adjusted)),
        (gettext("measured by an experiment"), difference(found.causal)),
    )
    columns = (gettext("read as"), gettext("change of all users' retention, points"))
    title = gettext("If {moved} more of all users reached it").format(moved=percent(found.moved, 0))
    note = gettext("{share} of the users don't reach it yet.").format(share=percent(found.headroom))
    return Table(title, columns, rows, note)
