"""Power of placebo and dose arms from given numbers only: no plan, no events. Pure."""

from experiments.plan.nudge_arms.arms_power import (
    ArmsPower,
    dose_arms,
    dose_plan,
    placebo_arm,
    proposed_targets,
    without_numbers,
)
from stats.instrument.dose_power import ActsBefore
from stats.power.family_and_looks import Plan, require
from stats.results import NotComputable, computable


def given_acts(plan: Plan, shares: list[float]) -> ActsBefore:
    """Acts without a nudge from the shares with 0, 1, 2, ... acts; assumes that the outcome doesn't depend on them.

    Raises:
        ValueError: for invalid shares.
    """
    require(min(shares) >= 0 and abs(sum(shares) - 1) < 0.01, "acts must be shares of at least 0 that add up to 1")
    whole = sum(shares)
    variance = plan.baseline * (1 - plan.baseline) if plan.sd is None else plan.sd**2
    n = len(shares)
    return ActsBefore(tuple(range(n)), tuple(one / whole for one in shares), (plan.baseline,) * n, (variance,) * n)


def arms_by_numbers(
    plan: Plan,
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
    asked = dose_plan(acts, times, chosen, sizes, plan.take_up, effect, plan.alpha)
    return ArmsPower(
        placebo_arm(reach, plan.take_up, (base, base), alpha=plan.alpha, power=plan.power, planned=False),
        dose_arms(asked, chosen, sum(sizes), power=plan.power, planned=False),
    )
