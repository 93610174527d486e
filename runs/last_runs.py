"""What the last runs of a kind took, from their stored results."""

from pydantic import ValidationError

from reporting.document import load
from runs.models import Run
from runs.spent import Spent

LAST = 5


def last_spent(kind: type[Run]) -> list[Spent]:
    """Of the last runs that were done, the latest first; one that failed or was cancelled measured nothing.

    Args:
        kind: whose results keep what they took as `spent`.
    """
    done = kind.objects.filter(status=Run.Status.DONE)
    # Two questions: sorted in one, the database would open every payload.
    latest = list(done.order_by("-finished_at").values_list("pk", flat=True)[:LAST])
    taken = dict(done.filter(pk__in=latest).values_list("pk", "payload__spent"))
    found = []
    for pk in latest:
        try:
            found.append(load(Spent, taken[pk]))
        except (ValidationError, KeyError):  # another version wrote it, or somebody deleted it meanwhile
            continue
    return found
