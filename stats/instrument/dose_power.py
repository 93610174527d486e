"""Power of dose arms (which nudge to different numbers of acts), from planned moments, before the start.

How often would the joint sets reject the false model and keep the true one? The moments of each arm are computed from
the acts of users without a nudge: of those below an arm's target a share does exactly the target, independent of who
they are, and the outcome follows one of the two models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, exp, log, pi

import numpy as np
from scipy import optimize, stats

from stats.instrument.arms import effects_of, fit_arms
from stats.instrument.dose import DOSE, STEP
from stats.instrument.placebo import SHARE_OF_FIRST_STAGE
from stats.results import NotComputable, Reason, check_alpha, computable
from stats.summaries import Array, Joint

ANGLES = 720  # of the grid that is searched for the least statistic
LARGEST_UNITS = 10**12  # beyond it the answer is "never"


@dataclass(frozen=True)
class ActsBefore:
    """Distribution of acts and outcomes without a nudge, one entry per number of acts.

    Attributes:
        times: numbers of acts, rising; the last may mean "so many or more".
        shares: share of units with each; they sum to 1.
        means: mean outcome of those units.
        variances: variance of their outcome; for a share mean * (1 - mean).
    """

    times: tuple[int, ...]
    shares: tuple[float, ...]
    means: tuple[float, ...]
    variances: tuple[float, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.times), len(self.shares), len(self.means), len(self.variances)}
        if len(lengths) > 1 or not self.times or min(self.times) < 0 or sorted(set(self.times)) != list(self.times):
            raise ValueError("acts must be rising numbers from 0 on, each with a share, a mean and a variance")
        if min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-6 or min(self.variances) < 0:
            raise ValueError("acts must be given as shares that sum to 1, with variances of at least 0")

    def below(self, times: int) -> float:
        """Share of units with fewer acts."""
        return sum(share for n, share in zip(self.times, self.shares, strict=True) if n < times)


@dataclass(frozen=True)
class DosePlan:
    """The arms as planned.

    Attributes:
        acts: the distribution without a nudge.
        threshold: Z, the number under test.
        targets: number of acts that each arm nudges to, at least two arms and one of them at Z or above.
        shares: planned shares of the base (control, or the placebo) and of each arm, any positive numbers.
        take_up: share of all units that a nudge to Z moves to Z, above 0. Each arm moves the same share of the users
            below its target.
        effect: of reaching Z, absolute; in the other model each act has the effect that gives the arm at Z (or the
            nearest above) the same difference of the outcome.
        alpha: error rate of each set.
    """

    acts: ActsBefore
    threshold: int
    targets: tuple[int, ...]
    shares: tuple[float, ...]
    take_up: float
    effect: float
    alpha: float = 0.05

    def __post_init__(self) -> None:
        check_alpha(self.alpha)
        if len(self.targets) < 2 or len(self.shares) != len(self.targets) + 1 or min(self.shares) <= 0:
            raise ValueError("arms must be at least two, with a share each and one for their base")
        if self.threshold < 1 or min(self.targets) < 1 or max(self.targets) < self.threshold:
            raise ValueError("arms must nudge to 1 or more, and one of them to the threshold or above")
        if not 0 < self.take_up <= 1 or self.effect == 0:
            raise ValueError("take-up must lie above 0 and be at most 1, and the effect must not be 0")

    @property
    def response(self) -> float:
        """Share of the users below its target that each arm moves."""
        return self.take_up / self.acts.below(self.threshold)


@dataclass(frozen=True)
class DosePower:
    """Power of the dose arms.

    Attributes:
        rejects_dose: chance that J rejects "each act counts", if only reaching Z matters.
        rejects_step: chance that J rejects "only reaching Z matters", if each act counts.
        tells_step: chance of the answer "step" if that is true: the joint set of one act is empty, that of the step
            isn't.
        tells_dose: chance of the answer "dose" if that is true.
        wrong: chance to reject a true model, the same for both.
        needed: units of all these arms and their base that give each right answer with the wanted chance.
    """

    rejects_dose: float
    rejects_step: float
    tells_step: float
    tells_dose: float
    wrong: float
    needed: int | NotComputable


def planned_moments(plan: DosePlan, units: int, *, steps: bool) -> tuple[Joint, tuple[Joint, ...]]:
    """Moments of (R, D, N) of the base and of each arm with so many units in all, under one model.

    Args:
        plan: the arms.
        units: of all of them.
        steps: True if only reaching Z matters, False if each act counts.
    """
    whole = sum(plan.shares)
    sizes = [max(round(units * share / whole), 2) for share in plan.shares]
    arms = tuple(_arm(plan, target, n, steps) for target, n in zip(plan.targets, sizes[1:], strict=True))
    return _arm(plan, 0, sizes[0], steps), arms


def per_act(plan: DosePlan) -> float:
    """Effect of one act that gives the arm at Z, or the nearest above, the same difference as the step does."""
    acts = plan.acts
    target = min(times for times in plan.targets if times >= plan.threshold)
    added = sum(share * max(target - n, 0) for n, share in zip(acts.times, acts.shares, strict=True))
    return plan.effect * acts.below(plan.threshold) / added


def dose_power(plan: DosePlan, units: int, *, power: float = 0.8) -> DosePower | NotComputable:
    """Power of so many units in the arms and their base.

    Rejecting a false model follows a noncentral chi-square with arms - 1 degrees of freedom, whose noncentrality is
    the statistic at the planned moments: J against its own quantile, the set against that of arms degrees of freedom.

    Args:
        plan: the arms.
        units: of all of them with their base.
        power: wanted chance of a right answer, for `DosePower.needed`.

    Returns:
        The chances; not computable if the arms move nobody, or would have to move more users than there are below Z.

    Source: Hansen 1982 and Newey 1985 (J under misspecification); Anderson and Rubin 1949.
    """
    if not 0 < plan.response <= 1:
        return NotComputable(Reason.NO_FIRST_STAGE)
    # The statistics are proportional to the units: one size gives all of them.
    at = 1_000_000
    if_step, if_dose = (_noncentrality(plan, at, steps=steps) for steps in (True, False))
    if not computable(if_step):
        return if_step
    if not computable(if_dose):
        return if_dose
    (j_dose, set_dose), (j_step, set_step) = if_step, if_dose
    arms = len(plan.targets)
    own, joint = (float(stats.chi2.isf(plan.alpha, df)) for df in (arms - 1, arms))
    share = units / at
    wrong = float(stats.chi2.sf(joint, arms - 1))

    def tells(noncentrality: float) -> float:
        return (1 - wrong) * _beyond(joint, arms - 1, noncentrality)

    least = min(set_dose, set_step)
    return DosePower(
        rejects_dose=_beyond(own, arms - 1, share * j_dose),
        rejects_step=_beyond(own, arms - 1, share * j_step),
        tells_step=tells(share * set_dose),
        tells_dose=tells(share * set_step),
        wrong=wrong,
        needed=_needed(lambda n: tells(least * n / at), power),
    )


def placebo_power(
    reach: float, take_up: float, units: tuple[int, int], *, alpha: float = 0.05
) -> float | NotComputable:
    """Power to show that an inert placebo leaves the behaviour alone: limits inside a quarter of the take-up.

    2 Phi(bound / SE - z) - 1, at least 0, with z of the interval at level 1 - 2 alpha.

    Args:
        reach: share of units that reach the behaviour without a nudge, 0 to 1.
        take_up: planned first stage of the nudge.
        units: of control and of the placebo.
        alpha: of each of the two one-sided tests.

    Source: Schuirmann 1987; Julious 2004; docs/methods/encouragement.md, "What placebo and dose arms could tell".
    """
    if not 0 < reach < 1:
        return NotComputable(Reason.NO_VARIANCE)
    error = (reach * (1 - reach) * sum(1 / n for n in units)) ** 0.5
    bound = SHARE_OF_FIRST_STAGE * abs(take_up)
    return max(2 * float(stats.norm.cdf(bound / error - stats.norm.isf(min(alpha, 0.499)))) - 1, 0.0)


def placebo_units(reach: float, take_up: float, *, power: float = 0.8, alpha: float = 0.05) -> int | NotComputable:
    """Units of control and of the placebo, each, for a given power: `placebo_power` solved for n."""
    if not 0 < reach < 1:
        return NotComputable(Reason.NO_VARIANCE)
    quantiles = float(stats.norm.isf(min(alpha, 0.499)) + stats.norm.ppf((1 + power) / 2))
    needed = 2 * reach * (1 - reach) * (quantiles / (SHARE_OF_FIRST_STAGE * take_up)) ** 2
    return ceil(needed - 1e-9) if needed < LARGEST_UNITS else NotComputable(Reason.TOO_MANY_UNITS)


def _arm(plan: DosePlan, target: int, n: int, steps: bool) -> Joint:
    """Moments of an arm: cells of (acts before, moved or not)."""
    acts = plan.acts
    before = np.array(acts.times, dtype=np.float64)
    moved = np.maximum(before, target)
    response = np.where(before < target, plan.response, 0.0)
    shares = np.concatenate([np.array(acts.shares) * (1 - response), np.array(acts.shares) * response])
    after = np.concatenate([before, moved])
    reached = (after >= plan.threshold).astype(np.float64)
    started = np.tile((before >= plan.threshold).astype(np.float64), 2)
    gain = plan.effect * (reached - started) if steps else per_act(plan) * (after - np.tile(before, 2))
    outcome = np.tile(np.array(acts.means), 2) + gain
    columns = np.column_stack([outcome, reached, after])
    means = shares @ columns
    covariance = (columns - means).T @ ((columns - means) * shares[:, None])
    covariance[0, 0] += float(shares @ _variances(acts, outcome))
    return Joint(n, means, covariance)


def _variances(acts: ActsBefore, outcome: Array) -> Array:
    """Variance within the cells: that of a share follows its mean, that of a mean is unchanged."""
    variances = np.array(acts.variances)
    means = np.array(acts.means)
    if np.allclose(variances, means * (1 - means), atol=1e-9):
        inside = np.clip(outcome, 0, 1)
        return np.asarray(inside * (1 - inside))
    return np.tile(variances, 2)


def _noncentrality(plan: DosePlan, units: int, *, steps: bool) -> tuple[float, float] | NotComputable:
    """Noncentralities of J and of the joint set's least statistic for the false model."""
    base, arms = planned_moments(plan, units, steps=steps)
    false = DOSE if steps else STEP
    fit = fit_arms(base, arms, treatment=false)
    return (fit.j_statistic, least_statistic(base, arms, treatment=false)) if computable(fit) else fit


def least_statistic(base: Joint, arms: Sequence[Joint], *, treatment: int) -> float:
    """The smallest value over b of the joint Anderson-Rubin statistic: the set is empty if it is above the quantile.

    In the angle of b it is smooth and periodic, with a finite value at plus or minus infinity.
    """
    itt, first = effects_of(base, arms, treatment)
    columns = np.ix_([0, treatment], [0, treatment])
    v = np.array([group.covariance[columns] / group.n for group in (base, *arms)])
    unit = float(np.sqrt(v[:, 0, 0].sum() / v[:, 1, 1].sum()))

    def statistic(angle: float) -> float:
        weights = np.array([np.cos(angle), -unit * np.sin(angle)])
        own = np.einsum("i,kij,j->k", weights, v, weights)
        gap = weights[0] * itt + weights[1] * first
        return float(gap @ np.linalg.solve(np.diag(own[1:]) + own[0], gap))

    angles = np.linspace(-pi / 2, pi / 2, ANGLES, endpoint=False)
    best = float(angles[int(np.argmin([statistic(angle) for angle in angles]))])
    step = pi / ANGLES
    minimum = optimize.minimize_scalar(statistic, bounds=(best - step, best + step), method="bounded")
    return max(float(minimum.fun), 0.0)


def _beyond(quantile: float, df: int, noncentrality: float) -> float:
    if noncentrality <= 0:
        return float(stats.chi2.sf(quantile, df))
    return float(stats.ncx2.sf(quantile, df, noncentrality))


def _needed(chance: Callable[[float], float], power: float) -> int | NotComputable:
    if chance(LARGEST_UNITS) < power:
        return NotComputable(Reason.TOO_MANY_UNITS)
    log_units = optimize.brentq(lambda size: chance(exp(size)) - power, 0.0, log(LARGEST_UNITS), xtol=1e-9)
    return ceil(exp(float(log_units)) - 1e-6)
