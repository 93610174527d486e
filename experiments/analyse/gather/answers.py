"""Results of the warehouse and database queries about an experiment: per-cell moments and counts, never rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from experiments.analyse.gather.admission import SetAside, Unverified

type Ints = NDArray[np.int64]
type Floats = NDArray[np.float64]

VALUE, DENOMINATOR, REACHED, TIMES = "value", "denominator", "reached", "times"


def other_name(place: int) -> str:
    """The column of an other behaviour, by its place in the question."""
    return f"other_{place}"


@dataclass(frozen=True, eq=False)
class Block:
    """Joint moments of one outcome over the units that are mature for it, one entry per cell.

    Attributes:
        names: "value", then "denominator" for a ratio, then "reached" and "times" when a behaviour is named, then
            `other_name` of each other behaviour: the share of units that did it.
        n: Mature units per cell, (cells,).
        means: Means per cell, (cells, k); 0 where n is 0.
        covariance: Sample covariance (n-1) per cell, (cells, k, k); zeros where n is 1 or less.
        rows: Of an SQL metric the mature units for whom its SELECT has a row; the others count 0. None elsewhere.
    """

    names: tuple[str, ...]
    n: Ints
    means: Floats
    covariance: Floats
    rows: Ints | None = None


@dataclass(frozen=True, eq=False)
class Cells:
    """The exposed units of the planned arms, one entry per non-empty variant, segment, week and covariate cell.

    Attributes:
        variants: Arms in the plan's order.
        segments: Segments of the first exposures, sorted; "" is an exposure without one.
        weeks: Local Mondays of the weeks of the first exposures, sorted.
        covariates: Names of the covariates.
        levels: Labels of each covariate's levels; "" is missing.
        variant: Code into `variants`, (cells,).
        segment: Code into `segments`, (cells,).
        week: Code into `weeks`, (cells,).
        covariate: Codes into `levels`, (cells, covariates).
        exposed: Exposed units, (cells,).
        blocks: Moments by outcome text.
        clusters: Number of clusters, where whole clusters were drawn; 0 otherwise.
        cluster: Code of each cell's cluster, 0 to `clusters` - 1; None where units were drawn.
        saturation: Index of the saturation that each cell's cluster has drawn; None without saturations.
        others: Other behaviours, as registered; their columns are the last ones of each block that has "reached".
    """

    variants: tuple[str, ...]
    segments: tuple[str, ...]
    weeks: tuple[date, ...]
    covariates: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    variant: Ints
    segment: Ints
    week: Ints
    covariate: Ints
    exposed: Ints
    blocks: Mapping[str, Block]
    clusters: int = 0
    cluster: Ints | None = None
    saturation: Ints | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Answers:
    """Everything that the analysis of an experiment reads from the log.

    Attributes:
        data_end: Last moment of the log.
        time_zone: The plan's time zone, which bounds local days.
        day_mode: "rolling" or "calendar".
        events: Events of the log.
        cells: Units and moments by cell.
        several_variants: Units exposed to a further variant after their first; they count in the first.
        identity_conflicts: Persons whose ids were exposed to different variants before they were joined; they count in
            the first variant, and not in `several_variants`.
        first_arms: Both together: segment of the first exposure, first variant, units.
        no_first_arm: Units exposed to several variants at the moment of their first exposure; left out.
        unknown_variants: Units by their first `variation_id`, where the plan does not have it; left out.
        no_signup: Exposed units without a signup at or before the exposure when the clock is "signup"; left out.
        exposures_by_day: Local date of the first exposure, variant, units.
        durations: Variant, segment, day, churned, units: time to churn with the gap `churn_gap`.
        curve: Variant, day, eligible units, active units.
        times: Variant, count of the behaviour up to `most_times`, units, among units whose behaviour window is over.
        silent: Variant, units with a complete day 0, of these without any event but exposures at or after theirs.
        late: Events since the first exposure with a known arrival, and of these received over 48 h after they happened.
        bins: For a numeric primary outcome with a behaviour: variant, pooled quintile 0..4, reached 0 or 1, units.
        latest_exposure: Moment of the last first exposure; None without units.
        last_mature_on: Local date on which the last exposed unit is mature for every primary outcome.
        not_admitted: Excluded exposures, by sender and reason.
        unverified: Units that only a client key has reported, beside the others; some of the former may be in `cells`
            too.
        apart: True when servers have named enough units, so that the unverified decide nothing; None where the
            experiment admits exposures as 0.4 did.
        no_cluster: Exposed units whose first exposure names no cluster, where clusters were drawn; left out.
    """

    data_end: datetime
    time_zone: str
    day_mode: str
    events: int
    cells: Cells
    several_variants: int
    unknown_variants: Mapping[str, int]
    no_signup: int
    exposures_by_day: tuple[tuple[date, str, int], ...]
    durations: tuple[tuple[str, str, int, bool, int], ...]
    curve: tuple[tuple[str, int, int, int], ...]
    times: tuple[tuple[str, int, int], ...]
    silent: tuple[tuple[str, int, int], ...]
    late: tuple[int, int]
    bins: Mapping[str, tuple[tuple[str, int, int, int], ...]]
    latest_exposure: datetime | None
    last_mature_on: date | None
    not_admitted: tuple[SetAside, ...] = ()
    unverified: Unverified = field(default_factory=Unverified)
    no_cluster: int = 0
    identity_conflicts: int = 0
    first_arms: tuple[tuple[str, str, int], ...] = ()
    no_first_arm: int = 0
    apart: bool | None = None


@dataclass(frozen=True)
class Audit:
    """Stored assignments: how many were checked against their draws, and units by arm.

    Attributes:
        checked: stored assignments whose draw was recomputed.
        differ: of these, those with another arm than the draw's.
        assigned: assigned units by arm, exposed or not.
    """

    checked: int
    differ: int
    assigned: Mapping[str, int]
