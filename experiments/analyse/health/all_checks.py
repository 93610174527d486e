"""The list of health checks, in order, with the kind of experiment that each needs. Pure.

A check reads a context and yields findings; its thresholds and their sources are at the top of its file. To add one:
its codes in `findings`, the check in the file of its subject, a line here, sentences in `report.health`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from experiments.analyse.findings import Finding, Severity, gravest_first
from experiments.analyse.health.balance import check_balance, check_balance_by_covariate
from experiments.analyse.health.context import Context
from experiments.analyse.health.few_clusters import check_clusters, check_unit_of_assignment
from experiments.analyse.health.file_context import FileContext
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
from experiments.analyse.health.guardrails import check_guardrails
from experiments.analyse.health.nudge import check_behaviour, check_first_stage, check_first_stage_signs, check_placebo
from experiments.analyse.health.plan_changes import check_plan, check_progress, check_windows
from experiments.analyse.health.sender_checks import check_not_admitted, check_unverified
from experiments.analyse.health.split import (
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
from experiments.analyse.health.stored_context import StoredContext
from experiments.analyse.health.values import check_missing_values, check_outliers, check_rows, check_variation


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
    found: list[Finding] = []
    for check in CHECKS:
        if not isinstance(context, check.needs):
            continue
        try:
            found.extend(check.run(context))
        except (ArithmeticError, ValueError, LookupError) as error:
            details = {"check": check.run.__name__, "error": type(error).__name__}
            found.append(Finding("check_failed", Severity.WARNING, details))
    return gravest_first(found)
