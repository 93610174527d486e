"""Results tab: the verdict and its chart, or the progress and when the result opens."""

from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from aha.made_names import moment_name
from experiments.analyse import calibration as calibrating
from experiments.analyse.analyses import latest_analysis, read_analysis
from experiments.analyse.decision_record import Ruling
from experiments.analyse.handed_on.list_figures import figures_of
from experiments.analyse.latest_findings import history_of
from experiments.analyse.result import Readout
from experiments.analyse.segment_draft import draft_segment, variants_with_rule
from experiments.models import Analysis, Experiment
from experiments.plan import audience
from experiments.plan.lifecycle import Status, review_words
from experiments.plan.review.review_state import standing_of
from experiments.plan_page import plan_summary
from experiments.report import first_lines, flow, page, promise_and_finding
from experiments.report.across import calibration_page
from experiments.report.behaviour.take_up import take_up_sentences
from experiments.report.definitions import definitions
from experiments.report.first_lines import Opening
from experiments.report.names import metric_sentence
from experiments.review_page.panel import skipped
from experiments.standing import overview
from experiments.standing.headline import headline
from experiments.views import frame
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import may, progress_of


@login_required
@require_safe
def report(request: HttpRequest, key: str) -> HttpResponse:
    """The last successful report of an experiment, and above it the state of a newer analysis."""
    experiment = frame.find(key)
    return _page(request, experiment, latest_analysis(experiment))


@login_required
@require_safe
def analysis(request: HttpRequest, key: str, pk: int) -> HttpResponse:
    """One analysis, also an older one or one that failed."""
    experiment = frame.find(key)
    return _page(request, experiment, get_object_or_404(Analysis, experiment=experiment, pk=pk))


def _page(request: HttpRequest, experiment: Experiment, run: Analysis | None) -> HttpResponse:
    newest = history_of(experiment).first()
    # A newer analysis that waits, runs or failed is shown above the last successful report and never replaces it.
    above = newest if newest is not None and (run is None or newest.pk > run.pk) and newest.status != "done" else None
    if run is not None and run.status != Analysis.Status.DONE:
        above = run
    done = history_of(experiment).filter(status=Analysis.Status.DONE).first()
    context = {
        "run": run,
        "above": above,
        "older": run is not None and done is not None and run.pk < done.pk,
        **({} if above is None else progress_of(above)),
        **({} if run is None else report_body(run)),
        **(_draft(experiment) if experiment.status == Status.DRAFT else {}),
    }
    if "opening" in context:
        context["opening"] = _as_it_stands(experiment, context["readout"], context["opening"])
    return frame.page(request, experiment, "results", context, open_run=above is not None and above.is_open)


def _as_it_stands(experiment: Experiment, readout: Readout, opening: Opening) -> Opening:
    """Correct the reason of the lock where an analysis from before the stop still says "enrolling"."""
    if readout.standing.why != "enrolling" or not overview.until(experiment).ended:
        return opening
    return replace(opening, sentence=first_lines.state_sentence("maturing"))


def _draft(experiment: Experiment) -> dict[str, Any]:
    """Content for a draft: its plan so far, and what is missing."""
    review = standing_of(experiment)
    return {
        "parts": plan_summary.parts(experiment),
        "troubles": audience.troubles(experiment),
        "review_missing": review_words(review.missing) if review.missing else "",
    }


def report_body(run: Analysis) -> dict[str, Any]:
    """Context of `experiments/report_body.html` for a done analysis: on its page, and in its download."""
    readout = read_analysis(run)
    if readout is None:
        return {}
    if isinstance(readout, Unreadable):
        return {"unreadable": readout.sentence()}
    promise = promise_and_finding.promise(readout)
    code = "" if readout.verdict is None else str(readout.verdict.code)
    whole = page.sections(readout)
    return {
        "readout": readout,
        "unreviewed": skipped(run.experiment),
        "claim": "" if readout.plan.claim is None else moment_name(readout.plan.claim.name, readout.plan.claim),
        "opening": first_lines.opening(readout),
        "numbers": headline(figures_of(readout), code),
        "promise": promise,
        "contrasts": promise_and_finding.effects_first(promise_and_finding.contrasts(readout)),
        "worth": calibration_page.share_left(calibrating.calibrate().pooled) if promise is not None else "",
        "take_up": [] if readout.report is not None else list(take_up_sentences(readout)),
        "health": first_lines.health(readout),
        "split": flow.split(readout),
        "sections": page.of_tab(whole, "results"),
        "elsewhere": tuple(one for one in whole if one not in page.of_tab(whole, "results")),
        # Before a decision the rule is shown with the plan; a proved harm is always shown.
        "decision_waits": readout.report is None
        and readout.decision is not None
        and readout.decision.ruling is Ruling.WAIT,
        "rules": variants_with_rule(readout),
        "definitions": () if readout.report is None else definitions(readout.report),
        "metrics": [metric_sentence(name) for name in readout.plan.outcomes],
    }


@login_required
@may("segments.add_segmentversion")
@require_POST
def draft_rule_segment(request: HttpRequest, key: str, pk: int) -> HttpResponse:
    """Open the form of a new segment filled in with the rule for whom to nudge; a person publishes it there."""
    run = get_object_or_404(Analysis.objects.select_related("experiment"), experiment__key=key, pk=pk)
    try:
        draft = draft_segment(analysis=run, variant=request.POST.get("variant", ""))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("experiments:analysis", key=key, pk=pk)
    return redirect(f"{reverse('segments:new_rule')}?{urlencode(asdict(draft))}")
