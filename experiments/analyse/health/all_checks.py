"""The list of health checks, in order, with the kind of experiment that each needs. Pure.

A check reads a context and yields findings; its thresholds and their sources are at the top of its file. To add one:
its codes in `findings`, the check in the file of its subject, a line here, sentences in `report.health`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scipy import stats

from experiments.analyse.codes import Detail, Finding, FindingCode, Severity, gravest_first
from experiments.analyse.gather.admission import (
    MANY_NEW_IDS,
    NO_CLUSTER,
    OTHER_SOURCE,
    UNKNOWN_BEFORE,
    WRONG_ARM,
    Unverified,
)
from experiments.analyse.health.context import Context, FileContext, StoredContext
from experiments.analyse.health.flow import (
    check_inflow,
    check_late,
    check_left_out,
    check_no_cluster,
    check_no_signup,
    check_silent,
    check_sizes,
    check_unexposed,
)
from experiments.analyse.health.nudge import (
    check_behaviour,
    check_clusters,
    check_first_stage,
    check_first_stage_signs,
    check_guardrails,
    check_placebo,
    check_plan,
    check_progress,
    check_unit_of_assignment,
    check_windows,
)
from experiments.analyse.health.sample_ratio import (
    check_assignments,
    check_first_variants,
    check_met_several,
    check_sample_ratio,
    check_sample_ratio_by_segment,
    check_sample_ratio_mature,
    check_sample_ratio_over_time,
    check_several_variants,
    check_unknown_variants,
    check_unplanned_units,
)
from experiments.analyse.health.values import (
    check_balance,
    check_balance_by_covariate,
    check_missing_values,
    check_outliers,
    check_rows,
    check_variation,
)
from experiments.analyse.result import AnalysisResult, Beside, Opened
from reporting.numbers import percent

# Checks of exposure senders: excluded exposures, and units that only a public client key reported. Pure.
#
# Source: docs/methods/integrity.md, "Admitted exposures"; docs/security.md.

# docs/methods/integrity.md, "Admitted exposures". Beside exposures of servers, more than this is a second route;
# without any, all exposures come from client keys by design.
UNVERIFIED_SHARE = 0.05
UNVERIFIED_SILENT = 0.001
DOUBTFUL = ("unverified", "unverified_silent")
NOT_ADMITTED: Mapping[str, FindingCode] = {
    OTHER_SOURCE: "not_admitted_source",
    WRONG_ARM: "not_admitted_arm",
    NO_CLUSTER: "not_admitted_cluster",
    UNKNOWN_BEFORE: "not_admitted_unknown",
    MANY_NEW_IDS: "not_admitted_address",
}


def check_not_admitted(context: StoredContext) -> Iterator[Finding]:
    """Report exposures that were excluded from every count and test, by sender."""
    for row in context.answers.not_admitted:
        details: dict[str, Detail] = {"sender": row.sender, "n": row.exposures, "units": row.units}
        yield Finding(NOT_ADMITTED[row.reason], Severity.WARNING, details)


def check_unverified(context: StoredContext) -> Iterator[Finding]:
    """Report many or unusually silent unverified units: invented users send no other events.

    Where servers named enough units these decide nothing, and where servers named hardly any, no comparison is
    possible.
    """
    counts, apart = context.answers.unverified, context.answers.apart
    if not counts.units or not counts.others or apart is False:
        return
    share = counts.units / (counts.units + counts.others)
    details: dict[str, Detail] = {"n": counts.units, "share": share, "silent": counts.silent}
    p_value = _more_silent(counts)
    if p_value < UNVERIFIED_SILENT:
        shares: dict[str, Detail] = {
            "silent": percent(counts.silent / counts.followed),
            "others_silent": percent(counts.others_silent / counts.others_followed),
        }
        code: FindingCode = "unverified_apart_silent" if apart else "unverified_silent"
        yield Finding(code, Severity.WARNING, {**details, **shares, "p_value": p_value})
    elif apart:
        many = share > UNVERIFIED_SHARE
        yield Finding("unverified_apart", Severity.WARNING if many else Severity.INFO, details)
    elif share > UNVERIFIED_SHARE:
        yield Finding("unverified", Severity.WARNING, details)


def is_doubtful(findings: Iterable[Finding]) -> bool:
    """True when the analysis should also be shown without the unverified units."""
    return any(finding.check in DOUBTFUL for finding in findings)


def with_all(deciding: AnalysisResult, whole: AnalysisResult) -> AnalysisResult:
    """The deciding analysis, with the result that includes the units that only a client key reported."""
    return replace(deciding, with_unverified=_beside(deciding, whole))


def without_some(whole: AnalysisResult, rest: AnalysisResult) -> AnalysisResult:
    """The analysis of all admitted units, with the result that excludes unverified units, as in 0.4."""
    return replace(whole, without_unverified=_beside(whole, rest))


def _beside(shown: AnalysisResult, other: AnalysisResult) -> Beside:
    rows = other.report.outcomes[0].comparisons if isinstance(other, Opened) else ()
    return Beside(
        left_out=abs(sum(shown.flow.exposed.values()) - sum(other.flow.exposed.values())),
        exposed=other.flow.exposed,
        sample_ratio=other.sample_ratio,
        verdict=other.verdict,
        differences=tuple((row.variant, row.difference) for row in rows),
        compared_with={row.variant: row.compared_with for row in rows if row.compared_with},
    )


def _more_silent(counts: Unverified) -> float:
    """One-sided p that more of the unverified units are silent (Fisher's exact test: hypergeometric upper tail)."""
    if not counts.followed or not counts.others_followed:
        return 1.0
    total, silent = counts.followed + counts.others_followed, counts.silent + counts.others_silent
    return float(stats.hypergeom.sf(counts.silent - 1, total, silent, counts.followed))


@dataclass(frozen=True)
class Check[C: Context]:
    """One check and the kind of experiment it needs; `Context` means files and stored experiments."""

    needs: type[C]
    run: Callable[[C], Iterator[Finding]]


CHECKS: tuple[Check[Any], ...] = (
    Check(StoredContext, check_progress),  # a peek is reported first unless the data are broken
    Check(FileContext, check_unplanned_units),
    Check(Context, check_sample_ratio),
    Check(StoredContext, check_sample_ratio_mature),
    Check(Context, check_sample_ratio_by_segment),
    Check(StoredContext, check_sample_ratio_over_time),
    Check(StoredContext, check_not_admitted),
    Check(StoredContext, check_unverified),
    Check(FileContext, check_several_variants),
    Check(StoredContext, check_met_several),
    Check(StoredContext, check_first_variants),
    Check(StoredContext, check_unknown_variants),
    Check(FileContext, check_left_out),
    Check(StoredContext, check_assignments),
    Check(StoredContext, check_windows),
    Check(StoredContext, check_plan),
    Check(Context, check_sizes),
    Check(StoredContext, check_silent),
    Check(StoredContext, check_unexposed),
    Check(StoredContext, check_no_signup),
    Check(StoredContext, check_no_cluster),
    Check(FileContext, check_missing_values),
    Check(FileContext, check_variation),
    Check(FileContext, check_outliers),
    Check(StoredContext, check_rows),
    Check(FileContext, check_unit_of_assignment),
    Check(Context, check_clusters),
    Check(FileContext, check_balance),
    Check(StoredContext, check_balance_by_covariate),
    Check(FileContext, check_behaviour),
    Check(StoredContext, check_first_stage),
    Check(Context, check_placebo),
    Check(StoredContext, check_first_stage_signs),
    Check(StoredContext, check_inflow),
    Check(StoredContext, check_late),
    Check(StoredContext, check_guardrails),
)


def examine(context: Context) -> tuple[Finding, ...]:
    """Run every check that fits the context; most severe findings first. A check that raises becomes a finding."""
    findings: list[Finding] = []
    for check in CHECKS:
        if not isinstance(context, check.needs):
            continue
        try:
            findings.extend(check.run(context))
        except (ArithmeticError, ValueError, LookupError) as error:
            details = {"check": check.run.__name__, "error": type(error).__name__}
            findings.append(Finding("check_failed", Severity.WARNING, details))
    return gravest_first(findings)
