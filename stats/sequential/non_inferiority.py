"""Non-inferiority of a guardrail at one look: no harm, harm, or unknown (docs/methods/decision.md, "Non-inferiority").

Two questions with two error rates. "No harm" is a one-sided test of the whole margin, and every guardrail must pass it,
so it isn't adjusted for their number. "Harm" is a loss of any size, and one guardrail is enough, so its p-value is
multiplied by the number of guardrails and arms.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from stats.results import Estimate
from stats.sequential.looks import LARGEST_ALPHA, Look


class Safety(StrEnum):
    """What is known about a guardrail."""

    NO_HARM = "no_harm"
    HARM = "harm"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Judged:
    """One guardrail at one look.

    Attributes:
        safety: the conclusion.
        loss: upper one-sided limit of the loss, in the guardrail's unit, positive for a change to the worse: "no harm"
            when it lies below the margin.
        harm_p: two-sided p-value of the difference at this look, times the number of tests, at most 1.
    """

    safety: Safety
    loss: float
    harm_p: float


def one_sided(look: Look) -> Look:
    """The same plan with an error rate of alpha on one side: its two-sided twin at 2 alpha.

    Bounds don't scale: the plan is recomputed at the other rate (docs/methods/comparison.md).
    """
    return replace(look, alpha=min(2 * look.alpha, LARGEST_ALPHA))


def judge(
    found: Estimate, narrow: Estimate, *, higher_is_better: bool, margin: float | None, alpha: float, tests: int = 1
) -> Judged:
    """Non-inferiority of a guardrail at one look.

    Args:
        found: the difference, variant minus control, with this look's p-value.
        narrow: the same with the limits of `one_sided`.
        higher_is_better: which way is better.
        margin: a loss of this size or more is harm, above 0; None if none was registered; the guardrail can't be shown
            to be unharmed then.
        alpha: error rate of the plan.
        tests: guardrails times arms that could each raise a false alarm, at least 1.

    Returns:
        A proved loss is harm even if it is smaller than the margin: harm takes precedence.

    Source: Schultzberg, Ankargren, Franberg 2024, decision rule 2; for one look, Farrington, Manning 1990 (shares: the
    score interval holds the margins that the score test doesn't reject).
    """
    loss = -narrow.low if higher_is_better else narrow.high
    worse = found.estimate < 0 if higher_is_better else found.estimate > 0
    harm_p = min(1.0, found.p_value * tests)
    if worse and harm_p < alpha:
        return Judged(Safety.HARM, loss, harm_p)
    if margin is not None and loss < margin:
        return Judged(Safety.NO_HARM, loss, harm_p)
    return Judged(Safety.UNKNOWN, loss, harm_p)
