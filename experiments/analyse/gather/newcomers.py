"""Time ranges in which exposures count of units that only client keys reported. Pure (docs/security.md).

Anybody can invent ids and report each as exposed to the arm that it draws; no computation distinguishes such an id from
a new user. So exposures from a client key count only for units that were seen before, and whose id arrived among few
other new ids:

* *named*: a server key requested an evaluation of the unit, or sent an event of it before;
* *known*: an event of another kind, or an evaluation, was received before the exposure;
* *within*: when the exposure arrived, the number of new ids was within the limit for the address and hour in which the
unit's own id first arrived.

Each condition uses only what came before the exposure, so that effects of an arm can't decide who is counted. Times are
microseconds since 1970.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

type Ints = npt.NDArray[np.int64]

EVER, NEVER = -2_208_988_800_000_000, 7_258_118_400_000_000  # 1900 and 2200, which every engine's calendar has
HOUR = 3_600_000_000


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Evaluations of units, one entry per unit.

    Attributes:
        at: when the unit was first evaluated; NEVER.
        named: True where a server key has requested it.
        visit: the mark of the visitor who first requested it with a client key; "".
    """

    at: Ints
    named: npt.NDArray[np.bool_]
    visit: npt.NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Past:
    """Events of units up to their last exposure, one entry per unit.

    Attributes:
        sign_at: when the first event of another kind was received; NEVER.
        sign_time: when it happened: of events in one request, only those that happened before the exposure count.
        server_at: when a server's first event was received; NEVER.
        born_at: when the first event of any kind was received.
        born_by: the mark of the visitor who sent it; "" for all others.
    """

    sign_at: Ints
    sign_time: Ints
    server_at: Ints
    born_at: Ints
    born_by: npt.NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Judged:
    """Time range in which exposures from client keys count, one entry per unit.

    Attributes:
        sign_at: an exposure counts when received after it, or at the same time and having happened after `sign_time`.
        sign_time: see there.
        named_from: an exposure received after it belongs to a unit that a server named.
        until: an exposure received at it or later came from a flood of new ids; NEVER.
    """

    sign_at: Ints
    sign_time: Ints
    named_from: Ints
    until: Ints


def judge(past: Past, evaluated: Evaluated, limit: int) -> Judged:
    """The time range in which each unit's exposures count.

    Args:
        past: from the log.
        evaluated: from the assignments, of the same units.
        limit: new ids per address and hour.
    """
    asked_first = evaluated.at <= past.sign_at
    before = evaluated.at < past.born_at
    return Judged(
        sign_at=np.where(asked_first, evaluated.at, past.sign_at),
        sign_time=np.where(asked_first, EVER, past.sign_time),
        named_from=np.where(evaluated.named, EVER, past.server_at),
        until=_floods(
            np.where(before, evaluated.at, past.born_at), np.where(before, evaluated.visit, past.born_by), limit
        ),
    )


def _floods(born_at: Ints, born_by: npt.NDArray[np.str_], limit: int) -> Ints:
    """When the address and hour that brought each id exceeded `limit` new ids; NEVER where they didn't."""
    found = np.full(len(born_at), NEVER)
    order = np.lexsort((born_at, born_by, born_at // HOUR))
    hours, marks = (born_at // HOUR)[order], born_by[order]
    breaks = np.flatnonzero((hours[1:] != hours[:-1]) | (marks[1:] != marks[:-1])) + 1
    for first, last in pairwise([0, *breaks.tolist(), len(order)] if len(order) else []):
        if marks[first] and last - first > limit:
            found[order[first:last]] = born_at[order[first + limit]]
    return found
