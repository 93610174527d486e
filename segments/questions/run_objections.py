"""What would refuse a segmentation without asking the data, said beside its field with what would mend it."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from events.metrics import MinDays, MinEvents, Retention, Survival, is_display_only
from events.pickers.mends import Mend, Mendable
from events.windows import Window
from segments.search.question import MAX_WINDOW_DAYS

type Objection = tuple[str, Mendable]


def run_objections(data: dict[str, Any], retention: Retention | None) -> Iterator[Objection]:
    """Field and error for everything that can be seen without the data.

    Args:
        data: the form's cleaned values.
        retention: the parsed outcome; None without one.
    """
    first, last = data["first_day"], data["last_day"]
    if last < first:
        text = _("The last day of play lies before the first.")
        yield "last_day", Mendable(text, Mend(str(first + 13), _("Use day %(day)s") % {"day": first + 13}))
    elif last - first + 1 > MAX_WINDOW_DAYS:
        text = _("At most %(most)s days of play, not %(days)s.") % {"most": MAX_WINDOW_DAYS, "days": last - first + 1}
        day = first + MAX_WINDOW_DAYS - 1
        yield "last_day", Mendable(text, Mend(str(day), _("Use day %(day)s") % {"day": day}))
    elif retention is not None:
        yield from _outcome(retention, last)
    yield from _dates(data["first_date"], data["last_date"])


def _outcome(retention: Retention, last: int) -> Iterator[Objection]:
    if isinstance(retention, Survival):
        return
    if is_display_only(retention):
        text = _("This retention grows as the data age, so groups can't be judged by it.")
        yield "retention", Mendable(text, _after(last, Window(0, 6), retention))
        return
    window = retention.window
    if window.start_day > last:
        return
    text = _(
        "This retention begins on day %(day)s, inside the days of play: what forms the groups would also be their "
        "outcome. Let it begin on day %(first)s or later."
    ) % {"day": window.start_day, "first": last + 1}
    mends = [_after(last, window, retention)]
    if window.start_day:
        label = _("Look at play until day %(day)s") % {"day": window.start_day - 1}
        mends.append(Mend(str(window.start_day - 1), label, field="last_day"))
    yield "retention", Mendable(text, *mends)


def _after(last: int, window: Window, retention: Retention) -> Mend:
    """The same retention behind the days of play."""
    moved = Window(last + 1, last + len(window))
    match retention:
        case MinDays(days=days):
            line = str(MinDays(moved, days))
        case MinEvents(event=event, times=times):
            line = str(MinEvents(event, moved, times))
        case _:
            line = f"window:{moved}"
    fields = {"first": moved.start_day, "last": moved.end_day}
    return Mend(line, _("Measure retention on days %(first)s–%(last)s") % fields)


def _dates(first: date | None, last: date | None) -> Iterator[Objection]:
    if first is not None and last is not None and last < first:
        text = _("The last date lies before the first.")
        yield "last_date", Mendable(text, Mend("", _("Take all until the last day")))
