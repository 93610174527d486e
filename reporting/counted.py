"""Small counts with their noun, one as well as many: "once", "3 times"; "1 day", "7 days". Pure."""

from reporting.words import Message, gettext, say


def times_words(times: int) -> str:
    """How often."""
    return gettext("once") if times == 1 else gettext("{n} times").format(n=times)


def days_words(days: int) -> str:
    """Within how long, or for how long."""
    return gettext("1 day") if days == 1 else gettext("{n} days").format(n=days)


def times_said(times: int) -> Message:
    """The same inside a refusal, which is worded when it is shown."""
    return say("once") if times == 1 else say("{n} times", n=times)


def days_said(days: int) -> Message:
    """The same inside a refusal."""
    return say("1 day") if days == 1 else say("{n} days", n=days)
