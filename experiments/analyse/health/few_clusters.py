"""Checks for group assignment and for too few groups. Source: docs/methods/clusters.md, "Cluster robust". Pure."""

from collections.abc import Iterator

from experiments.analyse.findings import Detail, Finding, Severity
from experiments.analyse.health.context import Context
from experiments.analyse.health.file_context import FileContext
from experiments.analyse.protocol import FEW_CLUSTERS

# Effective clusters below this share of the clusters: sizes are unequal enough to be reported.
UNEQUAL_CLUSTERS = 0.8


def check_unit_of_assignment(context: FileContext) -> Iterator[Finding]:
    """Report rows of a group that always share a variant: assigned together, they aren't independent."""
    hint = context.units.group_hint
    if hint is not None and context.design.cluster is None:
        details: dict[str, Detail] = {"column": hint.column, "groups": hint.groups, "rows": hint.rows}
        yield Finding("unit_of_assignment", Severity.WARNING, details)


def check_clusters(context: Context) -> Iterator[Finding]:
    """Report too few effective clusters, and clusters in several variants, which weren't assigned as a whole."""
    if not context.clusters:
        return
    label, fewest = min(context.clusters.items(), key=lambda row: row[1].effective)
    details: dict[str, Detail] = {"variant": label, "n": fewest.clusters, "effective": round(fewest.effective, 1)}
    if fewest.effective < FEW_CLUSTERS:
        yield Finding("few_clusters", Severity.WARNING, {**details, "needed": FEW_CLUSTERS})
    elif fewest.effective < UNEQUAL_CLUSTERS * fewest.clusters:
        yield Finding("unequal_clusters", Severity.INFO, details)
    if context.mixed:
        yield Finding("mixed_clusters", Severity.WARNING, {"n": context.mixed, "clusters": context.all_clusters})
