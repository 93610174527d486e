"""Request a review of a draft, and withdraw the request."""

from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from experiments.models import Experiment, ReviewRequest
from experiments.plan.review.fingerprint import fingerprint
from experiments.plan.review.review_messages import REQUESTED, tell
from experiments.plan.review.review_state import ReviewCode, standing_of
from experiments.plan.review.who_may_approve import may_approve
from experiments.plan.writing import locked
from runs.refusals import Refused

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
    for one in reviewers:
        if not may_approve(experiment, one):
            raise Refused("{name} can't approve this plan: an author, or without the right to.", name=one.username)
    close_open(experiment, State.REPLACED)
    made = ReviewRequest.objects.create(
        experiment=experiment, fingerprint=fingerprint(experiment), version=experiment.version, by=by, note=note.strip()
    )
    made.reviewers.set(reviewers)
    tell(REQUESTED, experiment, by=by, note=made.note)
    return made


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
