"""When the outcome of a holdout may be read: only on the planned dates. Pure.

A reading uses only the data up to its date, whenever it is computed. So a missed reading can be computed later, and
computing one twice shows nothing new.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from events.windows import Clock
from experiments.analyse.holdout_report.holdout_question import HoldoutQuestion

WAITING, OPEN = "waiting", "open"


@dataclass(frozen=True)
class Due:
    """The reading that is due, or why none is.

    Attributes:
        state: `open` or `waiting`.
        why: `before` the first reading, `between` readings, `done` after the last, `due`, `any_time`.
        until: moment up to which the data are read.
        reading: date of the reading that is due; None while waiting.
        next_on: date of the next reading; None after the last, and where every day is a reading.
        final: True for the last reading.
    """

    state: str
    why: str
    until: datetime
    reading: date | None
    next_on: date | None
    final: bool


def due(asked: HoldoutQuestion, clock: Clock, data_end: datetime, taken: Collection[date]) -> Due:
    """Whether the outcome may be read.

    Args:
        asked: the plan.
        clock: defines when its days begin.
        data_end: of the log.
        taken: dates of the readings already computed.
    """
    over = [day for day in asked.readings if clock.midnight(day) <= data_end]
    final = asked.end in over
    if asked.method == "always_valid":
        until = min(data_end, clock.midnight(asked.end))
        if asked.end in taken:
            return Due(WAITING, "done", until, None, None, final=True)
        return Due(OPEN, "any_time", until, asked.end if final else clock.local_date(until), None, final)
    next_on = next((day for day in asked.readings if day not in over), None)
    if not over:
        return Due(WAITING, "before", data_end, None, next_on, final=False)
    latest = over[-1]
    if taken and max(taken) >= latest:
        return Due(
            WAITING, "done" if final else "between", min(data_end, clock.midnight(asked.end)), None, next_on, final
        )
    return Due(OPEN, "due", clock.midnight(latest), latest, next_on, final)
