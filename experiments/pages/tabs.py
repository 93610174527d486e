"""The tabs of an experiment: their head, the verdict or how far it is, health, plan and history."""

from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from aha.made_names import moment_name
from events.upkeep.tags_and_owners import OWNERS
from experiments.analyse.across import calibration
from experiments.analyse.across.overlap_pairs import OVERLAP, Overlap
from experiments.analyse.across.overlaps import latest_overlap
from experiments.analyse.analyses import ANALYSED, has_final, history_of, latest_analysis, price_of
from experiments.analyse.codes import Code, code_words
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Opened, Ruling
from experiments.analyse.segment_draft import draft_segment, variants_with_rule
from experiments.models import Analysis, Experiment, Rollout
from experiments.pages.templates import template_of
from experiments.plan import audience
from experiments.plan.fields import Method
from experiments.plan.lifecycle import LIVE, Action, Status, review_words
from experiments.plan.review import standing_of
from experiments.plan_page import plan_summary
from experiments.plan_page.document import document_context, remarks
from experiments.plan_page.review_panel import panel, skipped, story
from experiments.report import calibration_page, first_lines, flow, overlap_page, promise_and_finding
from experiments.report import lab as lab_page
from experiments.report import page as report_page
from experiments.report import summary as first_screen
from experiments.report.behaviour import take_up_sentences
from experiments.report.definitions import definitions
from experiments.report.first_lines import Opening
from experiments.report.names import metric_sentence
from experiments.serve.rollout_lifecycle import Move
from experiments.serve.rollout_lifecycle import allowed as allowed_moves
from experiments.serve.shipping import SHIPPABLE, state_of
from experiments.status import consequences, overview, rollout_state
from experiments.status import history as status_history
from experiments.status.overview import health as overview_health
from experiments.status.rollout_moves import advice, what_it_stops
from experiments.status.waiting import note_read
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.spending import told_fact
from runs.web import may, progress_of

# Frame of every tab of an experiment's page: head, tabs, available actions.

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
    shipped = None if rolled is None or not rolled.is_on else rollout_state.badge(rolled)
    if shipped is not None and "summary" in context:
        context["summary"] = first_screen.with_next(context["summary"], shipped.sentence)
    given = {
        **context,
        "shipped": shipped,
        "experiment": experiment,
        "at": at,
        "end_to_check": overview.end_to_check(experiment),
        "light": overview_health(at) if at.days is not None else None,
        "tab": tab,
        "tabs": _tabs(experiment, tab, context, is_open=at.figures is not None),
        "unreviewed": skipped(experiment) if experiment.started_at is not None else None,
        **actions(request, experiment, rolled, open_run=open_run),
    }
    return render(request, f"experiments/page/{tab}.html", given)


def _tabs(experiment: Experiment, here: str, context: dict[str, Any], *, is_open: bool) -> list[dict[str, Any]]:
    """The tabs; a result that may be read (`is_open`: the newest) has one for each of its parts."""
    shown, run = context.get("part", ""), context.get("run")
    tabs = [(reverse("experiments:report", args=[experiment.key]), _("Results"), here == "results")]
    if is_open if here != "results" else bool(shown):
        words = {
            "summary": _("Summary"),
            "time": _("Over time"),
            "segments": _("Segments"),
            "assumptions": _("Assumptions"),
            "numbers": _("All numbers"),
        }
        of_run = run if context.get("older") else None
        tabs = [
            (_address(experiment, of_run, part), text, here == "results" and part == shown)
            for part, text in words.items()
        ]
    routes = {
        "health": ("experiments:health", _("Health")),
        "plan": ("experiments:plan", _("Plan")),
        "setup": ("experiments:setup", _("Set-up")),
        "history": ("experiments:history", _("History")),
    }
    if experiment.status in SHIPPABLE or here == "rollout":
        routes["rollout"] = ("experiments:rollout", _("Rollout"))
    tabs += [(reverse(route, args=[experiment.key]), text, slug == here) for slug, (route, text) in routes.items()]
    return [{"url": url, "label": text, "here": is_here} for url, text, is_here in tabs]


def _address(experiment: Experiment, run: Analysis | None, part: str) -> str:
    """Where a part of a result stands; None for the newest analysis, whose number isn't in the address."""
    if run is not None:
        return reverse("experiments:analysis_part", args=[experiment.key, run.pk, part])
    if part == "summary":
        return reverse("experiments:report", args=[experiment.key])
    return reverse("experiments:part", args=[experiment.key, part])


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
        "may_peek": asks and experiment.method == Method.FIXED,
    }


@login_required
@may("experiments.add_analysis")
@require_safe
def analysis_reads(request: HttpRequest, key: str) -> HttpResponse:
    """What an analysis would read, for the menu when it is opened: half of a page's time, which few look at."""
    experiment = find(key)
    told = told_fact(Analysis, price_of(experiment)) if experiment.status in ANALYSED else ()
    return render(request, "experiments/page/reads.html", {"told": told})


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
    return Analysis.objects.filter(experiment=experiment, status__in=Analysis.OPEN).exists()


# Results tab: the verdict and its chart, or the progress and when the result opens.


@login_required
@require_safe
def report(request: HttpRequest, key: str, part: str = "summary") -> HttpResponse:
    """The last successful report of an experiment, a part of it, and above it the state of a newer analysis."""
    experiment = find(key)
    return _page(request, experiment, latest_analysis(experiment), part)


@login_required
@require_safe
def analysis(request: HttpRequest, key: str, pk: int, part: str = "summary") -> HttpResponse:
    """One analysis, also an older one or one that failed."""
    experiment = find(key)
    return _page(request, experiment, get_object_or_404(Analysis, experiment=experiment, pk=pk), part)


def _page(request: HttpRequest, experiment: Experiment, run: Analysis | None, part: str) -> HttpResponse:
    if part != "summary" and part not in report_page.RESULTS:
        raise Http404
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
    if run is not None:
        note_read(request.user, run)
    if context.get("opened") is not None:
        context |= {"part": part, "sections": report_page.of_tab(context["sections"], part)}
        if part != "summary":
            context |= {"promise": context["promise"] if part == "numbers" else None}
    return page(request, experiment, "results", context, open_run=above is not None and above.is_open)


def _as_it_stands(experiment: Experiment, readout: AnalysisResult, opening: Opening) -> Opening:
    """Correct the reason of the lock where an analysis from before the stop still says "enrolling"."""
    if readout.maturity.why != "enrolling" or not overview.until(experiment).ended:
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
    readout = READOUT.of(run)
    if readout is None:
        return {}
    if isinstance(readout, Unreadable):
        return {"unreadable": readout.sentence()}
    opened = readout if isinstance(readout, Opened) else None
    promise = promise_and_finding.promise(readout)
    whole = report_page.sections(readout)
    screen = first_screen.summary(readout)
    return {
        "readout": readout,
        "opened": opened,
        "unreviewed": skipped(run.experiment),
        "claim": "" if readout.plan.claim is None else moment_name(readout.plan.claim.name, readout.plan.claim),
        "opening": first_lines.opening(readout),
        "promise": promise,
        "contrasts": promise_and_finding.effects_first(promise_and_finding.contrasts(readout)),
        "worth": calibration_page.share_left(calibration.calibrate().pooled) if promise is not None else "",
        "take_up": [] if opened is not None else list(take_up_sentences(readout)),
        "health": first_lines.health(readout),
        "split": flow.split(readout),
        "summary": screen,
        "heat": lab_page.heat(readout),
        "copied": {
            "text": first_screen.as_text(screen, run.experiment.title),
            "markdown": first_screen.as_text(screen, run.experiment.title, markdown=True),
        },
        "sections": report_page.of_tab(whole, *report_page.RESULTS),
        "elsewhere": report_page.of_tab(whole, "health", "plan", "history"),
        # Before a decision the rule is shown with the plan; a proved harm is always shown.
        "decision_waits": opened is None and readout.decision is not None and readout.decision.ruling is Ruling.WAIT,
        "rules": variants_with_rule(readout),
        "definitions": () if opened is None else definitions(opened.report),
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


# Tabs of one experiment with their own addresses: health, plan and history.

ANALYSES_SHOWN = 50


@login_required
@require_safe
def health(request: HttpRequest, key: str) -> HttpResponse:
    """Health tab: checks, split, enrolled units."""
    experiment = find(key)
    run = latest_analysis(experiment)
    context: dict[str, Any] = {"run": run, "shared": _shared(experiment)}
    readout = READOUT.of(run)
    if isinstance(readout, Unreadable):
        context["unreadable"] = readout.sentence()
    elif readout is not None:
        context |= {
            "readout": readout,
            "health": first_lines.health(readout),
            "split": flow.split(readout),
            "sections": report_page.of_tab(report_page.sections(readout), "health"),
        }
    return page(request, experiment, "health", context, open_run=newest_open(experiment))


def _shared(experiment: Experiment) -> list[str]:
    """Experiments that share users with this one, by the last count."""
    overlap = OVERLAP.of(latest_overlap())
    return overlap_page.lines_of(overlap, experiment.key) if isinstance(overlap, Overlap) else []


@login_required
@require_safe
def plan(request: HttpRequest, key: str) -> HttpResponse:
    """Plan tab: the current plan, what was registered, and whether it was followed."""
    experiment = find(key)
    run = latest_analysis(experiment)
    readout = READOUT.of(run)
    context: dict[str, Any] = {
        "run": run,
        "dates": plan_summary.dates(experiment),
        "troubles": audience.troubles(experiment) if experiment.status == Status.DRAFT else [],
        "sections": ()
        if readout is None or isinstance(readout, Unreadable)
        else report_page.of_tab(report_page.sections(readout), "plan"),
        "deviations": status_history.amendments(experiment),
        **document_context(request, experiment),
        "differs": template_of(experiment),
    }
    context["review"] = panel(request, experiment, context["known"])
    return page(request, experiment, "plan", context, open_run=newest_open(experiment))


@login_required
@require_safe
def history(request: HttpRequest, key: str) -> HttpResponse:
    """History tab: actions with person and time, looks and peeks, two versions of the plan side by side."""
    experiment = find(key)
    run = latest_analysis(experiment)
    readout = READOUT.of(run)
    versions = status_history.story(experiment)
    chosen = [request.GET.get(name, "") for name in ("from", "to")]
    context: dict[str, Any] = {
        "run": run,
        "story": versions,
        "chosen": chosen,
        "compared": status_history.compared(versions, *chosen),
        "analyses": _analyses(experiment),
        "remarks": remarks(experiment),
        "reviewed": story(standing_of(experiment)),
        "sections": ()
        if readout is None or isinstance(readout, Unreadable)
        else report_page.of_tab(report_page.sections(readout), "history"),
    }
    return page(request, experiment, "history", context, open_run=newest_open(experiment))


def _analyses(experiment: Experiment) -> list[dict[str, Any]]:
    """The newest analyses, each with its verdict in words."""
    rows: list[Analysis] = list(history_of(experiment)[:ANALYSES_SHOWN])
    whole = experiment.moves_whole_clusters
    return [
        {"run": row, "verdict": code_words(Code(row.verdict), whole_clusters=whole) if row.verdict else ""}
        for row in rows
    ]
