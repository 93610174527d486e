"""Pages of studies and of their candidates."""

import hashlib
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_POST, require_safe

from aha.evidence.findings import Definition
from aha.forms import PromoteForm, form_words
from aha.models import AhaMoment, Study
from aha.moments import promote as moments
from aha.moments.claims import read_finding
from aha.questions.asked_changes import changes
from aha.report import adjusted, candidates_table, chance, claim, cohort, page, past
from aha.report import moment_page as moment_parts
from aha.report.candidates_table import mark
from aha.report.honesty import step_words
from aha.report.venn_page import venn_cell
from aha.study.headline import came_later, headline_of, stored_headline
from aha.study.payload_versions import STUDY
from aha.study.question import Inputs
from aha.study.result import Candidate, Report
from aha.views.moments import past_context
from events.catalogue.listing import catalogue
from events.catalogue.references import since_words, version_words
from events.metrics import parse_behaviour
from events.upkeep.tags_and_owners import OWNERS, narrowed
from events.upkeep.thing_kinds import kind_of
from events.windows import Clock, DayMode
from reporting.document import load
from reporting.numbers import day_text
from runs.models import Run
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import is_htmx, listing, may, person, progress_of

# Modules of the report load SciPy, the chart modules Altair: they are imported where a page needs them, so that web
# processes start quickly.
VENN_SECONDS = 24 * 3600  # a finished study never changes


# ── Studies ───────────────────────────────────────────────────────────────────
@login_required
@require_safe
def study_list(request: HttpRequest) -> HttpResponse:
    """Studies with their results in one line, the newest first; htmx requests get only the rows."""
    narrow = narrowed(request, kind_of(Study), Study.objects.light())
    listed = listing(
        request,
        narrow.rows,
        text_in=("title", "inputs__signup_event", "inputs__retention"),
        state_in="status",
        states=Study.Status.choices,
    )
    for study in listed.page:
        study.words = form_words(study)
    rows = [{"study": study, "found": stored_headline(study.headline)} for study in listed.page]
    template = "aha/study_rows.html" if is_htmx(request) else "aha/studies.html"
    response = render(request, template, {"rows": rows, "listing": listed, "narrow": narrow})
    patch_vary_headers(response, ["HX-Request"])
    return response


@login_required
@require_safe
def study_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A study: its progress or its result."""
    study = get_object_or_404(Study.objects.select_related("retention_metric__metric", *OWNERS), pk=pk)
    study.words = form_words(study)
    before = study.changed_from_id
    origin = None if before is None else Study.objects.light().filter(pk=before).first()
    tab = "method" if request.GET.get("tab") == "method" else "results"
    context = {"run": study, "tab": tab, **progress_of(study), **report_body(study)}
    if study.retention_metric is not None:
        picked = study.retention_metric
        context["retention_metric"] = f"{version_words(picked)}. {since_words(picked)}".strip()
    context |= {"origin": origin, "descendants": study.changed_into.light()}
    if origin is not None:
        context["changes"] = changes(load(Inputs, origin.inputs), load(Inputs, study.inputs))
    return render(request, "aha/study.html", context)


def report_body(study: Study) -> dict[str, Any]:
    """Context of `aha/study_body.html` for a finished study, on its page and in its download."""
    report = STUDY.of(study)
    if isinstance(report, Unreadable):
        return {"unreadable": report.sentence()}
    return {} if report is None else _study_context(study, report)


def _study_context(study: Study, report: Report) -> dict[str, Any]:
    claims = candidates_table.rows(report)
    return {
        "report": report,
        "headline": page.headline(report),
        "signups_from": _signups_from(report),
        "signups_from_text": day_text(_signups_from(report)),
        "warning": chance.warning(report),
        "asked": cohort.asked_sentences(report.asked),
        "claims": claims,
        "claims_caption": candidates_table.caption(claims),
        "caveat": claim.caveat(),
        "aside": candidates_table.set_aside(report),
        "curve": cohort.part(report),
        "flow": cohort.flow(report),
        "candidates": candidates_table.side_by_side(report) if report.candidates else None,
        "results": page.results(report),
        "method": page.method(report),
        "judged": candidates_table.all_behaviours(report),
        "marks": candidates_table.table(report),
        "invalid": cohort.invalid_days(report),
        "samples": cohort.samples(report),
        "moments": {(row.behaviour, row.times, row.days): row for row in study.moments.defer("evidence")},
    }


def _signups_from(report: Report) -> str:
    """The first signup date, ISO, from which later-introduced behaviours can be judged; "" without such behaviours.

    Studies of version 0.4 and before don't store it: then it is read from the event catalogue.
    """
    headline = headline_of(report)
    if not headline.later or headline.since is not None:
        return headline.since or ""
    clock, listed = Clock(DayMode(report.asked.inputs.day_mode), report.asked.time_zone), catalogue()
    entries = [listed.find(parse_behaviour(row.behaviour).event) for row in came_later(report)]
    return max((clock.local_date(entry.first_seen).isoformat() for entry in entries if entry), default="")


def _tags(candidate: Candidate) -> dict[str, Any]:
    step = step_words(candidate.step, candidate.smooth_range, candidate.levels_off)
    return {"step": step, "marks": [mark(code)[0] for code in candidate.flags]}


# ── Candidates ────────────────────────────────────────────────────────────────
def _candidate(pk: int, place: int) -> tuple[Study, Report, Candidate]:
    study = get_object_or_404(Study, pk=pk, status=Run.Status.DONE)
    report = STUDY.of(study)
    if report is None or isinstance(report, Unreadable) or not 1 <= place <= len(report.candidates):
        raise Http404
    return study, report, report.candidates[place - 1]


@login_required
@require_safe
def candidate_page(request: HttpRequest, pk: int, place: int) -> HttpResponse:
    """One candidate with all its evidence."""
    study, report, candidate = _candidate(pk, place)
    return _candidate_page(request, study, report, candidate, place, PromoteForm())


def _candidate_page(
    request: HttpRequest, study: Study, report: Report, candidate: Candidate, place: int, form: PromoteForm
) -> HttpResponse:
    cell = {"behaviour": candidate.behaviour, "times": candidate.times, "days": candidate.days}
    moment = AhaMoment.objects.light().filter(study=study, **cell).first()
    finding = read_finding(moment.finding) if moment is not None and moment.finding else None
    tab = request.GET.get("tab", "")
    context = {
        "run": study,
        "place": place,
        "tab": tab if tab in ("evidence", "method") else "answer",
        "claim": claim.claim_words(candidate),
        "sentence": claim.claim(candidate),
        "measured_on": claim.measured_on(candidate),
        "luck": claim.luck(candidate),
        **_tags(candidate),
        "mark_sentences": [mark(code)[1] for code in candidate.flags],
        **_venn_context(study, report, (candidate.behaviour, candidate.days, candidate.times), fixed=True),
        "sections": page.candidate_sections(report, candidate, place),
        "hidden": adjusted.sentences(candidate),
        "promise": adjusted.promise_finding(candidate),
        "promise_table": moment_parts.promised(candidate, finding),
        "finding": "" if moment is None else moment_parts.finding(moment.finding),
        "caveat": claim.caveat(),
        "pair": claim.pair(candidate),
        "expected": past.sentence(candidate) if candidate.rank_by_promise is not None else "",
        "expected_table": past.table(candidate),
        **past_context(Definition(candidate.behaviour, candidate.times, candidate.days, report.asked.inputs.retention)),
        "moment": moment,
        "others": [(number, claim.claim_words(row)) for number, row in enumerate(report.candidates, start=1)],
        "form": form,
    }
    return render(request, "aha/candidate.html", context)


@login_required
@may("aha.add_ahamoment")
@require_POST
def promote(request: HttpRequest, pk: int, place: int) -> HttpResponse:
    """Make an AHA moment of a candidate."""
    study, report, candidate = _candidate(pk, place)
    form = PromoteForm(request.POST)
    if form.is_valid():
        try:
            moment = moments.promote_candidate(
                study=study,
                behaviour=candidate.behaviour,
                times=candidate.times,
                days=candidate.days,
                name=form.cleaned_data["name"],
                by=person(request),
            )
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, gettext("It is an AHA moment now; its evidence is frozen."))
            return redirect("aha:moment", key=moment.key)
    return _candidate_page(request, study, report, candidate, place, form)


@login_required
@require_safe
def venn_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The Venn diagram of any cell; htmx requests get only the diagram."""
    study = get_object_or_404(Study.objects.light(), pk=pk, status=Run.Status.DONE)
    query = request.GET
    try:
        days, times = int(query.get("days", "")), int(query.get("times", ""))
    except ValueError:
        raise Http404 from None
    fixed = query.get("fixed") == "1"
    context = _venn_context(study, None, (query.get("behaviour", ""), days, times), fixed=fixed)
    if context["cell"] is None:
        raise Http404
    response = render(request, "aha/venn.html" if is_htmx(request) else "aha/venn_page.html", {"run": study, **context})
    patch_vary_headers(response, ["HX-Request"])
    return response


def _venn_context(
    study: Study, report: Report | None, definition: tuple[str, int, int], *, fixed: bool
) -> dict[str, Any]:
    behaviour, days, times = definition
    name = hashlib.sha256(behaviour.encode()).hexdigest()  # a cache key may hold no blanks
    key = f"aha.venn:{study.pk}:{study.as_of and study.as_of.timestamp()}:{get_language()}:{name}:{days}:{times}"
    cell = cache.get(key)
    if cell is None:
        loaded = report or STUDY.of(study)
        if loaded is not None and not isinstance(loaded, Unreadable):
            cell = venn_cell(loaded, behaviour, days, times)
        cache.set(key, cell, VENN_SECONDS)
    return {"cell": cell, "fixed": fixed}
