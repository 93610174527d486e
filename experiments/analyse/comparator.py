"""What each nudge is compared with: the placebo where the design has one, control otherwise. Pure.

A placebo of equal salience removes the direct effect of being nudged, which no check against control can detect. It
stays the comparator even where it moves the behaviour: as long as both nudges have the same direct effect, ITT - b FS
has mean 0 at the true effect b with the net first stage as FS, so that a weak first stage shows in the set. Whether the
placebo leaves the behaviour alone only decides who the compliers are. Source: Angrist, Imbens and Rubin 1996.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy import stats

from experiments.analyse.protocol import Data
from experiments.analyse.result import FirstStage
from experiments.plan.design import Design
from stats.instrument.encouragement import effect_on_behaviour
from stats.instrument.placebo import Equivalence, leaves_alone
from stats.results import Estimate, NotComputable, Reason, computable

MOVES_BEHAVIOUR = "placebo_moves_behaviour"

type Stages = Mapping[str, Estimate | NotComputable]


@dataclass(frozen=True)
class Comparator:
    """What one nudge arm is compared with.

    Attributes:
        code: index of the arm among the variants, 0 for control.
        label: its name.
        equivalence: test that it leaves the behaviour alone; None where it is control.
    """

    code: int
    label: str
    equivalence: Equivalence | NotComputable | None = None

    @property
    def reason(self) -> str | None:
        """`placebo_moves_behaviour` for a placebo that isn't shown to leave the behaviour alone; None otherwise."""
        tested = self.equivalence
        return MOVES_BEHAVIOUR if tested is not None and computable(tested) and not tested.shown else None


def comparators(
    design: Design, labels: tuple[str, ...], stages: Stages, planned: float | None
) -> dict[str, Comparator]:
    """The comparator of every arm but control; the placebo itself is compared with control.

    Args:
        design: names the placebo and the behaviour; without a behaviour everything is compared with control.
        labels: variants, control first.
        stages: first stage of each arm against control with the interval at level 1 - 2 alpha.
        planned: registered take-up, share of units; None where none was planned.
    """
    control, placebo = Comparator(0, labels[0]), design.placebo
    if placebo is None or design.behaviour is None or placebo not in labels:
        return dict.fromkeys(labels[1:], control)
    found = {placebo: control}
    for label in labels[1:]:
        if label != placebo:
            nudge = stages[label]
            tested = leaves_alone(
                stages[placebo], planned=planned, nudge=nudge.estimate if computable(nudge) else nudge
            )
            found[label] = Comparator(labels.index(placebo), placebo, tested)
    return found


def stages_of(design: Design, data: Data) -> Stages:
    """First stages of a file, over units with a first outcome and a known behaviour."""
    if design.behaviour is None or design.placebo is None:
        return {}
    first = next(iter(data.outcomes))
    return {
        label: effect_on_behaviour(data.pair(first, code).moments(), alpha=min(2 * design.alpha, 0.999))
        for code, label in enumerate(data.labels)
        if code
    }


def stages_known(found: tuple[FirstStage, ...], alpha: float) -> Stages:
    """First stage of each arm with its interval at level 1 - 2 alpha, over all units whose behaviour window is over."""
    return {row.variant: _stage(row, alpha) for row in found}


def _stage(row: FirstStage, alpha: float) -> Estimate | NotComputable:
    moved = row.take_up
    if not computable(moved):
        return moved
    error = moved.standard_error
    if error <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    half = float(stats.norm.isf(min(alpha, 0.499))) * error
    p_value = 2 * float(stats.norm.sf(abs(moved.difference) / error))
    low, high = moved.difference - half, moved.difference + half
    return Estimate(moved.difference, error, low, high, p_value, 1 - 2 * alpha, "first-stage")
