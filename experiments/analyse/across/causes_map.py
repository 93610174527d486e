"""The map of causes: every behaviour's promise beside what experiments say of it, and what it takes to know. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf

from scipy import stats

from experiments.analyse.across.map_changes import Changes
from stats.instrument.anderson_rubin import AndersonRubin
from stats.instrument.causes import Place, State
from stats.instrument.joint import Agreement
from stats.instrument.nudge_pairs import NudgePair
from stats.results import Estimate, Interval, NotComputable, Reason

POWER = 0.8
DAYS_IN_A_WEEK = 7
SETTLED = (State.CAUSES, State.HARMS, State.NO_MATERIAL_EFFECT)
type Promise = Estimate | Interval | NotComputable


@dataclass(frozen=True)
class ToKnow:
    """What a verdict on a behaviour takes.

    Attributes:
        users: in all, those behind today's numbers included.
        weeks: until they are there, at today's inflow; not computable without one.
    """

    users: int
    weeks: float | NotComputable


@dataclass(frozen=True)
class Remark:
    """Something that a reader of the map must know: a code, and the values of its sentence."""

    code: str
    values: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class CausesMap:
    """The whole map.

    Attributes:
        outcome: its name: a column, or a metric text.
        share: whether it is a share of users.
        users: how many are behind it.
        experiments: names of the nudges that were read together.
        places: one a behaviour.
        promises: what the correlation said of each behaviour, by name.
        to_know: what a verdict takes, by name; behaviours of a settled state have none.
        agreement: whether the nudges that were read together agree.
        direct_effect: average direct effect of these nudges.
        pairs: interactions of nudges on the same users; empty for experiments of different users.
        remarks: what a reader must know.
        alpha: error rate of each kind of statement over the map; 1 - alpha is the level of the sets.
        changes: between kept readings of a site's map; none of a file's.
    """

    outcome: str
    share: bool
    users: int
    experiments: tuple[str, ...]
    places: tuple[Place, ...]
    promises: Mapping[str, Promise]
    to_know: Mapping[str, ToKnow | NotComputable]
    agreement: Agreement | NotComputable
    direct_effect: AndersonRubin | NotComputable
    pairs: tuple[NudgePair, ...]
    remarks: tuple[Remark, ...]
    alpha: float
    changes: Changes = field(default_factory=Changes)


def users_to_know(
    place: Place, users: int, *, margin: float | None, freedom: int, measured: int, alpha: float
) -> int | NotComputable:
    """How many users a verdict on a measured behaviour takes, those of today included.

    The half width of its set says the error of today's users; it falls with their square root. An effect as large as
    the margin is then found in ``POWER`` of maps, at the level of the only finding on the map.

    Args:
        place: of a behaviour without a settled state.
        users: behind its set.
        margin: the smallest effect that matters.
        freedom: degrees of freedom of its set's statistic.
        measured: behaviours on the map that were measured.
        alpha: error rate of the map.
    """
    if place.measured is None:
        return NotComputable(Reason.NO_EXPERIMENT_YET)
    if isinstance(place.measured.effect_set, NotComputable):
        return place.measured.effect_set
    low, high = place.measured.effect_set.low, place.measured.effect_set.high
    if low is None or high is None or not high - low < inf:
        return NotComputable(Reason.WEAK_FIRST_STAGE)
    if margin is None:
        return NotComputable(Reason.NO_MARGIN)
    error = (high - low) / 2 / float(stats.chi2.isf(alpha, freedom)) ** 0.5
    at_first = alpha / (measured * sum(1 / rank for rank in range(1, measured + 1)))
    reach = float(stats.chi2.isf(at_first, freedom)) ** 0.5 + float(stats.norm.isf(1 - POWER))
    return ceil(users * float(reach * error / margin) ** 2)


def weeks_until(users: int, today: int, daily: float | None) -> float | NotComputable:
    """Weeks until there are so many users, at so many a day; 0 where they are there."""
    if daily is None or daily <= 0:
        return NotComputable(Reason.NO_INFLOW)
    return max(users - today, 0) / daily / DAYS_IN_A_WEEK


def open_places(places: Sequence[Place]) -> tuple[Place, ...]:
    """Behaviours of which no verdict is there yet."""
    return tuple(place for place in places if place.state not in SETTLED)
