"""Differences between the inputs of two studies, in words."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from aha.study.question import Inputs
from events.metrics import display_name
from events.metrics.sentences import metric_words


@dataclass(frozen=True)
class Change:
    """One input of a study.

    Attributes:
        field: its name in the form.
        label: its name for people.
        before, after: the two values, in words.
    """

    field: str
    label: str
    before: str
    after: str

    @property
    def same(self) -> bool:
        """True when both values are equal."""
        return self.before == self.after


def compared(before: Inputs, after: Inputs) -> list[Change]:
    """All inputs of both studies, those that differ first."""
    parts = zip(_words(before), _words(after), strict=True)
    rows = [Change(field, label, one, other) for (field, label, one), (_field, _label, other) in parts]
    return sorted(rows, key=lambda change: change.same)


def changes(before: Inputs, after: Inputs) -> list[Change]:
    """Only what differs."""
    return [change for change in compared(before, after) if not change.same]


def _words(inputs: Inputs) -> Iterator[tuple[str, str, str]]:
    start = _("each user's first event of any kind") if inputs.signup_event == "*" else inputs.signup_event
    yield "signup_event", _("Start event (day 0)"), start
    yield "first_date", _("Signed up from"), inputs.first_date or _("first day")
    yield "last_date", _("Signed up until"), inputs.last_date or _("last day")
    yield "retention", _("Retention"), metric_words(inputs.retention)
    yield "behaviours", _("Behaviours"), _listed(inputs.behaviours) or _("every event")
    yield "segment", _("Segment"), inputs.segment or _("all users")
    yield "days", _("Within … days"), ", ".join(map(str, inputs.days))
    times = _("chosen automatically") if inputs.max_times is None else str(inputs.max_times)
    yield "max_times", _("Largest number of times"), times
    yield "gap", _("Days between behaviour and retention"), str(inputs.gap)
    yield "choose", _("Choose the threshold by"), inputs.choose
    modes = {"rolling": _("24 hours from signup"), "calendar": _("calendar days")}
    yield "day_mode", _("Days are"), modes.get(inputs.day_mode, inputs.day_mode)
    yield "inert", _("Negative controls"), _listed(inputs.inert) or _("none")


def _listed(behaviours: tuple[str, ...]) -> str:
    return ", ".join(display_name(text) for text in behaviours)
