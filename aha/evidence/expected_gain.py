"""What an experiment may be expected to find, and how much correlational estimates overstate effects."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from aha.evidence.aipw import Difference
from aha.evidence.findings import Definition, PastFinding, Summary, key_of, pool_findings, summary
from runs.refusals import Refused
from stats.instrument.encouragement import wald
from stats.instrument.pooled import LEAST_F
from stats.results import Interval, NotComputable, Reason, computable
from stats.synthesis import random_effects, ratios_at_pool

# How much correlational estimates ("promises") overstate effects: experimental effect over promise ("price"), and
# what to expect of the next experiment.
#
# Pure.

FEWEST = 5
LEVEL = 0.9
# Assumed ratio with fewer than five findings: 0.25, 90 % interval 0 to 1 (docs/methods/pooling.md).
ASSUMED = (0.25, 0.0, 1.0)
# Default take-up without experiments: a nudge moves every tenth user who would not reach the moment without it.
USUAL_TAKE_UP = 0.1
# With these verdicts the ratio of both effects doesn't describe the behaviour.
NOT_THE_BEHAVIOUR = frozenset({"INVALID", "NUDGE_FAILED", "NUDGE_NOT_BEHAVIOUR"})


@dataclass(frozen=True)
class Price:
    """Ratio of experimental effect to correlational estimate that the next experiment is expected to show.

    Attributes:
        ratio: predicted ratio, with the prediction interval for the next experiment.
        experiments: how many experiments with a measured promise it is based on.
        assumed: True when these are too few, and the ratio is `ASSUMED`.
    """

    ratio: Interval
    experiments: int
    assumed: bool


@dataclass(frozen=True)
class ExpectedGain:
    """Expected gain of an experiment with a candidate, as a change of all users' retention.

    Attributes:
        estimate, low, high: 0.01 is one point more of all users; an interval at `level`.
        promise: headline of the candidate's ladder.
        ratio: expected ratio of effect to promise; `assumed` and `experiments` as in `Price`.
        headroom: share of users who don't reach it without a nudge.
        take_up: share of *these* whom a nudge is expected to move; `measured`: from past nudges to the same behaviour.
    """

    estimate: float
    low: float
    high: float
    level: float
    promise: float
    ratio: Interval
    assumed: bool
    experiments: int
    headroom: float
    take_up: float
    measured: bool


def price_of(findings: Sequence[PastFinding]) -> Price:
    """Random-effects prediction of the ratio of effect to promise, over all findings whose promise was measured.

    One ratio per experiment, that of its first arm, whether it succeeded or failed. Left out: outcomes that aren't
    shares, promises of 0 or below, nudges of whole clusters, verdicts with which the ratio doesn't describe the
    behaviour, and nudges too weak for a ratio. Ratios, not their logs: an effect of 0 or below has no log. Each error
    is computed at the pooled ratio, not at the own one.

    Source: docs/methods/pooling.md, "Price of a promise"; `stats.synthesis` (REML, t with k - 1 degrees of freedom).
    """
    pairs: dict[str, tuple[float, float, float, float]] = {}
    for row in sorted(findings, key=lambda finding: finding.place):
        pair = _pair(row)
        if pair is not None:
            pairs.setdefault(key_of(row), pair)
    if len(pairs) >= FEWEST:
        ratios = ratios_at_pool(*np.array(list(pairs.values())).T)
        together = random_effects(ratios.values.tolist(), ratios.errors.tolist(), alpha=1 - LEVEL)
        if computable(together):
            return Price(together.prediction, len(pairs), assumed=False)
    return Price(Interval(*ASSUMED, LEVEL, "assumed"), len(pairs), assumed=True)


def _pair(row: PastFinding) -> tuple[float, float, float, float] | None:
    """Effect with its error and promise with its error; None where there is no ratio."""
    # For a single experiment, and for ratios that differ between experiments, the corrected effect is better
    # (docs/methods/pooling.md, "Deflation").
    moments, promised = row.corrected or row.moments, row.promised
    sound = row.kind == "proportion" and row.verdict not in NOT_THE_BEHAVIOUR and not row.whole_clusters
    if not sound or promised is None or promised <= 0:
        return None
    effect = wald(moments)
    if moments.first_stage**2 < LEAST_F * moments.v_d or not computable(effect):
        return None
    if effect.standard_error <= 0:
        return None
    return effect.estimate, effect.standard_error, promised, row.promised_error or 0.0


def expected_take_up(used: Sequence[PastFinding]) -> tuple[float, bool]:
    """Share of users not reaching it without a nudge whom past nudges moved, and whether it was measured.

    Weighted by the inverse variance of their first stages.
    """
    known = [(row.moments, 1 - row.reach) for row in used if row.reach is not None and row.reach < 1]
    known = [(moments, rest) for moments, rest in known if moments.v_d > 0]
    if not known:
        return USUAL_TAKE_UP, False
    weights = np.array([rest**2 / moments.v_d for moments, rest in known])
    shares = np.array([moments.first_stage / rest for moments, rest in known])
    return float(np.clip(weights @ shares / weights.sum(), 0.0, 1.0)), True


def expected_gain(
    promise: Difference | NotComputable, price: Price, *, headroom: float, used: Sequence[PastFinding] = ()
) -> ExpectedGain | NotComputable:
    """Promise times the expected ratio of effect to promise, times the share of users whom a nudge is expected to move.

    Headroom counts once: the take-up is a share of the users who don't reach it without a nudge. The interval combines
    those of the promise and of the predicted ratio, and treats headroom and take-up as known.

    Args:
        promise: headline of the candidate's ladder.
        price: the expected ratio of effect to promise.
        headroom: share of users who don't reach it yet, 0 to 1.
        used: past findings on the same definition, for the take-up.

    Source: docs/methods/pooling.md; limits by Zou and Donner 2008 (variances recovered from limits), to first order.
    """
    if not computable(promise):
        return promise
    take_up, measured = expected_take_up(used)
    moved, ratio = headroom * take_up, price.ratio
    wide = _wide(promise, price.ratio.level)
    centre = promise.estimate * ratio.estimate
    of_promise = sorted((ratio.estimate * wide[0], ratio.estimate * wide[1]))
    of_ratio = sorted((promise.estimate * ratio.low, promise.estimate * ratio.high))
    below = sqrt((centre - of_promise[0]) ** 2 + (centre - of_ratio[0]) ** 2)
    above = sqrt((of_promise[1] - centre) ** 2 + (of_ratio[1] - centre) ** 2)
    return ExpectedGain(
        estimate=moved * centre,
        low=moved * (centre - below),
        high=moved * (centre + above),
        level=ratio.level,
        promise=promise.estimate,
        ratio=ratio,
        assumed=price.assumed,
        experiments=price.experiments,
        headroom=headroom,
        take_up=take_up,
        measured=measured,
    )


def _wide(promise: Difference, level: float) -> tuple[float, float]:
    """Limits of the promise, converted to another confidence level."""
    scale = float(stats.norm.isf((1 - level) / 2) / stats.norm.isf((1 - promise.level) / 2))
    below, above = promise.estimate - promise.low, promise.high - promise.estimate
    return promise.estimate - scale * below, promise.estimate + scale * above


# Value of moving more users across the threshold.


@dataclass(frozen=True)
class Gain:
    """Change of the whole population's retention; 0.01 = one point more of all users stay.

    Attributes:
        estimate, low, high: share moved times the difference, and its limits.
        level: confidence level.
    """

    estimate: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Promise:
    """Value of moving users across the threshold, by raw difference, adjusted difference and experiment.

    Attributes:
        moved: share of all users moved across the threshold, 0 to headroom.
        headroom: share of users who don't reach the threshold yet, 0 to 1: the most that can be moved.
        naive: takes the raw difference as the effect, which it never is.
        adjusted: assumes no unmeasured confounding.
        causal: from the experiment's effect on those whom the nudge moved; the only one worded as a cause.
        confounding: causal effect over raw difference; 1 = the correlation was right, 0 = it was all confounding.
    """

    moved: float
    headroom: float
    naive: Gain | NotComputable
    adjusted: Gain | NotComputable
    causal: Gain | NotComputable
    confounding: float | NotComputable


def promise(
    moved: float,
    *,
    reach: float,
    raw: Difference | NotComputable,
    adjusted: Difference | NotComputable,
    causal: Difference | NotComputable | None = None,
) -> Promise:
    """Value of moving a share of users across the threshold, by three estimates of the effect.

    Args:
        moved: share of *all* users, 0 to headroom.
        reach: share of users who reach the threshold already, 0 to 1.
        raw: first rung of the ladder.
        adjusted: last rung of the ladder.
        causal: the experiment's effect of the behaviour, None before there is one.

    Raises:
        Refused: if more users are to be moved than there are to move.
        ValueError: if reach isn't a share.

    Source: docs/methods/evidence.md, "Promise".
    """
    headroom = _headroom(reach)
    _check_moved(moved, headroom)
    effect = NotComputable(Reason.NO_EXPERIMENT_YET) if causal is None else causal
    return Promise(
        moved, headroom, _gain(moved, raw), _gain(moved, adjusted), _gain(moved, effect), _confounding(raw, effect)
    )


def _headroom(reach: float) -> float:
    if not 0 <= reach <= 1:
        raise ValueError(f"reach is a share between 0 and 1, not {reach}")
    return 1 - reach


def _check_moved(moved: float, headroom: float) -> None:
    if not 0 <= moved <= headroom:
        raise Refused(
            "Between 0% and {most:.1%} of users can be brought over the threshold, not {given:.1%}.",
            most=headroom,
            given=moved,
        )


def _gain(moved: float, difference: Difference | NotComputable) -> Gain | NotComputable:
    if not computable(difference):
        return difference
    return Gain(moved * difference.estimate, moved * difference.low, moved * difference.high, difference.level)


def _confounding(raw: Difference | NotComputable, causal: Difference | NotComputable) -> float | NotComputable:
    if not computable(causal):
        return causal
    if not computable(raw):
        return raw
    if not raw.excludes_zero:
        return NotComputable(Reason.RAW_COVERS_ZERO)
    return causal.estimate / raw.estimate


# What a study reads of past experiments: findings and the ratio of effect to promise, as of the time when it runs.


@dataclass(frozen=True)
class PastKnowledge:
    """All findings, and the ratio of effect to promise estimated from them."""

    findings: tuple[PastFinding, ...]
    price: Price

    def of(
        self, definition: Definition, promise: Difference | NotComputable, headroom: float
    ) -> tuple[ExpectedGain | NotComputable, Summary]:
        """Expected gain of a candidate, and the pooled result of past experiments on its definition."""
        past = pool_findings(self.findings, definition)
        return expected_gain(promise, self.price, headroom=headroom, used=past.used), summary(past)


def knowledge(findings: tuple[PastFinding, ...]) -> PastKnowledge:
    """Estimate the ratio of effect to promise from the findings."""
    return PastKnowledge(findings, price_of(findings))


NOTHING_KNOWN = knowledge(())
