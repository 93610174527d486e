"""Pages of the AHA moments that people decided to test, and of pooled experiments on a definition."""

from datetime import date
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_http_methods, require_safe

from aha.evidence.findings import Definition
from aha.evidence.store_findings import past_experiments, state_of_findings
from aha.forms import MomentForm
from aha.made_names import name_of_test
from aha.models import AhaMoment
from aha.moments import promote as moments
from aha.moments import reach
from aha.moments.claims import read_finding
from aha.moments.promote import Badge, badge
from aha.questions.objections import usual_retention, usual_start
from aha.report import claim, cohort, past
from aha.report import moment_page as moment_parts
from aha.report import reach as report_reach
from aha.report.reach import ExperimentDays
from aha.study.headline import stored_evidence
from aha.study.payload_versions import EVIDENCE
from events.pickers.quick_fixes import mended
from events.upkeep.tags_and_owners import OWNERS, narrowed
from events.upkeep.thing_kinds import kind_of
from reporting.table import csv_lines
from runs.payloads import Unreadable
from runs.queue.status import is_alive, last_heard
from runs.refusals import Refused
from runs.site_zone import site_date
from runs.web import may, person


@login_required
@require_safe
def moment_list(request: HttpRequest) -> HttpResponse:
    """All moments with their status and evidence in one line."""
    rows, state = [], state_of_findings()
    narrow = narrowed(request, kind_of(AhaMoment), AhaMoment.objects.light("study", "kept_reach"))
    for moment in narrow.rows:
        measured = bool(moment.evidence_hash)
        line = stored_evidence(moment.headline) if measured else gettext("Nobody has measured it yet.")
        finding = moment_parts.finding(moment.finding)
        trend = report_reach.trend(reach.weeks_of(moment))
        moment_badge = badge(moment, state)
        rows.append({"moment": moment, "badge": moment_badge, "line": line, "finding": finding, "trend": trend})
    return render(request, "aha/moments.html", {"rows": rows, "narrow": narrow})


@login_required
@may("aha.add_ahamoment")
@require_http_methods(["GET", "HEAD", "POST"])
def new_moment(request: HttpRequest) -> HttpResponse:
    """Create a moment by hand, without a study."""
    if request.method != "POST":
        form = MomentForm(initial={"signup_event": usual_start(), "retention": usual_retention()})
    else:
        form = MomentForm(mended(request.POST) if "mend" in request.POST else request.POST)
    if request.method == "POST" and "mend" not in request.POST and form.is_valid():
        try:
            moment = moments.create_moment(**form.cleaned_data, by=person(request))
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        except ValidationError as wrong:
            form.add_error(None, wrong.messages)
        else:
            return redirect("aha:moment", key=moment.key)
    return render(request, "aha/new_moment.html", {"form": form})


@login_required
@require_safe
def moment_page(request: HttpRequest, key: str) -> HttpResponse:
    """One moment: evidence as frozen, finding, and its weekly reach."""
    moment = get_object_or_404(AhaMoment.objects.light("study", *OWNERS), key=key)
    evidence = EVIDENCE.read(moment.evidence) if moment.evidence else None
    finding = read_finding(moment.finding) if moment.finding else None
    tests, moment_badge = _tests(moment), badge(moment)
    unreadable = evidence.sentence() if isinstance(evidence, Unreadable) else ""
    if isinstance(evidence, Unreadable):
        evidence = None
    asked = request.GET.get("tab")
    context = {
        "moment": moment,
        "tab": asked if asked in ("evidence", "method") else "answer",
        "intact": moments.is_intact(moment),
        "unreadable": unreadable,
        "claim": claim.cell_words(moment.behaviour, moment.times, moment.days),
        "definition": cohort.definition_sentence(moment.retention),
        "sentence": "" if evidence is None else claim.claim(evidence),
        "pair": None if evidence is None else claim.pair(evidence),
        "tables": () if evidence is None else moment_parts.tables(evidence, finding),
        "finding": moment_parts.finding(moment.finding),
        "badge": moment_badge,
        "light": "warn" if moment_badge.disagree else moment_parts.LIGHTS.get(moment.status, ""),
        "caveat": claim.caveat(),
        "timeline": _timeline(moment, moment_badge, tests, finding.on if finding else None),
        "report_of": finding.experiment if finding else "",
        "tests_run": any(test.last is None for test in tests),
        **_reach(moment, tests),
        **past_context(Definition(moment.behaviour, moment.times, moment.days, moment.retention)),
    }
    return render(request, "aha/moment.html", context)


@login_required
@require_safe
def moment_reach(request: HttpRequest, key: str) -> HttpResponse:
    """Only the weekly reach; the page polls it while a worker counts."""
    moment = get_object_or_404(AhaMoment.objects.light(), key=key)
    return render(request, "aha/reach.html", {"moment": moment, **_reach(moment, _tests(moment))})


def _tests(moment: AhaMoment) -> list[ExperimentDays]:
    """The started experiments on a moment. This app may not import theirs, so it reads them by the reverse relation."""
    rows: Any = moment.experiments.filter(started_at__isnull=False).order_by("started_at")
    return [
        ExperimentDays(
            name_of_test(row["name"], moment),
            reverse("experiments:report", args=[row["key"]]),
            site_date(row["started_at"]),
            None if row["stopped_at"] is None else site_date(row["stopped_at"]),
        )
        for row in rows.values("name", "key", "started_at", "stopped_at")
    ]


def _reach(moment: AhaMoment, tests: list[ExperimentDays]) -> dict[str, Any]:
    """Weekly reach as chart and table, the reason why there is none, or that it is being counted."""
    last_reach = reach.last_count(moment)
    if last_reach.weeks is None:
        waits = last_reach.counted_at is None
        no_worker = waits and not is_alive(last_heard())
        return {"no_reach": last_reach.reason, "waits": waits, "no_worker": no_worker, "few": report_reach.FEW}
    return {
        "reach_finding": report_reach.finding(last_reach.weeks),
        "reach_picture": report_reach.picture(last_reach.weeks, tests),
        "reach_table": report_reach.table(last_reach.weeks),
        "few": report_reach.FEW,
        "counted_at": last_reach.counted_at,
    }


def _timeline(
    moment: AhaMoment, moment_badge: Badge, tests: list[ExperimentDays], decided: date | None
) -> tuple[report_reach.TimelineStep, ...]:
    study = moment.study
    began = None
    if study is not None:
        link = reverse("aha:study", args=[study.pk])
        began = report_reach.TimelineStep(gettext("Found"), "done", site_date(study.created_at), link, str(study))
    steps = report_reach.steps(
        status=moment.status,
        found=began,
        promoted=site_date(moment.created_at),
        by=str(moment.created_by or ""),
        tests=tests,
        decided=decided,
    )
    return (
        (*steps[:-1], report_reach.TimelineStep(moment_badge.words, "warn", decided))
        if moment_badge.disagree
        else steps
    )


# Pooled results of past experiments on a definition, for pages and as a CSV file.


def past_context(definition: Definition) -> dict[str, Any]:
    """Template context of the pooled results on a definition; empty without findings on its behaviour."""
    results = past_experiments(definition)
    if not results.used and not results.left_out:
        return {}
    return {
        "past": {
            "sentences": past.sentences(results),
            "drawing": past.drawing(results),
            "tables": past.tables(results),
            "address": f"{reverse('aha:past')}?{urlencode(vars(definition))}",
        }
    }


@login_required
@require_safe
def past_csv(request: HttpRequest) -> HttpResponse:
    """The tables of past experiments on a definition as a CSV file."""
    query = request.GET
    try:
        definition = Definition(
            query.get("behaviour", ""),
            int(query.get("times", "")),
            int(query.get("days", "")),
            query.get("outcome", ""),
        )
        results = past_experiments(definition)
    except (ValueError, Refused):
        raise Http404 from None
    rows = [row for table in past.tables(results) for row in ((table.title,), table.columns, *table.rows, ())]
    response = HttpResponse("".join(csv_lines(rows)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="insight-past-experiments.{get_language()}.csv"'
    return response
