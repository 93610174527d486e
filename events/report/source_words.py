"""Labels and advice for the status of a source. Pure."""

from reporting.words import gettext

LIGHTS = {"never": "", "silent": "warn", "refused": "bad", "live": "good"}


def state_words(state: str) -> str:
    """The status as a tag."""
    return {
        "never": gettext("no event this week"),
        "silent": gettext("silent"),
        "refused": gettext("many refused"),
        "live": gettext("receiving"),
    }[state]


def advice(state: str, *, has_key: bool) -> str:
    """What to do next, in one sentence; "" when nothing is to be done."""
    if not has_key:
        return gettext("No live key: nothing can be sent. Make a key.")
    return {
        "never": gettext("Send a first event: copy a snippet with a key of this source."),
        "silent": gettext(
            "Nothing for over a day. Is the service running, does it still use a live key, and was its last release "
            "the day it went silent?"
        ),
        "refused": gettext("More than one in twenty of this week's events were refused. The live view says why."),
        "live": "",
    }[state]
