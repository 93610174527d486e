"""Validation errors of a study's inputs, each at its field with a suggested correction."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _

from aha.moments.promote import equal_moment
from aha.questions.defaults import LEAST_CONTROLS, last_days, likely_inert, usual_days
from aha.study.question import Inputs
from events.metrics import MinDays, MinEvents, Retention, Survival, is_display_only, parse_retention
from events.pickers.mends import Mend, Mendable
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
        return Mendable(text, Mend("window:14-20", _("Use days 14–20")))
    first = definition.window.start_day
    line = f"window:{first}-{first + 6}"
    text = _("This grows as the data age, so no threshold can be chosen by it.")
    return Mendable(text, Mend(line, _("Use days %(first)s–%(last)s") % {"first": first, "last": first + 6}))


def _late(late: list[int], inputs: Inputs, definition: Retention) -> Mendable:
    first, most = inputs.window.start_day, last_days(definition, inputs.gap)
    kept = [y for y in inputs.days if y not in late] or list(usual_days(definition, inputs.gap))
    fields = {"first": first, "most": most, "days": ", ".join(map(str, late))}
    mends = []
    if kept:
        written = " ".join(map(str, kept))
        mends.append(Mend(written, _("Use days %(days)s") % {"days": ", ".join(map(str, kept))}))
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


def _later(start: int, definition: Retention) -> Mend:
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
    return Mend(line, label, field="retention")


def _few_controls(inputs: Inputs) -> Mendable:
    mends = []
    more = [name for name in likely_inert() if name not in (*inputs.inert, *inputs.behaviours)]
    if len(inputs.inert) + len(more) >= LEAST_CONTROLS:
        added = more[: max(LEAST_CONTROLS - len(inputs.inert), 0)]
        mends.append(Mend("\n".join((*inputs.inert, *added)), _("Add %(names)s") % {"names": ", ".join(added)}))
    mends.append(Mend("", _("Use none")))
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
        text = _("Retention is measured from day %(first)s on, and %(days)s of behaviour reach into it.") % fields
        use = Mend(str(most), _("Use %(days)s") % {"days": days_words(most)})
        yield "days", Mendable(text, *([use] if most else []))
    equal = equal_moment(behaviour=behaviour, times=times, days=days, signup_event=signup_event, retention=retention)
    if equal is not None:
        text = _("“%(name)s” says the same already.") % {"name": equal}
        yield "behaviour", Mendable(text, Mend("", _("Open it"), href=reverse("aha:moment", args=[equal.key])))
