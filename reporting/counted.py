"""Small counts with their noun, one as well as many: "once", "3 times"; "1 day", "7 days". Pure."""

from reporting.words import gettext


def times_words(times: int) -> str:
    """How often."""
    return gettext("once") if times == 1 else gettext("{n} times").format(n=times)


def days_words(days: int) -> str:
    """Within how long, or for how long."""
    return gettext("1 day") if days == 1 else gettext("{n} days").format(n=days)
