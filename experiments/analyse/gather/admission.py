"""Which exposures count: the rule and what came of it. Pure (docs/methods/integrity.md; docs/security.md).

An exposure counts when our door wrote it, when a server key sent it or a file brought it, or when a client key sent it
whose source shows the experiment *and* the arm is the unit's own: that of its stored assignment, else the one it draws.
In experiments that started since 0.5 such a unit must also be more than an id that somebody made up
(`experiments.analyse.gather.newcomers`), and decides nothing where servers named units enough.
Everything else enters no count and no test, nor does what is sent once a variant is rolled out.
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
        sources: sources whose client keys are heard.
        owed: given units, arms and clusters ("" where none is said), whether each arm is the unit's own.
        names: of the sources, for people.
        until: when a variant was first rolled out: what is sent from then on tells of the rollout, not of the
            experiment. None where nothing ever was.
        evaluated: given units, what our door knows of them.
        new_ids: of one address in one hour, whose exposures count; None: the experiment started before 0.5, and client
            keys decide as they did then.
    """

    sources: frozenset[int]
    owed: Callable[[Sequence[str], Sequence[str], Sequence[str]], Bools]
    names: Mapping[int, str] = field(default_factory=dict)
    until: datetime | None = None
    evaluated: Callable[[Sequence[str]], Evaluated] | None = None
    new_ids: int | None = None


@dataclass(frozen=True)
class SetAside:
    """Exposures that were not admitted, of one sender and for one reason.

    Attributes:
        sender: name of the source whose client key sent them; "" for evaluations with client keys at our door.
        reason: `source`: the experiment isn't shown there; `arm`: another arm than the unit's own; `cluster`: whole
            clusters are drawn, and it names none; `unknown`: nothing of the unit had come before; `address`: its id
            came in with too many others.
        exposures: events.
        units: different units in them.
    """

    sender: str
    reason: str
    exposures: int
    units: int


@dataclass(frozen=True)
class Unverified:
    """Admitted units that only a client key has reported, beside all others.

    Where servers named units enough, the former decide nothing. Nobody can tell an invented user with the right arm
    from a new one by its id; but invented users do nothing else.

    Attributes:
        units: known only by a client key; `others` all others.
        followed: of `units`, those with a complete day 0; `silent` of these without any event of their own.
        others_followed: the same of the others; `others_silent`.
    """

    units: int = 0
    others: int = 0
    followed: int = 0
    silent: int = 0
    others_followed: int = 0
    others_silent: int = 0


def drawn(flag: Flag, units: Sequence[str], arms: Sequence[str], clusters: Sequence[str]) -> Bools:
    """Whether each unit draws the arm, in any row of the audience.

    A local SDK decides by attributes that we don't see, so every row's ranges count. Slots of holdout and layer don't
    depend on attributes. Who is new, and when enrolment closed, is another question than the arm.

    Args:
        flag: of the experiment.
        units: ids.
        arms: an arm's key for each unit.
        clusters: id of each unit's cluster as it was said; not read where units are drawn.
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
