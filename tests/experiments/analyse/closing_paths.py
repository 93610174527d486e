"""Plans with planned looks whose enrolment is closed because of what people saw.

O'Brien-Fleming looks at 20, 40, 60 and 80 % and at the end, no effect. Enrolment is closed after the first look whose
|z| reaches a threshold; 3 % of the plan more matures until the last look, which spends what `outcome_lock.rule_of`
allows.
"""

from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import numpy as np

from experiments.analyse.outcome_lock import SPENDS_THE_REST, fractions_of, rule_of
from experiments.analyse.result import LookTaken
from stats.sequential.boundaries import Spending
from stats.sequential.looks import Look
from tests.experiments.make_answers import make_analysed

LOOKS, MORE = (0.2, 0.4, 0.6, 0.8), 0.03
START = date(2026, 1, 1)


def paths(rng: np.random.Generator, runs: int) -> dict[float, np.ndarray]:
    """z at every share at which somebody looks, of runs without effect."""
    times = sorted({*LOOKS, *(look + MORE for look in LOOKS), 1.0})
    steps = rng.normal(size=(runs, len(times))) * np.sqrt(np.diff(times, prepend=0.0))
    values = steps.cumsum(axis=1) / np.sqrt(times)
    return {time: values[:, place] for place, time in enumerate(times)}


def alarms(z: dict[float, np.ndarray], threshold: float, *, old: bool, alpha: float = 0.05) -> float:
    """Share of runs that alarm at a look or at the last one; closed after the first look beyond the threshold."""
    runs = len(z[1.0])
    alarmed, going = np.zeros(runs, dtype=bool), np.ones(runs, dtype=bool)
    for place, look in enumerate(LOOKS):
        alarmed |= going & (np.abs(z[look]) >= interim_bound(LOOKS[: place + 1], alpha))
        closed = going & (np.abs(z[look]) >= threshold)
        last = last_bound(LOOKS[: place + 1], look + MORE, day(look), old=old, alpha=alpha)
        alarmed |= closed & (np.abs(z[look + MORE]) >= last)
        going &= ~closed
    alarmed |= going & (np.abs(z[1.0]) >= last_bound(LOOKS, 1.0, 99, old=old, alpha=alpha))
    return float(alarmed.mean())


def day(share: float) -> int:
    """Days after the start on which a share of a plan of 100 days is in."""
    return round(100 * share)


@cache
def interim_bound(fractions: tuple[float, ...], alpha: float) -> float:
    """Critical value of a look before the last."""
    return Look(alpha, "group_sequential", fractions=fractions).critical


@cache
def last_bound(shown: tuple[float, ...], share: float, ended: int, *, old: bool, alpha: float = 0.05) -> float:
    """Critical value of the last look at a share, closed on a day; `old`: it spends all that is left."""
    closed = replace(PLAN, history=replace(PLAN.history, enrolment_ended=START + timedelta(days=ended)))
    looks = [replace(TAKEN, fraction=one, shown=START + timedelta(days=day(one))) for one in shown]
    rest = old or rule_of(closed, share, looks, final=True) in SPENDS_THE_REST
    fractions = fractions_of(looks, share)
    return Look(
        alpha, "group_sequential", fractions=fractions, spending=Spending.OBRIEN_FLEMING, final=True, rest=rest
    ).critical


PLAN = make_analysed(
    key="closing",
    claim=None,
    smallest_effect=None,
    take_up=None,
    planned_units=10_000,
    planned_end=START + timedelta(days=100),
    method="group_sequential",
    looks=LOOKS,
    started=START,
    enrolment_ended=None,
)
TAKEN = LookTaken(START, "", "nudge", 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, "INCONCLUSIVE", False)
