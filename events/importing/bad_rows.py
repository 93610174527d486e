"""Messages of an import: why a row is refused, and which step is running. Pure."""

from reporting.words import gettext

# DuckDB's codes for the records that it skips.
REJECTED = {
    "MISSING COLUMNS": "fields",
    "TOO MANY COLUMNS": "fields",
    "UNQUOTED VALUE": "quotes",
    "INVALID ENCODING": "encoding",
    "LINE SIZE OVER MAXIMUM": "too_long",
}


def reason_words(reason: str, value: str = "") -> str:
    """Why a row is refused.

    Args:
        reason: code of a bad row.
        value: the text that can't be read, where the reason names it.
    """
    sentences = {
        "fields": gettext("the number of fields is wrong, or the line is no JSON object"),
        "quotes": gettext("a quotation mark is not closed"),
        "encoding": gettext("the text can't be read in this encoding"),
        "too_long": gettext("the line is too long"),
        "missing_user": gettext("there is no user id"),
        "missing_event": gettext("there is no event name"),
        "bad_text": gettext("the user id or the event name is longer than 256 characters, or holds a NUL character"),
        "reserved_event": gettext("the event's name is one that the event store itself uses"),
        "missing_time": gettext("there is no time"),
        "bad_time": gettext("the time can't be read: {value}") if value else gettext("the time can't be read"),
        "time_out_of_range": gettext("the time lies outside 1900 to 2199: {value}")
        if value
        else gettext("the time lies outside 1900 to 2199"),
        "missing_message_id": gettext("there is no message id"),
    }
    return sentences[reason].replace("{value}", value)


def step_words(step: str) -> str:
    """Label of an import's current step."""
    return {
        "read": gettext("reading the rows"),
        "bad": gettext("looking at refused rows"),
        "signup": gettext("finding signups"),
        "compare": gettext("comparing with what is there"),
        "store": gettext("storing"),
    }[step]
