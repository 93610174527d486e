"""What each nudge is compared with: control, or a placebo that leaves the behaviour alone. Pure.

A placebo of equal salience takes away what being nudged does by itself, which no check of control can see. It may only
stand in for control where it surely doesn't move the behaviour; otherwise control stays, and the report says so.
Source: METHODS 4.14.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from experiments.analyse.codes import Code
from experiments.analyse.comparison.protocol import Data
from experiments.analyse.corrected import measured
from experiments.analyse.health.findings import FindingCode
from experiments.analyse.result import FirstStage, LookTaken, Standing
from experiments.plan.design import Design
from experiments.plan.planned import Planned
from stats.instrument.encouragement import effect_on_behaviour
from stats.instrument.placebo import Equivalence, leaves_alone
from stats.results import Estimate, NotComputable, Reason, computable

MOVES_BEHAVIOUR = "placebo_moves_behaviour"
FOUND = (Code.CAUSES, Code.HARMS)
WAITS: FindingCode = "placebo_waits"
CROSSED: FindingCode = "placebo_crossed"

type Stages = Mapping[str, Estimate | NotComputable]


@dataclass(frozen=True)
class Comparator:
    """What one nudge arm is compared with.

    Attributes:
        code: place of the arm among the variants, 0 for control.
        label: its name.
        reason: why it isn't the placebo although there is one; None otherwise.
        equivalence: the test that decided; None without a placebo.
        kept: code of why the placebo stands although it isn't shown to leave the behaviour alone: `placebo_waits` at a
            look before the last, `placebo_crossed` at the last after a bound was crossed against it; None otherwise.
    """

    code: int
    label: str
    reason: str | None = None
    equivalence: Equivalence | NotComputable | None = None
    kept: FindingCode | None = None


def comparators(
    design: Design,
    labels: tuple[str, ...],
    stages: Stages,
    planned: float | None,
    kept: Mapping[str, FindingCode] | None = None,
) -> dict[str, Comparator]:
    """The comparator of every arm but control; the placebo itself is compared with control.

    Args:
        design: names the placebo and the behaviour.
        labels: variants, control first.
        stages: first stage of each arm against control with the interval at level 1 - 2 alpha.
        planned: registered take-up, share of units; None where none was planned.
        kept: variants whose placebo stays in control's place whatever is shown, with the code of why (`kept_at`).
    """
    control, placebo = Comparator(0, labels[0]), design.placebo
    if placebo is None or design.behaviour is None or placebo not in labels:
        return dict.fromkeys(labels[1:], control)
    found = {placebo: control}
    for label in labels[1:]:
        if label == placebo:
            continue
        nudge = stages[label]
        tested = leaves_alone(stages[placebo], planned=planned, nudge=nudge.estimate if computable(nudge) else nudge)
        shown, why = computable(tested) and tested.shown, (kept or {}).get(label)
        if shown or why:
            found[label] = Comparator(labels.index(placebo), placebo, None, tested, None if shown else why)
        else:
            found[label] = Comparator(0, labels[0], MOVES_BEHAVIOUR, tested)
    return found


def kept_at(plan: Planned, standing: Standing, earlier: Sequence[LookTaken]) -> dict[str, FindingCode]:
    """Variants whose placebo stays in control's place at this look of a plan with several, and why.

    Were the comparator chosen anew at each look, two differences would be tested, and the one with control, which holds
    what being nudged does by itself, would be read whenever the units are too few to show what the placebo leaves
    alone: 36 to 66 % CAUSES of a behaviour that does nothing, where the last look had the placebo in 97 %.
    """
    if plan.method == "fixed" or plan.placebo is None:
        return {}
    nudges = [label for label in plan.variants[1:] if label != plan.placebo]
    if not standing.final:
        return dict.fromkeys(nudges, WAITS)
    what = measured(plan, plan.placebo)
    crossed = {look.variant for look in earlier if look.measured == what and not look.peeked and look.verdict in FOUND}
    return {label: CROSSED for label in nudges if label in crossed}


def stages_of(design: Design, data: Data) -> Stages:
    """First stages of a file: of the units with the first outcome and a known behaviour."""
    if design.behaviour is None or design.placebo is None:
        return {}
    first = next(iter(data.outcomes))
    return {
        label: effect_on_behaviour(data.pair(first, code).moments(), alpha=min(2 * design.alpha, 0.999))
        for code, label in enumerate(data.labels)
        if code
    }


def stages_known(found: tuple[FirstStage, ...], alpha: float) -> Stages:
    """First stage of each arm with its interval at level 1 - 2 alpha, of all units whose behaviour window is over."""
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
