"""The panel of a review on the pages of a draft: each check in words, and the story for the history."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from experiments.models import Experiment, ReviewAnswer, ReviewRequest
from experiments.plan.lifecycle import review_words
from experiments.plan.review import (
    SKIP,
    PlanReview,
    ReviewCode,
    approvers,
    authors_of,
    barred_from,
    may_approve,
    standing_of,
)
from experiments.plan_page.known_numbers import Known
from experiments.plan_page.review_checks import CheckState, ReviewCheck, checklist
from reporting.numbers import count, percent
from runs.web import person

# Words for review checks: a title, and one sentence about the result.


def title(check: ReviewCheck) -> str:
    """Title of a check."""
    titles = {
        "power": _("Size: enough users for the planned effect"),
        "placebo": _("Placebo group, or a reason without one"),
        "others": _("Other behaviours that the nudge may move"),
        "guardrails": _("Guardrails with margins"),
        "overlap": _("Overlap with running experiments"),
        "window": _("The behaviour ends before the outcome begins"),
        "sample_ratio": _("Split of earlier experiments"),
        "links": _("Links to design, ticket or text"),
    }
    return check.label or titles[check.code]


def state_words(check: ReviewCheck) -> str:
    """The state as a tag."""
    words = {CheckState.OK: _("fine"), CheckState.WARN: _("check"), CheckState.MISSING: _("missing")}
    if check.label:
        unticked = _("not ticked")
        older = _("ticked before a change") if check.older else unticked
        words |= {CheckState.OK: _("ticked"), CheckState.WARN: older, CheckState.MISSING: unticked}
    return words[check.state]


def value(check: ReviewCheck) -> str:
    """The result as a sentence; "" for a team's own check, which has a note instead."""
    if check.label:
        return ""
    says = {
        "power": _power,
        "placebo": _placebo,
        "others": _others,
        "guardrails": _guardrails,
        "overlap": _overlap,
        "window": _window,
        "sample_ratio": _sample_ratio,
        "links": _links,
    }
    return says[check.code](check.facts)


def _power(facts: dict[str, Any]) -> str:
    if facts["planned"] is None:
        return _("No size is planned.")
    if facts["power"] is None:
        text = _("{units} users are planned. How many come isn't counted yet, so the power is unknown.")
        return text.format(units=count(facts["planned"]))
    text = _("{units} users find the planned effect with a chance of {power}; the plan wants {wanted}.")
    return text.format(
        units=count(facts["planned"]), power=percent(facts["power"], 0), wanted=percent(facts["wanted"], 0)
    )


def _placebo(facts: dict[str, Any]) -> str:
    if not facts["needed"]:
        return _("No AHA moment is tested, so none is needed.")
    if facts.get("nudges"):
        return _("A lab has no placebo: that a nudge is seen at all is part of what it does.")
    if facts["arm"] is None:
        return _("There is no placebo: tick this with the reason.")
    return _("The group {arm} is the placebo.").format(arm=facts["arm"])


def _others(facts: dict[str, Any]) -> str:
    if not facts["needed"]:
        return _("No AHA moment is tested, so none counts.")
    if not facts["n"]:
        return _("None is measured: what else the nudge moves stays unknown.")
    text = ngettext(
        "{n} is measured, {consequences} called a consequence.",
        "{n} are measured, {consequences} called a consequence.",
        facts["n"],
    )
    return text.format(n=facts["n"], consequences=facts["consequences"])


def _guardrails(facts: dict[str, Any]) -> str:
    if facts["n"] == 0:
        return _("No guardrail is watched.")
    text = ngettext(
        "{n} guardrail, {ruled} of them with a margin.", "{n} guardrails, {ruled} of them with a margin.", facts["n"]
    )
    return text.format(n=facts["n"], ruled=facts["with_margin"])


def _overlap(facts: dict[str, Any]) -> str:
    if facts["n"] == 0:
        return _("No running experiment has the same audience without a layer in common.")
    text = ngettext(
        "{n} running experiment has the same audience and no layer in common: {keys}.",
        "{n} running experiments have the same audience and no layer in common: {keys}.",
        facts["n"],
    )
    return text.format(n=facts["n"], keys=", ".join(facts["experiments"]))


def _window(facts: dict[str, Any]) -> str:
    if not facts["needed"]:
        return _("No AHA moment is tested, so no window can overlap.")
    if facts.get("outcome_from") is None:
        return _("No primary outcome says when it begins.")
    text = _("The behaviour counts on days 0 to {last}, the outcome from day {first} on.")
    return text.format(last=facts["behaviour_days"] - 1, first=facts["outcome_from"])


def _sample_ratio(facts: dict[str, Any]) -> str:
    if facts["n"] == 0:
        return _("No earlier experiment was analysed.")
    text = ngettext(
        "{broken} of the {n} latest analysed experiment had a broken split.",
        "{broken} of the {n} latest analysed experiments had a broken split.",
        facts["n"],
    )
    return text.format(broken=facts["broken"], n=facts["n"])


def _links(facts: dict[str, Any]) -> str:
    if facts["n"] == 0:
        return _("No link stands in the plan, its comments or these notes.")
    return ngettext("{n} link: {links}", "{n} links: {links}", facts["n"]).format(
        n=facts["n"], links=", ".join(facts["links"])
    )


# Content of the review panel on a draft's pages, and of the review's history.

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
    reviewers = [] if standing.request is None else list(standing.request.reviewers.all())
    return {
        "standing": standing,
        "words": review_words(standing.code.value) if standing.needed or standing.code is not ReviewCode.NONE else "",
        "light": LIGHTS.get(standing.code, "warn"),
        "named": reviewers if standing.is_open else [],
        "story": story(standing),
        "checks": [
            {
                "check": check,
                "title": title(check),
                "state": state_words(check),
                "tag": TAGS[check.state],
                "value": value(check),
            }
            for check in (checklist(row, known) if is_draft else [])
        ],
        "may_ask": is_draft
        and standing.code is not ReviewCode.APPROVED
        and request.user.has_perm("experiments.add_reviewrequest"),
        "may_withdraw": standing.is_open
        and request.user.has_perm("experiments.change_reviewrequest")
        and user is not None
        and (user.pk in authors or (standing.request is not None and user.pk == standing.request.by_id)),
        "may_answer": is_draft and user is not None and _may_answer(row, standing, user, reviewers),
        "may_tick": is_draft and request.user.has_perm("experiments.add_reviewtick"),
        "may_skip": bool(standing.missing) and request.user.has_perm(SKIP),
        "could_review": [approver for approver in approvers() if approver.pk not in barred] if is_draft else [],
        "is_author": user is not None and user.pk in barred,
    }


def _may_answer(row: Experiment, standing: PlanReview, user: Any, named: list[Any]) -> bool:
    again = standing.code in (ReviewCode.APPROVED, ReviewCode.CHANGES)
    return (standing.is_open or again) and (not named or user in named) and may_approve(row, user)


def story(standing: PlanReview) -> list[dict[str, Any]]:
    """Requests and answers, the newest first: time, person, action, and their text."""
    states = {
        ReviewRequest.State.WITHDRAWN: _("asked for a review, and withdrew it"),
        ReviewRequest.State.REPLACED: _("asked for a review, and asked again later"),
    }
    kinds = {
        ReviewAnswer.Kind.APPROVED: _("approved the plan"),
        ReviewAnswer.Kind.CHANGES: _("asked for changes"),
        ReviewAnswer.Kind.SKIPPED: _("started it without a review"),
    }
    entries = [
        {
            "at": request.at,
            "by": request.by,
            "what": states.get(ReviewRequest.State(request.state), _("asked for a review")),
            "text": request.note,
            "version": request.version,
            "named": [str(who) for who in request.reviewers.all()],
            "light": "",
        }
        for request in standing.requests
    ]
    lights = {"approved": "good", "changes": "warn", "skipped": "bad"}
    entries += [
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
    return sorted(entries, key=lambda entry: entry["at"], reverse=True)


def skipped(row: Experiment) -> ReviewAnswer | None:
    """The answer that skipped the review at the start; None where there is none. The report shows it at its top."""
    return ReviewAnswer.objects.filter(experiment=row, kind=ReviewAnswer.Kind.SKIPPED).select_related("by").first()
