"""The truth that the daily trials estimate, from the potential outcomes of a simulated world."""

import numpy as np
from scipy import stats

from events.simulation import Simulation
from events.simulation.worlds import TARGET
from tests.aha.worlds import days_of


def effect_at_risk(simulation: Simulation) -> float:
    """Average over units and days at risk: retained having reached the moment on that day, minus not having done so.

    Who reached it that day is given a count below the number that was missing, drawn from its own law under this
    condition; the later days stay as they were, so that some reach the moment then.
    """
    world, rng = simulation.world, np.random.default_rng(simulation.seed)
    days = days_of(simulation, world.within)
    index = [kind.name for kind in world.behaviours].index(TARGET)
    count = days.counts[:, index].astype(np.int64)
    running = np.cumsum(count)
    first = np.searchsorted(days.unit, days.unit)
    before = running - count - (running - count)[first]
    total = np.bincount(days.unit, weights=count, minlength=simulation.units).astype(np.int64)[days.unit]
    at_risk = before < world.times
    unit, day, done = days.unit[at_risk], days.day[at_risk], count[at_risk]
    missing = world.times - before[at_risk]
    rate = _rates(simulation, index, unit, day)
    below = stats.poisson.ppf(rng.random(len(unit)) * stats.poisson.cdf(missing - 1, rate), rate)
    today = np.where(done < missing, done, below)
    reached_at_last = total[at_risk] - done + today >= world.times
    with_it, without = simulation.retained_with_moment[unit], simulation.retained_without[unit]
    return float((with_it.astype(np.float64) - np.where(reached_at_last, with_it, without)).mean())


def _rates(simulation: Simulation, index: int, unit: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Expected number of the moment's behaviour on a day at risk, without a nudge."""
    world, people = simulation.world, simulation.people
    kind = world.behaviours[index]
    plain = np.array(kind.rates)[people.group]
    engaged = people.mix @ np.array(kind.rates) * np.exp(kind.load * people.engagement)
    return np.asarray(np.where((day == 0) & bool(world.seen_in), plain[unit], engaged[unit]))
