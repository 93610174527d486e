"""Inputs of a new study: defaults that fit the log, and errors, each at its field with a suggested correction."""

import re
from collections.abc import Iterator
from datetime import timedelta

from django.urls import reverse
from django.utils.translation import gettext as _

from aha.moments.promote import equal_moment
from aha.study.question import MAX_DAYS, Inputs
from events.catalogue.listing import Catalogue
from events.catalogue.refresh import ready_catalogue
from events.metrics import MinDays, MinEvents, Retention, Survival, is_display_only, parse_retention
from events.pickers.quick_fixes import Mendable, QuickFix
from events.windows import Window, guard
from reporting.words import days_words

type Objection = tuple[str, Mendable]


def objections(inputs: Inputs) -> Iterator[Objection]:
    """Field and error for every problem in the inputs that can be found without the data."""
    definition = inputs.definition
    if isinstance(definition, Survival) or is_display_only(definition):
        yield "retention", _no_window(definition)
        return
    late = [y for y in inputs.days if not guard(y, definition.window, gap=inputs.gap)]
    if late:
        yield "days", _late(late, inputs, definition)
    if 0 < len(inputs.inert) < LEAST_CONTROLS:
        yield "inert", _few_controls(inputs)


def _no_window(definition: Retention) -> Mendable:
    if isinstance(definition, Survival):
        text = _("The time until users leave counts from day 0 on, so no behaviour can come before it.")
        return Mendable(text, QuickFix("window:14-20", _("Use days 14–20")))
    first = definition.window.start_day
    line = f"window:{first}-{first + 6}"
    text = _("This grows as the data age, so no threshold can be chosen by it.")
    return Mendable(text, QuickFix(line, _("Use days %(first)s–%(last)s") % {"first": first, "last": first + 6}))


def _late(late: list[int], inputs: Inputs, definition: Retention) -> Mendable:
    first, most = inputs.window.start_day, last_days(definition, inputs.gap)
    valid_days = [y for y in inputs.days if y not in late] or list(usual_days(definition, inputs.gap))
    fields = {"first": first, "most": most, "days": ", ".join(map(str, late))}
    mends = []
    if valid_days:
        written = " ".join(map(str, valid_days))
        mends.append(QuickFix(written, _("Use days %(days)s") % {"days": ", ".join(map(str, valid_days))}))
    mends.append(_later(max(inputs.days) + inputs.gap, definition))
    if inputs.gap:
        text = _(
            "Retention is measured from day %(first)s on and the gap is %(gap)s, so a behaviour can be counted within "
            "at most %(most)s days: %(days)s would be dropped."
        )
        return Mendable(text % {**fields, "gap": inputs.gap}, *mends)
    text = _(
        "Retention is measured from day %(first)s on, so a behaviour can be counted within at most %(most)s days: "
        "%(days)s would be dropped."
    )
    return Mendable(text % fields, *mends)


def _later(start: int, definition: Retention) -> QuickFix:
    """The same retention, moved behind the last day of behaviour."""
    window = Window(start, start + len(definition.window) - 1)  # type: ignore[union-attr]
    match definition:
        case MinDays(days=days):
            line = str(MinDays(window, days))
        case MinEvents(event=event, times=times):
            line = str(MinEvents(event, window, times))
        case _:
            line = f"on_day:{start}" if len(window) == 1 else f"window:{window}"
    label = _("Measure retention on days %(first)s–%(last)s") % {"first": start, "last": window.end_day}
    if len(window) == 1:
        label = _("Measure retention on day %(first)s") % {"first": start}
    return QuickFix(line, label, field="retention")


def _few_controls(inputs: Inputs) -> Mendable:
    mends = []
    more = [name for name in likely_inert() if name not in (*inputs.inert, *inputs.behaviours)]
    if len(inputs.inert) + len(more) >= LEAST_CONTROLS:
        added = more[: max(LEAST_CONTROLS - len(inputs.inert), 0)]
        mends.append(QuickFix("\n".join((*inputs.inert, *added)), _("Add %(names)s") % {"names": ", ".join(added)}))
    mends.append(QuickFix("", _("Use none")))
    text = _("%(n)s can't show how much is found where nothing is: choose at least %(least)s, or none.")
    return Mendable(text % {"n": len(inputs.inert), "least": LEAST_CONTROLS}, *mends)


# Validation of a hand-written moment: days that overlap the retention window, a claim that exists already.


def moment_objections(
    *, behaviour: str, times: int, days: int, signup_event: str, retention: str
) -> Iterator[Objection]:
    """Field and error for every problem of the claim."""
    definition = parse_retention(retention)
    most = last_days(definition)
    if not isinstance(definition, Survival) and days > most:
        fields = {"first": definition.window.start_day, "days": days_words(days)}
        text = _("Retention is measured from day %(first)s on, and %(days)s of behaviour overlap it.") % fields
        use = QuickFix(str(most), _("Use %(days)s") % {"days": days_words(most)})
        yield "days", Mendable(text, *([use] if most else []))
    equal = equal_moment(behaviour=behaviour, times=times, days=days, signup_event=signup_event, retention=retention)
    if equal is not None:
        text = _("“%(name)s” says the same already.") % {"name": equal}
        yield "behaviour", Mendable(text, QuickFix("", _("Open it"), href=reverse("aha:moment", args=[equal.key])))


# Default inputs of a new study, chosen to fit the events in the log.

USUAL_DAYS = 7
MOST_CONTROLS = 10
LEAST_CONTROLS = 5  # with fewer, their spread can't be estimated (docs/methods/evidence.md, "Negative controls")
# Least days of data for each default retention: the window and as long again, so that most users have completed it.
RETENTIONS = ((35, "window:14-20"), (18, "window:7-13"), (10, "on_day:7"), (0, "on_day:1"))
# Events that happen to users, or settings, rarely cause retention. They are only suggested: a person decides.
INERT = re.compile(
    r"setting|error|crash|rotat|mute|help|^ad_|_ad_|_ad$|ad_seen|screenshot|permission|volume|language|notice|popup"
    r"|오류|설정|광고|도움말|알림|회전|음소거"
)


def usual_start() -> str:
    """The likely signup event, guessed from the log."""
    return ready_catalogue().guess_signup()


def usual_retention() -> str:
    """A retention window that most users of the log have completed."""
    listed = ready_catalogue()
    return _retention(listed)


def _retention(listed: Catalogue) -> str:
    if listed.first_time is None or listed.last_time is None:
        return RETENTIONS[0][1]
    days = (listed.last_time - listed.first_time) / timedelta(days=1)
    return next(line for least, line in RETENTIONS if days >= least)


def usual_days(retention: Retention, gap: int = 0) -> tuple[int, ...]:
    """Every number of days up to a week that ends before retention is measured; empty when none does."""
    window = getattr(retention, "window", None)
    if window is None:
        return tuple(range(1, USUAL_DAYS + 1))
    return tuple(y for y in range(1, USUAL_DAYS + 1) if guard(y, window, gap=gap))


def last_days(retention: Retention, gap: int = 0) -> int:
    """The largest number of days that ends before retention is measured."""
    window = getattr(retention, "window", None)
    return MAX_DAYS if window is None else max(0, min(MAX_DAYS, window.start_day - gap))


def likely_inert() -> tuple[str, ...]:
    """Events that by their names can't cause retention: suggested as negative controls, never used automatically."""
    found = [entry.name for entry in ready_catalogue().search("", 500) if INERT.search(entry.name.casefold())]
    return tuple(found[:MOST_CONTROLS])
