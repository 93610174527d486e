"""The report record of a study, read by page, charts, JSON document and tests. Numbers, codes and texts; no arrays.

`reporting.document.dump` stores it as the payload of its `Study`, `load(Report, study.payload)` reads it back.
`aha.report` turns the codes into sentences.
"""

from dataclasses import dataclass
from enum import StrEnum

from aha.evidence.aipw import Difference
from aha.evidence.expected_gain import ExpectedGain, Promise
from aha.evidence.findings import Summary
from aha.evidence.ladder import Ladder
from aha.evidence.retention_curve import Curve
from aha.evidence.sensitivity import Benchmark, Calibrated, EarlierOutcome, EmpiricalNull, EValue, Robustness
from aha.study.cells import Cell, Grid, cells_at
from aha.study.choice import Choice, Pick
from aha.study.hold_out import Honesty
from aha.study.numbers import Interval, Number
from aha.study.question import Inputs
from aha.study.step import LevelsOff, SmoothRange, Step, StepVerdict
from aha.study.window_guard import Flagged
from runs.run_times import Spent
from segments.search.learning import Skill
from stats.results import NotComputable, Reason, computable

# Results of a study that are drawn: beeswarm, nulls, dose curve, segments, weeks. Pure records.


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
    """The chart of the step test: retention by count, on units that were not used to choose the cell.

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
    """Which units judge a cell: never those on which it was chosen."""

    HOLD_OUT = "hold_out"
    TRAIN = "train"
    BOOTSTRAP = "bootstrap"
    NOBODY = "nobody"


VERSION = 1
BEESWARM_BEHAVIOURS, BEESWARM_UNITS = 10, 300


@dataclass(frozen=True)
class InvalidDays:
    """A requested Y that isn't computed, with its reason."""

    days: int
    reason: NotComputable


@dataclass(frozen=True)
class Asked:
    """Inputs and data of a study, shown beside every result.

    Attributes:
        inputs: as frozen at the start.
        behaviours: text forms of all behaviours counted, in the order of the tables.
        left_out: number of event names, the rarest, that weren't counted because there are too many.
        times: the Z values of each behaviour.
        valid_days: the Y values computed; the last is the landmark.
        invalid_days: the other Y values.
        data_end: the moment up to which the data are complete, ISO, UTC.
        time_zone: the site's zone at that time.
        segments: names of the segments that are compared; empty for none.
    """

    inputs: Inputs
    behaviours: tuple[str, ...]
    left_out: int
    times: tuple[tuple[int, ...], ...]
    valid_days: tuple[int, ...]
    invalid_days: tuple[InvalidDays, ...]
    data_end: str
    time_zone: str
    segments: tuple[str, ...]


@dataclass(frozen=True)
class Population:
    """The users of a study. `eligible` and all of `excluded` add up to `signups`.

    Attributes:
        signups: units whose clock starts inside the cohort.
        eligible: those whose whole retention window is complete, in the segment and at the level asked for.
        excluded: number by reason: ``too_young``, ``outside_segment``, ``other_level``.
        retained: of the eligible.
        rate: share retained with Wilson's interval.
        first_signup, last_signup: local dates of the eligible units, ISO; None without units.
    """

    signups: int
    eligible: int
    excluded: dict[str, int]
    retained: int
    rate: Number
    first_signup: str | None
    last_signup: str | None


@dataclass(frozen=True)
class Ranked:
    """One feature of the model.

    Attributes:
        name: a behaviour's text form, ``active_days``, or an attribute as ``platform=ios``.
        kind: ``behaviour``, ``activity`` or ``attribute``.
        group: place of its group, from 0; members of a group share their credit.
        importance: mean |SHAP| of the feature, log-odds.
        group_importance: mean |sum of SHAP| of its group, log-odds.
        rank, rank_low, rank_high: of the group, with the 2.5-97.5 % range; ranges that overlap are ties.
        direction: Spearman of value and SHAP, -1 to 1.
    """

    name: str
    kind: str
    group: int
    importance: float
    group_importance: float
    rank: int
    rank_low: int
    rank_high: int
    direction: float | NotComputable


@dataclass(frozen=True)
class Model:
    """Skill of the models and, only if it is above the base rate, the ranking. Predictive, not causal.

    Attributes:
        trees: skill of the boosted trees; `trees.beats_base_rate` is the gate.
        logistic: skill of the logistic model beside it.
        ranking: features, the most important group first, or why there is none.
        swarm: at most 10 behaviours × 300 units for the picture; empty without a ranking.
    """

    trees: Skill
    logistic: Skill
    ranking: tuple[Ranked, ...] | NotComputable
    swarm: tuple[Swarm, ...]


@dataclass(frozen=True)
class Judged:
    """One behaviour that wasn't set aside, or a negative control, with its chosen cell.

    Attributes:
        behaviour: its text form.
        flags: codes of its marks.
        choice: the rule's choice on the training part, with pick shares and indifference set; or why there is none.
        step: step evidence on units that were not used to choose; None for negative controls, which aren't tested.
        dose: retention by count for the picture; None without step evidence.
        chosen: the cell used: the step where retention jumps at a recommended reach, else the rule's recommendation.
        by_step: True when `chosen` is the step.
    """

    behaviour: str
    flags: tuple[str, ...]
    choice: Choice | NotComputable
    step: Step | None
    dose: Dose | None
    chosen: Pick | NotComputable
    by_step: bool


@dataclass(frozen=True)
class Candidate:
    """A claim worth an experiment, with all its evidence. It ranks and proves no cause.

    Attributes:
        behaviour, days, times: the claim.
        rule_pick: the rule's own recommendation, shown beside a step.
        by_step: the cell is that of the step test.
        cell: exact counts and metrics over all eligible units.
        pick_share: share of the bootstrap replicates that chose this very cell.
        indifference: cells as good within one standard error.
        step: verdict of the step test.
        honesty: the cell on training, hold-out and later cohorts, with optimism and drift.
        hold_out_j: J on the hold-out, or corrected for optimism in a small study. `honest_j` is the headline.
        later_cohort_j: J on later cohorts.
        p_luck, p_active, z_active: of both nulls for this cell.
        ladder: the rungs.
        e_value, benchmark: how strong a hidden cause would have to be, compared with one as strong as activity.
        calibrated: against the negative controls.
        promise: value of moving the share `promise.moved` of all users across: naive and adjusted.
        flags: marks of the behaviour, and ``activity_only`` (doesn't beat equally active users),
            ``no_better_than_everybody``, ``as_strong_as_inert``.
        by_segment: the same cell inside each segment; empty without segments.
        by_week: by signup week.
        smooth_range: the range of times to which "smooth" applies.
        levels_off: where retention stops rising, if that is the verdict; `times` is still the rule's.
        robustness: how much of behaviour and retention a hidden cause would have to explain.
        earlier_outcomes: what was known at signup, compared as the ladder's headline compares retention; empty where
            nothing was known, and in reports of earlier versions.
        expected: causal gain that an experiment with it may be expected to find.
        rank_by_promise: its rank among the candidates by raw difference, from 1; None in studies of earlier versions.
        past: pooled results of earlier experiments on its definition; None in studies of earlier versions.
    """

    behaviour: str
    days: int
    times: int
    rule_pick: Pick
    by_step: bool
    cell: Cell
    pick_share: float
    indifference: tuple[Pick, ...]
    step: StepVerdict
    honesty: Honesty
    hold_out_j: Number | float
    later_cohort_j: Number
    p_luck: float
    p_active: float | NotComputable
    z_active: float | NotComputable
    ladder: Ladder
    e_value: EValue | NotComputable
    benchmark: Benchmark | NotComputable
    calibrated: Calibrated | NotComputable
    promise: Promise
    flags: tuple[str, ...]
    by_segment: tuple[SegmentCell, ...]
    by_week: tuple[WeekCell, ...]
    smooth_range: SmoothRange | None = None
    levels_off: LevelsOff | None = None
    robustness: Robustness | NotComputable = NotComputable(Reason.EARLIER_VERSION)  # noqa: RUF009 - a frozen record
    earlier_outcomes: tuple[EarlierOutcome, ...] = ()
    expected: ExpectedGain | NotComputable = NotComputable(Reason.EARLIER_VERSION)  # noqa: RUF009 - a frozen record
    rank_by_promise: int | None = None
    past: Summary | None = None

    @property
    def judged_by(self) -> JudgedBy:
        """Which units judge the cell: units on which it wasn't chosen, if there are any."""
        if not computable(self.honesty.hold_out):
            return JudgedBy.BOOTSTRAP if self.honesty.corrected and not self.by_step else JudgedBy.NOBODY
        return JudgedBy.TRAIN if self.by_step else JudgedBy.HOLD_OUT

    @property
    def honest(self) -> Cell | NotComputable:
        """The cell on those units."""
        if self.judged_by is JudgedBy.NOBODY:
            return NotComputable(Reason.NOBODY_JUDGES)
        return self.honesty.train if self.judged_by is JudgedBy.TRAIN else self.honesty.hold_out

    @property
    def honest_j(self) -> Number | float:
        """The headline: J on units on which the cell was not chosen, or corrected for optimism in a small study."""
        if computable(self.honest):
            return self.honest.j
        return self.honesty.corrected["j"] if self.judged_by is JudgedBy.BOOTSTRAP else self.honest


@dataclass(frozen=True)
class Control:
    """A negative control: its cell and its last rung."""

    behaviour: str
    days: int
    times: int
    adjusted: Difference | NotComputable


@dataclass(frozen=True)
class Controls:
    """The negative controls and the empirical null estimated from them, or why there is none."""

    rows: tuple[Control, ...]
    null: EmpiricalNull | NotComputable


@dataclass(frozen=True)
class Report:
    """The report of a study.

    Attributes:
        asked: inputs, definitions, data's end.
        population: who counts.
        floor: None, or why there is no ranking, null or candidate: the study is too small.
        model: skill and ranking, or why there is none.
        grid: every computed cell.
        luck, active: the two nulls, or why there are none.
        flags: marks per behaviour.
        judged: choice and step evidence per behaviour.
        candidates: the best first (order: docs/methods/discovery.md); empty when there is none.
        more_candidates: number of further behaviours that qualify but get no full evidence.
        controls: the negative controls.
        weeks: retention by signup week.
        curve: retention by day of all eligible units, with its plateau.
        segment_curves: the same by segment.
        parts: number of units in the training part (``train``), hold-out (``hold_out``), later cohorts (``later``).
        samples: number of units that each computation used.
        seeds: of each computation, all drawn from the study's seed.
        versions: of the libraries used.
        spent: time and memory of the computation; None in studies of earlier versions.
    """

    asked: Asked
    population: Population
    floor: NotComputable | None
    model: Model | NotComputable
    grid: Grid
    luck: NullPicture | NotComputable
    active: NullPicture | NotComputable
    flags: tuple[Flagged, ...]
    judged: tuple[Judged, ...]
    candidates: tuple[Candidate, ...]
    more_candidates: int
    controls: Controls
    weeks: tuple[Week, ...]
    curve: Curve
    segment_curves: tuple[SegmentCurve, ...]
    parts: dict[str, int]
    samples: dict[str, int]
    seeds: dict[str, int]
    versions: dict[str, str]
    version: int = VERSION
    spent: Spent | None = None

    def cells(self, behaviour: str) -> tuple[Cell, ...]:
        """The computed cells of one behaviour, by days and times."""
        names = self.asked.behaviours
        mine = [place for place, number in enumerate(self.grid.behaviour) if names[number] == behaviour]
        return cells_at(self.grid, mine, names)

    @property
    def untested(self) -> NotComputable | None:
        """Why no behaviour was compared with luck (then having no candidates is inconclusive); None if one was."""
        if self.floor is not None:
            return self.floor
        if isinstance(self.luck, NotComputable):
            return self.luck
        could = any(row.step is not None and computable(row.chosen) for row in self.judged)
        return None if could else NotComputable(Reason.NO_BEHAVIOUR_TO_TEST)
