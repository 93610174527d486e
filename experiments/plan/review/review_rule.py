"""Change the site's rule for reviews."""

from django.db import transaction

from experiments.models import ReviewPolicy
from runs.refusals import Refused


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
