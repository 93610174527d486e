"""Views of the plan's page: its files, new comments, resolved comments."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from experiments.models import Experiment, PlanComment
from experiments.models.comments import SECTIONS
from experiments.plan.review.remarks import add_comment, settle
from experiments.plan_page.document import sections
from experiments.plan_page.exports import FORMS, export
from experiments.plan_page.known_numbers import known_of
from experiments.plan_page.power_curve import recent_inflow
from runs.refusals import Refused
from runs.web import may, person

MOST = 2_000
ENDINGS = {"md": "md", "html": "html", "osf": "osf.txt"}


class CommentForm(forms.Form):
    """A comment: plain text on one section."""

    section = forms.ChoiceField(choices=[(slug, slug) for slug in SECTIONS])
    text = forms.CharField(
        max_length=MOST,
        error_messages={
            "required": gettext_lazy("Write something before you send it."),
            "max_length": gettext_lazy("A comment has at most 2,000 characters."),
        },
    )


@login_required
@require_safe
def plan_export(request: HttpRequest, key: str, form: str) -> HttpResponse:
    """The plan as a file in the reader's language."""
    if form not in FORMS:
        raise Http404
    row = _found(key)
    known = known_of(row, ask=row.status == Experiment.Status.DRAFT)
    response = HttpResponse(export(row, sections(row, known), form), content_type=f"{FORMS[form]}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="plan-{row.key}.{ENDINGS[form]}"'
    return response


@login_required
@require_safe
def plan_numbers(request: HttpRequest, key: str) -> HttpResponse:
    """Query how many users come; then the page reloads, or shows why there is no answer."""
    row = _found(key)
    try:
        recent_inflow(row)
    except Refused as refusal:
        return render(request, "experiments/plan_document/no_numbers.html", {"refusal": refusal.sentence})
    response = HttpResponse(status=204)
    response["HX-Refresh"] = "true"
    return response


@login_required
@may("experiments.add_plancomment")
@require_POST
def plan_comment(request: HttpRequest, key: str) -> HttpResponse:
    """A new comment on a section."""
    row, form = _found(key), CommentForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        add_comment(experiment=row, section=given["section"], text=given["text"], by=person(request))
        messages.success(request, _("Your comment stands beside the section."))
    else:
        messages.error(request, " ".join(str(text) for texts in form.errors.values() for text in texts))
    return _back(request, row, form.data.get("section", ""))


@login_required
@may("experiments.change_plancomment")
@require_POST
def settle_comment(request: HttpRequest, key: str, pk: int) -> HttpResponse:
    """Resolve a comment, or reopen it."""
    row = _found(key)
    one = get_object_or_404(PlanComment, pk=pk, experiment=row)
    settle(comment=one, by=person(request), is_open=not one.is_open)
    return _back(request, row, one.section)


def _found(key: str) -> Experiment:
    rows = Experiment.objects.select_related("moment", "layer", "holdout").prefetch_related("variants", "audience")
    return get_object_or_404(rows, key=key)


def _back(request: HttpRequest, row: Experiment, section: str) -> HttpResponse:
    """Redirect to the page that the comment was written on, at its section."""
    there = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(
        there, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        draft = row.status == Experiment.Status.DRAFT and request.user.has_perm("experiments.change_experiment")
        there = (
            reverse("experiments:step", args=[row.key, "review"])
            if draft
            else reverse("experiments:report", args=[row.key])
        )
    anchor = f"#plan-{section}" if section in SECTIONS else ""
    return HttpResponseRedirect(f"{there.partition('#')[0]}{anchor}")
