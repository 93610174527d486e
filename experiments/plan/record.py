"""The plan of an experiment: the record from which everything else about a plan is derived. Pure.

`stored` reads it from the row; `derived` makes from it what sizes, queries, judges, serves or shows a plan. Shares are
integers of 0.01 % ("steps"), so that they add up exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

WHOLE = 10_000  # steps of 0.01 %
DAYS_BEFORE = "active_days_before"  # name of the covariate that `Plan.active_days_before` requests


@dataclass(frozen=True)
class PlannedVariant:
    """One arm: key, value and weight in steps of 0.01 %. The first of a plan is the control.

    Attributes:
        role: `nudge`, `placebo` (as loud, towards something inert) or `dose` (nudges to another number of times).
        dose: that number.
        name: display name; empty for the key.
    """

    key: str
    value: Any
    weight: int
    role: str = "nudge"
    dose: int | None = None
    name: str = ""


@dataclass(frozen=True)
class PlannedRow:
    """One row of the audience.

    Attributes:
        segment: key of the segment; None for everyone.
        coverage: share of it that is enrolled, in steps.
        weights: of the arms, in steps; None for the variants' own.
        rule: the segment's rule, copied at the start; None for published membership.
    """

    segment: str | None
    coverage: int
    weights: tuple[int, ...] | None = None
    rule: Any = None


@dataclass(frozen=True)
class Slice:
    """Range of draws under its own seed that may take part, in steps: a layer's slice, or all but a holdout."""

    seed: str
    low: int
    high: int


@dataclass(frozen=True)
class Claim:
    """The AHA moment under test, with what its study promised.

    Attributes:
        key: of the moment.
        name: display name.
        behaviour: behaviour text.
        times: Z.
        days: Y, so that the behaviour counts on days 0 to Y-1.
        retention: definition by which the study labelled users.
        promised: retention of those who did it minus that of those who didn't, as observed; None without a study.
        promised_low: lower limit of its interval.
        promised_high: upper limit.
    """

    key: str
    name: str
    behaviour: str
    times: int
    days: int
    retention: str
    promised: float | None = None
    promised_low: float | None = None
    promised_high: float | None = None


@dataclass(frozen=True)
class GuardrailRule:
    """Requirement on a guardrail before a variant is shipped (docs/methods/decision.md, "The decision table").

    Attributes:
        direction: which way is better, `higher` or `lower`.
        margin: a loss of this size or more is harm; absolute, above 0, in the guardrail's own unit (0.01 = one point).
    """

    direction: str
    margin: float


@dataclass(frozen=True)
class Plan:
    """All decisions about an experiment. `alpha`, `power`, `expected_take_up` 0 to 1.

    Attributes:
        key: of the experiment; `flag` is the flag key that callers request.
        claim: the AHA moment under test; None without one.
        value_type: type of the flag's values; `default` is the value for units outside the experiment.
        primary: outcomes that the verdict may rest on, metric texts; then `secondary` and `guardrails`.
        guardrail_rules: by guardrail; one without a rule is watched, but can't be shown to be unharmed.
        otherwise: the decision where neither success with all guardrails unharmed nor harm is proved: `ship`, `dont` or
            `ask`.
        alpha: two-sided error rate over all outcomes, arms and looks.
        smallest_effect: smallest effect of interest, absolute; of the behaviour among compliers, where a moment is
            named.
        planned_effect: effect to size for, in the same unit; None for the smallest effect. The verdict doesn't use it.
        expected_take_up: expected share of units that the nudge moves.
        method: `fixed`, `group_sequential`, `always_valid`.
        looks: planned looks as ascending shares of the planned units, the last one 1; empty for five equal ones.
        spending: how planned looks spend alpha: `obrien_fleming` or `pocock`.
        planned_units: of all arms.
        covariates: properties of the signup event.
        adjustment: which comparison decides: `unadjusted`, `lin` (adjusted for the covariates) or `lin_predicted`
            (adjusted for the first outcome as earlier users' covariates predict it). Column and API call it `primary`.
        active_days_before: above 0, active days within so many days before the exposure are a covariate, too.
        clock: which moment is day 0, `exposure` or `signup`; `day_mode` is `rolling` or `calendar`.
        churn_gap: days without an event that count as churn.
        enrolment: `all` or `new_units`, those who signed up after the start.
        audience: in order; the first row that matches decides; none means everyone.
        layer: the slice of its layer; None without one.
        holdout: all draws outside its holdout; None without one.
        remote_only: True when the configuration must not leave the server.
        sources: numbers of the sources whose client keys report exposures.
        seed: of the draw, with `hash_version`.
        cluster: attribute with the id of a unit's cluster, which is drawn instead of the unit; empty for units.
        saturations: that a cluster may draw: the share of its units that is nudged and the share of clusters with it,
            both in steps. Empty where a cluster has one arm.
    """

    key: str
    flag: str
    hypothesis: str
    variants: tuple[PlannedVariant, ...]
    value_type: str
    default: Any
    primary: tuple[str, ...]
    planned_units: int | None
    planned_end: date | None
    smallest_effect: float | None
    name: str = ""
    nudge: str = ""
    claim: Claim | None = None
    secondary: tuple[str, ...] = ()
    guardrails: tuple[str, ...] = ()
    guardrail_rules: Mapping[str, GuardrailRule] = field(default_factory=dict)
    otherwise: str = "ask"
    alpha: float = 0.05
    power: float = 0.8
    planned_effect: float | None = None
    expected_take_up: float | None = None
    method: str = "fixed"
    looks: tuple[float, ...] = ()
    spending: str = "obrien_fleming"
    covariates: tuple[str, ...] = ()
    signup_event: str = "signup"
    clock: str = "exposure"
    day_mode: str = "rolling"
    churn_gap: int = 7
    enrolment: str = "all"
    audience: tuple[PlannedRow, ...] = ()
    layer: Slice | None = None
    holdout: Slice | None = None
    remote_only: bool = False
    sources: tuple[int, ...] = ()
    seed: str = ""
    hash_version: int = 2
    adjustment: str = "unadjusted"
    active_days_before: int = 0
    cluster: str = ""
    saturations: tuple[tuple[int, int], ...] = ()

    @property
    def outcomes(self) -> tuple[str, ...]:
        """All outcomes in order, each once."""
        return tuple(dict.fromkeys((*self.primary, *self.secondary, *self.guardrails)))

    @property
    def weights(self) -> tuple[int, ...]:
        """Weights of the variants, in steps."""
        return tuple(variant.weight for variant in self.variants)

    @property
    def placebo(self) -> int | None:
        """Index of the placebo arm; None without one. Control never counts, whatever its role."""
        places = (at for at, variant in enumerate(self.variants) if at > 0 and variant.role == "placebo")
        return next(places, None)


class Lock(StrEnum):
    """Until when a column of the plan may change."""

    FROZEN = "frozen"  # until the start: a unit's arm, or the arm's meaning, depends on it
    JUDGING = "judging"  # by amendments, until a person has read the outcome that it judges
    OPEN = "open"  # by amendments


# Every column of `models.Experiment` that belongs to the plan; variants and audience have their own locks. The
# take-up is here because it sets the test whether a placebo leaves the behaviour alone.
LOCKS = {
    "key": Lock.FROZEN,
    "flag_key": Lock.FROZEN,
    "value_type": Lock.FROZEN,
    "default_value": Lock.FROZEN,
    "seed": Lock.FROZEN,
    "hash_version": Lock.FROZEN,
    "enrolment": Lock.FROZEN,
    "layer_id": Lock.FROZEN,
    "layer_low": Lock.FROZEN,
    "layer_high": Lock.FROZEN,
    "holdout_id": Lock.FROZEN,
    "moment_id": Lock.FROZEN,
    "cluster": Lock.FROZEN,
    "saturations": Lock.FROZEN,
    "name": Lock.OPEN,
    "hypothesis": Lock.OPEN,
    "nudge": Lock.OPEN,
    "primary_metrics": Lock.JUDGING,
    "secondary_metrics": Lock.OPEN,
    "guardrail_metrics": Lock.OPEN,
    "guardrail_rules": Lock.JUDGING,
    "otherwise": Lock.JUDGING,
    "alpha": Lock.JUDGING,
    "power": Lock.OPEN,
    "smallest_effect": Lock.JUDGING,
    "planned_effect": Lock.OPEN,
    "method": Lock.JUDGING,
    "expected_take_up": Lock.JUDGING,
    "planned_units": Lock.JUDGING,
    "planned_end": Lock.JUDGING,
    "remote_only": Lock.OPEN,
    "looks": Lock.JUDGING,
    "spending": Lock.JUDGING,
    "covariates": Lock.JUDGING,
    "primary": Lock.JUDGING,
    "active_days_before": Lock.JUDGING,
    "signup_event": Lock.JUDGING,
    "clock": Lock.JUDGING,
    "day_mode": Lock.JUDGING,
    "churn_gap": Lock.JUDGING,
    "sources": Lock.OPEN,
}
FROZEN = tuple(name for name, lock in LOCKS.items() if lock is Lock.FROZEN)
# The rest of the plan may be amended; each amendment is logged and shown on the report.
AMENDABLE = tuple(name for name, lock in LOCKS.items() if lock is not Lock.FROZEN)
JUDGING = tuple(name for name, lock in LOCKS.items() if lock is Lock.JUDGING)
# Texts and notes: changing them changes no number.
WORDS = frozenset({"name", "hypothesis", "nudge", "remote_only"})
# A copy of a plan gets its own key, draw and dates.
COPIED = tuple(name for name in LOCKS if name not in ("key", "seed", "hash_version", "planned_end"))
