"""Messages about a review: sends webhooks; `people_concerned` gives the recipients of notices."""

from typing import Any

from django.contrib.auth.models import User

from experiments.models import Experiment, PlanComment, ReviewAnswer, ReviewRequest
from experiments.plan.review.who_may_approve import approvers, authors_of
from experiments.webhooks.deliver import announce
from runs.queue import enqueue

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
    named = set() if request is None else set(request.reviewers.values_list("pk", flat=True))
    if kind == REQUESTED:
        wanted = named or set(approvers().values_list("pk", flat=True)) - authors
    else:
        wanted = set(authors) | ({request.by_id} if request is not None and request.by_id is not None else set())
    if kind == COMMENT:
        said = PlanComment.objects.filter(experiment=experiment, by__isnull=False).values_list("by_id", flat=True)
        answered = ReviewAnswer.objects.filter(experiment=experiment, by__isnull=False).values_list("by_id", flat=True)
        wanted |= named | {*said, *answered}
    found = User.objects.filter(pk__in=wanted, is_active=True).order_by("username")
    return list(found if but is None else found.exclude(pk=but.pk))


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
            "people": [one.get_username() for one in people],
            **facts,
        },
    )
    enqueue.tell(
        kind.removeprefix("experiment."),
        experiment._meta.label,
        experiment.pk,
        by=None if by is None else by.pk,
        to=[one.pk for one in people],
    )
