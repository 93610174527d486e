"""Units that only client keys name: from when on their exposures count, and until when. Pure (docs/security.md).

Anybody can invent ids and say of each that it met the arm that it draws; no computation tells such an id from a new
user. So what a client key says counts only of a unit that was there before, and whose id came in with few others:

* *named*: a server key asked for the unit at the door, or sent an event of it before;
* *known*: an event of another kind, or an evaluation, was received before the exposure;
* *within*: when the exposure came, no more than so many new ids had been brought in from the address, and in the hour,
  in which the unit's own id was.

Each looks back from the exposure alone, so that nothing that an arm does to people decides who is counted. Moments are
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
    """What our door knows of units, one entry each.

    Attributes:
        at: when the unit was first evaluated; NEVER.
        named: True where a server key has asked for it.
        visit: the mark of whoever asked first with a client key; "".
    """

    at: Ints
    named: npt.NDArray[np.bool_]
    visit: npt.NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Past:
    """What is known of units before and up to their last exposure, one entry each.

    Attributes:
        sign_at: when the first event of another kind was received; NEVER.
        sign_time: when it had happened: of what one request brings, only what happened before counts.
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
    """From when on, and until when, what client keys say of each unit counts.

    Attributes:
        sign_at: an exposure counts that was received after it, or with it and had happened after `sign_time`.
        sign_time: see there.
        named_from: an exposure that was received after it is one of a unit that a server names.
        until: an exposure that was received at it or later came from a flood of new ids; NEVER.
    """

    sign_at: Ints
    sign_time: Ints
    named_from: Ints
    until: Ints


def judge(past: Past, evaluated: Evaluated, limit: int) -> Judged:
    """What counts of each unit.

    Args:
        past: by the log.
        evaluated: by the assignments, of the same units.
        limit: new ids of one address in one hour.
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
    """When the address and hour that brought each id had brought in more than `limit`; NEVER where they didn't."""
    found = np.full(len(born_at), NEVER)
    order = np.lexsort((born_at, born_by, born_at // HOUR))
    hours, marks = (born_at // HOUR)[order], born_by[order]
    breaks = np.flatnonzero((hours[1:] != hours[:-1]) | (marks[1:] != marks[:-1])) + 1
    for first, last in pairwise([0, *breaks.tolist(), len(order)] if len(order) else []):
        if marks[first] and last - first > limit:
            found[order[first:last]] = born_at[order[first + limit]]
    return found
