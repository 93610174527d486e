"""Tick a check of the review list, with a note: a team's own check, or one that the plan doesn't fill in."""

from django.contrib.auth.models import User
from django.db import transaction

from experiments.models import Experiment, ReviewItem, ReviewTick
from experiments.plan.review.fingerprint import fingerprint
from experiments.plan.writing import locked
from runs.refusals import Refused

OWN = "item:"  # prefix of codes of a team's own checks
CODES = ("power", "placebo", "guardrails", "overlap", "window", "sample_ratio", "links")  # filled in by the plan


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
