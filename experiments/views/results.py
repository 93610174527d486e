"""Pages of experiments for those who read them: list, report, the wait for an analysis, calibration."""

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from events.metrics import display_name
from experiments.analyse import calibration as calibrating
from experiments.analyse.analyses import ANALYSED, has_final, latest_analysis, read_analysis, request_analysis
from experiments.analyse.codes import LIGHTS, SIGNS, Code, code_words
from experiments.analyse.for_whom.segment_draft import draft_segment, variants_with_rule
from experiments.analyse.latest_findings import history_of, with_findings
from experiments.models import Analysis, Experiment
from experiments.report import calibration_page, first_lines, flow, page, promise_and_finding
from experiments.report.definitions import definitions
from experiments.report.names import metric_sentence
from runs.listing import listing
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import is_htmx, may, person, progress_of

# Modules of the report load SciPy, the chart modules Altair: they are imported where a page needs them, so that web
# processes start quickly.
HISTORY_SHOWN = 20
LOCKED = "PENDING"
NONE_YET = "NONE"


# ── List ──────────────────────────────────────────────────────────────────────
@login_required
@require_safe
def experiment_list(request: HttpRequest) -> HttpResponse:
    """Experiments by state, verdict and text, the newest first; htmx gets the rows alone."""
    verdicts = [(str(code), code_words(code)) for code in Code]
    chosen = request.GET.get("verdict", "")
    rows: Any = with_findings()  # with annotations that no type knows
    if chosen in dict(verdicts):
        rows = rows.filter(found_verdict=chosen)
    elif chosen == LOCKED:
        rows = rows.filter(found_verdict="")
    elif chosen == NONE_YET:
        rows = rows.filter(found_pk__isnull=True)
    else:
        chosen = ""
    states = [row for row in Experiment.Status.choices if row[0] != Experiment.Status.ARCHIVED]
    found = listing(request, rows, text_in=("name", "key", "hypothesis"), state_in="status", states=states)
    shown = [
        {
            "experiment": row,
            "heading": dict(verdicts).get(row.found_verdict or "", ""),
            "light": LIGHTS[Code(row.found_verdict)] if row.found_verdict else "",
            "sign": SIGNS[Code(row.found_verdict)] if row.found_verdict else "",
            "percent": None if row.found_fraction is None else round(100 * min(row.found_fraction, 1.0)),
        }
        for row in found.page
    ]
    choices = [*verdicts, (LOCKED, gettext("No verdict yet")), (NONE_YET, gettext("not analysed yet"))]
    context = {
        "rows": shown,
        "listing": found,
        "verdicts": choices,
        "verdict": chosen,
        "any_at_all": bool(found.total) or bool(chosen),
    }
    template = "experiments/rows.html" if is_htmx(request) else "experiments/list.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


# ── Report ────────────────────────────────────────────────────────────────────
@login_required
@require_safe
def report(request: HttpRequest, key: str) -> HttpResponse:
    """The last good report of an experiment, and above it what became of a newer analysis."""
    experiment = get_object_or_404(Experiment.objects.select_related("moment").defer("moment__evidence"), key=key)
    return _page(request, experiment, latest_analysis(experiment))


@login_required
@require_safe
def analysis(request: HttpRequest, key: str, pk: int) -> HttpResponse:
    """One analysis, also an older one or one that failed."""
    runs = Analysis.objects.select_related("experiment__moment").defer("experiment__moment__evidence")
    run = get_object_or_404(runs, experiment__key=key, pk=pk)
    return _page(request, run.experiment, run)


def _page(request: HttpRequest, experiment: Experiment, run: Analysis | None) -> HttpResponse:
    history = list(history_of(experiment)[:HISTORY_SHOWN])
    newest = history[0] if history else None
    # A newer analysis that waits, runs or failed stands above the last good report and never takes its place.
    above = newest if newest is not None and (run is None or newest.pk > run.pk) and newest.status != "done" else None
    if run is not None and run.status != Analysis.Status.DONE:
        above = run
    latest = next((row for row in history if row.status == Analysis.Status.DONE), None)
    context = {
        "experiment": experiment,
        "run": run,
        "above": above,
        "history": history,
        "older": run is not None and latest is not None and run.pk < latest.pk,
        **({} if above is None else progress_of(above)),
        **({} if run is None else report_body(run)),
        **_actions(experiment, above),
    }
    return render(request, "experiments/report.html", context)


def report_body(run: Analysis) -> dict[str, Any]:
    """What `experiments/report_body.html` shows of a done analysis: on its page, and where it is taken away."""
    readout = read_analysis(run)
    if readout is None:
        return {}
    if isinstance(readout, Unreadable):
        return {"unreadable": readout.sentence()}
    promise = promise_and_finding.promise(readout)
    return {
        "readout": readout,
        "claim": "" if readout.plan.claim is None else display_name(readout.plan.claim.name),
        "opening": first_lines.opening(readout),
        "percent": round(100 * min(readout.standing.fraction, 1.0)),
        "promise": promise,
        "contrasts": promise_and_finding.contrasts(readout),
        "worth": calibration_page.share_left(calibrating.calibrate().pooled) if promise is not None else "",
        "health": first_lines.health(readout),
        "split": flow.split(readout),
        "sections": page.sections(readout),
        "rules": variants_with_rule(readout),
        "definitions": () if readout.report is None else definitions(readout.report),
        "metrics": [metric_sentence(name) for name in readout.plan.outcomes],
    }


def _actions(experiment: Experiment, above: Analysis | None) -> dict[str, Any]:
    """What a person may ask for now; a final analysis stays as it is."""
    waits = above is not None and above.is_open
    may = experiment.status in ANALYSED and not waits and not has_final(experiment)
    return {"may_analyse": may, "may_peek": may and experiment.method == Experiment.Method.FIXED}


# ── Asking for an analysis ────────────────────────────────────────────────────
@login_required
@may("experiments.add_analysis")
@require_POST
def analyse(request: HttpRequest, key: str) -> HttpResponse:
    """Ask for an analysis now."""
    return _ask(request, get_object_or_404(Experiment, key=key), peek=False)


@login_required
@may("experiments.add_analysis")
@require_http_methods(["GET", "HEAD", "POST"])
def peek(request: HttpRequest, key: str) -> HttpResponse:
    """Say what a look before the planned end costs; after a yes, ask for it."""
    experiment = get_object_or_404(Experiment, key=key)
    if request.method == "POST":
        return _ask(request, experiment, peek=True)
    return render(request, "experiments/peek.html", {"experiment": experiment, **_actions(experiment, None)})


def _ask(request: HttpRequest, experiment: Experiment, *, peek: bool) -> HttpResponse:
    try:
        request_analysis(experiment=experiment, by=person(request), peek=peek)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("experiments:report", key=experiment.key)


@login_required
@may("segments.add_segmentversion")
@require_POST
def draft_rule_segment(request: HttpRequest, key: str, pk: int) -> HttpResponse:
    """Fill the form of a new segment with the rule whom to nudge; it is published there, by whoever looked at it."""
    run = get_object_or_404(Analysis.objects.select_related("experiment"), experiment__key=key, pk=pk)
    try:
        draft = draft_segment(analysis=run, variant=request.POST.get("variant", ""))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("experiments:analysis", key=key, pk=pk)
    return redirect(f"{reverse('segments:new_rule')}?{urlencode(asdict(draft))}")


# ── Calibration ───────────────────────────────────────────────────────────────
@login_required
@require_safe
def calibration(request: HttpRequest) -> HttpResponse:
    """Naive promise against causal finding, over all experiments."""
    found = calibrating.calibrate()
    sentence = calibration_page.finding(found.pooled)
    left_out = [(row.name, row.verdict, row.why) for row in found.left_out]
    context = {
        "finding": sentence,
        "spread": calibration_page.spread(found.pooled),
        "drawing": calibration_page.draw(found.trials, sentence),
        "trials": calibration_page.trials(found.trials) if found.trials else None,
        "left_out": calibration_page.left_out(left_out),
    }
    return render(request, "experiments/calibration.html", context)


@login_required
@require_safe
def calibration_until_0_3(request: HttpRequest) -> HttpResponse:
    """Old links to the calibration page still lead there, unless an experiment has this key."""
    if Experiment.objects.filter(key="calibration").exists():
        return report(request, "calibration")
    return redirect("experiments:calibration")
