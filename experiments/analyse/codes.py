"""Codes of verdicts and of health checks: colour, sign, heading, severity. Without SciPy, so that pages import it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from reporting.words import gettext

# Findings of health checks: code, severity and figures. Without SciPy, so that pages and the admin can import it.
#
# `experiments.report.health` has a sentence for each code.

type Detail = str | int | float

# Stored payloads hold these codes: a code that no check reports any more stays here and keeps its sentence.
type FindingCode = Literal[
    # split of units between arms
    "sample_ratio",
    "sample_ratio_watch",
    "sample_ratio_small",
    "sample_ratio_mature",
    "sample_ratio_by_segment",
    "sample_ratio_over_time",
    "unplanned_units",
    "several_variants",  # for files; for stored experiments up to 0.4
    "identity_conflicts",  # of version 0.4
    "met_several",
    "joined_several",
    "first_variants",
    "unknown_variant",
    "bucket_mismatch",
    # senders of exposures
    "not_admitted_source",
    "not_admitted_arm",
    "not_admitted_cluster",
    "not_admitted_unknown",
    "not_admitted_address",
    "unverified",
    "unverified_silent",
    "unverified_apart",
    "unverified_apart_silent",
    # units and events present or missing
    "empty_variant",
    "tiny_variant",
    "missing_variant",
    "missing_unit",
    "missing_cluster",
    "unexposed",
    "unexposed_differs",
    "silent",
    "silent_differs",
    "no_signup",
    "no_cluster",
    "inflow_stopped",
    "late_events",
    # values, clusters, balance
    "missing_values",
    "missing_differs",
    "no_variation",
    "outlier",
    "rows",
    "rows_by_group",
    "rows_differ",
    "unit_of_assignment",
    "few_clusters",
    "unequal_clusters",
    "mixed_clusters",
    "imbalance",
    "imbalance_in",
    "balance_unknown",
    # the nudge
    "behaviour_is_variant",
    "take_up_below_plan",
    "no_first_stage",  # of version 0.3
    "first_stage_signs",
    "placebo_serves",
    "placebo_moves_too",
    "placebo_unfit",  # of version 0.4, like the next three
    "placebo_unknown",
    "placebo_waits",
    "placebo_crossed",
    "placebo_moves_behaviour",  # of version 0.3
    # the plan, and notes on this reading
    "plan_changed",
    "amended",
    "window_overlap",
    "split_differs",
    "planned_size_reached",
    "peeked",
    "peeked_before",
    "crossed_earlier",
    "guardrail",
    "segments_differ",
    # a check that raised an exception
    "check_failed",
]


class Severity(StrEnum):
    """How serious a finding is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: code of what was found.
        severity: how serious it is.
        details: figures and names for the sentence.
        invalid: reason code when the finding makes the verdict INVALID, whatever the effect; else None.
    """

    check: FindingCode
    severity: Severity
    details: Mapping[str, Detail] = field(default_factory=dict)
    invalid: str | None = None


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings by severity, most severe first; otherwise in the order given."""
    return tuple(sorted(findings, key=lambda finding: ORDER[finding.severity]))


# The seven verdicts: code, colour, sign and heading. Without SciPy, so that every page can import it.


class Code(StrEnum):
    """The seven verdicts."""

    CAUSES = "CAUSES"
    HARMS = "HARMS"
    NO_MATERIAL_EFFECT = "NO_MATERIAL_EFFECT"
    NUDGE_FAILED = "NUDGE_FAILED"
    NUDGE_NOT_BEHAVIOUR = "NUDGE_NOT_BEHAVIOUR"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"


# Style sheets give the colours their meaning; the sign conveys it without colour.
LIGHTS = {
    Code.CAUSES: "good",
    Code.HARMS: "bad",
    Code.INVALID: "bad",
    Code.NO_MATERIAL_EFFECT: "warn",
    Code.NUDGE_FAILED: "warn",
    Code.NUDGE_NOT_BEHAVIOUR: "warn",
    Code.INCONCLUSIVE: "warn",
}
SIGNS = {
    Code.CAUSES: "▲",
    Code.HARMS: "▼",
    Code.INVALID: "✕",
    Code.NO_MATERIAL_EFFECT: "＝",
    Code.NUDGE_FAILED: "○",
    Code.NUDGE_NOT_BEHAVIOUR: "○",
    Code.INCONCLUSIVE: "?",
}


def code_words(code: Code, *, whole_clusters: bool = False) -> str:
    """The verdict's code as a short heading.

    Args:
        code: of the verdict.
        whole_clusters: clusters were moved as wholes, so that the verdict is about no member's own behaviour.
    """
    if whole_clusters and code is Code.CAUSES:
        return gettext("Nudging whole clusters causes a gain")
    if whole_clusters and code is Code.HARMS:
        return gettext("Nudging whole clusters does harm")
    headings = {
        Code.CAUSES: gettext("The behaviour causes a gain"),
        Code.HARMS: gettext("The behaviour does harm"),
        Code.NO_MATERIAL_EFFECT: gettext("No effect that matters"),
        Code.NUDGE_FAILED: gettext("The nudge failed"),
        Code.NUDGE_NOT_BEHAVIOUR: gettext("Not only through the behaviour: nothing is known about it"),
        Code.INCONCLUSIVE: gettext("Undecided"),
        Code.INVALID: gettext("The data can't answer"),
    }
    return headings[code]


# With these verdicts the ratio of both effects isn't the behaviour's effect: pages strike it out.
NOT_THE_BEHAVIOUR = (Code.INVALID, Code.NUDGE_NOT_BEHAVIOUR, Code.NUDGE_FAILED)
