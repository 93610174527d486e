"""Many experiments, one behaviour: every experiment that moved it is an instrument for its effect.

An experiment gives its five moments only, so results of tests that ran elsewhere count like our own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from stats.instrument.arms_set import EffectSet
from stats.instrument.encouragement import wald
from stats.instrument.pooling.agreement import Agreement, Influence, agreement, influence
from stats.instrument.pooling.circle import lowest
from stats.instrument.pooling.egger import Egger, egger
from stats.instrument.pooling.points import jive, liml
from stats.instrument.pooling.pooled_sets import anderson_rubin_set, likelihood_ratio_set
from stats.instrument.pooling.stack import Instrument, SharedControl, Stack, stacked, usable
from stats.results import Estimate, NotComputable, Reason, check_alpha, computable
from stats.synthesis.random_effects import RandomEffects, random_effects

__all__ = ["Answer", "Instrument", "Pooled", "SharedControl", "pooled"]

# A ratio of effects is near normal only for a nudge that moved the behaviour: the usual floor of its F.
LEAST_F = 10.0


class Answer(StrEnum):
    """Which of the pooled numbers answers "what does the behaviour do?"."""

    ONE_EXPERIMENT = "one_experiment"
    POOLED = "pooled"
    NUDGES_DISAGREE = "nudges_disagree"


@dataclass(frozen=True)
class Pooled:
    """What all experiments together say of one behaviour, in the outcome's unit per unit that reaches it.

    Attributes:
        answer: which of the following to lead with. ``pooled``: ``liml`` with ``likelihood_ratio``.
            ``nudges_disagree``: no pooled set; ``egger.slope`` with its interval, and ``influence``.
            ``one_experiment``: its own set.
        experiments: how many experiments are in.
        instruments: how many nudged arms.
        left_out: instruments that couldn't be pooled: no variance, or a second arm whose shared control isn't known.
        mean_f: mean of the instruments' first-stage F.
        liml: point estimate, error for many weak nudges.
        jive: jackknife estimate, shown beside it.
        anderson_rubin: effects that no test of all moments rejects; empty when the nudges disagree much.
        likelihood_ratio: conditional likelihood-ratio set; each is the answer only where the nudges agree.
        agreement: do the nudges agree?
        egger: regression with free intercept.
        random_effects: of the experiments' own effects, with prediction interval; only where nudges agree.
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
    kept, dropped = usable(instruments)
    if not kept:
        return NotComputable(Reason.NO_EXPERIMENT_YET)
    stack = stacked(kept, alpha=alpha)
    best = lowest(stack)
    regression = egger(stack, alpha=alpha)
    together = agreement(stack, best, regression, alpha=alpha)
    names: dict[str, str] = {}
    for one in kept:
        names.setdefault(one.key, one.name)
    answer = _answer(together)
    return Pooled(
        answer=answer,
        experiments=len(names),
        instruments=len(kept),
        left_out=tuple(dropped),
        mean_f=_mean_f(kept),
        liml=liml(stack, best, alpha=alpha),
        jive=jive(stack, alpha=alpha),
        anderson_rubin=anderson_rubin_set(stack, best, alpha=alpha),
        likelihood_ratio=likelihood_ratio_set(stack, best, alpha=alpha),
        agreement=together,
        egger=regression,
        random_effects=_random_effects(kept, stack, best, answer, alpha),
        influence=influence(stack, best, names),
        level=1 - alpha,
    )


def _mean_f(kept: Sequence[Instrument]) -> float | NotComputable:
    values = [one.moments.f_statistic for one in kept]
    known = [value for value in values if computable(value)]
    return float(np.mean(known)) if len(known) == len(values) else NotComputable(Reason.NO_VARIANCE)


def _answer(together: Agreement | NotComputable) -> Answer:
    if not computable(together):
        return Answer.ONE_EXPERIMENT
    return Answer.POOLED if together.agree else Answer.NUDGES_DISAGREE


def _random_effects(
    kept: Sequence[Instrument], stack: Stack, best: float, answer: Answer, alpha: float
) -> RandomEffects | NotComputable:
    """Random effects of the experiments' own ratios, of nudges that moved the behaviour.

    One arm per experiment, its first, since arms that share a control aren't independent. Each error is taken at the
    pooled effect: at the experiment's own, chance would couple error and estimate and pull the mean.
    """
    if answer is Answer.NUDGES_DISAGREE:
        return NotComputable(Reason.NUDGES_DISAGREE)
    b = stack.effect(best)
    effects, errors = [], []
    seen: set[str] = set()
    for one in kept:
        moments, strength = one.moments, one.moments.f_statistic
        weak = computable(strength) and strength < LEAST_F
        if one.key in seen or weak or not computable(wald(moments, alpha=alpha)):
            continue
        seen.add(one.key)
        effects.append(moments.itt / moments.first_stage)
        variance = moments.v_r - 2 * b * moments.c_rd + b**2 * moments.v_d
        errors.append(variance**0.5 / abs(moments.first_stage))
    return random_effects(effects, errors, alpha=alpha)
