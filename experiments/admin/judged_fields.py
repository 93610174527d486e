"""Fields of a plan that say how it is judged, in the order of the admin's page."""

JUDGED_FIELDS = [
    "primary_metrics",
    "secondary_metrics",
    "guardrail_metrics",
    "method",
    "alpha",
    "power",
    "smallest_effect",
    "planned_effect",
    "expected_take_up",
    "planned_units",
    "planned_end",
    "looks",
    "spending",
    "covariates",
    "primary",
    "active_days_before",
    "signup_event",
    "clock",
    "day_mode",
    "churn_gap",
]
