"""Which analysis rules have changed since a stored result was computed, and affect it. Pure.

A result keeps the rules that its plan was registered under. Its page lists what would be judged otherwise today.
"""

from collections.abc import Iterator
from enum import StrEnum

from experiments.analyse.result import Readout
from experiments.plan.design import Kind, kind_of

# Edition of the rules, incremented when one of them changes a number or a verdict. 1: up to version 0.4.
RULES = 2


class Changed(StrEnum):
    """A rule of edition 1 that edition 2 has replaced."""

    PLACEBO = "placebo"
    TIES = "ties"
    CLUSTERS = "clusters"
    ARMS = "arms"
    TWO_ARMS_MET = "two_arms_met"
    MIX = "mix"


def changed_rules(readout: Readout) -> tuple[Changed, ...]:
    """The rules that have changed since and could change this result; empty where none does."""
    if readout.rules >= RULES or readout.report is None:
        return ()
    return tuple(_touching(readout))


def _touching(readout: Readout) -> Iterator[Changed]:
    plan, flow = readout.plan, readout.flow
    report = readout.report
    if report is None:
        return
    rows = report.outcomes[0].comparisons
    moved = [row.encouragement for row in rows if row.encouragement is not None]
    if any(one.comparator_reason for one in moved):
        yield Changed.PLACEBO
    if any(kind_of(name) is Kind.QUANTILE for name in plan.primary):
        yield Changed.TIES
    if readout.whole_clusters and moved:
        yield Changed.CLUSTERS
    if len(report.design.may_lead(row.variant for row in rows)) > 1 and moved:
        yield Changed.ARMS
    if flow.several_variants or flow.identity_conflicts:
        yield Changed.TWO_ARMS_MET
    if any(row.stratified for row in rows) and any(kind_of(name) is Kind.RATIO for name in plan.primary):
        yield Changed.MIX
