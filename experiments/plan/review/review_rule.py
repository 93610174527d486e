"""Choose the site's rule of reviews."""

from django.db import transaction

from experiments.models import ReviewPolicy
from runs.refusals import Refused


@transaction.atomic
def choose_mode(mode: str) -> ReviewPolicy:
    """Whether plans need an approval before they start: `automatic`, `always` or `never`.

    What runs goes on. A draft obeys the rule of the moment in which it is started.

    Raises:
        Refused: another word.
    """
    if mode not in ReviewPolicy.Mode.values:
        raise Refused("There is no rule '{mode}'.", mode=mode)
    row = ReviewPolicy.current()
    row.mode = mode
    row.save()
    return row
