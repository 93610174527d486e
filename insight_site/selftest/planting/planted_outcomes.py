"""Outcomes with a known effect on real users: their behaviour is unchanged, only retention is drawn again. Pure.

Everything before the retention window is the customer's real data: number of users, how often they act, and which
behaviours occur together. Retention is drawn from probabilities that contain only the planted effect, so the truth is
known. Such data are called plasmode data. Source: Franklin, Schneeweiss, Polinski, Rassen 2014.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from aha.study.grid import CountTable, Flags, Floats, Ints
from insight_site.selftest.planting.moment_choice import PlantedMoment, counts_of, reached

SMOOTH_UNTIL = 2  # multiples of the threshold beyond which a smooth effect grows no further


class Plant(StrEnum):
    """The kind of planted effect."""

    NOTHING = "nothing"  # retention is shuffled within signup week and segment: behaviour has nothing to do with it
    CORRELATION = "correlation"  # activity drives both behaviour and retention; the behaviour has no effect
    THRESHOLD = "threshold"  # from `times` times on, the behaviour raises retention
    SMOOTH = "smooth"  # each act raises it a little
    SEGMENT = "segment"  # the threshold works in one half of the users, not in the other


@dataclass(frozen=True, eq=False)
class Ground:
    """The data that all plants of one self-test use.

    Attributes:
        table: the copied units: their counts and real retention.
        moment: where effects are planted.
        shared_cause: per unit, the probability of being retained that its activity explains, 0 to 1.
        trait: per unit, which of two halves by something known at signup; None without a division.
        effect: of reaching the moment on the probability of being retained, 0.1 = 10 points.
    """

    table: CountTable
    moment: PlantedMoment
    shared_cause: Floats
    trait: Flags | None
    effect: float

    def chance(self, plant: Plant, counts: Ints) -> Floats:
        """Each unit's probability of being retained if it did the behaviour `counts` times, 0 to 1."""
        return np.clip(self.shared_cause + self.effect * self._dose(plant, counts), 0.0, 1.0)

    def mean_gain(self) -> float:
        """Mean effect of a planted threshold on units that don't reach it, if a nudge moves them across it.

        Less than `effect` if some of them are almost certain to be retained anyway.
        """
        missing = ~reached(self.table, self.moment)
        across = np.full(self.table.n, self.moment.times, dtype=np.int64)
        gain = self.chance(Plant.THRESHOLD, across) - self.shared_cause
        return float(gain[missing].mean())

    def _dose(self, plant: Plant, counts: Ints) -> Floats:
        did = (counts >= self.moment.times).astype(np.float64)
        match plant:
            case Plant.THRESHOLD:
                return did
            case Plant.SMOOTH:
                return _smooth(counts, self.moment.times) / self._mean_smooth
            case Plant.SEGMENT:
                return np.zeros_like(did) if self.trait is None else did * self.trait
        return np.zeros_like(did)

    @property
    def _mean_smooth(self) -> float:
        """Mean smooth dose of units that reach the moment: dividing by it gives the same mean gain as a threshold."""
        doers = reached(self.table, self.moment)
        return float(_smooth(counts_of(self.table, self.moment)[doers], self.moment.times).mean())


def _smooth(counts: Ints, times: int) -> Floats:
    most = SMOOTH_UNTIL * times
    return np.asarray(np.minimum(counts, most) / most)


def shared_cause(table: CountTable, moment: PlantedMoment) -> Floats:
    """Retention explained by activity and composition, by a logistic regression on the real outcome.

    Predictors are active days, the sum of all other acts, and the segment. The behaviour itself is not one, so that it
    has only the planted effect, but is still correlated with retention, as in real data.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    place = table.behaviours.index(moment.behaviour)
    others = np.delete(table.counts[:, :, -1], place, axis=1).sum(axis=1)
    columns = [np.log1p(table.active_days), np.log1p(others)]
    columns += [table.segment == code for code in range(1, len(table.segments))]
    scaled = StandardScaler().fit_transform(np.column_stack(columns).astype(np.float64))
    fitted = LogisticRegression(C=np.inf, max_iter=1_000).fit(scaled, table.retained)
    return np.asarray(fitted.predict_proba(scaled)[:, 1], dtype=np.float64)


def plant(ground: Ground, what: Plant, counts: Ints, rng: np.random.Generator) -> Flags:
    """Draw retention for units that do the moment's behaviour `counts` times.

    Args:
        ground: what the plant stands on.
        what: the kind of plant.
        counts: per unit; those of the log, or more if a nudge moved it.
        rng: the same state gives each unit the same random number, whatever its behaviour.
    """
    if what is Plant.NOTHING:
        return _shuffled(ground.table, rng)
    return np.asarray(rng.random(ground.table.n) < ground.chance(what, counts))


def _shuffled(table: CountTable, rng: np.random.Generator) -> Flags:
    """Retention shuffled within signup week and segment."""
    strata = table.strata()
    result = np.empty(table.n, dtype=np.bool_)
    for stratum in range(int(strata.max(initial=-1)) + 1):
        inside = np.flatnonzero(strata == stratum)
        result[inside] = rng.permutation(table.retained[inside])
    return result
