"""Power of the placebo and dose arms of a plan, or of proposed ones where it has none. Pure.

A placebo as large as control is proposed for each test of a behaviour, and dose arms at one act less and two more than
the moment's number (docs/methods/encouragement.md, "What placebo and dose arms could tell").
"""

from dataclasses import dataclass

from scipy import stats

from experiments.plan.record import Plan
from stats.instrument.dose_power import ActsBefore, DosePlan, dose_power, placebo_power, placebo_units
from stats.power import family_and_looks as arithmetic
from stats.power.family_and_looks import Plan as PowerPlan
from stats.power.family_and_looks import require
from stats.results import NotComputable, Reason, computable
from stats.sequential.boundaries import Spending

BELOW, ABOVE = 1, 2  # dose arms nudge to Z - 1 and Z + 2


@dataclass(frozen=True)
class PlaceboArm:
    """A placebo, planned or proposed.

    Attributes:
        planned: True when the plan has it; otherwise the figures are for one with as many units as control.
        units: of the placebo.
        shown: probability that the equivalence test shows that it leaves the behaviour alone, if it does: its first
            stage lies within a quarter of the planned take-up.
        needed: units of it and of control, each, for which this probability is the plan's power.
    """

    planned: bool
    units: int | NotComputable
    shown: float | NotComputable
    needed: int | NotComputable


@dataclass(frozen=True)
class DoseArms:
    """Arms that nudge to different numbers of acts, planned or proposed.

    Attributes:
        planned: True when the plan has dose arms; otherwise the figures are for proposed ones.
        targets: number of acts that each nudged arm nudges to, that of the moment among them.
        units: of these arms and their comparator together.
        tells_step: probability of the answer "step" if only reaching the moment's number matters.
        tells_dose: probability of the answer "dose" if each act counts.
        rejects_dose: probability that the over-identification test rejects "each act counts" if only the number
            matters.
        rejects_step: probability that it rejects "only the number matters" if each act counts.
        needed: units of all these arms for which either answer is given with the plan's power.
    """

    planned: bool
    targets: tuple[int, ...]
    units: int | NotComputable
    tells_step: float | NotComputable
    tells_dose: float | NotComputable
    rejects_dose: float | NotComputable
    rejects_step: float | NotComputable
    needed: int | NotComputable


@dataclass(frozen=True)
class ArmsPower:
    """Both kinds of arms."""

    placebo: PlaceboArm
    doses: DoseArms


def arms_power(
    plan: Plan,
    acts: ActsBefore | NotComputable,
    per_variant: tuple[int, ...] | NotComputable,
    effect: float | NotComputable,
) -> ArmsPower | None:
    """Power of the placebo and dose arms of a plan; None for a plan without a behaviour.

    Args:
        plan: the plan.
        acts: of users without a nudge.
        per_variant: units of each variant, control first.
        effect: that the plan is sized for, of the behaviour.
    """
    if plan.claim is None:
        return None
    take_up: float | NotComputable = plan.expected_take_up or NotComputable(Reason.NO_TAKE_UP)
    if not computable(acts):
        return without_numbers(_targets(plan), acts, placebo=plan.placebo is not None, doses=_has_doses(plan))
    if not computable(per_variant):
        return without_numbers(_targets(plan), per_variant, placebo=plan.placebo is not None, doses=_has_doses(plan))
    if not computable(take_up):
        return without_numbers(_targets(plan), take_up, placebo=plan.placebo is not None, doses=_has_doses(plan))
    if not computable(effect):
        return without_numbers(_targets(plan), effect, placebo=plan.placebo is not None, doses=_has_doses(plan))
    return ArmsPower(_placebo(plan, acts, per_variant, take_up), _doses(plan, acts, per_variant, take_up, effect))


def targets_of(plan: Plan) -> tuple[int, ...]:
    """Number of acts that each nudged arm of a plan nudges to, in order, without the placebo."""
    own = _times(plan)
    treated = [arm for at, arm in enumerate(plan.variants) if at and at != plan.placebo]
    return tuple(own if arm.dose is None else arm.dose for arm in treated)


def proposed_targets(times: int) -> tuple[int, ...]:
    """Dose arms that distinguish a step at a number from an effect of each act: one act less, the number, two more."""
    return (*((times - BELOW,) if times > BELOW else ()), times, times + ABOVE)


def placebo_arm(
    reach: float, take_up: float, sizes: tuple[int, int], *, alpha: float, power: float, planned: bool
) -> PlaceboArm:
    """Power of a placebo beside control.

    Args:
        reach: share of units that reach the behaviour without a nudge.
        take_up: planned first stage of the nudge.
        sizes: units of control and of the placebo.
        alpha: of each one-sided test; `power` the wanted probability.
        planned: True when the plan has it.
    """
    shown = placebo_power(reach, take_up, sizes, alpha=alpha)
    return PlaceboArm(planned, sizes[1], shown, placebo_units(reach, take_up, power=power, alpha=alpha))


def dose_arms(
    doses: DosePlan | NotComputable, targets: tuple[int, ...], units: int, *, power: float, planned: bool
) -> DoseArms:
    """Power of arms that nudge to several numbers, with `units` in all of them and their comparator."""
    powers = dose_power(doses, units, power=power) if computable(doses) else doses
    if not computable(powers):
        return DoseArms(planned, targets, units, powers, powers, powers, powers, powers)
    answers = (powers.tells_step, powers.tells_dose, powers.rejects_dose, powers.rejects_step, powers.needed)
    return DoseArms(planned, targets, units, *answers)


def dose_plan(
    acts: ActsBefore,
    times: int,
    targets: tuple[int, ...],
    sizes: tuple[int, ...],
    take_up: float,
    effect: float,
    alpha: float,
) -> DosePlan | NotComputable:
    """The dose arms to test; not computable where the arms can't distinguish a step from a dose response."""
    if len(targets) < 2 or max(targets) < times:
        return NotComputable(Reason.ARMS_ALIKE)
    return DosePlan(acts, times, targets, tuple(float(n) for n in sizes), take_up, effect, alpha)


def without_numbers(
    targets: tuple[int, ...], why: NotComputable, *, placebo: bool = False, doses: bool = False
) -> ArmsPower:
    """Both kinds of arms with the reason why nothing is computable."""
    return ArmsPower(PlaceboArm(placebo, why, why, why), DoseArms(doses, targets, *(why,) * 6))


def _placebo(plan: Plan, acts: ActsBefore, per_variant: tuple[int, ...], take_up: float) -> PlaceboArm:
    control, planned = per_variant[0], plan.placebo is not None
    sizes = (control, per_variant[plan.placebo or 0])
    reach = 1 - acts.below(_times(plan))
    return placebo_arm(reach, take_up, sizes, alpha=plan.alpha, power=plan.power, planned=planned)


def _doses(plan: Plan, acts: ActsBefore, per_variant: tuple[int, ...], take_up: float, effect: float) -> DoseArms:
    times, planned, targets = _times(plan), _has_doses(plan), _targets(plan)
    base = per_variant[plan.placebo or 0]
    nudged = [n for at, n in enumerate(per_variant) if at and at != plan.placebo]
    sizes = (base, *nudged) if planned else (base,) * (len(targets) + 1)
    doses = dose_plan(acts, times, targets, sizes, take_up, effect, last_level(plan))
    return dose_arms(doses, targets, sum(sizes), power=plan.power, planned=planned)


def last_level(plan: Plan) -> float:
    """Level at which the last look tests what concerns all arms; the sets of the dose arms wait for it."""
    if plan.method == "fixed":
        return plan.alpha
    judged = arithmetic.Plan(
        baseline=0.5,
        alpha=plan.alpha,
        power=max(plan.power, plan.alpha + 1e-6),
        method=arithmetic.Method(plan.method),
        looks=plan.looks or arithmetic.USUAL_LOOKS,
        spending=Spending(plan.spending),
    )
    return 2 * float(stats.norm.sf(arithmetic.critical_values(judged).values[-1]))


def _has_doses(plan: Plan) -> bool:
    return any(arm.dose is not None for arm in plan.variants[1:])


def _times(plan: Plan) -> int:
    return plan.claim.times if plan.claim is not None else 1


def _targets(plan: Plan) -> tuple[int, ...]:
    return targets_of(plan) if _has_doses(plan) else proposed_targets(_times(plan))


# Power of placebo and dose arms from given numbers only: no plan, no events. Pure.


def given_acts(plan: PowerPlan, shares: list[float]) -> ActsBefore:
    """Acts without a nudge from the shares with 0, 1, 2, ... acts; assumes that the outcome doesn't depend on them.

    Raises:
        ValueError: for invalid shares.
    """
    require(min(shares) >= 0 and abs(sum(shares) - 1) < 0.01, "acts must be shares of at least 0 that add up to 1")
    whole = sum(shares)
    variance = plan.baseline * (1 - plan.baseline) if plan.sd is None else plan.sd**2
    n = len(shares)
    return ActsBefore(tuple(range(n)), tuple(share / whole for share in shares), (plan.baseline,) * n, (variance,) * n)


def arms_by_numbers(
    plan: PowerPlan,
    shares: list[float],
    times: int,
    targets: tuple[int, ...] | None,
    base: int | NotComputable,
    effect: float | NotComputable,
) -> ArmsPower:
    """Power of a placebo and dose arms, each as large as control.

    Args:
        plan: take-up, error rate and power.
        shares: of units with 0, 1, 2, ... acts without a nudge, the last "so many or more".
        times: Z, the number under test.
        targets: numbers that arms nudge to; None proposes them.
        base: units of control.
        effect: of the behaviour.

    Raises:
        ValueError: for an invalid value.
    """
    require(1 <= times < len(shares), "threshold must be at least 1, and acts must reach to it")
    require(plan.take_up < 1, "acts need --take-up: the share of users whom the nudge moves")
    acts, chosen = given_acts(plan, shares), targets or proposed_targets(times)
    require(min(chosen) >= 1, "doses must be at least 1")
    if not computable(base):
        return without_numbers(chosen, base)
    if not computable(effect):
        return without_numbers(chosen, effect)
    reach, sizes = 1 - acts.below(times), (base,) * (len(chosen) + 1)
    doses = dose_plan(acts, times, chosen, sizes, plan.take_up, effect, plan.alpha)
    return ArmsPower(
        placebo_arm(reach, plan.take_up, (base, base), alpha=plan.alpha, power=plan.power, planned=False),
        dose_arms(doses, chosen, sum(sizes), power=plan.power, planned=False),
    )
