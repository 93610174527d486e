"""How a published model's population has moved since it was made, as JSON for its page."""

from typing import Any

import numpy as np

from reporting.document import dump
from segments.drift import (
    ABSENT,
    TOO_LITTLE_DATA,
    UNLIKE_ANY,
    bin_counts,
    decile_edges,
    feature_drift,
    migration,
    stability_index,
)
from segments.features import UnitTable
from segments.models import Membership, SegmentVersion
from segments.placement import FittedModel, Placement

Place = Membership.Place
STATE_OF_PLACE: dict[str, int] = {Place.UNLIKE_ANY: UNLIKE_ANY, Place.TOO_LITTLE_DATA: TOO_LITTLE_DATA}


def baseline(fitted: FittedModel, table: UnitTable, placed: Placement) -> dict[str, Any]:
    """What later refreshes are compared with: deciles and counts of every feature, units per segment."""
    rows = np.flatnonzero(placed.labels >= 0)
    values = fitted.preparation.apply(table.take(rows)).values
    edges = [decile_edges(values[:, column]) for column in range(values.shape[1])]
    return {
        "names": list(fitted.preparation.names),
        "edges": [list(cut) for cut in edges],
        "counts": [bin_counts(values[:, column], cut).tolist() for column, cut in enumerate(edges)],
        "sizes": np.bincount(placed.labels[rows], minlength=len(fitted.centres)).tolist(),
    }


def measure_drift(version: SegmentVersion, fitted: FittedModel, table: UnitTable, placed: Placement) -> dict[str, Any]:
    """Stability indices of shares and features against the baseline, and where units went since the membership before.

    The membership before is that of the previous version, or else of this version's last refresh.
    """
    first = version.baseline or baseline(fitted, table, placed)
    rows = np.flatnonzero(placed.labels >= 0)
    values = fitted.preparation.apply(table.take(rows)).values
    sizes = np.bincount(placed.labels[rows], minlength=len(fitted.centres))
    features = feature_drift([np.array(row) for row in first["counts"]], values, first["edges"])
    found: dict[str, Any] = {
        "shares": dump(stability_index(np.array(first["sizes"]), sizes)),
        "features": {name: dump(row) for name, row in zip(first["names"], features, strict=True)},
        "unlike_share": float(placed.unlike.sum() / max(len(rows), 1)),
        "migration": None,
    }
    earlier: SegmentVersion | None = version.model.versions.filter(number__lt=version.number).first()
    source = earlier or version
    before = _states(source)
    if len(before):
        found["migration"] = {
            **_migration(before, table, placed),
            "from_version": source.number,
            "names": {segment.number: str(segment) for segment in source.segments.all()},
        }
    return found


def _states(version: SegmentVersion) -> dict[str, int]:
    rows = version.members.values_list("unit", "segment__number", "place")
    return {
        unit: number if place == Place.MEMBER else STATE_OF_PLACE.get(place, ABSENT) for unit, number, place in rows
    }


def _migration(before: dict[str, int], table: UnitTable, placed: Placement) -> dict[str, Any]:
    after = {
        str(unit): UNLIKE_ANY if far else (int(label) if label >= 0 else TOO_LITTLE_DATA)
        for unit, label, far in zip(table.unit_ids, placed.labels, placed.unlike, strict=True)
    }
    units = sorted(before.keys() | after.keys())
    old = np.array([before.get(unit, ABSENT) for unit in units], dtype=np.int64)
    new = np.array([after.get(unit, ABSENT) for unit in units], dtype=np.int64)
    return dump(migration(old, new))
