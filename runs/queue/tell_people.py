"""Say that something happened which people may want to hear of. The site above decides whom it concerns.

What is said is a kind, a row and a state: never a result. The notice is made of the row by `insight_site.notices`,
which asks whether its outcome may be told.
"""

from collections.abc import Iterable

from runs.queue.put import put

TASK = "insight_site.tasks.tell"
OVER = "-"  # the state of something that no longer is: nobody is told, and the next time is news again


def tell(
    kind: str, label: str, pk: int | str, state: str = "", *, by: int | None = None, to: Iterable[int | None] = ()
) -> None:
    """Let a worker tell those whom it concerns, once this transaction is committed.

    Args:
        kind: a key of `insight_site.notices.notice_kinds`.
        label: of the row's model, "experiments.Experiment".
        pk: of the row.
        state: told once: the same state of the same row is no news. Empty: it is news each time.
        by: account that did it; it isn't told.
        to: accounts that it concerns above all, such as the reviewers who were asked.
    """
    put(TASK, kind, label, pk, state, by or 0, ",".join(str(one) for one in to if one))
