"""Results of a study that are drawn: beeswarm, nulls, dose curve, segments, weeks. Pure records."""

from dataclasses import dataclass
from enum import StrEnum

from aha.evidence.retention_curve import Curve
from aha.study.cell_metrics import Cell, Interval


@dataclass(frozen=True)
class Swarm:
    """Points of one behaviour in the beeswarm: per unit the value as a quantile (0 to 1), the value, and its SHAP."""

    behaviour: str
    quantile: tuple[float, ...]
    value: tuple[float, ...]
    shap: tuple[float, ...]


@dataclass(frozen=True)
class NullPicture:
    """One whole-grid null for its chart.

    Attributes:
        by_activity: the second null, within active days.
        permutations: shuffles.
        tested: different cells in it.
        edges, counts: histogram of the largest |z| under the null.
        observed: the largest |z| of the data.
        smallest_p: adjusted p-value of the best cell.
    """

    by_activity: bool
    permutations: int
    tested: int
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    observed: float
    smallest_p: float


@dataclass(frozen=True)
class DosePoint:
    """Retention of the units with one count within the step's days.

    Attributes:
        count: how often; `last` marks "so often or more".
        units: with that count.
        share: of them retained, with Wilson's limits.
        smooth: what the smooth null model expects of the same units, or None when it wasn't fitted.
    """

    count: int
    last: bool
    units: int
    share: float
    low: float
    high: float
    smooth: float | None


@dataclass(frozen=True)
class Dose:
    """The picture beside the step words: retention by count, on the units that did not choose.

    Attributes:
        days: counted within.
        points: by ascending count.
    """

    days: int
    points: tuple[DosePoint, ...]


@dataclass(frozen=True)
class SegmentCell:
    """The candidate's cell inside one segment."""

    segment: str
    cell: Cell


@dataclass(frozen=True)
class WeekCell:
    """One signup week: the Monday (ISO), units, retained, and the same of those who reached the candidate's cell."""

    week: str
    units: int
    retained: int
    reached: int
    reached_retained: int


@dataclass(frozen=True)
class Week:
    """One signup week of the eligible units: the Monday (ISO), units, retained, share with Wilson's interval."""

    week: str
    units: int
    retained: int
    share: Interval


@dataclass(frozen=True)
class SegmentCurve:
    """The retention curve of one segment."""

    segment: str
    curve: Curve


class JudgedBy(StrEnum):
    """Which units judge a cell: never those that chose it."""

    HOLD_OUT = "hold_out"
    TRAIN = "train"
    BOOTSTRAP = "bootstrap"
    NOBODY = "nobody"
