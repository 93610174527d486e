"""An experiment on the copied users: arms by the hash of their ids, and a nudge that some of them follow. Pure."""

from dataclasses import dataclass

import numpy as np

from aha.study.grid import Flags, Ints
from experiments.draw.bucketing_many import UnitIds, unit_hashes
from insight_site.selftest.planting.moment_choice import counts_of
from insight_site.selftest.planting.planted_outcomes import Ground, Plant, plant


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
