"""Comments on a plan: add, resolve and reopen them. They are never deleted."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from experiments.models import Experiment, PlanComment
from experiments.plan.review.review_messages import COMMENT, tell


@transaction.atomic
def add_comment(*, experiment: Experiment, section: str, text: str, by: User | None) -> PlanComment:
    """Add a comment on one section of a plan and notify the people concerned."""
    made = PlanComment.objects.create(experiment=experiment, by=by, section=section, text=text)
    tell(COMMENT, experiment, by=by, comment=made.pk, section=section, text=text)
    return made


def settle(*, comment: PlanComment, by: User | None, is_open: bool) -> PlanComment:
    """Resolve a comment, or reopen it."""
    comment.resolved_by, comment.resolved_at = (None, None) if is_open else (by, timezone.now())
    comment.save(update_fields=["resolved_by", "resolved_at"])
    return comment
