"""Content of the review panel on a draft's pages, and of the review's history."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from experiments.models import Experiment, ReviewAnswer, ReviewRequest
from experiments.plan.lifecycle import review_words
from experiments.plan.review.review_state import PlanReview, ReviewCode, standing_of
from experiments.plan.review.who_may_approve import SKIP, approvers, authors_of, barred_from, may_approve
from experiments.plan_page.known_numbers import Known
from experiments.review_page.check_words import state_words, title, value
from experiments.review_page.checklist import checklist
from runs.web import person

LIGHTS = {ReviewCode.APPROVED: "good", ReviewCode.CHANGES: "bad", ReviewCode.VOID: "bad", ReviewCode.OWN: "bad"}
TAGS = {"ok": "good", "warn": "warn", "missing": "bad"}


def panel(request: HttpRequest, row: Experiment, known: Known) -> dict[str, Any]:
    """The review panel of an experiment for one reader.

    Args:
        request: of a logged-in person.
        row: the experiment with its arms and audience, as stored.
        known: warehouse data for the plan.
    """
    standing, user = standing_of(row), person(request)
    is_draft = row.status == Experiment.Status.DRAFT
    authors, barred = authors_of(row), barred_from(row)
    named = [] if standing.request is None else list(standing.request.reviewers.all())
    return {
        "standing": standing,
        "words": review_words(standing.code.value) if standing.needed or standing.code is not ReviewCode.NONE else "",
        "light": LIGHTS.get(standing.code, "warn"),
        "named": named if standing.is_open else [],
        "story": story(standing),
        "checks": [
            {"check": one, "title": title(one), "state": state_words(one), "tag": TAGS[one.state], "value": value(one)}
            for one in (checklist(row, known) if is_draft else [])
        ],
        "may_ask": is_draft
        and standing.code is not ReviewCode.APPROVED
        and request.user.has_perm("experiments.add_reviewrequest"),
        "may_withdraw": standing.is_open
        and request.user.has_perm("experiments.change_reviewrequest")
        and user is not None
        and (user.pk in authors or (standing.request is not None and user.pk == standing.request.by_id)),
        "may_answer": is_draft and user is not None and _may_answer(row, standing, user, named),
        "may_tick": is_draft and request.user.has_perm("experiments.add_reviewtick"),
        "may_skip": bool(standing.missing) and request.user.has_perm(SKIP),
        "could_review": [one for one in approvers() if one.pk not in barred] if is_draft else [],
        "is_author": user is not None and user.pk in barred,
    }


def _may_answer(row: Experiment, standing: PlanReview, user: Any, named: list[Any]) -> bool:
    again = standing.code in (ReviewCode.APPROVED, ReviewCode.CHANGES)
    return (standing.is_open or again) and (not named or user in named) and may_approve(row, user)


def story(standing: PlanReview) -> list[dict[str, Any]]:
    """Requests and answers, the newest first: time, person, action, and their text."""
    said = {
        ReviewRequest.State.WITHDRAWN: _("asked for a review, and withdrew it"),
        ReviewRequest.State.REPLACED: _("asked for a review, and asked again later"),
    }
    kinds = {
        ReviewAnswer.Kind.APPROVED: _("approved the plan"),
        ReviewAnswer.Kind.CHANGES: _("asked for changes"),
        ReviewAnswer.Kind.SKIPPED: _("started it without a review"),
    }
    found = [
        {
            "at": one.at,
            "by": one.by,
            "what": said.get(ReviewRequest.State(one.state), _("asked for a review")),
            "text": one.note,
            "version": one.version,
            "named": [str(who) for who in one.reviewers.all()],
            "light": "",
        }
        for one in standing.requests
    ]
    lights = {"approved": "good", "changes": "warn", "skipped": "bad"}
    found += [
        {
            "at": answer.at,
            "by": answer.by,
            "what": kinds[ReviewAnswer.Kind(answer.kind)],
            "text": answer.text,
            "version": answer.version,
            "named": [],
            "light": lights[answer.kind],
        }
        for answer in standing.answers
    ]
    return sorted(found, key=lambda one: one["at"], reverse=True)


def skipped(row: Experiment) -> ReviewAnswer | None:
    """The answer that skipped the review at the start; None where there is none. The report shows it at its top."""
    return ReviewAnswer.objects.filter(experiment=row, kind=ReviewAnswer.Kind.SKIPPED).select_related("by").first()
