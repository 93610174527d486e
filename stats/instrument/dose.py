"""Dose response, if every act counts and not only the threshold: effect per act, and which acts the nudge added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

import numpy as np
from scipy import stats

from stats.instrument.anderson_rubin import AndersonRubin, anderson_rubin
from stats.instrument.arms import ArmsFit, EffectSet, arms_effect_set, fit_arms
from stats.instrument.encouragement import wald
from stats.iv_moments import IvMoments
from stats.multiplicity import holm
from stats.results import Estimate, NotComputable, Reason, check_alpha, computable
from stats.summaries import Joint

# Arms that nudge to different numbers of acts: do Z acts matter, or does every act count?

STEP, DOSE = 1, 2  # columns of the treatments in (R, D, N)


class Dose(StrEnum):
    """Which model of the behaviour the dose arms support."""

    STEP = "step"
    DOSE = "dose"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class DoseTest:
    """Test between two models: only reaching Z acts matters, or every act counts.

    Attributes:
        step: the fit with the treatment "reached Z".
        dose: the fit with the treatment "number of acts".
        answer: ``step`` when only the dose's set is empty, ``dose`` when only the step's is, else ``unclear``.
        step_set: every effect of reaching Z that all arms together don't reject; empty if none fits them.
        dose_set: the same for one more act.
    """

    step: ArmsFit | NotComputable
    dose: ArmsFit | NotComputable
    answer: Dose
    step_set: EffectSet | NotComputable = NotComputable(Reason.EARLIER_VERSION)  # noqa: RUF009 - a frozen record
    dose_set: EffectSet | NotComputable = NotComputable(Reason.EARLIER_VERSION)  # noqa: RUF009 - as above


def dose_test(control: Joint, arms: Sequence[Joint], *, alpha: float = 0.05) -> DoseTest:
    """Step against dose, from arms that nudge to different numbers of acts.

    The arms' joint Anderson-Rubin sets decide: they hold for weak nudges as well, while J, which is also shown, may
    not.

    Args:
        control: moments of (R, D, N).
        arms: the same of each nudged arm, at least two.
        alpha: error rate of each set and of each over-identification test.

    Source: Anderson and Rubin 1949; Sargan 1958; Hansen 1982; docs/methods/encouragement.md.
    """
    step, dose = (fit_arms(control, arms, treatment=column, alpha=alpha) for column in (STEP, DOSE))
    step_set, dose_set = (
        arms_effect_set(control, arms, treatment=treatment, alpha=alpha) for treatment in (STEP, DOSE)
    )
    answer = Dose.UNCLEAR
    if computable(step_set) and computable(dose_set):
        empty = step_set.empty, dose_set.empty
        answer = {(False, True): Dose.STEP, (True, False): Dose.DOSE}.get(empty, Dose.UNCLEAR)
    return DoseTest(step, dose, answer, step_set, dose_set)


@dataclass(frozen=True)
class ActResponse:
    """Average causal response: the outcome's change per additional act, averaged over the acts that the nudge added.

    Attributes:
        effect: the ratio with its delta-method error; not computable when the nudge added no acts.
        effect_set: its Anderson-Rubin set, which holds for a weak nudge as well.
        acts: acts that the nudge added per user, variant minus control.
        acts_error: standard error of ``acts``.
    """

    effect: Estimate | NotComputable
    effect_set: AndersonRubin
    acts: float
    acts_error: float


@dataclass(frozen=True)
class DoseWeights:
    """Weights of the steps from z-1 to z acts in the average causal response: where the nudge added acts.

    Attributes:
        times: z = 1, 2, ..., the last meaning "so many or more" when the counts were capped.
        raised: P(N >= z | nudged) - P(N >= z | control) per z; their sum is the number of acts added.
        errors: standard error of each.
        weights: ``raised`` over its sum; they sum to 1.
        threshold: Z, the number of acts of the behaviour under test.
        share_at_threshold: weight of the step that crosses Z, normally 0 to 1.
        coarsening: 1 - ``share_at_threshold``: share of the added acts that don't cross Z. If each act matters, they
            have an effect without crossing the threshold, and the effect on compliers overstates the step across Z.
        negative: z whose ``raised`` is below 0 beyond chance (Holm over all z): they contradict monotonicity.
    """

    times: tuple[int, ...]
    raised: tuple[float, ...]
    errors: tuple[float, ...]
    weights: tuple[float, ...]
    threshold: int
    share_at_threshold: float
    coarsening: float
    negative: tuple[int, ...]


def response_of(moments: IvMoments, *, alpha: float = 0.05) -> ActResponse:
    """The same from moments of (R, N), for example pooled over strata or adjusted for covariates."""
    effect_set = anderson_rubin(moments, alpha=alpha)
    return ActResponse(wald(moments, alpha=alpha), effect_set, moments.first_stage, sqrt(moments.v_d))


def dose_weights(
    control: Mapping[int, int], variant: Mapping[int, int], threshold: int, *, alpha: float = 0.05
) -> DoseWeights | NotComputable:
    """Weights of the steps in the average causal response, from each arm's histogram of acts.

    Args:
        control: units by number of acts; the largest may mean "so many or more".
        variant: the same.
        threshold: Z, at least 1. A threshold above every count has share 0.
        alpha: error rate of the test for negative weights.

    Returns:
        The weights; ``NotComputable(NO_FIRST_STAGE)`` when the nudge added no acts on balance.

    Raises:
        ValueError: if a count is negative, or the threshold is below 1.

    Source: Angrist and Imbens 1995, theorem 1 (the weights); Marshall 2016 (coarsening); docs/methods/encouragement.md.
    """
    check_alpha(alpha)
    if threshold < 1 or any(times < 0 or units < 0 for arm in (control, variant) for times, units in arm.items()):
        raise ValueError("counts must be at least 0, and the threshold at least 1")
    sizes = [sum(arm.values()) for arm in (control, variant)]
    if min(sizes) < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": min(sizes), "needed": 2})
    most = max((times for arm in (control, variant) for times, units in arm.items() if units), default=0)
    reached = np.array(
        [
            [sum(units for times, units in arm.items() if times >= z) / size for z in range(1, most + 1)]
            for arm, size in zip((control, variant), sizes, strict=True)
        ]
    )
    raised = reached[1] - reached[0]
    variances = sum(reached[i] * (1 - reached[i]) / (sizes[i] - 1) for i in (0, 1))
    errors = np.sqrt(np.asarray(variances))
    total = float(raised.sum())
    # Below this the number of added acts is rounding, and the weights would be noise.
    if abs(total) <= 1e-12 * max(most, 1):
        return NotComputable(Reason.NO_FIRST_STAGE)
    weights = raised / total
    share = float(weights[threshold - 1]) if threshold <= most else 0.0
    return DoseWeights(
        tuple(range(1, most + 1)),
        tuple(raised.tolist()),
        tuple(errors.tolist()),
        tuple(weights.tolist()),
        threshold,
        share,
        1 - share,
        _negative(raised.tolist(), errors.tolist(), alpha),
    )


def _negative(raised: list[float], errors: list[float], alpha: float) -> tuple[int, ...]:
    tested = [(z, gap / error) for z, (gap, error) in enumerate(zip(raised, errors, strict=True), start=1) if error > 0]
    adjusted = holm([float(stats.norm.cdf(statistic)) for _, statistic in tested])
    return tuple(z for (z, _), p_value in zip(tested, adjusted, strict=True) if p_value < alpha)
