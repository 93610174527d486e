"""Consequences of an action in plain words, shown before a person confirms it."""

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from experiments.models import Experiment
from experiments.plan.lifecycle import MOVES, Action, Status
from reporting.numbers import percent

if TYPE_CHECKING:
    from experiments.analyse.closing import Cost
    from experiments.standing.overview import Progress

ACTIONS = {
    Action.START: gettext_lazy("Start"),
    Action.PAUSE: gettext_lazy("Pause"),
    Action.RESUME: gettext_lazy("Resume"),
    Action.CLOSE_ENROLMENT: gettext_lazy("Close enrolment"),
    Action.STOP: gettext_lazy("Stop"),
    Action.CONCLUDE: gettext_lazy("Conclude"),
    Action.ARCHIVE: gettext_lazy("Archive"),
}
DONE = {
    Action.START: gettext_lazy("{name} runs now."),
    Action.PAUSE: gettext_lazy("{name} is paused."),
    Action.RESUME: gettext_lazy("{name} runs again."),
    Action.CLOSE_ENROLMENT: gettext_lazy("{name} takes no new units any more."),
    Action.STOP: gettext_lazy("{name} is stopped."),
    Action.CONCLUDE: gettext_lazy("{name} is concluded."),
    Action.ARCHIVE: gettext_lazy("{name} is archived."),
}
ICONS = {
    Action.START: "play_arrow",
    Action.PAUSE: "pause",
    Action.RESUME: "play_arrow",
    Action.CLOSE_ENROLMENT: "door_front",
    Action.STOP: "stop",
    Action.CONCLUDE: "flag",
    Action.ARCHIVE: "archive",
}
FINAL = (Action.STOP, Action.CONCLUDE, Action.ARCHIVE, Action.CLOSE_ENROLMENT)  # irreversible: shown in red


def allowed(experiment: Experiment) -> list[dict[str, Any]]:
    """The allowed actions as buttons; closed enrolment can't be closed again."""
    closed = experiment.enrolment_closed_at is not None
    return [
        {"action": one.value, "label": ACTIONS[one], "icon": ICONS[one], "final": one in FINAL}
        for state, one in MOVES
        if state == Status(experiment.status) and not (one is Action.CLOSE_ENROLMENT and closed)
    ]


def question(action: Action, name: str) -> str:
    """Question on the confirmation page."""
    questions = {
        Action.START: _("Start {name}?"),
        Action.PAUSE: _("Pause {name}?"),
        Action.RESUME: _("Resume {name}?"),
        Action.CLOSE_ENROLMENT: _("Close the enrolment of {name}?"),
        Action.STOP: _("Stop {name}?"),
        Action.CONCLUDE: _("Conclude {name}?"),
        Action.ARCHIVE: _("Archive {name}?"),
    }
    return questions[action].format(name=name)


def sentences(action: Action, standing: "Progress", cost: "Cost | None" = None) -> list[str]:
    """What will happen, which users are affected, how much alpha the last look may spend, and what can't be undone."""
    from experiments.plan_page.document import at_start

    row = standing.experiment
    counts = {"assigned": f"{standing.assigned:,}", "exposed": f"{standing.exposed:,}"}
    match action:
        case Action.START:
            return at_start(row)
        case Action.PAUSE:
            return [
                _("Everybody gets the value outside the experiment until you resume; nobody new is enrolled."),
                _("The {assigned} units that are in keep their variant and get it again afterwards.").format(**counts),
                _("A pause weakens the result: those days carry no nudge."),
            ]
        case Action.RESUME:
            return [
                _("The {assigned} units that are in get their variant again.").format(**counts),
                _("New units are enrolled again.")
                if row.enrolment_closed_at is None
                else _("No new units are enrolled: enrolment is closed."),
            ]
        case Action.CLOSE_ENROLMENT:
            return [
                _("The {assigned} units that are in keep their variant.").format(**counts),
                *_last_look(cost),
                _("Nobody new is enrolled. This can't be undone."),
            ]
        case Action.STOP:
            return [
                _(
                    "Everybody gets the value outside the experiment at once, the {assigned} units that are in, too."
                ).format(**counts),
                _("{exposed} units were shown their variant so far. Their outcomes go on being counted.").format(
                    **counts
                ),
                *_short_of(standing),
                *_last_look(cost),
                _("A stopped experiment can't be started again; a copy of it can."),
            ]
        case Action.CONCLUDE:
            return [
                _("The result counts as read: the plan can't be amended any more."),
                _("The assignments and the report stay."),
            ]
    if row.status == Status.DRAFT:
        return [_("The draft leaves the lists of work. It was never started, so no user is affected.")]
    return [_("It leaves the lists of work, and services don't find its flag any more. Its report stays.")]


def _short_of(standing: "Progress") -> list[str]:
    """A warning when the experiment would be stopped before its planned units: that weakens the verdict."""
    if standing.planned is None or standing.exposed >= standing.planned:
        return []
    text = _("The plan asks for {planned} units: with fewer, an effect that is there may be missed.")
    return [text.format(planned=f"{standing.planned:,}")]


def _last_look(cost: "Cost | None") -> list[str]:
    """How much alpha the last look may spend when enrolment ends today, where ending costs nothing."""
    if cost is None:
        return []
    if cost.rule.value == "early":
        return []
    why = {
        "blind": _("No outcome has been shown yet, so the last look may spend all of the error rate that is left."),
        "planned_end": _("The planned end is reached, so the last look may spend all of the error rate that is left."),
        "complete": _("The planned units are in, so the last look may spend all of the error rate that is left."),
    }
    found = [why[cost.rule.value]]
    if cost.critical is not None:
        text = _("With the units shown so far |z| will have to reach about {critical} then.")
        found.append(text.format(critical=f"{cost.critical:.2f}"))
    return found


def early_cost(cost: "Cost | None") -> str:
    """What ending enrolment after a look costs, shown prominently; "" where it costs nothing."""
    if cost is None or cost.rule.value != "early":
        return ""
    return _early(cost).format(
        share=percent(min(cost.fraction, 1), 0),
        critical="" if cost.critical is None else f"{cost.critical:.2f}",
        whole="" if cost.whole is None else f"{cost.whole:.2f}",
        day="" if cost.shown is None else cost.shown.isoformat(),
    )


def _early(cost: "Cost") -> str:
    if cost.critical is None or cost.whole is None:
        return _(
            "This costs the result: an outcome was shown (last on {day}), and neither the planned units nor the "
            "planned end is reached. So the last look, with about {share} of the planned units, may spend only what "
            "the plan allows at that share, which is nothing: no effect can be found any more."
        )
    return _(
        "This costs the result: an outcome was shown (last on {day}), and neither the planned units nor the planned "
        "end is reached. So the last look, with about {share} of the planned units, may spend only what the plan "
        "allows at that share: |z| will have to reach about {critical} instead of {whole}."
    )
