"""Views of the review: actions of its panel, and the list of plans that wait, with the site's rule."""

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
from django.views.decorators.http import require_POST, require_safe

from experiments.models import Experiment, ReviewAnswer, ReviewItem, ReviewPolicy, ReviewRequest
from experiments.plan.review.review_answers import answer_review
from experiments.plan.review.review_requests import ask_for_review, withdraw_request
from experiments.plan.review.review_rule import choose_mode
from experiments.plan.review.ticking import tick
from experiments.plan.review.who_may_approve import APPROVE, approvers, is_required, may_approve
from runs.refusals import Refused
from runs.web import may, person

MOST = 2_000
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

    kind = forms.ChoiceField(choices=[(one, one) for one in ("approved", "changes")])
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
        said = act(request, row)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, said)
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
    lines = [{"row": one, "named": list(one.reviewers.all()), "mine": _is_mine(one, user)} for one in waiting]
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
