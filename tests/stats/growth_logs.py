"""Logs by weeks for the growth model, from visits of users."""

import numpy as np
from numpy.typing import NDArray

from stats.growth_chain import ACTIVE, AT_RISK, LONG, RATE_OF, Weeks, weeks_of

type Ints = NDArray[np.int64]


def weeks_from(user: Ints, day: Ints) -> Weeks:
    """The weeks of a log that ends with its last day, from one entry for each user and day."""
    last = int(day.max())
    weeks = (last - int(day.min()) + 1) // 7
    week = weeks - 1 - (last - day) // 7
    key = np.unique((user * (weeks + 1) + week)[week >= 0])
    user, week = key // (weeks + 1), key % (weeks + 1)
    before = np.append(False, user[1:] == user[:-1])
    silent = np.where(before, week - np.roll(week, 1) - 1, -1)
    gap = np.where(np.roll(before, -1), np.roll(week, -1) - week, 0)
    return weeks_of(week, silent, gap, np.ones_like(week), weeks=weeks)


def steady_weeks(rates: NDArray[np.float64], inflow: NDArray[np.float64], rng: np.random.Generator) -> Weeks:
    """A log that follows the states: rates of each week, shape (weeks, 10), and new users of each."""
    weeks = len(rates)
    state = np.zeros(ACTIVE + LONG, dtype=np.int64)
    states, n, back = np.zeros((weeks, state.size)), np.zeros((10, weeks)), np.zeros((10, weeks))
    for at in range(weeks):
        came = rng.binomial(state, rates[at][RATE_OF])
        np.add.at(n[:, at], RATE_OF, state)
        np.add.at(back[:, at], RATE_OF, came)
        left = state - came
        state = np.zeros_like(state)
        state[0] = rng.poisson(inflow[at])
        state[1] = came[:ACTIVE].sum()
        state[2] = came[ACTIVE : ACTIVE + AT_RISK].sum()
        state[3] = came[ACTIVE + AT_RISK :].sum()
        state[ACTIVE] = left[:ACTIVE].sum()
        state[ACTIVE + 1 :] = left[ACTIVE:-1]
        state[-1] += left[-1]
        states[at] = state
    return Weeks(states, n, back)
