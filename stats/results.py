"""Result types of this package: frozen records, and reasons for missing numbers.

A number that can't be computed is a value with its reason, never 0, 1, NaN or a bare None.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from typing_extensions import TypeIs


class Reason(StrEnum):
    """Every reason for which a number may be missing. `reporting.words` has a sentence for each."""

    TOO_FEW_UNITS = "too_few_units"
    NO_VARIANCE = "no_variance"
    CONTROL_MEAN_NEAR_ZERO = "control_mean_near_zero"
    MEANS_NOT_POSITIVE = "means_not_positive"
    NO_FIRST_STAGE = "no_first_stage"
    COLLINEAR_COVARIATES = "collinear_covariates"
    TOO_FEW_CLUSTERS = "too_few_clusters"
    TOO_FEW_STRATA = "too_few_strata"
    SPARSE_TABLE = "sparse_table"
    NOT_A_PROPORTION = "not_a_proportion"
    NO_PLANNED_SHARE = "no_planned_share"
    NO_DATA = "no_data"
    NO_HALVES = "no_halves"
    NO_DENOMINATOR = "no_denominator"
    CLUSTERED = "clustered"
    WHOLE_CLUSTERS = "whole_clusters"
    CLUSTERS_PER_COVARIATE = "clusters_per_covariate"
    TOO_FEW_FOR_MODEL = "too_few_for_model"
    NO_SKILL = "no_skill"
    SMALL_GROUP = "small_group"
    TOO_FEW_VALUES = "too_few_values"
    TOO_FEW_FOR_DRIFT = "too_few_for_drift"
    NO_OVERLAP = "no_overlap"
    RAW_COVERS_ZERO = "raw_covers_zero"
    TOO_FEW_CONTROLS = "too_few_controls"
    CURVE_STILL_FALLS = "curve_still_falls"
    CURVE_TOO_NOISY = "curve_too_noisy"
    CURVE_TOO_SHORT = "curve_too_short"
    NO_EXPERIMENT_YET = "no_experiment_yet"
    TOO_FEW_ACTIVE_UNITS = "too_few_active_units"
    TOO_FEW_FEATURES = "too_few_features"
    STUDY_TOO_SMALL = "study_too_small"
    NO_CELL_TO_TEST = "no_cell_to_test"
    NO_BEHAVIOUR_TO_TEST = "no_behaviour_to_test"
    NO_CELL_TO_RECOMMEND = "no_cell_to_recommend"
    WINDOWS_OVERLAP = "windows_overlap"
    NO_DENSITY = "no_density"
    TOO_FEW_DIFFERENT_COUNTS = "too_few_different_counts"
    NO_LATER_COHORT = "no_later_cohort"
    NO_HOLD_OUT = "no_hold_out"
    NOBODY_JUDGES = "nobody_judges"
    NO_DETECTABLE_EFFECT = "no_detectable_effect"
    TOO_MANY_UNITS = "too_many_units"
    NO_DAILY_UNITS = "no_daily_units"
    NO_INFLOW = "no_inflow"
    NO_RECENT_USERS = "no_recent_users"
    NO_RECENT_VALUES = "no_recent_values"
    NO_MARGIN = "no_margin"
    NO_GUARDRAIL_RULE = "no_guardrail_rule"
    NO_TAKE_UP = "no_take_up"
    ARMS_ALIKE = "arms_alike"
    NO_INSTRUMENT = "no_instrument"
    NO_OUTCOME_BY_THEN = "no_outcome_by_then"
    TOO_LATE = "too_late"
    NO_EVENTS = "no_events"
    AT_THE_EDGE = "at_the_edge"
    BEYOND_FOLLOW_UP = "beyond_follow_up"
    TOO_FEW_WEEKS = "too_few_weeks"
    TOO_FEW_EXPERIMENTS = "too_few_experiments"
    TOO_FEW_FINDINGS = "too_few_findings"
    TOO_FEW_TO_POOL = "too_few_to_pool"
    NUDGES_DISAGREE = "nudges_disagree"
    MODEL_CONTRADICTED = "model_contradicted"
    WEAK_FIRST_STAGE = "weak_first_stage"
    NUDGE_NOT_PROVED = "nudge_not_proved"
    EARLIER_VERSION = "earlier_version"
    NOT_TOLD_APART = "not_told_apart"
    AS_MANY_NUDGES_AS_BEHAVIOURS = "as_many_nudges_as_behaviours"
    SPLIT_DIFFERS = "split_differs"
    NOT_AT_A_LOOK = "not_at_a_look"
    ONE_LOOK_ONLY = "one_look_only"
    NO_COMPARABLE_COMPLIERS = "no_comparable_compliers"
    NOBODY_UNMOVED = "nobody_unmoved"
    NO_TRAITS = "no_traits"
    TOO_FEW_FOR_RULE = "too_few_for_rule"
    NO_NUMBER_PER_UNIT = "no_number_per_unit"
    TOO_FEW_DAYS_BEFORE = "too_few_days_before"
    LOG_TOO_SHORT = "log_too_short"


@dataclass(frozen=True)
class NotComputable:
    """A number that can't be computed, and why.

    Attributes:
        reason: the code of the reason.
        details: names and values that the sentence mentions, for example ``{"n": 1, "needed": 2}``.
    """

    reason: Reason
    details: dict[str, str | int | float] = field(default_factory=dict)


def computable[T](value: T | NotComputable) -> TypeIs[T]:
    """True when the value is a result rather than a reason."""
    return not isinstance(value, NotComputable)


@dataclass(frozen=True)
class Estimate:
    """An effect with its error, interval and two-sided p-value.

    Attributes:
        estimate: the effect, variant minus control, in the outcome's own unit (0.01 = one point of a share).
        standard_error: its standard error, same unit. For score intervals this is the unpooled one.
        low: lower limit of the interval.
        high: upper limit of the interval.
        p_value: two-sided, 0 to 1, of the absolute difference.
        level: confidence level of the interval, for example 0.95.
        method: the method's name as its heading in docs/methods/ has it.
    """

    estimate: float
    standard_error: float
    low: float
    high: float
    p_value: float
    level: float
    method: str


@dataclass(frozen=True)
class Interval:
    """An estimate with an interval and no p-value of its own (a lift, a share, an odds ratio)."""

    estimate: float
    low: float
    high: float
    level: float
    method: str


def check_alpha(alpha: float) -> None:
    """Refuse an error rate outside (0, 1): the caller's mistake, not the data's.

    Raises:
        ValueError: if alpha is not strictly between 0 and 1 (NaN included).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
