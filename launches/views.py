"""Pages under /launches/: launches and readings of their curves; balances of events before they start."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from events.pickers.quick_fixes import mended
from launches import readings
from launches import report as words
from launches.balance import kept, runs
from launches.balance import report as balance_words
from launches.balance.rules import Rules
from launches.balance.simulation import BALANCE, Balance, Found
from launches.forms import BalanceForm, LaunchForm, PlayForm
from launches.judge import LAUNCH
from launches.models import BalanceRun, Launch, LaunchReading
from runs.models import Run
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.site_zone import site_date
from runs.web import is_htmx, listing, may, person, progress_of


@login_required
@may("launches.view_launch")
@require_safe
def launch_list(request: HttpRequest) -> HttpResponse:
    """The launches, the newest first, each with what its last reading suggests; htmx gets only the rows."""
    listed = listing(request, Launch.objects.all(), text_in=("title", "key", "decision"))
    done = LaunchReading.objects.light().filter(launch__in=[row.pk for row in listed.page], status=Run.Status.DONE)
    newest: dict[int, LaunchReading] = {}
    for reading in done.order_by("created_at"):
        newest[reading.launch_id] = reading
    rows = [
        {"launch": row, "reading": newest.get(row.pk), "ready": row.answers.days.readable_from} for row in listed.page
    ]
    template = "launches/rows.html" if is_htmx(request) else "launches/list.html"
    response = render(request, template, {"rows": rows, "listing": listed, "today": site_date()})
    patch_vary_headers(response, ["HX-Request"])
    return response


@login_required
@may("launches.add_launch")
@require_http_methods(["GET", "HEAD", "POST"])
def new_launch(request: HttpRequest) -> HttpResponse:
    """The six questions; a sent form registers the answers."""
    form = LaunchForm(mended(request.POST) if request.method == "POST" else None)
    if request.method == "POST" and "mend" not in request.POST and form.is_valid():
        try:
            row = readings.register(answers=form.answers, by=person(request))
        except Refused as refusal:
            form.add_error(refusal.at if refusal.at in form.fields else None, refusal.sentence)
        else:
            messages.success(request, gettext("Registered. These answers stay as they are."))
            return redirect("launches:launch", row.key)
    return render(request, "launches/new.html", {"form": form})


@login_required
@may("launches.view_launch")
@require_safe
def launch_page(request: HttpRequest, key: str) -> HttpResponse:
    """A launch: its answers, and the newest reading."""
    row = get_object_or_404(Launch.objects.select_related("created_by"), key=key)
    newest = row.readings.first()
    done = row.readings.filter(status=Run.Status.DONE).first()
    return _page(request, row, done, newest)


@login_required
@may("launches.view_launch")
@require_safe
def reading_page(request: HttpRequest, key: str, pk: int) -> HttpResponse:
    """One reading of a launch: its progress or its result."""
    row = get_object_or_404(Launch.objects.select_related("created_by"), key=key)
    reading = get_object_or_404(LaunchReading, pk=pk, launch=row)
    return _page(request, row, reading if reading.status == Run.Status.DONE else None, reading)


def _page(request: HttpRequest, row: Launch, done: LaunchReading | None, newest: LaunchReading | None) -> HttpResponse:
    above = newest if newest is not None and newest.status != Run.Status.DONE else None
    ready = row.answers.days.readable_from
    context: dict[str, Any] = {
        "launch": row,
        "asked": words.asked_words(row.answers),
        "ready": ready,
        "is_ready": site_date() >= ready,
        "run": done,
        "above": above,
        "others": row.readings.light().exclude(pk=0 if done is None else done.pk)[:10],
        **({} if above is None else progress_of(above)),
        **({} if done is None else report_body(done)),
    }
    return render(request, "launches/launch.html", context)


def report_body(run: LaunchReading) -> dict[str, Any]:
    """Context of `launches/reading_body.html` for a finished reading, on its page and in its download."""
    report = LAUNCH.of(run)
    if isinstance(report, Unreadable):
        return {"unreadable": report.sentence()}
    if report is None:
        return {}
    return {
        "report": report,
        "says": words.suggestion_words(report.suggestion),
        "headline": words.headline(report),
        "cautions": words.cautions(report),
        "needed": words.needed_words(report),
        "next_time": words.next_time_words(),
        "gap": words.gap_words(report),
        "parts": words.parts(report),
        "asked": words.asked_words(report.answers),
    }


@login_required
@may("launches.add_launchreading")
@require_POST
def read(request: HttpRequest, key: str) -> HttpResponse:
    """Read the curve now."""
    row = get_object_or_404(Launch, key=key)
    try:
        reading = readings.start_reading(launch=row, by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("launches:launch", key)
    return redirect("launches:reading", key, reading.pk)


@login_required
@may("launches.add_launch")
@require_POST
def withdraw(request: HttpRequest, key: str) -> HttpResponse:
    """Delete a launch whose curve nobody has read."""
    row = get_object_or_404(Launch, key=key)
    try:
        readings.withdraw(launch=row)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("launches:launch", key)
    messages.success(request, gettext("“%(name)s” is deleted.") % {"name": row.title})
    return redirect("launches:list")


@login_required
@may("experiments.add_experiment")
@require_POST
def plan_next(request: HttpRequest, key: str) -> HttpResponse:
    """Draft a test that keeps the next launch from 10 % of the users."""
    row = get_object_or_404(Launch, key=key)
    try:
        draft = readings.plan_next(launch=row, by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("launches:launch", key)
    messages.success(
        request,
        gettext("{name} is a draft now. Nothing is shown to anybody until you start it.").format(name=draft.title),
    )
    return redirect("experiments:step", draft.key, "hypothesis")


# ── Balances of events ────────────────────────────────────────────────────────
@login_required
@may("launches.view_balancerun")
@require_safe
def balance_list(request: HttpRequest) -> HttpResponse:
    """The balances, the newest first; htmx gets only the rows."""
    listed = listing(request, BalanceRun.objects.light("created_by").filter(of=None), text_in=("title",))
    template = "launches/balance/rows.html" if is_htmx(request) else "launches/balance/list.html"
    response = render(request, template, {"rows": listed.page, "listing": listed})
    patch_vary_headers(response, ["HX-Request"])
    return response


@login_required
@may("launches.add_balancerun")
@require_http_methods(["GET", "HEAD", "POST"])
def new_balance(request: HttpRequest) -> HttpResponse:
    """The rules by rows; a sent form plays them. Another balance may fill the rows first."""
    if request.method != "POST":
        return _balance_form(request, BalanceForm(rules=_brought(request)))
    form = BalanceForm(mended(request.POST))
    adds = any(name.startswith("more_") for name in request.POST)
    if "mend" not in request.POST and not adds and form.is_valid():
        try:
            run = runs.start_balance(rules=form.rules, by=person(request))
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            return redirect("launches:balance", run.pk)
    return _balance_form(request, form)


def _balance_form(request: HttpRequest, form: BalanceForm) -> HttpResponse:
    return render(request, "launches/balance/new.html", {"form": form})


def _brought(request: HttpRequest) -> Rules | None:
    """The rules of the balance that a URL names, with the thresholds that it names."""
    run = BalanceRun.objects.filter(pk=_number(request.GET.get("from", ""))).first()
    if run is None:
        return None
    rules = runs.next_rules(run)
    form = PlayForm(request.GET, rules=rules)
    return form.rules if form.is_valid() else rules


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


@login_required
@may("launches.view_balancerun")
@require_safe
def balance_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A balance: its progress, or its result with thresholds to move."""
    run = get_object_or_404(BalanceRun.objects.select_related("created_by", "promised_by", "of"), pk=pk)
    rules = runs.rules_of(run)
    context: dict[str, Any] = {
        "run": run,
        "asked": balance_words.asked_words(rules),
        "others": run.comparisons.light()[:10],
    }
    if run.status != Run.Status.DONE:
        return render(request, "launches/balance/balance.html", context | progress_of(run))
    today = site_date()
    context |= balance_body(run) | {
        "form": PlayForm(rules=rules),
        "is_kept": kept.is_kept(run.pk),
        "may_promise": run.of_id is None and run.promised_at is None and today < rules.first,
        "may_compare": run.of_id is None and today > rules.last,
    }
    return render(request, "launches/balance/balance.html", context)


def balance_body(run: BalanceRun) -> dict[str, Any]:
    """Context of `launches/balance/body.html` for a finished balance, on its page and in its download."""
    report = BALANCE.of(run)
    if isinstance(report, Unreadable):
        return {"unreadable": report.sentence()}
    if report is None:
        return {}
    return {
        "report": report,
        "asked": balance_words.asked_words(report.balance.rules),
        "is_next": report.happened is not None,
        "came": "" if report.happened is None else balance_words.came_words(report.balance, report.happened),
        **_result(report.balance),
        "sensitivity": balance_words.sensitivity_table(report.balance),
        "happened": None if report.happened is None else balance_words.happened_table(report.balance, report.happened),
    }


def _result(made: Balance, found: Found | None = None, place: int = 0, share: float = 0.0) -> dict[str, Any]:
    sheet = balance_words.days_sheet(made)
    return {
        "headline": balance_words.headline(made),
        "found": "" if found is None else balance_words.found_words(made.rules, place, share, found),
        "response": balance_words.response_words(made.rules),
        "how": balance_words.how(made),
        # Names are escaped where the picture is drawn; the markup itself is ours.
        "picture": {"label": sheet.label, "svg": mark_safe(sheet.markup()), "dates": sheet.dates},  # noqa: S308
        "tables": [table for table in (balance_words.steps_table(made), balance_words.groups_table(made)) if table],
    }


@login_required
@may("launches.view_balancerun")
@require_safe
def play(request: HttpRequest, pk: int) -> HttpResponse:
    """The balance at other thresholds, from the kept past; htmx gets the part that it asks for."""
    run = get_object_or_404(BalanceRun.objects.light("of"), pk=pk, of=None, status=Run.Status.DONE)
    rules = runs.rules_of(run)
    form = PlayForm(request.GET, rules=rules)
    context: dict[str, Any] = {"run": run, "form": form, "is_kept": True}
    if form.is_valid():
        try:
            place, share, found = *form.wanted, None
            rules = form.rules
            if share:
                found = kept.searched(pk, rules, share)
                rules = runs.with_threshold(rules, place, found)
                context["form"] = PlayForm(rules=rules)
            context |= _result(kept.played(pk, rules), found, place, share)
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
    parts = {"result": "launches/balance/result.html", "play": "launches/balance/play.html"}
    template = parts.get(request.headers.get("HX-Target", ""), "launches/balance/played.html")
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


@login_required
@may("launches.add_balancerun")
@require_POST
def promise(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark a balance as what was promised."""
    run = get_object_or_404(BalanceRun, pk=pk)
    try:
        runs.promise(run=run, by=person(request))
        messages.success(request, gettext("Promised. After the event it can be compared with what happened."))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    return redirect("launches:balance", pk)


@login_required
@may("launches.add_balancerun")
@require_POST
def compare(request: HttpRequest, pk: int) -> HttpResponse:
    """Compare a balance with what came of its event."""
    run = get_object_or_404(BalanceRun, pk=pk)
    try:
        comparison = runs.start_comparison(run=run, by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("launches:balance", pk)
    return redirect("launches:balance", comparison.pk)
