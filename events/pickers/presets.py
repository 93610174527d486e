"""The usual retentions as buttons, and the kinds of definitions in words."""

from dataclasses import dataclass

from reporting.words import gettext


@dataclass(frozen=True)
class Preset:
    """One usual retention: its line, and its common short name if there is one."""

    line: str
    short: str = ""
    week: int = 0

    def __str__(self) -> str:
        return self.short or gettext("Week {number}").format(number=self.week)


PRESETS = (
    Preset("on_day:1", "D1"),
    Preset("on_day:7", "D7"),
    Preset("on_day:14", "D14"),
    Preset("on_day:28", "D28"),
    Preset("week:2", week=2),
    Preset("week:3", week=3),
    Preset("week:4", week=4),
)


def kind_words(kind: str) -> str:
    """Label of a kind of definition in a form."""
    return {
        "active": gettext("active on at least … days"),
        "event": gettext("did an event at least … times"),
        "churn": gettext("time until they leave"),
        "back": gettext("came back on or after a day"),
        "count": gettext("how often they do something"),
        "sum": gettext("sum of a property"),
        "active_days": gettext("number of active days"),
        "line": gettext("written as a line"),
    }[kind]
