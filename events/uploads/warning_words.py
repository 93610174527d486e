"""Texts of warnings about a file, each with advice. Pure."""

from reporting.numbers import percent
from reporting.words import gettext


def warning_words(code: str, figure: float) -> str:
    """The sentence of a warning from `events.importing.first_rows`."""
    sentences = {
        "nothing": gettext("No row could be kept so: look at the reasons in the table and choose other columns."),
        "no_user": gettext("{share} of the rows have no user: is it the right column?"),
        "many_refused": gettext("{share} of the rows would be refused: look at the reasons in the table."),
        "future": gettext("{count} rows lie in the future: check how the times are written, and the time zone."),
        "long_ago": gettext("All times lie before 1990: check how the times are written."),
        "one_user": gettext("One user makes {share} of the rows: a test account, or the wrong column?"),
        "row_each": gettext(
            "Each user has one row: if this is a table of users and no log of what they did, there is nothing to find "
            "in it but signups."
        ),
        "day_or_month": gettext("Day and month could be the other way round: check a date in the preview."),
        "cut": gettext("The file ends in the middle of a row, so it may be cut: compare its size with the original."),
    }
    return sentences[code].format(share=percent(figure, 0), count=f"{figure:,.0f}")
