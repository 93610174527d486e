"""Tabs of one experiment with their own addresses: health, plan and history."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from experiments.analyse.analyses import latest_analysis, read_analysis
from experiments.analyse.codes import Code, code_words
from experiments.analyse.latest_findings import history_of
from experiments.analyse.overlap.overlaps import latest_overlap, read_overlap
from experiments.analyse.overlap.pairs import Overlap
from experiments.models import Analysis, Experiment
from experiments.plan import audience
from experiments.plan.lifecycle import Status
from experiments.plan.review.review_state import standing_of
from experiments.plan_page import plan_summary
from experiments.plan_page.page_context import document_context, remarks
from experiments.report import first_lines, flow, page
from experiments.report.across import overlap_page
from experiments.review_page.panel import panel, story
from experiments.standing import history as log
from experiments.views import frame
from experiments.views.template_differences import template_of
from runs.payloads import Unreadable

ANALYSES_SHOWN = 50


@login_required
@require_safe
def health(request: HttpRequest, key: str) -> HttpResponse:
    """Health tab: checks, split, enrolled units."""
    experiment = frame.find(key)
    run = latest_analysis(experiment)
    context: dict[str, Any] = {"run": run, "shared": _shared(experiment)}
    readout = read_analysis(run)
    if isinstance(readout, Unreadable):
        context["unreadable"] = readout.sentence()
    elif readout is not None:
        context |= {
            "readout": readout,
            "health": first_lines.health(readout),
            "split": flow.split(readout),
            "sections": page.of_tab(page.sections(readout), "health"),
        }
    return frame.page(request, experiment, "health", context, open_run=frame.newest_open(experiment))


def _shared(experiment: Experiment) -> list[str]:
    """Experiments that share users with this one, by the last count."""
    found = read_overlap(latest_overlap())
    return overlap_page.lines_of(found, experiment.key) if isinstance(found, Overlap) else []


@login_required
@require_safe
def plan(request: HttpRequest, key: str) -> HttpResponse:
    """Plan tab: the current plan, what was registered, and whether it was followed."""
    experiment = frame.find(key)
    run = latest_analysis(experiment)
    readout = read_analysis(run)
    context: dict[str, Any] = {
        "run": run,
        "dates": plan_summary.dates(experiment),
        "troubles": audience.troubles(experiment) if experiment.status == Status.DRAFT else [],
        "sections": ()
        if readout is None or isinstance(readout, Unreadable)
        else page.of_tab(page.sections(readout), "plan"),
        "deviations": log.amendments(experiment),
        **document_context(request, experiment),
        "differs": template_of(experiment),
    }
    context["review"] = panel(request, experiment, context["known"])
    return frame.page(request, experiment, "plan", context, open_run=frame.newest_open(experiment))


@login_required
@require_safe
def history(request: HttpRequest, key: str) -> HttpResponse:
    """History tab: actions with person and time, looks and peeks, two versions of the plan side by side."""
    experiment = frame.find(key)
    run = latest_analysis(experiment)
    readout = read_analysis(run)
    told = log.story(experiment)
    chosen = [request.GET.get(name, "") for name in ("from", "to")]
    context: dict[str, Any] = {
        "run": run,
        "story": told,
        "chosen": chosen,
        "compared": log.compared(told, *chosen),
        "analyses": _analyses(experiment),
        "remarks": remarks(experiment),
        "reviewed": story(standing_of(experiment)),
        "sections": ()
        if readout is None or isinstance(readout, Unreadable)
        else page.of_tab(page.sections(readout), "history"),
    }
    return frame.page(request, experiment, "history", context, open_run=frame.newest_open(experiment))


def _analyses(experiment: Experiment) -> list[dict[str, Any]]:
    """The newest analyses, each with its verdict in words."""
    rows: list[Analysis] = list(history_of(experiment)[:ANALYSES_SHOWN])
    whole = experiment.moves_whole_clusters
    return [
        {"run": row, "verdict": code_words(Code(row.verdict), whole_clusters=whole) if row.verdict else ""}
        for row in rows
    ]
