"""Where the review of a plan is; the start asks here."""

from dataclasses import dataclass
from enum import StrEnum

from experiments.models import Experiment, ReviewAnswer, ReviewRequest
from experiments.plan.review.fingerprint import fingerprint
from experiments.plan.review.who_may_approve import barred_from, needs_review

Kind = ReviewAnswer.Kind


class ReviewCode(StrEnum):
    """What is to be done; only `approved` lets a plan start where a review is needed."""

    NONE = "none"  # nobody was asked
    ASKED = "asked"
    APPROVED = "approved"
    CHANGES = "changes"  # the last answer asks for changes, and nothing was changed since
    VOID = "void"  # approved, and the plan was changed afterwards
    REVISED = "revised"  # changes were asked for and made: somebody has to be asked again
    OWN = "own"  # approved by somebody who has become one of the authors


@dataclass(frozen=True)
class PlanReview:
    """The review of one experiment.

    Attributes:
        needed: this site wants an approval of this plan, or an agent drafted it; False once it has started.
        code: where it is.
        fingerprint: of the plan now.
        request: the latest request; `answer` the latest answer; None where there is none.
        moved_on: the plan was changed since the open request was made.
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
        """The code of what still forbids the start; "" when nothing does."""
        return self.code.value if self.needed and self.code is not ReviewCode.APPROVED else ""

    @property
    def is_open(self) -> bool:
        """Somebody waits for an answer."""
        return self.request is not None and self.request.state == ReviewRequest.State.OPEN


def standing_of(experiment: Experiment) -> PlanReview:
    """Where its review is now. The row must be fresh, with its arms and audience: they are what was approved."""
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
    # The start fills in sources and rules of segments: what was approved is compared while it is a draft alone.
    same = answer.fingerprint == now or not is_draft
    if answer.kind == Kind.CHANGES:
        return ReviewCode.CHANGES if same else ReviewCode.REVISED
    if not same:
        return ReviewCode.VOID
    # An account that is gone can't be told from an author.
    own = is_draft and (answer.by_id is None or answer.by_id in barred_from(experiment))
    return ReviewCode.OWN if own else ReviewCode.APPROVED
