"""The marks of behaviours: short names, what each means, and the table of the marked ones. Pure."""

from collections.abc import Iterable

from aha.study.candidates import ACTIVITY_ONLY, AS_STRONG_AS_INERT, NO_BETTER_THAN_EVERYBODY
from aha.study.result import Report
from aha.study.window_guard import Flag
from events.metrics import display_name
from reporting.numbers import decimal
from reporting.table import Table
from reporting.words import gettext


def table(report: Report) -> Table | None:
    """Marks of behaviours and what each means; None when there is none."""
    if not report.flags:
        return None
    rows = tuple(
        (
            display_name(row.behaviour),
            flag_words(row.flag.value),
            "" if row.value is None else decimal(row.value, 2),
            display_name(row.other or ""),
            flag_sentence(row.flag.value),
        )
        for row in report.flags
    )
    columns = (gettext("behaviour"), gettext("mark"), gettext("measured"), gettext("with"), gettext("what it means"))
    return Table(gettext("Marked behaviours"), columns, rows)


def mark_words(codes: Iterable[str]) -> str:
    """The short names of marks."""
    return ", ".join(flag_words(code) for code in codes)


def flag_words(code: str) -> str:
    """The short name of a mark."""
    names = {
        Flag.GOAL_LIKE.value: gettext("is the goal"),
        Flag.ACTIVITY_LIKE.value: gettext("mirrors activity"),
        Flag.FORCED.value: gettext("forced"),
        Flag.NOT_AVAILABLE.value: gettext("came later"),
        Flag.INERT.value: gettext("negative control"),
        Flag.DUPLICATE.value: gettext("duplicate"),
        ACTIVITY_ONLY: gettext("activity only"),
        NO_BETTER_THAN_EVERYBODY: gettext("no better than everybody"),
        AS_STRONG_AS_INERT: gettext("as strong as inert behaviours"),
    }
    return names[code]


def flag_sentence(code: str) -> str:
    """What a mark means."""
    sentences = {
        Flag.GOAL_LIKE.value: gettext("Retention itself counts this event, so it can't be its own reason."),
        Flag.ACTIVITY_LIKE.value: gettext("Its count follows the number of active days almost exactly."),
        Flag.FORCED.value: gettext(
            "Nearly everybody does it, or does it in the first session, so it tells nobody apart."
        ),
        Flag.NOT_AVAILABLE.value: gettext("It did not exist yet when the first of these users signed up."),
        Flag.INERT.value: gettext(
            "An analyst says that it can't cause retention; it shows what the method finds anyway."
        ),
        Flag.DUPLICATE.value: gettext("Users who do one also do the other: they can't be told apart."),
        ACTIVITY_ONLY: gettext("Among equally active users it makes no difference that could be shown."),
        NO_BETTER_THAN_EVERYBODY: gettext("Counting everybody would describe those who stay as well."),
        AS_STRONG_AS_INERT: gettext("Behaviours that can't cause anything come out as strong as this one."),
    }
    return sentences[code]
