"""Read the resources used by the last runs of a kind from their stored results."""

from pydantic import ValidationError

from reporting.document import load
from runs.models import Run
from runs.spent import Spent

LAST = 5


def last_spent(kind: type[Run]) -> list[Spent]:
    """Resources used by the last finished runs, newest first; failed and cancelled runs are left out.

    Args:
        kind: whose results keep what they took as `spent`.
    """
    done = kind.objects.filter(status=Run.Status.DONE)
    # Two queries: with one, sorting would make the database read every payload.
    latest = list(done.order_by("-finished_at").values_list("pk", flat=True)[:LAST])
    taken = dict(done.filter(pk__in=latest).values_list("pk", "payload__spent"))
    found = []
    for pk in latest:
        try:
            found.append(load(Spent, taken[pk]))
        except (ValidationError, KeyError):  # written by another version, or deleted meanwhile
            continue
    return found
