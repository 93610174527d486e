"""Review before start: a plan is approved, as it stands, by somebody who didn't write it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from experiments.models import (
    Experiment,
    PlanComment,
    ReviewAnswer,
    ReviewItem,
    ReviewPolicy,
    ReviewRequest,
    ReviewTick,
)
from experiments.plan.stored import locked, plan_of
from experiments.webhooks import announce
from reporting.document import dump
from runs.queue import jobs
from runs.refusals import Refused

# Authors of a plan, accounts that may approve plans, and whether a plan needs an approval.

APPROVE = "experiments.add_reviewanswer"
SKIP = "experiments.skip_reviewrequest"
BACKEND = "django.contrib.auth.backends.ModelBackend"  # permissions come from roles, whatever the way of signing in
ENOUGH = 2  # accounts that may approve: with fewer, nobody but the author could approve


def approvers() -> QuerySet[User]:
    """Active accounts that may approve plans, by name."""
    return User.objects.with_perm(APPROVE, backend=BACKEND).order_by("username")


def is_required() -> bool:
    """Whether the site's rule currently requires approvals."""
    mode = ReviewPolicy.current().mode
    if mode == ReviewPolicy.Mode.AUTOMATIC:
        return approvers()[:ENOUGH].count() >= ENOUGH
    return mode == ReviewPolicy.Mode.ALWAYS


def needs_review(experiment: Experiment) -> bool:
    """Whether this plan needs an approval before it starts: by the site's rule, or because an agent drafted it."""
    return bool(experiment.drafted_by_agent) or is_required()


def authors_of(experiment: Experiment) -> frozenset[int]:
    """Accounts that created the draft or changed its plan since, themselves or with their keys.

    A version without changes (a step that was only viewed) makes no author; an override isn't part of the plan and is
    stored without an account.
    """
    return authors_by_experiment([experiment])[experiment.pk]


def authors_by_experiment(experiments: Sequence[Experiment]) -> dict[int, frozenset[int]]:
    """`authors_of` several experiments, by their number, with one query."""
    authors: dict[int, set[int | None]] = {row.pk: {row.created_by_id} for row in experiments}
    before: dict[int, int] = {}
    rows = Experiment.history.filter(id__in=list(authors)).order_by("history_id")
    for pk, version, who in rows.values_list("id", "version", "history_user_id"):
        if version > before.get(pk, 0):
            authors[pk].add(who)
        before[pk] = version
    return {pk: frozenset(who for who in people if who is not None) for pk, people in authors.items()}


def barred_from(experiment: Experiment) -> frozenset[int]:
    """Accounts that may not approve this plan: its authors.

    Where the site doesn't require a second person, an agent's plan still needs one: the person who created the agent's
    key or edited the draft may approve it. Otherwise a team of one could never start its agent's plans.
    """
    if experiment.drafted_by_agent and not is_required():
        return frozenset()
    return authors_of(experiment)


def may_approve(experiment: Experiment, person: User) -> bool:
    """Whether this person may approve this plan: has the permission and isn't one of its authors."""
    return person.is_active and person.has_perm(APPROVE) and person.pk not in barred_from(experiment)


# Digest of the complete plan for approvals, so that any later change voids them.


def fingerprint(experiment: Experiment) -> str:
    """SHA-256 of all decisions in a draft: words, arms, values, audience, numbers, dates, seed.

    Segments are named with their version, which is immutable, so the name determines the members.
    """
    text = json.dumps(dump(plan_of(experiment)), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


# Messages about a review: sends webhooks; `people_concerned` gives the recipients of notices.

REQUESTED = "experiment.review_requested"
ANSWERED = "experiment.review_answered"
COMMENT = "experiment.comment"
KINDS = (REQUESTED, ANSWERED, COMMENT)


def people_concerned(kind: str, experiment: Experiment, *, but: User | None = None) -> list[User]:
    """Active accounts that receive a message of this kind, by name, without the one who caused it.

    Args:
        kind: one of `KINDS`.
        experiment: that it is about.
        but: the account that caused it.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no message {kind}; there are {', '.join(KINDS)}")
    request = ReviewRequest.objects.filter(experiment=experiment).order_by("-id").first()
    authors = authors_of(experiment)
    reviewers = set() if request is None else set(request.reviewers.values_list("pk", flat=True))
    if kind == REQUESTED:
        wanted = reviewers or set(approvers().values_list("pk", flat=True)) - authors
    else:
        wanted = set(authors) | ({request.by_id} if request is not None and request.by_id is not None else set())
    if kind == COMMENT:
        commenters = PlanComment.objects.filter(experiment=experiment, by__isnull=False).values_list("by_id", flat=True)
        answered = ReviewAnswer.objects.filter(experiment=experiment, by__isnull=False).values_list("by_id", flat=True)
        wanted |= reviewers | {*commenters, *answered}
    people = User.objects.filter(pk__in=wanted, is_active=True).order_by("username")
    return list(people if but is None else people.exclude(pk=but.pk))


def tell(kind: str, experiment: Experiment, *, by: User | None, **facts: Any) -> None:
    """Queue a message in the caller's transaction: kind, experiment, the account that caused it, and recipients.

    All messages of reviews and comments are sent here; they contain plans only, never an outcome.
    """
    people = people_concerned(kind, experiment, but=by)
    announce(
        kind,
        {
            "experiment": experiment.key,
            "flag": experiment.flag_key,
            "status": experiment.status,
            "version": experiment.version,
            "by": None if by is None else by.get_username(),
            "people": [person.get_username() for person in people],
            **facts,
        },
    )
    jobs.tell(
        kind.removeprefix("experiment."),
        experiment._meta.label,
        experiment.pk,
        by=None if by is None else by.pk,
        to=[person.pk for person in people],
    )


# State of a plan's review, which the start checks.

Kind = ReviewAnswer.Kind


class ReviewCode(StrEnum):
    """State of a review; only `approved` lets a plan start where a review is needed."""

    NONE = "none"  # no open request and no answer
    ASKED = "asked"
    APPROVED = "approved"
    CHANGES = "changes"  # the last answer requests changes, and nothing was changed since
    VOID = "void"  # approved, and changed afterwards
    REVISED = "revised"  # changes were requested and made: a new request is needed
    OWN = "own"  # approved by a person who has become one of the authors


@dataclass(frozen=True)
class PlanReview:
    """The review of one experiment.

    Attributes:
        needed: True when this site requires an approval of this plan, or an agent drafted it; False once it has
            started.
        code: its state.
        fingerprint: of the current plan.
        request: the latest request; `answer` the latest answer; None where there is none.
        moved_on: True when the plan was changed since the open request.
        skipped: the answer by which it was started without a review; None when it wasn't.
        requests, answers: all of them, the newest first.
    """

    needed: bool
    code: ReviewCode
    fingerprint: str
    request: ReviewRequest | None
    answer: ReviewAnswer | None
    moved_on: bool
    skipped: ReviewAnswer | None
    requests: tuple[ReviewRequest, ...]
    answers: tuple[ReviewAnswer, ...]

    @property
    def missing(self) -> str:
        """The code of what is missing for a start; "" when nothing is."""
        return self.code.value if self.needed and self.code is not ReviewCode.APPROVED else ""

    @property
    def is_open(self) -> bool:
        """True while a request waits for an answer."""
        return self.request is not None and self.request.state == ReviewRequest.State.OPEN


def standing_of(experiment: Experiment) -> PlanReview:
    """The current state of the review. The row must be fresh, with its arms and audience, which were approved."""
    rows = ReviewRequest.objects.filter(experiment=experiment).select_related("by").prefetch_related("reviewers")
    requests = tuple(rows.order_by("-id"))
    answers = tuple(ReviewAnswer.objects.filter(experiment=experiment).select_related("by").order_by("-id"))
    answer = next((answer for answer in answers if answer.kind != Kind.SKIPPED), None)
    request = next(iter(requests), None)
    now = fingerprint(experiment)
    is_draft = experiment.status == Experiment.Status.DRAFT
    waits = request is not None and request.state == ReviewRequest.State.OPEN
    return PlanReview(
        needed=is_draft and needs_review(experiment),
        code=ReviewCode.ASKED if waits else _code(experiment, answer, now, is_draft=is_draft),
        fingerprint=now,
        request=request,
        answer=answer,
        moved_on=waits and request is not None and request.fingerprint != now,
        skipped=next((answer for answer in answers if answer.kind == Kind.SKIPPED), None),
        requests=requests,
        answers=answers,
    )


def _code(experiment: Experiment, answer: ReviewAnswer | None, now: str, *, is_draft: bool) -> ReviewCode:
    if answer is None:
        return ReviewCode.NONE
    # The start fills in sources and rules of segments, so only a draft is compared with what was approved.
    same = answer.fingerprint == now or not is_draft
    if answer.kind == Kind.CHANGES:
        return ReviewCode.CHANGES if same else ReviewCode.REVISED
    if not same:
        return ReviewCode.VOID
    # A deleted account may have been an author.
    own = is_draft and (answer.by_id is None or answer.by_id in barred_from(experiment))
    return ReviewCode.OWN if own else ReviewCode.APPROVED


# Request a review of a draft, and withdraw the request.

State = ReviewRequest.State


@transaction.atomic
def ask_for_review(*, key: str, by: User | None, reviewers: Sequence[User] = (), note: str = "") -> ReviewRequest:
    """Request a review of a draft; an open request is replaced.

    Args:
        key: of the experiment.
        by: the account that requests it.
        reviewers: those who may answer; none means anyone who may approve.
        note: for the reviewers.

    Raises:
        Refused: it isn't a draft, its current content is approved, or a reviewer couldn't approve it.
    """
    experiment = locked(key)
    if experiment.status != Experiment.Status.DRAFT:
        raise Refused("The experiment has started: only a draft is reviewed.")
    if standing_of(experiment).code is ReviewCode.APPROVED:
        raise Refused("The plan is approved as it stands.")
    for reviewer in reviewers:
        if not may_approve(experiment, reviewer):
            raise Refused("{name} can't approve this plan: an author, or without the right to.", name=reviewer.username)
    close_open(experiment, State.REPLACED)
    request = ReviewRequest.objects.create(
        experiment=experiment, fingerprint=fingerprint(experiment), version=experiment.version, by=by, note=note.strip()
    )
    request.reviewers.set(reviewers)
    tell(REQUESTED, experiment, by=by, note=request.note)
    return request


@transaction.atomic
def withdraw_request(*, key: str) -> ReviewRequest:
    """Withdraw the open request.

    Raises:
        Refused: there is no open request.
    """
    closed = close_open(locked(key), State.WITHDRAWN)
    if closed is None:
        raise Refused("No request for a review is open.")
    return closed


def close_open(experiment: Experiment, state: str) -> ReviewRequest | None:
    """Close the open request of a locked experiment; None where there is none."""
    row = ReviewRequest.objects.filter(experiment=experiment, state=State.OPEN).first()
    if row is not None:
        row.state, row.closed_at = state, timezone.now()
        row.save(update_fields=["state", "closed_at"])
    return row


# Answer a review request: approve the plan as it is, or request changes.


@transaction.atomic
def answer_review(*, key: str, by: User | None, kind: str, text: str = "", seen: str | None = None) -> ReviewAnswer:
    """Approve a draft, or request changes with a comment. The last answer about a plan's content counts.

    Args:
        key: of the experiment.
        by: the account; a key answers for the account that created it.
        kind: `approved` or `changes`.
        text: comment for the author; required for changes.
        seen: fingerprint of the plan that this person read; None for the plan as it is now.

    Raises:
        Refused: there is no request, the plan has changed, this person is an author or may not approve, or a required
            check isn't ticked.
    """
    experiment = locked(key)
    standing = standing_of(experiment)
    _refuse_wrong_answer(experiment, standing, by, seen)
    if kind == Kind.CHANGES and not text.strip():
        raise Refused("Say what should be changed.")
    if kind == Kind.APPROVED:
        _refuse_unticked(experiment)
    request = standing.request
    answer = ReviewAnswer.objects.create(
        experiment=experiment,
        request=request,
        kind=kind,
        text=text.strip(),
        fingerprint=standing.fingerprint,
        version=experiment.version,
        by=by,
    )
    close_open(experiment, kind)
    tell(ANSWERED, experiment, by=by, answer=kind, text=answer.text)
    return answer


def skip_review(experiment: Experiment, by: User | None, why: str) -> ReviewAnswer:
    """Record that a locked draft starts without its review: in an emergency, with a reason shown on the report.

    Raises:
        Refused: this person lacks the permission, or gave no reason.
    """
    if by is None or not by.has_perm(SKIP):
        raise Refused("Only a signed-in administrator may start without a review.")
    if not why.strip():
        raise Refused("Say why it starts without a review: the report shows it.")
    answer = ReviewAnswer.objects.create(
        experiment=experiment,
        kind=Kind.SKIPPED,
        text=why.strip(),
        fingerprint=fingerprint(experiment),
        version=experiment.version,
        by=by,
    )
    close_open(experiment, "withdrawn")
    tell(ANSWERED, experiment, by=by, answer=Kind.SKIPPED.value, text=answer.text)
    return answer


def _refuse_wrong_answer(experiment: Experiment, standing: PlanReview, by: User | None, seen: str | None) -> None:
    if experiment.status != Experiment.Status.DRAFT:
        raise Refused("The experiment has started: only a draft is reviewed.")
    if by is None or not by.is_active or not by.has_perm(APPROVE):
        raise Refused("Only a person who may approve plans can answer, or a key that such a person made.")
    if by.pk in barred_from(experiment):
        raise Refused("You made this plan or changed it: somebody else has to approve it.")
    again = standing.answer is not None and standing.answer.fingerprint == standing.fingerprint
    if not standing.is_open and not again:
        raise Refused("Nobody has asked for a review of this plan.")
    if seen is not None and seen != standing.fingerprint:
        raise Refused("The plan was changed while you read it. Read it again.")
    named = [] if standing.request is None else list(standing.request.reviewers.values_list("pk", flat=True))
    if named and by.pk not in named:
        raise Refused("Other people were asked to review this plan.")


def _refuse_unticked(experiment: Experiment) -> None:
    ticked = ReviewTick.objects.filter(experiment=experiment).values("item")
    missing = ReviewItem.objects.filter(active=True, required=True).exclude(pk__in=ticked.filter(item__isnull=False))
    if (first := missing.first()) is not None:
        raise Refused("A required check isn't ticked: {text}", text=first.text)


# Tick a check of the review list, with a note: a team's own check, or one that the plan doesn't fill in.

OWN = "item:"  # prefix of codes of a team's own checks
CODES = (
    "power",
    "placebo",
    "others",
    "guardrails",
    "overlap",
    "window",
    "sample_ratio",
    "links",
)  # filled in by the plan


def code_of(item: ReviewItem) -> str:
    """The code under which a team's own check is ticked."""
    return f"{OWN}{item.pk}"


@transaction.atomic
def tick(*, key: str, code: str, by: User | None, note: str = "", done: bool = True) -> None:
    """Tick a check, or remove the tick.

    Args:
        key: of the experiment, a draft.
        code: one of `CODES`, or that of a team's own check.
        by: the account that checked it.
        note: the finding; required where the plan fills in the check itself.
        done: False removes the tick.

    Raises:
        Refused: it isn't a draft, there is no such check, or a note is missing.
    """
    experiment = locked(key)
    if experiment.status != Experiment.Status.DRAFT:
        raise Refused("The experiment has started: only a draft is reviewed.")
    number = code.removeprefix(OWN) if code.startswith(OWN) else ""
    item = ReviewItem.objects.filter(pk=number, active=True).first() if number.isdecimal() else None
    if item is None and code not in CODES:
        raise Refused("There is no check '{code}'.", code=code)
    if not done:
        for row in ReviewTick.objects.filter(experiment=experiment, code=code):
            row.delete()  # one by one: the history doesn't record bulk deletions
        return
    if item is None and not note.strip():
        raise Refused("Write what you found.")
    row = ReviewTick.objects.filter(experiment=experiment, code=code).first() or ReviewTick(
        experiment=experiment, code=code
    )
    row.item, row.label, row.note, row.by = item, "" if item is None else item.text, note.strip(), by
    row.fingerprint = fingerprint(experiment)
    row.save()


# Comments on a plan: add, resolve and reopen them. They are never deleted.


@transaction.atomic
def add_comment(*, experiment: Experiment, section: str, text: str, by: User | None) -> PlanComment:
    """Add a comment on one section of a plan and notify the people concerned."""
    comment = PlanComment.objects.create(experiment=experiment, by=by, section=section, text=text)
    tell(COMMENT, experiment, by=by, comment=comment.pk, section=section, text=text)
    return comment


def settle(*, comment: PlanComment, by: User | None, is_open: bool) -> PlanComment:
    """Resolve a comment, or reopen it."""
    comment.resolved_by, comment.resolved_at = (None, None) if is_open else (by, timezone.now())
    comment.save(update_fields=["resolved_by", "resolved_at"])
    return comment


# Change the site's rule for reviews.


@transaction.atomic
def choose_mode(mode: str) -> ReviewPolicy:
    """Set whether plans need an approval before they start: `automatic`, `always` or `never`.

    Running experiments aren't affected. A draft follows the rule in force when it is started.

    Raises:
        Refused: any other mode.
    """
    if mode not in ReviewPolicy.Mode.values:
        raise Refused("There is no rule '{mode}'.", mode=mode)
    row = ReviewPolicy.current()
    row.mode = mode
    row.save()
    return row
