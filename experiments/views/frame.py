"""Frame of every tab of an experiment's page: head, tabs, available actions."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _

from events.upkeep.owners import OWNERS
from experiments.analyse.analyses import ANALYSED, has_final
from experiments.models import Analysis, Experiment, Rollout
from experiments.plan.lifecycle import LIVE, Action, Status
from experiments.review_page.panel import skipped
from experiments.serve.rollout.kill_switch import what_it_stops
from experiments.serve.rollout.rollout_lifecycle import Move
from experiments.serve.rollout.rollout_lifecycle import allowed as allowed_moves
from experiments.serve.rollout.shipping import SHIPPABLE, state_of
from experiments.standing import consequences, overview, rollout_state
from experiments.standing.health_light import health
from experiments.standing.shipping_advice import advice

AMENDED = (*LIVE, Status.STOPPED)  # states that the service amends


def find(key: str) -> Experiment:
    """The experiment with this key, with the rows that its head needs; 404 without one."""
    rows = Experiment.objects.select_related("moment", *OWNERS).defer("moment__evidence")
    return get_object_or_404(rows.prefetch_related("variants", "audience"), key=key)


def page(
    request: HttpRequest, experiment: Experiment, tab: str, context: dict[str, Any], *, open_run: bool = False
) -> HttpResponse:
    """Render one tab.

    Args:
        request: of a logged-in person.
        experiment: of `find`.
        tab: results, health, plan, setup, history or rollout.
        context: of the tab; names of the page take precedence.
        open_run: True while an analysis waits or runs, so that no other can be requested.
    """
    at = overview.standing(experiment)
    rolled = _rolled(experiment)
    given = {
        **context,
        "shipped": None if rolled is None or not rolled.is_on else rollout_state.badge(rolled),
        "experiment": experiment,
        "at": at,
        "end_to_check": overview.end_to_check(experiment),
        "light": health(at) if at.days is not None else None,
        "tab": tab,
        "tabs": _tabs(experiment, tab),
        "unreviewed": skipped(experiment) if experiment.started_at is not None else None,
        **actions(request, experiment, rolled, open_run=open_run),
    }
    return render(request, f"experiments/page/{tab}.html", given)


def _tabs(experiment: Experiment, here: str) -> list[dict[str, Any]]:
    routes = {
        "results": ("experiments:report", _("Results")),
        "health": ("experiments:health", _("Health")),
        "plan": ("experiments:plan", _("Plan")),
        "setup": ("experiments:setup", _("Set-up")),
        "history": ("experiments:history", _("History")),
    }
    if experiment.status in SHIPPABLE or here == "rollout":
        routes["rollout"] = ("experiments:rollout", _("Rollout"))
    return [
        {"url": reverse(route, args=[experiment.key]), "label": label, "here": slug == here}
        for slug, (route, label) in routes.items()
    ]


def actions(
    request: HttpRequest, experiment: Experiment, rolled: Rollout | None, *, open_run: bool = False
) -> dict[str, Any]:
    """Available actions: moves, amendments, analyses; none may change a final analysis.

    Shipping comes first only where the plan's decision rule recommends it.
    """
    may_change = request.user.has_perm("experiments.change_experiment")
    started = experiment.status in AMENDED
    final = has_final(experiment)
    asks = experiment.status in ANALYSED and not open_run and not final
    allowed = consequences.allowed(experiment) if may_change else []
    may_ship = may_change and experiment.status in SHIPPABLE and Move.SHIP in allowed_moves(state_of(rolled))
    ship_first = may_ship and bool(advice(experiment).proved)
    return {
        "moves": allowed,
        "main_move": _main_move(experiment, final=final) if may_change and not ship_first else "",
        "may_ship": may_ship,
        "ship_first": ship_first,
        "may_kill": may_change and what_it_stops(experiment) is not None,
        "may_amend": may_change and started,
        "may_raise": may_change and started and bool(experiment.audience.all()),
        "may_analyse": asks,
        "may_peek": asks and experiment.method == Experiment.Method.FIXED,
    }


def _rolled(experiment: Experiment) -> Rollout | None:
    """Its rollout; None before the experiment has ended."""
    if experiment.status not in SHIPPABLE:
        return None
    return Rollout.objects.select_related("variant", "experiment").filter(experiment=experiment).first()


def _main_move(experiment: Experiment, *, final: bool) -> str:
    """The action that is due; "" without one."""
    due = experiment.planned_end is not None and overview.until(experiment).overdue
    if experiment.status in LIVE and due:
        return Action.STOP.value
    return Action.CONCLUDE.value if experiment.status == Status.STOPPED and final else ""


def newest_open(experiment: Experiment) -> bool:
    """True while an analysis waits or runs."""
    waiting = (Analysis.Status.QUEUED, Analysis.Status.RUNNING)
    return Analysis.objects.filter(experiment=experiment, status__in=waiting).exists()
