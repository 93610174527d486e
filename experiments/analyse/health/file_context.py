"""Input of the checks of a file: its cleaned units. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiments.analyse.comparator import Comparator
from experiments.analyse.health.context import Context, split_of
from experiments.plan.design import Design, Units
from stats.clusters import count_by_arm, mixed_clusters, reach_across


@dataclass(frozen=True, kw_only=True)
class FileContext(Context):
    """A finished experiment in a file: it has no exposures, but every unit's values."""

    design: Design
    units: Units


def file_context(design: Design, units: Units, comparators: Mapping[str, Comparator] | None = None) -> FileContext:
    """Context of a file: assigned units by arm, in total and in each segment."""
    shares = planned_shares(design, units)
    everybody = np.ones(len(units.arm), dtype=bool)
    return FileContext(
        counts=units.counts,
        split=split_of(_assigned(units, everybody), shares),
        segments=tuple(
            split_of(_assigned(units, units.segment == code), shares, label)
            for code, label in enumerate(units.segment_labels)
            if units.segment is not None
        ),
        placebo=design.placebo,
        comparators=comparators or {},
        design=design,
        units=units,
        clusters=None if units.cluster is None else count_by_arm(units.cluster, units.arm, units.labels),
        mixed=0 if units.cluster is None else mixed_clusters(units.cluster, units.arm),
        all_clusters=0 if units.cluster is None else len(np.unique(units.cluster)),
    )


def planned_shares(design: Design, units: Units) -> dict[str, float]:
    """Planned share of each arm; equal where the design names none."""
    if design.shares is None:
        return dict.fromkeys(units.labels, 1 / len(units.labels))
    return dict(design.shares)


def _assigned(units: Units, kept: np.ndarray) -> dict[str, int]:
    """Assigned units per arm; groups when groups were assigned."""
    arm = units.arm[kept]
    if units.cluster is not None and not reach_across(units.cluster, units.arm):
        arm = np.unique(np.column_stack([units.cluster[kept], arm]), axis=0)[:, 1]
    sizes = np.bincount(arm, minlength=len(units.labels))
    return {label: int(n) for label, n in zip(units.labels, sizes, strict=True)}
