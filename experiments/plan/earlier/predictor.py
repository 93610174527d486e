"""The stored model that predicts new users' outcome, with its R2; `prediction` fits it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from experiments.plan.record import Plan

if TYPE_CHECKING:
    from stats.summaries import Array

UNADJUSTED, LIN, PREDICTED = ADJUSTMENTS = ("unadjusted", "lin", "lin_predicted")
OTHER = "other"  # the warehouse's label for pooled rare levels


@dataclass(frozen=True)
class Explained:
    """R2 of a fit on the other earlier users, measured on the newest ones.

    Attributes:
        r_squared: squared correlation of prediction and outcome, 0 to 1; 0 where the correlation is negative.
        low, high: its 95 % interval, by Fisher's z.
        learned, judged: numbers of users for the fit and for its validation.
    """

    r_squared: float
    low: float
    high: float
    learned: int
    judged: int


@dataclass(frozen=True)
class Predictor:
    """A fitted model, as text and numbers.

    Attributes:
        outcome: metric text of what it predicts; `signup_event` carries the covariates.
        link: `logit` for a share, else `identity`.
        intercept: added to the weights of a user's levels.
        weights: by covariate, by level.
        explained: its R2.
        units: users it was fitted on, including those of the validation; `first`, `last` local dates between which they
            arrived.
    """

    outcome: str
    signup_event: str
    link: str
    intercept: float
    weights: Mapping[str, Mapping[str, float]]
    explained: Explained
    units: int
    first: date
    last: date

    def predicts(self, plan: Plan) -> bool:
        """True when it predicts this plan's first outcome from this plan's covariates."""
        asked = (plan.primary[:1], tuple(plan.covariates), plan.signup_event or "signup")
        return ((self.outcome,), tuple(self.weights), self.signup_event) == asked

    def score(self, names: Sequence[str], labels: Sequence[Sequence[str]]) -> "Array":
        """The predicted outcome of each row of levels; a level that is new counts as a rare one."""
        import numpy as np  # web workers avoid this import

        found = np.full(len(labels), self.intercept)
        for place, name in enumerate(names):
            weights = self.weights.get(name, {})
            rare = weights.get(OTHER, 0.0)
            found += [weights.get(row[place], rare) for row in labels]
        return np.asarray(1 / (1 + np.exp(-found)) if self.link == "logit" else found)
