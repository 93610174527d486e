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

import numpy as np
import numpy.typing as npt

from experiments.analyse.gather.newcomers import Evaluated
from experiments.draw.bucketing_many import read_units, unit_hashes
from experiments.draw.evaluation import Flag
from experiments.draw.many_units import arms_drawn

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
    found = np.zeros(len(units), dtype=np.bool_)
    for row in flag.rows:
        found |= arms_drawn(flag, row, units, clusters) == claimed
    for slot in (flag.holdout, flag.layer):
        if slot is not None:
            inside = unit_hashes(slot.seed, ids)
            found &= (inside >= slot.low) & (inside < slot.high)
    return found
