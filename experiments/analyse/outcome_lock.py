"""Whether the outcome may be read: by the plan's method, from mature units only. Pure.

Information is counted in mature units (docs/methods/retention.md, "Maturity in experiments"): an exposed unit whose
outcome isn't known yet carries no information.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from experiments.analyse.closing import SPENDS_THE_REST, fractions_of, rule_of
from experiments.analyse.gather.answers import Answers, Cells
from experiments.analyse.result import LookTaken, Standing, State
from experiments.plan.planned import Planned
from experiments.plan.result_day import result_on
from stats.sequential.boundaries import FEWEST_MATURE, Spending
from stats.sequential.looks import Look

# Used by plans with planned looks that name none: five of equal size.
USUAL_LOOKS = (0.2, 0.4, 0.6, 0.8, 1.0)


def standing_of(plan: Planned, answers: Answers, *, looks: Sequence[LookTaken], peek: bool, today: date) -> Standing:
    """Whether this analysis may read the outcome, and why.

    Args:
        plan: with its amendments.
        answers: from the warehouse.
        looks: taken so far, of any variant.
        peek: True when a person asked to see the outcome of a fixed plan before its time.
        today: local date.
    """
    exposed = units_by_arm(answers.cells, answers.cells.exposed)
    mature = mature_by_arm(plan, answers.cells)
    fraction = sum(mature.values()) / max(plan.planned_units, 1)
    final = plan.enrolment_ended is not None and sum(mature.values()) == sum(exposed.values()) > 0
    opens_on = _opens_on(plan, answers, today)
    found = {"fixed": _fixed, "group_sequential": _planned_looks, "always_valid": _any_time}[plan.method]
    is_open, why = found(plan, mature, fraction, looks, final=final)
    peeked = not is_open and peek and plan.method == "fixed" and sum(mature.values()) > 0
    return Standing(
        state=State.OPEN if is_open or peeked else State.PENDING,
        why="peek" if peeked else why,
        opens_on=None if is_open else opens_on,
        final=final,
        peeked=peeked,
        fraction=fraction,
        exposed=exposed,
        mature=mature,
        rule=rule_of(plan, fraction, looks, final=final) if plan.method == "group_sequential" else "",
    )


def looks_of(
    plan: Planned, standing: Standing, earlier: Sequence[LookTaken], against: Mapping[str, str] | None = None
) -> dict[str, Look]:
    """How each variant's comparison is judged at this look; a peek at a fixed plan is judged as if it were the end.

    A final look spends all the remaining alpha only if it wasn't chosen as the last because of results seen
    (`closing.rule_of`). `against` names the comparators that aren't control.
    """
    spending = Spending(plan.spending)
    fractions = fractions_of(earlier, standing.fraction)
    rest = standing.rule in SPENDS_THE_REST
    planned_looks = tuple(share for share in plan.looks or USUAL_LOOKS if share < 1)
    other = {label: (against or {}).get(label, plan.variants[0]) for label in plan.variants[1:]}
    return {
        label: Look(
            alpha=plan.alpha,
            method=plan.method,
            units=max(standing.mature[other[label]] + standing.mature[label], 1),
            planned_units=planned_pair(plan, label, other[label]),
            fractions=fractions,
            spending=spending,
            final=standing.final,
            rest=rest,
            planned_looks=(*planned_looks, 1.0),
        )
        for label in plan.variants[1:]
    }


def planned_pair(plan: Planned, label: str, other: str | None = None) -> int:
    """Planned mature units of one variant and its comparator (control unless `other` is given) together."""
    shares = next(iter(plan.shares.values()))
    share = shares[0 if other is None else plan.variants.index(other)] + shares[plan.variants.index(label)]
    return max(round(plan.planned_units * share), 1)


def mature_by_arm(plan: Planned, cells: Cells) -> dict[str, int]:
    """Units by arm with every primary outcome known."""
    return units_by_arm(cells, mature_units(plan, cells))


def mature_units(plan: Planned, cells: Cells) -> np.ndarray:
    """Units per cell with every primary outcome known."""
    blocks = [cells.blocks[name].n for name in plan.primary if name in cells.blocks]
    return np.minimum.reduce(blocks) if blocks else np.zeros_like(cells.exposed)


def units_by_arm(cells: Cells, units: np.ndarray) -> dict[str, int]:
    """Sum of one number per cell, by arm."""
    sums = np.bincount(cells.variant, weights=units, minlength=len(cells.variants))
    return {label: int(n) for label, n in zip(cells.variants, sums, strict=True)}


def _fixed(
    plan: Planned, mature: dict[str, int], fraction: float, looks: Sequence[LookTaken], *, final: bool
) -> tuple[bool, str]:
    if final:
        return True, "ended"
    return False, "maturing" if plan.enrolment_ended else "enrolling"


def _planned_looks(
    plan: Planned, mature: dict[str, int], fraction: float, looks: Sequence[LookTaken], *, final: bool
) -> tuple[bool, str]:
    """A look is due when the share of planned units passes a planned look that hasn't been taken yet.

    The last planned look is the final analysis: taken at 100 % while units still mature, it would spend all the
    remaining alpha and leave none for the final analysis.
    """
    if final:
        return True, "ended"
    seen = max((look.fraction for look in looks if not look.peeked), default=0.0)
    if fraction < 1 and any(seen < planned <= fraction for planned in plan.looks or USUAL_LOOKS):
        return True, "look"
    return False, "next_look"


def _any_time(
    plan: Planned, mature: dict[str, int], fraction: float, looks: Sequence[LookTaken], *, final: bool
) -> tuple[bool, str]:
    if min(mature.values()) < FEWEST_MATURE:
        return False, "too_few"
    return True, "ended" if final else "any_time"


def _opens_on(plan: Planned, answers: Answers, today: date) -> date | None:
    """For a fixed plan: the day on which the last unit is mature if enrolment ends as planned; else None."""
    if plan.method != "fixed":
        return None
    if plan.enrolment_ended is not None:
        return answers.last_mature_on
    if plan.planned_end is None:
        return None
    return result_on(max(plan.planned_end, today), plan.primary)
