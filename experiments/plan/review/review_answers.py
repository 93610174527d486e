"""Answer a review request: approve the plan as it is, or request changes."""

from django.contrib.auth.models import User
from django.db import transaction

from experiments.models import Experiment, ReviewAnswer, ReviewItem, ReviewTick
from experiments.plan.review.fingerprint import fingerprint
from experiments.plan.review.review_messages import ANSWERED, tell
from experiments.plan.review.review_requests import close_open
from experiments.plan.review.review_state import PlanReview, standing_of
from experiments.plan.review.who_may_approve import APPROVE, SKIP, barred_from
from experiments.plan.writing import locked
from runs.refusals import Refused

Kind = ReviewAnswer.Kind


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
    made = ReviewAnswer.objects.create(
        experiment=experiment,
        request=request,
        kind=kind,
        text=text.strip(),
        fingerprint=standing.fingerprint,
        version=experiment.version,
        by=by,
    )
    close_open(experiment, kind)
    tell(ANSWERED, experiment, by=by, answer=kind, text=made.text)
    return made


def skip_review(experiment: Experiment, by: User | None, why: str) -> ReviewAnswer:
    """Record that a locked draft starts without its review: in an emergency, with a reason shown on the report.

    Raises:
        Refused: this person lacks the permission, or gave no reason.
    """
    if by is None or not by.has_perm(SKIP):
        raise Refused("Only a signed-in administrator may start without a review.")
    if not why.strip():
        raise Refused("Say why it starts without a review: the report shows it.")
    made = ReviewAnswer.objects.create(
        experiment=experiment,
        kind=Kind.SKIPPED,
        text=why.strip(),
        fingerprint=fingerprint(experiment),
        version=experiment.version,
        by=by,
    )
    close_open(experiment, "withdrawn")
    tell(ANSWERED, experiment, by=by, answer=Kind.SKIPPED.value, text=made.text)
    return made


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
