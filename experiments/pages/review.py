"""Doors of the review and of the plan's page: what the panel sends, plans that wait, comments, files."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from experiments.models import SECTIONS, Experiment, PlanComment, ReviewAnswer, ReviewItem, ReviewPolicy, ReviewRequest
from experiments.plan.review import (
    APPROVE,
    add_comment,
    answer_review,
    approvers,
    ask_for_review,
    choose_mode,
    is_required,
    may_approve,
    settle,
    tick,
    withdraw_request,
)
from experiments.plan_page.document import FORMS, export, sections
from experiments.plan_page.known_numbers import known_of, recent_inflow
from runs.refusals import Refused
from runs.web import may, person

# Views of the plan's page: its files, new comments, resolved comments.

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
    return _plan_page_back(request, row, form.data.get("section", ""))


@login_required
@may("experiments.change_plancomment")
@require_POST
def settle_comment(request: HttpRequest, key: str, pk: int) -> HttpResponse:
    """Resolve a comment, or reopen it."""
    row = _found(key)
    comment = get_object_or_404(PlanComment, pk=pk, experiment=row)
    settle(comment=comment, by=person(request), is_open=not comment.is_open)
    return _plan_page_back(request, row, comment.section)


def _found(key: str) -> Experiment:
    rows = Experiment.objects.select_related("moment", "layer", "holdout").prefetch_related("variants", "audience")
    return get_object_or_404(rows, key=key)


def _plan_page_back(request: HttpRequest, row: Experiment, section: str) -> HttpResponse:
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


# Views of the review: actions of its panel, and the list of plans that wait, with the site's rule.
LISTED = 100  # requests on the page


class AskForm(forms.Form):
    """Reviewers, and a note for them."""

    reviewers = forms.ModelMultipleChoiceField(User.objects.none(), required=False)
    note = forms.CharField(required=False, max_length=MOST)

    def __init__(self, data: object) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        field: forms.ModelMultipleChoiceField[User] = self.fields["reviewers"]  # type: ignore[assignment]
        field.queryset = approvers()


class AnswerForm(forms.Form):
    """Approval, or requested changes; with the fingerprint of the plan that was read."""

    kind = forms.ChoiceField(choices=[(answer, answer) for answer in ("approved", "changes")])
    text = forms.CharField(required=False, max_length=MOST)
    seen = forms.CharField(max_length=64)


class TickForm(forms.Form):
    """One check."""

    code = forms.CharField(max_length=40)
    note = forms.CharField(required=False, max_length=MOST)


@login_required
@require_POST
def do(request: HttpRequest, key: str, verb: str) -> HttpResponse:
    """Request, withdraw, answer, tick or untick; then return to the page that it came from."""
    verbs: dict[str, tuple[str, Callable[[HttpRequest, Experiment], str]]] = {
        "ask": ("experiments.add_reviewrequest", _ask),
        "withdraw": ("experiments.change_reviewrequest", _withdraw),
        "answer": (APPROVE, _answer),
        "tick": ("experiments.add_reviewtick", _tick),
        "untick": ("experiments.add_reviewtick", _untick),
    }
    if verb not in verbs:
        raise Http404
    permission, act = verbs[verb]
    if not request.user.has_perm(permission):
        raise PermissionDenied
    row = get_object_or_404(Experiment, key=key)
    try:
        sentence = act(request, row)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, sentence)
    return HttpResponseRedirect(f"{_back(request, row)}#review")


def _ask(request: HttpRequest, row: Experiment) -> str:
    given = _given(AskForm(request.POST))
    ask_for_review(key=row.key, by=person(request), reviewers=list(given["reviewers"]), note=given["note"])
    return _("The review is asked for.")


def _withdraw(_request: HttpRequest, row: Experiment) -> str:
    withdraw_request(key=row.key)
    return _("The request is withdrawn.")


def _answer(request: HttpRequest, row: Experiment) -> str:
    given = _given(AnswerForm(request.POST))
    answer_review(key=row.key, by=person(request), **given)
    approved = given["kind"] == ReviewAnswer.Kind.APPROVED
    return _("You approved the plan: it may start.") if approved else _("Your answer stands beside the plan.")


def _tick(request: HttpRequest, row: Experiment) -> str:
    tick(key=row.key, by=person(request), **_given(TickForm(request.POST)))
    return _("Your note stands beside the check.")


def _untick(request: HttpRequest, row: Experiment) -> str:
    tick(key=row.key, by=person(request), code=_given(TickForm(request.POST))["code"], done=False)
    return _("The tick is taken back.")


def _given(form: forms.Form) -> dict[str, Any]:
    """The cleaned form data.

    Raises:
        Refused: the form is invalid, which the page's own fields never are.
    """
    if not form.is_valid():
        sentences = " ".join(str(text) for texts in form.errors.values() for text in texts)
        raise Refused(sentences)
    given: dict[str, Any] = form.cleaned_data
    return given


def _back(request: HttpRequest, row: Experiment) -> str:
    there = request.POST.get("next", "").partition("#")[0]
    safe = url_has_allowed_host_and_scheme(there, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return there if safe else reverse("experiments:plan", args=[row.key])


@login_required
@require_safe
def reviews(request: HttpRequest) -> HttpResponse:
    """Plans that wait for an answer, this reader's first; the site's rule and a team's own checks."""
    user = person(request)
    waiting = list(
        ReviewRequest.objects.filter(state=ReviewRequest.State.OPEN, experiment__status=Experiment.Status.DRAFT)
        .select_related("experiment", "experiment__moment", "by")
        .defer("experiment__moment__evidence")
        .prefetch_related("reviewers")
        .order_by("at")[:LISTED]
    )
    lines = [{"row": row, "named": list(row.reviewers.all()), "mine": _is_mine(row, user)} for row in waiting]
    context = {
        "lines": sorted(lines, key=lambda line: not line["mine"]),
        "policy": ReviewPolicy.current(),
        "modes": ReviewPolicy.Mode.choices,
        "required": is_required(),
        "approvers": approvers(),
        "items": ReviewItem.objects.all(),
    }
    return render(request, "experiments/review/list.html", context)


def _is_mine(request: ReviewRequest, user: User | None) -> bool:
    """Whether this reader may answer the request."""
    named = list(request.reviewers.all())
    return user is not None and (not named or user in named) and may_approve(request.experiment, user)


@login_required
@may("experiments.change_reviewpolicy")
@require_POST
def rule(request: HttpRequest) -> HttpResponse:
    """Set whether plans are reviewed before they start."""
    try:
        choose_mode(request.POST.get("mode", ""))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, _("The rule of reviews is changed."))
    return redirect("experiments:reviews")
