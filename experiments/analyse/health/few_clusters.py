"""Were groups assigned in a file, and are there enough of them? Source: METHODS 4.12. Pure."""

from collections.abc import Iterator

import numpy as np

from experiments.analyse.health.file_context import FileContext
from experiments.analyse.health.findings import Detail, Finding, Severity
from stats.clusters import count_by_arm

# Of effective clusters: below, few clusters decide the outcome.
FEW_CLUSTERS = 20
# Effective clusters below this share of the clusters: sizes differ enough to say so.
UNEQUAL_CLUSTERS = 0.8


def check_unit_of_assignment(context: FileContext) -> Iterator[Finding]:
    """Rows of a group that always share a variant were assigned together; their errors aren't independent."""
    hint = context.units.group_hint
    if hint is not None and context.design.cluster is None:
        details: dict[str, Detail] = {"column": hint.column, "groups": hint.groups, "rows": hint.rows}
        yield Finding("unit_of_assignment", Severity.WARNING, details)


def check_clusters(context: FileContext) -> Iterator[Finding]:
    """Few effective clusters let one of them decide; clusters in several variants weren't assigned as a whole."""
    units, cluster = context.units, context.units.cluster
    if cluster is None:
        return
    counts = count_by_arm(cluster, units.arm, units.labels)
    label, fewest = min(counts.items(), key=lambda row: row[1].effective)
    details: dict[str, Detail] = {"variant": label, "n": fewest.clusters, "effective": round(fewest.effective, 1)}
    if fewest.effective < FEW_CLUSTERS:
        yield Finding("few_clusters", Severity.WARNING, {**details, "needed": FEW_CLUSTERS})
    elif fewest.effective < UNEQUAL_CLUSTERS * fewest.clusters:
        yield Finding("unequal_clusters", Severity.INFO, details)
    pairs = np.unique(np.column_stack([cluster, units.arm]), axis=0)
    mixed = int((np.bincount(pairs[:, 0]) > 1).sum())
    if mixed:
        yield Finding("mixed_clusters", Severity.WARNING, {"n": mixed, "clusters": len(np.unique(pairs[:, 0]))})
