"""Estimate how long a run will take, from the last runs of its kind on this machine scaled to its size. Pure.

A kind's `Pace` gives the power of each size by which the seconds of a step grow; docs/scale.md has the measurements.
Once a run has been measured, nothing else is assumed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from reporting.words import gettext
from runs.spent import Spent

type Size = Mapping[str, int]
NEAREST = 3  # measured runs that a step's estimate uses
SLACK = 2.0  # factor either way for a run without measurements: another machine, other data
LONG = 90.0  # seconds from which times are shown in minutes


@dataclass(frozen=True)
class Pace:
    """How the steps of one kind of run grow.

    Attributes:
        slopes: by step, the exponent of each part of the size.
        usual: seconds of each step of a run of the size `at`, on the machine of docs/scale.md.
    """

    slopes: Mapping[str, Mapping[str, float]]
    usual: Mapping[str, float]
    at: Size

    def factor(self, step: str, size: Size, measured: Size) -> float:
        """How many times as long the step takes at a size as at the measured one."""
        grown = {part: math.log(max(size[part], 1) / max(measured[part], 1)) for part in self.slopes[step]}
        return math.exp(sum(slope * grown[part] for part, slope in self.slopes[step].items()))

    def fits(self, spent: Spent) -> bool:
        """Whether the run was measured step by step and didn't compile anything that is cached by now."""
        parts = {part for slopes in self.slopes.values() for part in slopes}
        return not spent.compiled and self.slopes.keys() <= spent.steps.keys() and parts <= spent.size.keys()


@dataclass(frozen=True)
class Told:
    """Estimated seconds of a run, at least and at most; the same number when similar runs were measured."""

    least: float
    most: float
    measured: bool


def tell(pace: Pace, size: Size, last: Sequence[Spent]) -> Told:
    """Estimate how long a run of this size will take.

    Args:
        pace: of its kind.
        size: of the run.
        last: resources used by the last runs of its kind, newest first. Runs with another number of workers than the
            newest came from another machine and are ignored.
    """
    fitting = [spent for spent in last if pace.fits(spent)]
    here = [spent for spent in fitting if spent.workers == fitting[0].workers]
    if not here:
        seconds = sum(taken * pace.factor(step, size, pace.at) for step, taken in pace.usual.items())
        return Told(seconds / SLACK, seconds * SLACK, measured=False)
    seconds = sum(_of_step(pace, step, size, here) for step in pace.slopes)
    return Told(seconds, seconds, measured=True)


def told_words(told: Told) -> tuple[str, str]:
    """The estimate in words, with a note."""
    leave = gettext("you can leave the page")
    least, most, minutes = _rounded(told.least), _rounded(told.most), told.most >= LONG
    if told.measured:
        text = gettext("about {count} minutes") if minutes else gettext("about {count} seconds")
        return text.format(count=round(told.most / 60) if minutes else most), leave
    if minutes and told.least < 60:
        text = gettext("about {least} seconds to {most} minutes").format(least=least, most=round(told.most / 60))
    elif minutes:
        text = gettext("about {least} to {most} minutes")
        text = text.format(least=round(told.least / 60), most=round(told.most / 60))
    else:
        text = gettext("about {least} to {most} seconds").format(least=least, most=most)
    return text, gettext("no run has been measured on this machine yet; you can leave the page")


def _of_step(pace: Pace, step: str, size: Size, last: Sequence[Spent]) -> float:
    """Median over the runs whose seconds need the least scaling; among equals the newest."""
    factors = [(pace.factor(step, size, spent.size), spent.steps[step]) for spent in last]
    nearest = sorted(factors, key=lambda one: abs(math.log(one[0])))[:NEAREST]
    return median(factor * seconds for factor, seconds in nearest)


def _rounded(seconds: float) -> int:
    """Seconds, rounded to multiples of five from ten on."""
    return round(seconds / 5) * 5 if seconds >= 10 else max(round(seconds), 2)
