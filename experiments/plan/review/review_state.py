"""State of a plan's review, which the start checks."""

from dataclasses import dataclass
from enum import StrEnum

from experiments.models import Experiment, ReviewAnswer, ReviewRequest
from experiments.plan.review.fingerprint import fingerprint
from experiments.plan.review.who_may_approve import barred_from, needs_review

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
    asked = ReviewRequest.objects.filter(experiment=experiment).select_related("by").prefetch_related("reviewers")
    requests = tuple(asked.order_by("-id"))
    answers = tuple(ReviewAnswer.objects.filter(experiment=experiment).select_related("by").order_by("-id"))
    answer = next((one for one in answers if one.kind != Kind.SKIPPED), None)
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
        skipped=next((one for one in answers if one.kind == Kind.SKIPPED), None),
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
