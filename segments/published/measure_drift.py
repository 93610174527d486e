"""How a published model's population has moved since it was made, for its page."""

import numpy as np

from runs.payloads import Unreadable
from runs.refusals import Refused
from segments.models import Membership, SegmentVersion
from segments.published.drift import (
    ABSENT,
    TOO_LITTLE_DATA,
    UNLIKE_ANY,
    bin_counts,
    decile_edges,
    feature_drift,
    migration,
    stability_index,
)
from segments.published.payload_versions import BASELINE
from segments.published.run_results import Baseline, DriftResult, Moves
from segments.search.features import Floats, Ints, UnitTable
from segments.search.placement import FittedModel, Placement

Place = Membership.Place
STATE_OF_PLACE: dict[str, int] = {Place.UNLIKE_ANY: UNLIKE_ANY, Place.TOO_LITTLE_DATA: TOO_LITTLE_DATA}


def placed_features(fitted: FittedModel, table: UnitTable, placed: Placement) -> Floats:
    """Scaled features of the units that have a segment, rows x features, each column in one piece of memory."""
    values = np.empty((len(table), len(fitted.preparation.names)), order="F")
    done = 0
    for rows, part in table.blocks():
        mine = placed.labels[rows] >= 0
        found = fitted.preparation.apply(part.take(mine)).values
        values[done : done + len(found)] = found
        done += len(found)
    return values[:done]


def baseline(fitted: FittedModel, values: Floats, placed: Placement) -> Baseline:
    """What later refreshes are compared with: deciles and counts of every feature, units per segment.

    Args:
        fitted: the version's model.
        values: `placed_features`.
        placed: where the units belong.
    """
    edges = [decile_edges(values[:, column]) for column in range(values.shape[1])]
    return Baseline(
        names=tuple(fitted.preparation.names),
        edges=tuple(tuple(map(float, cut)) for cut in edges),
        counts=tuple(tuple(bin_counts(values[:, column], cut).tolist()) for column, cut in enumerate(edges)),
        sizes=tuple(_sizes(fitted, placed).tolist()),
    )


def _sizes(fitted: FittedModel, placed: Placement) -> Ints:
    return np.bincount(placed.labels[placed.labels >= 0], minlength=len(fitted.centres))


def measure_drift(
    version: SegmentVersion, fitted: FittedModel, table: UnitTable, placed: Placement, values: Floats
) -> DriftResult:
    """Stability indices of shares and features against the baseline, and where units went since the membership before.

    The membership before is that of the previous version, or else of this version's last refresh.

    Raises:
        Refused: the stored baseline can't be read.
    """
    first = BASELINE.read(version.baseline) if version.baseline else baseline(fitted, values, placed)
    if isinstance(first, Unreadable):
        raise Refused(first.sentence())
    features = feature_drift([np.array(row) for row in first.counts], values, first.edges)
    earlier = version.model.versions.light().filter(number__lt=version.number, refreshed_at__isnull=False).first()
    source = earlier or version
    before = _states(source)
    return DriftResult(
        shares=stability_index(np.array(first.sizes), _sizes(fitted, placed)),
        features=dict(zip(first.names, features, strict=True)),
        unlike_share=float(placed.unlike.sum() / max(len(values), 1)),
        migration=_moves(before, source, table, placed) if before else None,
    )


def _states(version: SegmentVersion) -> dict[str, int]:
    rows = version.members.values_list("unit", "segment__number", "place")
    return {
        unit: number if place == Place.MEMBER else STATE_OF_PLACE.get(place, ABSENT) for unit, number, place in rows
    }


def _moves(before: dict[str, int], source: SegmentVersion, table: UnitTable, placed: Placement) -> Moves:
    after = {
        str(unit): UNLIKE_ANY if far else (int(label) if label >= 0 else TOO_LITTLE_DATA)
        for unit, label, far in zip(table.unit_ids, placed.labels, placed.unlike, strict=True)
    }
    units = sorted(before.keys() | after.keys())
    old = np.array([before.get(unit, ABSENT) for unit in units], dtype=np.int64)
    new = np.array([after.get(unit, ABSENT) for unit in units], dtype=np.int64)
    names = {segment.number: str(segment) for segment in source.segments.all()}
    return Moves(**vars(migration(old, new)), from_version=source.number, names=names)
