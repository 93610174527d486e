"""The home page's rows: what runs, what was found lately, and what to do next."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import OuterRef, Subquery
from django.urls import reverse
from django.utils.translation import gettext

from aha.forms import form_words
from aha.headline import stored_headline
from aha.models import AhaMoment, Study
from aha.report import moment_page
from experiments.admin import overview
from experiments.analyse.codes import LIGHTS, Code, code_words
from experiments.models import Analysis, Experiment
from runs.listing import open_runs
from runs.models import Run
from runs.pulse import is_alive, last_heard
from segments.models import SegmentModel
from segments.published import publish
from segments.report import drift_page

SHOWN = 5


@dataclass(frozen=True)
class Step:
    """What to do next: a sentence, and where."""

    words: str
    action: str
    url: str


def landing(user: User | AnonymousUser) -> dict[str, Any]:
    """Everything that the home page shows to somebody with an account."""
    heard = last_heard()
    found: dict[str, Any] = {
        "open_runs": open_runs(),
        "worker_heard": heard,
        "worker_alive": is_alive(heard),
        "experiments": running(),
        "moments": [_moment(row) for row in AhaMoment.objects.light()[:SHOWN]],
        "studies": [_study(row) for row in Study.objects.light()[:SHOWN]],
        "models": [_model(row) for row in publish.models_with_current()[:SHOWN]],
        "verdicts": verdicts(),
    }
    return {**found, "next": next_step(user)}


def running() -> list[dict[str, Any]]:
    """Experiments that run or pause, with how far they are towards the planned number of users."""
    states = (Experiment.Status.RUNNING, Experiment.Status.PAUSED)
    rows = Experiment.objects.filter(status__in=states).prefetch_related("variants", "audience").order_by("-started_at")
    found = overview.standings(rows[:SHOWN])
    return [
        {"experiment": at.experiment, "url": reverse("experiments:report", args=[at.experiment.key]), "at": at}
        for at in found
    ]


def verdicts() -> list[dict[str, Any]]:
    """The latest verdict of each experiment, the newest first."""
    spoken = Analysis.objects.filter(status=Run.Status.DONE).exclude(verdict="")
    last = spoken.filter(experiment=OuterRef("experiment")).values("pk")[:1]
    rows = spoken.light("experiment").filter(pk=Subquery(last)).defer("inputs")
    return [
        {
            "experiment": row.experiment,
            "url": reverse("experiments:report", args=[row.experiment.key]),
            "words": code_words(Code(row.verdict)),
            "light": LIGHTS[Code(row.verdict)],
            "at": row.created_at,
            "final": row.final,
        }
        for row in rows[:SHOWN]
    ]


def next_step(user: User | AnonymousUser) -> Step | None:
    """The first thing that is missing on the way from events to a verdict, and that this person may do."""
    if not Study.objects.filter(status=Run.Status.DONE).exists():
        if not user.has_perm("aha.add_study"):
            return None
        return Step(
            gettext("Start with a study: it looks for the early behaviours that go with staying."),
            gettext("New study"),
            reverse("aha:new_study"),
        )
    if not AhaMoment.objects.exists():
        study = Study.objects.light().filter(status=Run.Status.DONE).latest("created_at")
        return Step(
            gettext("A study is done. Choose a candidate worth testing and make it an AHA moment."),
            gettext("Open the study"),
            reverse("aha:study", args=[study.pk]),
        )
    if not Experiment.objects.exists():
        if not user.has_perm("experiments.add_experiment"):
            return None
        return Step(
            gettext("There is an AHA moment, and no experiment yet that tells whether it is the cause."),
            gettext("Plan an experiment"),
            reverse("experiments:new_plan"),
        )
    if not SegmentModel.objects.exists() and user.has_perm("segments.add_segmentationrun"):
        return Step(
            gettext("Nobody has looked yet who plays how; experiments can target such groups."),
            gettext("Look for groups"),
            reverse("segments:new_run"),
        )
    return None


def _study(study: Study) -> dict[str, Any]:
    study.words = form_words(study)
    return {"study": study, "found": stored_headline(study.headline)}


def _moment(moment: AhaMoment) -> dict[str, Any]:
    finding = moment_page.finding(moment.finding)
    return {"moment": moment, "finding": finding, "light": moment_page.LIGHTS.get(moment.status, "")}


def _model(model: Any) -> dict[str, Any]:
    version = next(iter(model.current_versions), None)
    if version is None:
        return {"model": model, "version": None, "segments": [], "colour": "", "drift": ""}
    colour, words = drift_page.strongest(version.drift_code) if version.rule is None else ("", "")
    return {"model": model, "version": version, "segments": version.segments.all(), "colour": colour, "drift": words}
