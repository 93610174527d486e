"""Pool many experiments on one behaviour: every experiment that moved it is an instrument for its effect.

Only the five moments of an experiment are needed, so external results count like our own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

import numpy as np
from scipy import stats

from stats.instrument.arms import EffectSet
from stats.instrument.encouragement import wald
from stats.instrument.pooled_sets import (
    Instrument,
    SharedControl,
    Stack,
    anderson_rubin_set,
    likelihood_ratio_set,
    lowest,
    lowest_without_each,
    stacked,
    usable,
)
from stats.results import Estimate, NotComputable, Reason, check_alpha, computable
from stats.summaries import Array
from stats.synthesis import RandomEffects, random_effects

# Point estimates of the pooled effect with errors valid for many weak nudges: LIML and JIVE, from moments.


def liml(stack: Stack, best: float, *, alpha: float) -> Estimate | NotComputable:
    """The effect with the smallest Anderson-Rubin statistic, with its error for many weak instruments.

    With proportional variances this is LIML; else the continuously updated estimate, LIML's robust version. The
    error is I^(1/2) / (I - T), I = D' V^-1 D the apparent information, T = tr(V^-1 Var D) the part of it due to chance.

    Args:
        stack: the instruments.
        best: angle of the minimum.
        alpha: two-sided error rate.

    Returns:
        The estimate, or ``WEAK_FIRST_STAGE`` when chance explains all of the information.

    Source: Anderson and Rubin 1949; Hansen, Heaton and Yaron 1996; Newey and Windmeijer 2009; Zhao et al. 2020.
    """
    r, c, d = stack.covariances()
    cos, sin = float(np.cos(best)), float(np.sin(best))
    gap, turn = stack.itt * cos - stack.first * sin, -stack.itt * sin - stack.first * cos
    v = r * cos**2 - 2 * c * sin * cos + d * sin**2
    with_turn = sin * cos * (d - r) + (sin**2 - cos**2) * c
    of_turn = r * sin**2 + 2 * c * sin * cos + d * cos**2
    inverse = np.linalg.inv(v)
    direction = turn - with_turn @ inverse @ gap
    information = float(direction @ inverse @ direction)
    chance = float(np.trace(inverse @ (of_turn - with_turn @ inverse @ with_turn)))
    if information <= chance:
        return NotComputable(Reason.WEAK_FIRST_STAGE)
    # From angle to effect by the derivative of tan.
    error = sqrt(information) / (information - chance) * stack.unit / cos**2
    return _estimate(stack.effect(best), error, alpha, "liml")


def jive(stack: Stack, *, alpha: float) -> Estimate | NotComputable:
    """Jackknife IV: products of first stage with first stage and outcome over pairs of *different* units only.

    sum W (FS ITT - C) / sum W (FS^2 - V_D): a group's mean product less its covariance over n is the mean over pairs of
    different units. W is the inverse variance of the outcome.

    Source: Angrist, Imbens and Krueger 1999; Kolesar 2013 (UJIVE); Bibaut, Chou, Ejdemyr and Kallus 2024 (experiments
    as instruments); Ye, Shao and Kang 2021 (the same from moments, and its error).
    """
    r, c, d = stack.covariances()
    return ratio_without_noise(stack, np.linalg.inv(r), c, d, alpha)


def ratio_without_noise(stack: Stack, w: Array, c: Array, d: Array, alpha: float) -> Estimate | NotComputable:
    """(FS' W ITT - tr W C) / (FS' W FS - tr W V_D) with its error."""
    strength = float(stack.first @ w @ stack.first) - float(np.trace(w @ d))
    if strength <= 0:
        return NotComputable(Reason.WEAK_FIRST_STAGE)
    effect = (float(stack.first @ w @ stack.itt) - float(np.trace(w @ c))) / strength
    error = sqrt(noise_variance(stack, w, effect)) / strength
    return _estimate(effect * stack.unit, error * stack.unit, alpha, "jive")


def noise_variance(stack: Stack, w: Array, b: float) -> float:
    """Variance of FS' W (ITT - b FS) about its noise, FS and residual being jointly normal (Isserlis 1918)."""
    r, c, d = stack.covariances()
    v, with_first = r - 2 * b * c + b**2 * d, c - b * d
    weighted = w @ stack.first
    mixed = w @ with_first
    return max(float(weighted @ v @ weighted) + float(np.trace(mixed @ mixed)), 0.0)


def _estimate(effect: float, error: float, alpha: float, method: str) -> Estimate:
    half = error * float(stats.norm.isf(alpha / 2))
    p_value = 2 * float(stats.norm.sf(abs(effect) / error))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, method)


# Egger's regression: effects on the outcome against effects on the behaviour, with a free intercept.

FEWEST_INSTRUMENTS = 3


@dataclass(frozen=True)
class Egger:
    """The behaviour's effect when every nudge may also have a direct effect.

    Attributes:
        slope: effect of the behaviour, in the outcome's unit per unit that reaches it.
        intercept: average direct effect of the nudges, in the outcome's unit.
        dispersion: variance of the residuals over what sampling explains, at least 1.
    """

    slope: Estimate
    intercept: Estimate
    dispersion: float


def egger(stack: Stack, *, alpha: float) -> Egger | NotComputable:
    """Weighted regression of ITT on FS with intercept, corrected for sampling noise in FS.

    Plain Egger regression is attenuated by the noise in FS; here products run over different units only, as in JIVE.
    Errors grow by the residuals' dispersion; t with K - 2 degrees of freedom.

    Assumes direct effects that are independent of how strongly a nudge moves the behaviour. It matters which arm is
    called the variant: the intercept is the variants' average direct effect.

    Source: Bowden, Davey Smith and Burgess 2015; Egger et al. 1997; Ye, Shao and Kang 2021 (noise taken out).
    """
    if stack.size < FEWEST_INSTRUMENTS:
        return NotComputable(Reason.TOO_FEW_TO_POOL, {"n": stack.size, "needed": FEWEST_INSTRUMENTS})
    r, c, d = stack.covariances()
    w = np.linalg.inv(r)
    ones = np.ones(stack.size)
    of_mean = w @ ones / float(ones @ w @ ones)
    within = w - np.outer(w @ ones, of_mean)
    strength = float(stack.first @ within @ stack.first) - float(np.trace(within @ d))
    if strength <= 0:
        return NotComputable(Reason.WEAK_FIRST_STAGE)
    slope = (float(stack.first @ within @ stack.itt) - float(np.trace(within @ c))) / strength
    centre = float(of_mean @ stack.first)
    intercept = float(of_mean @ stack.itt) - slope * centre
    v = r - 2 * slope * c + slope**2 * d
    residual = stack.itt - intercept - slope * stack.first
    degrees = stack.size - 2
    dispersion = max(float(residual @ np.linalg.solve(v, residual)) / degrees, 1.0)
    noise = noise_variance(stack, within, slope) / strength**2
    line = of_mean - centre * (within @ stack.first) / strength
    plain = noise - float((within @ stack.first) @ v @ (within @ stack.first)) / strength**2
    of_intercept = float(line @ v @ line) + centre**2 * max(plain, 0.0)
    outcome = stack.scale_r
    return Egger(
        _t_estimate(slope * stack.unit, sqrt(dispersion * noise) * stack.unit, degrees, alpha, "egger"),
        _t_estimate(intercept * outcome, sqrt(dispersion * of_intercept) * outcome, degrees, alpha, "egger"),
        dispersion,
    )


def _t_estimate(effect: float, error: float, degrees: int, alpha: float, method: str) -> Estimate:
    half = error * float(stats.t.isf(alpha / 2, degrees))
    p_value = 2 * float(stats.t.sf(abs(effect) / error, degrees))
    return Estimate(effect, error, effect - half, effect + half, p_value, 1 - alpha, method)


# Whether the nudges agree on one effect, and which experiments drive the pooled one.

# How the two tests share alpha. The first detects a few nudges with direct effects; the second is for direct effects of
# all nudges.
SHARE_OVER, SHARE_INTERCEPT = 0.8, 0.2


@dataclass(frozen=True)
class Agreement:
    """Test whether a single effect of the behaviour explains the results of all nudges.

    Attributes:
        statistic: over-identification statistic: the smallest value that the Anderson-Rubin statistic takes.
        degrees_of_freedom: instruments less one.
        p_over_identified: its upper tail.
        p_intercept: of Egger's intercept, two-sided: do the nudges have a direct effect on average?
        p_value: of both together, weighted Bonferroni; below alpha, the nudges disagree.
        agree: whether ``p_value`` is at least alpha. Agreement doesn't prove that no nudge has a direct effect.
    """

    statistic: float
    degrees_of_freedom: int
    p_over_identified: float
    p_intercept: float | NotComputable
    p_value: float
    agree: bool


@dataclass(frozen=True)
class Influence:
    """Influence of one experiment on the pooled result.

    Attributes:
        key: of the experiment.
        name: of its first instrument.
        weight: its share of the information on the effect, 0 to 1.
        misfit: how far the over-identification statistic falls without it.
        without: pooled LIML effect of the others.
        p_without: over-identification p-value of the others; not computable for one instrument.
    """

    key: str
    name: str
    weight: float
    misfit: float
    without: float
    p_without: float | NotComputable


def agreement(stack: Stack, best: float, egger: Egger | NotComputable, *, alpha: float) -> Agreement | NotComputable:
    """The over-identification test at the LIML value, and that of Egger's intercept.

    Source: Sargan 1958; Hansen, Heaton and Yaron 1996; Bowden, Davey Smith and Burgess 2015; docs/methods/pooling.md.
    """
    if stack.size < 2:
        return NotComputable(Reason.TOO_FEW_TO_POOL, {"n": stack.size, "needed": 2})
    statistic = float(stack.ar(np.array([best]))[0])
    p_over = float(stats.chi2.sf(statistic, stack.size - 1))
    if not computable(egger):
        return Agreement(statistic, stack.size - 1, p_over, egger, p_over, p_over >= alpha)
    p_intercept = egger.intercept.p_value
    p_value = min(p_over / SHARE_OVER, p_intercept / SHARE_INTERCEPT, 1.0)
    return Agreement(statistic, stack.size - 1, p_over, p_intercept, p_value, p_value >= alpha)


def influence(stack: Stack, best: float, names: dict[str, str]) -> tuple[Influence, ...]:
    """Leave-one-out, the worst-fitting experiment first.

    Args:
        stack: the instruments.
        best: angle of LIML.
        names: key and name of each experiment, in the stack's order.
    """
    if stack.member.shape[1] < 2:
        return ()
    whole = float(stack.ar(np.array([best]))[0])
    weights = _weights(stack, best)
    rows = []
    others = zip(*lowest_without_each(stack), strict=True)
    for j, ((key, name), (angle, statistic)) in enumerate(zip(names.items(), others, strict=True)):
        left = stack.size - int(stack.member[:, j].sum())
        p: float | NotComputable = NotComputable(Reason.TOO_FEW_TO_POOL, {"n": left, "needed": 2})
        if left > 1:
            p = float(stats.chi2.sf(statistic, left - 1))
        misfit = max(whole - float(statistic), 0.0)
        rows.append(Influence(key, name, float(weights[j]), misfit, stack.effect(float(angle)), p))
    return tuple(sorted(rows, key=lambda row: -row.misfit))


def _weights(stack: Stack, best: float) -> Array:
    """Share of each experiment in the information along the line through the pooled effect."""
    cos, sin = float(np.cos(best)), float(np.sin(best))
    along = stack.itt * sin + stack.first * cos
    r, c, d = stack.covariances()
    across = r * cos**2 - 2 * c * sin * cos + d * sin**2
    information = (along * np.linalg.solve(across, along)) @ stack.member
    return (
        np.asarray(information / information.sum())
        if information.sum() > 0
        else np.full(len(information), 1 / len(information))
    )


__all__ = ["Answer", "Instrument", "Pooled", "SharedControl", "pooled"]

# A ratio of effects is nearly normal only for a nudge that moved the behaviour: the usual lower limit of its F.
LEAST_F = 10.0


class Answer(StrEnum):
    """Which of the pooled results answers "what is the effect of the behaviour?"."""

    ONE_EXPERIMENT = "one_experiment"
    POOLED = "pooled"
    NUDGES_DISAGREE = "nudges_disagree"


@dataclass(frozen=True)
class Pooled:
    """Pooled results of all experiments on one behaviour, in the outcome's unit per unit that reaches it.

    Attributes:
        answer: which of the following results to show first. ``pooled``: ``liml`` with ``likelihood_ratio``.
            ``nudges_disagree``: no pooled set; ``egger.slope`` with its interval, and ``influence``.
            ``one_experiment``: its own set.
        experiments: how many experiments are in.
        instruments: how many nudged arms.
        left_out: instruments that couldn't be pooled: no variance, or a second arm whose shared control isn't known.
        mean_f: mean of the instruments' first-stage F.
        liml: point estimate, with an error valid for many weak nudges.
        jive: jackknife estimate, for comparison.
        anderson_rubin: effects that no test of all moments rejects; empty when the nudges disagree much.
        likelihood_ratio: conditional likelihood-ratio set; each is the answer only if the nudges agree.
        agreement: do the nudges agree?
        egger: regression with free intercept.
        random_effects: of the experiments' own effects, with prediction interval; only if nudges agree.
        influence: leave-one-out, the worst-fitting experiment first.
        level: of all intervals and sets.
    """

    answer: Answer
    experiments: int
    instruments: int
    left_out: tuple[Instrument, ...]
    mean_f: float | NotComputable
    liml: Estimate | NotComputable
    jive: Estimate | NotComputable
    anderson_rubin: EffectSet
    likelihood_ratio: EffectSet
    agreement: Agreement | NotComputable
    egger: Egger | NotComputable
    random_effects: RandomEffects | NotComputable
    influence: tuple[Influence, ...]
    level: float

    @property
    def answer_set(self) -> EffectSet | NotComputable:
        """The set to show as the answer, or why there is none."""
        if self.answer is Answer.NUDGES_DISAGREE:
            return NotComputable(Reason.NUDGES_DISAGREE)
        return self.likelihood_ratio


def pooled(instruments: Sequence[Instrument], *, alpha: float = 0.05) -> Pooled | NotComputable:
    """Pool experiments that share one definition of behaviour and outcome.

    Args:
        instruments: of finished experiments, in any order. Experiments must not share units.
        alpha: two-sided error rate of each interval, set and of the question whether nudges agree.

    Returns:
        All pooled statistics; ``NO_EXPERIMENT_YET`` when there is nothing to pool.

    Source: docs/methods/pooling.md, "Pooled experiments"; Bibaut, Chou, Ejdemyr and Kallus 2024.
    """
    check_alpha(alpha)
    arms, dropped = usable(instruments)
    if not arms:
        return NotComputable(Reason.NO_EXPERIMENT_YET)
    stack = stacked(arms, alpha=alpha)
    best = lowest(stack)
    regression = egger(stack, alpha=alpha)
    together = agreement(stack, best, regression, alpha=alpha)
    names: dict[str, str] = {}
    for arm in arms:
        names.setdefault(arm.key, arm.name)
    answer = _answer(together)
    return Pooled(
        answer=answer,
        experiments=len(names),
        instruments=len(arms),
        left_out=tuple(dropped),
        mean_f=_mean_f(arms),
        liml=liml(stack, best, alpha=alpha),
        jive=jive(stack, alpha=alpha),
        anderson_rubin=anderson_rubin_set(stack, best, alpha=alpha),
        likelihood_ratio=likelihood_ratio_set(stack, best, alpha=alpha),
        agreement=together,
        egger=regression,
        random_effects=_random_effects(arms, stack, best, answer, alpha),
        influence=influence(stack, best, names),
        level=1 - alpha,
    )


def _mean_f(arms: Sequence[Instrument]) -> float | NotComputable:
    values = [instrument.moments.f_statistic for instrument in arms]
    known = [value for value in values if computable(value)]
    return float(np.mean(known)) if len(known) == len(values) else NotComputable(Reason.NO_VARIANCE)


def _answer(together: Agreement | NotComputable) -> Answer:
    if not computable(together):
        return Answer.ONE_EXPERIMENT
    return Answer.POOLED if together.agree else Answer.NUDGES_DISAGREE


def _random_effects(
    arms: Sequence[Instrument], stack: Stack, best: float, answer: Answer, alpha: float
) -> RandomEffects | NotComputable:
    """Random effects of the experiments' own ratios, of nudges that moved the behaviour.

    Only the first arm of each experiment, since arms that share a control aren't independent. Each error is computed at
    the pooled effect: at the experiment's own, error and estimate would be correlated and bias the mean.
    """
    if answer is Answer.NUDGES_DISAGREE:
        return NotComputable(Reason.NUDGES_DISAGREE)
    b = stack.effect(best)
    effects, errors = [], []
    seen: set[str] = set()
    for instrument in arms:
        moments, strength = instrument.moments, instrument.moments.f_statistic
        weak = computable(strength) and strength < LEAST_F
        if instrument.key in seen or weak or not computable(wald(moments, alpha=alpha)):
            continue
        seen.add(instrument.key)
        effects.append(moments.itt / moments.first_stage)
        variance = moments.v_r - 2 * b * moments.c_rd + b**2 * moments.v_d
        errors.append(variance**0.5 / abs(moments.first_stage))
    return random_effects(effects, errors, alpha=alpha)
