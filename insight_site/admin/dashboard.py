"""The admin's first page: what runs, how it does, what waits for a person. Unfold asks for it by name."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from aha.models import Study
from experiments.admin import overview
from experiments.admin.steps.health_light import health
from experiments.analyse.codes import LIGHTS, Code, code_words
from experiments.models import Experiment
from runs.listing import open_runs
from segments.models import Segment


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the template shows; a person sees only what they may view."""
    user = request.user
    if user.has_perm("experiments.view_experiment"):
        context["live"] = [
            {"at": one, "health": health(one), "verdict": verdict(one.verdict)} for one in overview.live()
        ]
        context["waiting"] = overview.waiting()
    if user.has_perm("aha.view_ahamoment"):
        context["moments"] = overview.moments()
    context["runs"] = open_runs() if user.has_perm("aha.view_study") else []
    context["first_steps"] = _first_steps() if not context.get("live") else []
    return context


def verdict(code: str) -> dict[str, str] | None:
    """Code of an analysis as a tag."""
    if not code:
        return None
    light = LIGHTS[Code(code)]
    return {"tone": "watch" if light == "warn" else light, "text": code_words(Code(code))}


def _first_steps() -> list[dict[str, Any]]:
    """The loop in three steps, each ticked once it was done: what an empty site shows."""
    return [
        {
            "done": Study.objects.filter(status=Study.Status.DONE).exists(),
            "title": _("Ask what those who stay did early"),
            "text": _("A study ranks behaviours, chooses how often and by when, and says how far to believe it."),
            "route": "aha:new_study",
            "action": _("Start a study"),
        },
        {
            "done": Segment.objects.exists(),
            "title": _("Tell users apart by how they play"),
            "text": _("Groups that were published can be targeted by an experiment and split its result."),
            "route": "segments:new_run",
            "action": _("Look for groups"),
        },
        {
            "done": Experiment.objects.filter(started_at__isnull=False).exists(),
            "title": _("Test whether it is the cause"),
            "text": _("An experiment nudges some users towards the behaviour. Only this separates cause from habit."),
            "route": "experiments:new_plan",
            "action": _("Plan an experiment"),
        },
    ]
