"""Which exposures count: the rule and its results. Pure (docs/methods/integrity.md; docs/security.md).

An exposure counts when our evaluation API wrote it, when it came with a server key or from a file, or when a client key
sent it whose source shows the experiment *and* the arm is the unit's own: that of its stored assignment, else the one
it draws. In experiments that started since 0.5 a unit from a client key must also pass checks against invented ids
(`experiments.analyse.gather.newcomers`), and decides nothing where servers named enough units. All other exposures are
excluded from every count and test, as are exposures sent after a variant is rolled out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from experiments.draw.evaluation import Flag
from experiments.draw.many_units import arms_drawn, read_units, unit_hashes

# Time ranges in which exposures count of units that only client keys reported. Pure (docs/security.md).
#
# Anybody can invent ids and report each as exposed to the arm that it draws; no computation distinguishes such an id
# from a new user. So exposures from a client key count only for units that were seen before, and whose id arrived
# among few other new ids:
#
# * *named*: a server key requested an evaluation of the unit, or sent an event of it before;
# * *known*: an event of another kind, or an evaluation, was received before the exposure;
# * *within*: when the exposure arrived, the number of new ids was within the limit for the address and hour in which
# the
# unit's own id first arrived.
#
# Each condition uses only what came before the exposure, so that effects of an arm can't decide who is counted. Times
# are microseconds since 1970.

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
    times = np.full(len(born_at), NEVER)
    order = np.lexsort((born_at, born_by, born_at // HOUR))
    hours, marks = (born_at // HOUR)[order], born_by[order]
    breaks = np.flatnonzero((hours[1:] != hours[:-1]) | (marks[1:] != marks[:-1])) + 1
    for first, last in pairwise([0, *breaks.tolist(), len(order)] if len(order) else []):
        if marks[first] and last - first > limit:
            times[order[first:last]] = born_at[order[first + limit]]
    return times


type Bools = npt.NDArray[np.bool_]

OTHER_SOURCE, WRONG_ARM, NO_CLUSTER = "source", "arm", "cluster"
UNKNOWN_BEFORE, MANY_NEW_IDS = "unknown", "address"


@dataclass(frozen=True)
class AdmissionRule:
    """Which exposures of an experiment count.

    Attributes:
        sources: sources whose client keys are accepted.
        owed: given units, arms and clusters ("" for none), whether each arm is the unit's own.
        names: display names of the sources.
        until: when a variant was first rolled out: later exposures belong to the rollout, not to the experiment. None
            without a rollout.
        evaluated: given units, their first evaluations.
        new_ids: limit of new ids per address and hour whose exposures count; None: the experiment started before 0.5,
            and exposures of client keys are admitted by the rule of that time.
    """

    sources: frozenset[int]
    owed: Callable[[Sequence[str], Sequence[str], Sequence[str]], Bools]
    names: Mapping[int, str] = field(default_factory=dict)
    until: datetime | None = None
    evaluated: Callable[[Sequence[str]], Evaluated] | None = None
    new_ids: int | None = None


@dataclass(frozen=True)
class SetAside:
    """Exposures that were not admitted, by sender and reason.

    Attributes:
        sender: name of the source whose client key sent them; "" for evaluations with client keys.
        reason: `source`: the experiment isn't shown there; `arm`: another arm than the unit's own; `cluster`: whole
            clusters are drawn, and it names none; `unknown`: no earlier event or evaluation of the unit; `address`: too
            many new ids from the same address.
        exposures: events.
        units: distinct units.
    """

    sender: str
    reason: str
    exposures: int
    units: int


@dataclass(frozen=True)
class Unverified:
    """Counts of admitted units that only a client key has reported, beside all others.

    Where servers named enough units, the former decide nothing. An invented user with the right arm has an id like any
    new user's, but sends no other events.

    Attributes:
        units: reported only by a client key; `others` all others.
        followed: of `units`, those with a complete day 0; `silent` of these without any event of their own.
        others_followed: the same for the others; `others_silent`.
    """

    units: int = 0
    others: int = 0
    followed: int = 0
    silent: int = 0
    others_followed: int = 0
    others_silent: int = 0


def drawn(flag: Flag, units: Sequence[str], arms: Sequence[str], clusters: Sequence[str]) -> Bools:
    """Whether each unit draws the given arm, in any row of the audience.

    A local SDK decides by attributes that we don't see, so every row's ranges count. Slots of holdout and layer don't
    depend on attributes. Being new and the end of enrolment aren't checked here.

    Args:
        flag: of the experiment.
        units: ids.
        arms: an arm's key for each unit.
        clusters: reported id of each unit's cluster; not read where units are drawn.
    """
    if not units:
        return np.zeros(0, dtype=np.bool_)
    ids = read_units(units)
    places = {arm.key: place for place, arm in enumerate(flag.arms)}
    claimed = np.array([places.get(arm, -2) for arm in arms])
    matches = np.zeros(len(units), dtype=np.bool_)
    for row in flag.rows:
        matches |= arms_drawn(flag, row, units, clusters) == claimed
    for slot in (flag.holdout, flag.layer):
        if slot is not None:
            inside = unit_hashes(slot.seed, ids)
            matches &= (inside >= slot.low) & (inside < slot.high)
    return matches
