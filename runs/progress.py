"""Progress of a long run: stage and share, reported to a listener, which may stop the run by raising.

Pure code calls `progress(stage, share)` between its steps and knows nothing of rows, pages or terminals.
"""

from collections.abc import Callable

type Progress = Callable[[str, float], None]
type Early = Callable[[str, object], None]  # name and record of a partial result, passed on as soon as it is known
type Listeners = tuple[Progress, Early]


class Cancelled(Exception):  # noqa: N818 - a person asked for it; nothing went wrong
    """Raised by a progress listener to stop a run that a person cancelled."""


def silent(stage: str, share: float) -> None:
    """A progress listener that does nothing."""


def unseen(name: str, record: object) -> None:
    """An `Early` that discards partial results."""


def part(progress: Progress, low: float, high: float) -> Progress:
    """Progress listener for one part of a run.

    Args:
        progress: the listener of the whole run.
        low: share of the whole run that is done when the part begins, 0 to 1.
        high: share that is done when it ends.

    Returns:
        A listener that maps 0 to 1 onto `low` to `high`.
    """
    return lambda stage, share: progress(stage, low + (high - low) * min(max(share, 0.0), 1.0))
