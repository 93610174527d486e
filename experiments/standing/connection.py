"""Checklist whether the service is connected, from the first request for the flag to balanced groups."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, Min, Q, Sum
from django.template.defaultfilters import date as as_date
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.metrics import display_name
from experiments.analyse.health.split import SAMPLE_RATIO_UNITS
from experiments.models import Assignment, Experiment, FlagAsk
from experiments.standing.first_events import FirstEvents, first_events
from experiments.standing.overview import Light, Progress

BALANCED_FROM = SAMPLE_RATIO_UNITS


@dataclass(frozen=True)
class Tick:
    """One line of the checklist.

    Attributes:
        code: its name.
        light: `good` once it arrived, `bad` where something is wrong, "" while waiting.
        title: what is expected.
        said: what arrived, or what to do.
    """

    code: str
    light: str
    title: str
    said: str


def checks(experiment: Experiment, at: Progress, *, ask: bool) -> list[Tick]:
    """The checklist, in the order in which its lines are fulfilled.

    Args:
        experiment: with its moment.
        at: its progress.
        ask: query the event store, which may take seconds: for the fragment that a page loads later, not for the page.
    """
    seen = first_events(experiment, ask=ask)
    found = [_asked(experiment, at), _assigned(experiment, at), _exposed(experiment, at, seen)]
    if experiment.moment is not None:
        found.append(_behaviour(experiment, seen, asked=ask))
    return [*found, _balanced(at)]


def _asked(experiment: Experiment, at: Progress) -> Tick:
    rows: Any = FlagAsk.objects.filter(Q(flag_key=experiment.flag_key) | Q(flag_key=""))
    if experiment.started_at is not None:
        rows = rows.filter(last_at__gte=experiment.started_at)
    found = rows.aggregate(first=Min("first_at"), last=Max("last_at"), times=Sum("times"))
    title = _("Flag asked for")
    if not found["times"] and at.assigned:
        return Tick("asked", "", title, _("No call noted: users were assigned by a command or by an earlier version."))
    if not found["times"]:
        return Tick("asked", "", title, _("Nobody has asked for {flag} yet.").format(flag=experiment.flag_key))
    prefixes = rows.order_by("key_prefix").values_list("key_prefix", flat=True).distinct()
    keys = ", ".join(f"{key}…" for key in prefixes)
    times: int = found["times"]
    text = ngettext(
        "At least {n} time with {keys}; last: {last}", "At least {n} times with {keys}; last: {last}", times
    )
    return Tick("asked", "good", title, text.format(n=f"{times:,}", keys=keys, last=_when(found["last"])))


def _assigned(experiment: Experiment, at: Progress) -> Tick:
    title = _("First user assigned")
    first = Assignment.objects.filter(experiment=experiment).aggregate(first=Min("assigned_at"))["first"]
    if first is None:
        return Tick("assigned", "", title, _("No user has been assigned yet."))
    n = at.assigned
    text = ngettext("{n} user assigned; first: {first}", "{n} users assigned; first: {first}", n)
    return Tick("assigned", "good", title, text.format(n=f"{n:,}", first=_when(first)))


def _exposed(experiment: Experiment, at: Progress, seen: FirstEvents | None) -> Tick:
    stamped = Assignment.objects.filter(experiment=experiment).aggregate(first=Min("exposed_at"))["first"]
    stored = None if seen is None else seen.exposures.first
    times = [moment for moment in (stamped, stored) if moment is not None]
    if not times and not at.exposed:
        said = _("No exposure yet. Ask for the one flag when its feature is shown, or send Experiment Viewed.")
        return Tick("exposed", "", _("First exposure received"), said)
    if not times:
        said = ngettext("{n} user exposed.", "{n} users exposed.", at.exposed).format(n=f"{at.exposed:,}")
        return Tick("exposed", "good", _("First exposure received"), said)
    text = ngettext("{n} user exposed; first: {first}", "{n} users exposed; first: {first}", at.exposed)
    if not at.exposed:  # events not yet counted by assignments or an analysis
        text = _("The next analysis counts them; first: {first}")
    said = text.format(n=f"{at.exposed:,}", first=_when(min(times)))
    return Tick("exposed", "good", _("First exposure received"), said)


def _behaviour(experiment: Experiment, seen: FirstEvents | None, *, asked: bool) -> Tick:
    moment: Any = experiment.moment
    name = display_name(moment.behaviour)
    title = _("First {event} event since the start").format(event=name)
    if experiment.started_at is None:
        return Tick("behaviour", "", title, _("Counted from the start on."))
    if seen is None and not asked:
        return Tick("behaviour", "", title, _("The event store is being asked."))
    if seen is None or seen.behaviour is None:
        return Tick("behaviour", "", title, _("The event store can't be asked just now."))
    if seen.behaviour.first is None or seen.behaviour.last is None:
        return Tick("behaviour", "", title, _("No {event} event has come since the start.").format(event=name))
    text = ngettext("{n} event; last: {last}", "{n} events; last: {last}", seen.behaviour.events)
    said = text.format(n=f"{seen.behaviour.events:,}", last=_when(seen.behaviour.last))
    return Tick("behaviour", "good", title, said)


def _balanced(at: Progress) -> Tick:
    title = _("Groups balanced")
    ratio = next((one for one in at.concerns if one.code == "sample_ratio" or _is_ratio(one.details)), None)
    if ratio is not None:
        light = "bad" if ratio.light is Light.BAD else "warn"
        return Tick("balanced", light, title, _("The split of the exposed users is not the planned one: see Health."))
    if at.exposed < BALANCED_FROM:
        text = _("Tested from {n} exposed users on; {exposed} so far.")
        return Tick("balanced", "", title, text.format(n=BALANCED_FROM, exposed=at.exposed))
    shown = ", ".join(f"{arm.name} {arm.exposed:,}" for arm in at.arms)
    return Tick("balanced", "good", title, _("The exposed users are split as planned: {split}.").format(split=shown))


def _is_ratio(details: dict[str, Any]) -> bool:
    return str(details.get("check", "")).startswith("sample_ratio") or details.get("check") == "srm"


def _when(moment: datetime) -> str:
    return str(as_date(timezone.localtime(moment), "DATETIME_FORMAT"))
