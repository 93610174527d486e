"""Consequences of an action in plain words, shown before a person confirms it."""

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from experiments.models import Experiment
from experiments.plan.lifecycle import MOVES, Action, Status
from reporting.numbers import day_text, percent

if TYPE_CHECKING:
    from experiments.analyse.outcome_lock import Cost
    from experiments.status.overview import Progress

ACTIONS = {
    Action.START: gettext_lazy("Start"),
    Action.PAUSE: gettext_lazy("Pause"),
    Action.RESUME: gettext_lazy("Resume"),
    Action.CLOSE_ENROLMENT: gettext_lazy("Close enrolment"),
    Action.STOP: gettext_lazy("Stop"),
    Action.CONCLUDE: gettext_lazy("Close with a note"),
    Action.ARCHIVE: gettext_lazy("Archive"),
}
DONE = {
    Action.START: gettext_lazy("{name} runs now."),
    Action.PAUSE: gettext_lazy("{name} is paused."),
    Action.RESUME: gettext_lazy("{name} runs again."),
    Action.CLOSE_ENROLMENT: gettext_lazy("{name} takes no new users any more."),
    Action.STOP: gettext_lazy("{name} is stopped."),
    Action.CONCLUDE: gettext_lazy("{name} is closed."),
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
        {"action": action.value, "label": ACTIONS[action], "icon": ICONS[action], "final": action in FINAL}
        for state, action in MOVES
        if state == Status(experiment.status) and not (action is Action.CLOSE_ENROLMENT and closed)
    ]


def question(action: Action, name: str) -> str:
    """Question on the confirmation page."""
    questions = {
        Action.START: _("Start {name}?"),
        Action.PAUSE: _("Pause {name}?"),
        Action.RESUME: _("Resume {name}?"),
        Action.CLOSE_ENROLMENT: _("Close the enrolment of {name}?"),
        Action.STOP: _("Stop {name}?"),
        Action.CONCLUDE: _("Close {name} with a note?"),
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
                _("The {assigned} users who are in stay in their group and get it again afterwards.").format(**counts),
                _("A pause weakens the result: those days carry no nudge."),
            ]
        case Action.RESUME:
            return [
                _("The {assigned} users who are in get their group again.").format(**counts),
                _("New users are enrolled again.")
                if row.enrolment_closed_at is None
                else _("No new users are enrolled: enrolment is closed."),
            ]
        case Action.CLOSE_ENROLMENT:
            return [
                _("The {assigned} users who are in stay in their group.").format(**counts),
                *_last_look(cost),
                _("Nobody new is enrolled. This can't be undone."),
            ]
        case Action.STOP:
            return [
                _(
                    "Everybody gets the value outside the experiment at once, the {assigned} users who are in, too."
                ).format(**counts),
                _("{exposed} users were shown their group so far. Their outcomes go on being counted.").format(
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
    text = _("The plan asks for {planned} users: with fewer, an effect that is there may be missed.")
    return [text.format(planned=f"{standing.planned:,}")]


def _last_look(cost: "Cost | None") -> list[str]:
    """How much alpha the last look may spend when enrolment ends today, where ending costs nothing."""
    if cost is None:
        return []
    if cost.rule.value == "early":
        return []
    why = {
        "blind": _("No outcome has been shown yet, so the last analysis may spend all of the error rate that is left."),
        "planned_end": _(
            "The planned end has come, so the last analysis may spend all of the error rate that is left."
        ),
        "complete": _("The planned users are in, so the last analysis may spend all of the error rate that is left."),
    }
    texts = [why[cost.rule.value]]
    if cost.critical is not None:
        text = _("With the users shown so far |z| will have to be about {critical} then.")
        texts.append(text.format(critical=f"{cost.critical:.2f}"))
    return texts


def early_cost(cost: "Cost | None") -> str:
    """What ending enrolment after a look costs, shown prominently; "" where it costs nothing."""
    if cost is None or cost.rule.value != "early":
        return ""
    return _early(cost).format(
        share=percent(min(cost.fraction, 1), 0),
        critical="" if cost.critical is None else f"{cost.critical:.2f}",
        whole="" if cost.whole is None else f"{cost.whole:.2f}",
        day="" if cost.shown is None else day_text(cost.shown),
    )


def _early(cost: "Cost") -> str:
    if cost.critical is None or cost.whole is None:
        return _(
            "This costs the result: an outcome was shown (last on {day}), and neither the planned users nor the "
            "planned end has come. So the last analysis, with about {share} of the planned users, may spend only "
            "what the plan allows at that share, which is nothing: no effect can be found any more."
        )
    return _(
        "This costs the result: an outcome was shown (last on {day}), and neither the planned users nor the planned "
        "end has come. So the last analysis, with about {share} of the planned users, may spend only what the plan "
        "allows at that share: |z| will have to be about {critical} instead of {whole}."
    )
