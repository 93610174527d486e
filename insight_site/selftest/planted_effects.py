"""What is planted: where in the log, outcomes with a known effect on real users, and a nudge that some follow. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from aha.study.cells import RECOMMENDED_REACH
from aha.study.grid import CountTable, Flags, Floats, Ints, times_of
from experiments.draw.many_units import UnitIds, unit_hashes

# Choose the planted moment: which behaviour, how often, within how many days; or why none is suitable. Pure.

WANTED_REACH = 0.25  # share of users: many on both sides, so that the size of the effect decides what is found
LEAST_TIMES = 2  # the step test starts at 2: users who never did it differ for many reasons


@dataclass(frozen=True)
class PlantedMoment:
    """The behaviour that gets an effect: at least `times` times within `days` days.

    Attributes:
        behaviour: its text form.
        times, days: Z and Y.
        reach: share of the units that reach it without a nudge, 0 to 1.
    """

    behaviour: str
    times: int
    days: int
    reach: float


@dataclass(frozen=True)
class NoMoment:
    """No behaviour is done that often by enough units, and not by nearly all.

    Attributes:
        nearest: the candidate with the closest reach; None without a candidate.
    """

    nearest: PlantedMoment | None


def choose_moment(table: CountTable, behaviours: Sequence[str], *, only: str = "") -> PlantedMoment | NoMoment:
    """The moment whose reach is closest to a quarter of the units, among those that a study would recommend.

    Args:
        table: counts of the units. Its longest window is used.
        behaviours: allowed candidates.
        only: a requested behaviour; empty chooses among all.
    """
    cells = [
        PlantedMoment(name, times, table.days[-1], float((table.counts[:, place, -1] >= times).mean()))
        for place, name in enumerate(table.behaviours)
        if name in set(behaviours) and only in ("", name)
        for times in times_of(table.counts[:, place, -1])
        if times >= LEAST_TIMES
    ]
    if not cells:
        return NoMoment(None)
    low, high = RECOMMENDED_REACH
    fit = [cell for cell in cells if low <= cell.reach <= high]
    best = min(fit or cells, key=lambda cell: (abs(cell.reach - WANTED_REACH), cell.times, cell.behaviour))
    return best if fit else NoMoment(best)


def counts_of(table: CountTable, moment: PlantedMoment) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Per unit, how often it did the behaviour within the moment's days."""
    place, column = table.behaviours.index(moment.behaviour), table.days.index(moment.days)
    return table.counts[:, place, column].astype(np.int64)


def reached(table: CountTable, moment: PlantedMoment) -> Flags:
    """Per unit, whether it reached the moment without a nudge."""
    return np.asarray(counts_of(table, moment) >= moment.times)


# Outcomes with a known effect on real users: their behaviour is unchanged, only retention is drawn again. Pure.
#
# Everything before the retention window is the customer's real data: number of users, how often they act, and which
# behaviours occur together. Retention is drawn from probabilities that contain only the planted effect, so the truth
# is known. Such data are called plasmode data. Source: Franklin, Schneeweiss, Polinski, Rassen 2014.

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


# An experiment on the copied users: arms by the hash of their ids, and a nudge that some of them follow. Pure.


@dataclass(frozen=True, eq=False)
class PlantedExperiment:
    """The data of a finished experiment, and the truth, which the analysis doesn't see.

    Attributes:
        nudged: per unit, whether it is in the nudge arm.
        did: per unit, whether it reached the moment.
        retained: per unit.
        true_effect: mean gain in the probability of being retained, of those whom the nudge moved across the moment.
        moved: number of those, in the nudge arm.
    """

    nudged: Flags
    did: Flags
    retained: Flags
    true_effect: float
    moved: int


def run_experiment(
    ground: Ground, what: Plant, units: UnitIds, *, name: str, take_up: float, rng: np.random.Generator
) -> PlantedExperiment:
    """Assign arms and simulate the nudge.

    Args:
        ground: the data that the effect is planted into.
        what: the kind of plant. With nothing planted nobody follows the nudge: both arms are treated alike.
        units: the ids, prepared for hashing.
        name: seed of the hash, another one for each experiment.
        take_up: share of nudged units that act on it, 0 to 1; they then do the behaviour as often as the moment asks.
        rng: for take-up and outcomes.
    """
    nudged = unit_hashes(name, units) < 0.5
    follows = unit_hashes(f"{name} take-up", units) < (0.0 if what is Plant.NOTHING else take_up)
    before = counts_of(ground.table, ground.moment)
    after: Ints = np.where(nudged & follows, np.maximum(before, ground.moment.times), before)
    retained = plant(ground, what, after, rng)
    moved = nudged & follows & (before < ground.moment.times)
    gain = ground.chance(what, after) - ground.chance(what, before)
    true_effect = float(gain[moved].mean()) if moved.any() else 0.0
    return PlantedExperiment(nudged, after >= ground.moment.times, retained, true_effect, int(moved.sum()))
