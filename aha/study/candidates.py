"""From judged behaviours to candidates: choose a cell for each, select the best behaviours, compute their evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from aha.evidence.aipw import Difference, RiskRatio
from aha.evidence.daily_trials import Trials, UnitDays, trials_of
from aha.evidence.expected_gain import NOTHING_KNOWN, ExpectedGain, PastKnowledge, Promise, promise
from aha.evidence.findings import Definition
from aha.evidence.ladder import Ladder, RungName, Units, climb, known_at_signup
from aha.evidence.nuisance import dummies
from aha.evidence.sensitivity import (
    MOST_ROWS,
    Calibrated,
    EarlierOutcome,
    EmpiricalNull,
    Robustness,
    benchmark,
    calibrate,
    e_values,
    earlier_outcomes,
    empirical_null,
    robustness,
)
from aha.study.cells import Cells, Grid, describe
from aha.study.choice import Choice, Pick
from aha.study.grid import CountTable, Flags, count_cells, levels
from aha.study.hold_out import Parts, judge
from aha.study.ranking import Attributes
from aha.study.report_columns import week_cells
from aha.study.result import Candidate, Control, Controls, Judged, SegmentCell
from aha.study.step import Step, StepVerdict
from aha.study.window_guard import Flag, Flagged
from runs.parallel import each
from runs.progress import Progress, part, silent
from stats.results import NotComputable, Reason, computable

ALPHA = 0.05
MOVED = 0.10
ACTIVITY_ONLY = "activity_only"
NO_BETTER_THAN_EVERYBODY = "no_better_than_everybody"
AS_STRONG_AS_INERT = "as_strong_as_inert"
# Marks that rank a candidate behind the others.
DOUBTS = frozenset({ACTIVITY_ONLY, NO_BETTER_THAN_EVERYBODY, AS_STRONG_AS_INERT})


@dataclass(frozen=True, eq=False)
class Evidence:
    """Data that the evidence of every candidate is computed from.

    Attributes:
        table: the feature table, of a sample when there are many units.
        attributes: of the same units.
        parts: rows of the table for training, hold-out and later cohorts.
        grid: the cells of every eligible unit, with both nulls.
        flags: marks of the behaviours.
        seed: of the intervals and models.
        max_units: units that the models of the ladder see; of the daily trials, days of units.
        unit_days: what some of the units did day by day; without it the ladder has no daily trials.
        past: what finished experiments have shown; `outcome` the study's retention as text.
    """

    table: CountTable
    attributes: Attributes
    parts: Parts
    grid: Grid
    flags: tuple[Flagged, ...]
    seed: int
    max_units: int
    unit_days: UnitDays | None = None
    past: PastKnowledge = NOTHING_KNOWN
    outcome: str = ""

    def place(self, behaviour: str, pick: Pick) -> int:
        """Index of a cell in the grid."""
        return self.grid.find(self.table.behaviours.index(behaviour), pick.days, pick.times)

    def did(self, behaviour: str, pick: Pick) -> Flags:
        """Per unit of the table, whether it reached a cell."""
        table = self.table
        counts = table.counts[:, table.behaviours.index(behaviour), table.days.index(pick.days)]
        return np.asarray(counts >= pick.times)


def take_cell(
    choice: Choice | NotComputable, step: Step | None, exact: Cells, behaviour: int
) -> tuple[Pick | NotComputable, bool]:
    """The cell to use for a behaviour (its place in the study), and whether it comes from the step test.

    Where retention jumps, the step is used: the rule prefers few times, which have more reach, and regularly misses a
    true step. The rule's pick is used for a step at a reach outside 5-80 %, and where retention levels off: every
    count up to there adds the same, so none is *the* moment, and the page shows both.
    """
    if not computable(choice):
        return choice, False
    if step is None or step.verdict is not StepVerdict.JUMP:
        return choice.recommended, False
    if not exact.recommended[exact.find(behaviour, step.days, step.times)]:
        return choice.recommended, False
    return Pick(step.days, step.times, _picked(choice, step.days, step.times)), True


def qualifying(judged: Sequence[Judged], evidence: Evidence) -> list[Judged]:
    """The behaviours whose cell is better than luck, the best first.

    In this order: a jump; beating equally active users (second null, p <= .05); then the second null's statistic, which
    is stratified by activity, signup week and segment; then J. The family of both nulls is the whole grid.
    """
    pairs: list[tuple[tuple[float, ...], Judged]] = []
    for row in judged:
        if row.step is None or not computable(row.chosen):
            continue
        place = evidence.place(row.behaviour, row.chosen)
        p, z = evidence.grid.p_luck[place], evidence.grid.z_luck[place]
        if p is None or z is None or p > ALPHA or z <= 0:
            continue
        p_active, z_active = evidence.grid.p_active[place], evidence.grid.z_active[place]
        beats = p_active is not None and z_active is not None and p_active <= ALPHA and z_active > 0
        key = (0 if row.by_step else 1, 0 if beats else 1, -(z_active or 0.0), -(evidence.grid.j[place] or 0.0))
        pairs.append((key, row))
    return [row for _, row in sorted(pairs, key=lambda pair: pair[0])]


def ladder_of(evidence: Evidence, behaviour: str, pick: Pick, *, progress: Progress = silent) -> Ladder:
    """The adjustment ladder of one cell without daily trials; no covariate is measured after the cell's window."""
    units = units_of(evidence, behaviour, pick)
    return climb(units, seed=evidence.seed, days=pick.days, max_units=evidence.max_units, progress=progress)


def units_of(evidence: Evidence, behaviour: str, pick: Pick) -> Units:
    """The units of one cell with their covariates."""
    table = evidence.table
    others = _others(evidence, behaviour)
    return Units(
        retained=table.retained,
        did=evidence.did(behaviour, pick),
        active_days=table.active_within(pick.days),
        week=table.week,
        segment=table.segment,
        before=evidence.attributes.values,
        others=table.counts[:, others, table.days.index(pick.days)].astype(np.float64),
    )


def trials_in(evidence: Evidence, behaviour: str, pick: Pick) -> Trials | None:
    """The daily trials of one cell; None without daily counts."""
    if evidence.unit_days is None:
        return None
    place = evidence.table.behaviours.index(behaviour)
    others = _others(evidence, behaviour)
    return trials_of(evidence.unit_days, place, others, times=pick.times, within=pick.days)


def _others(evidence: Evidence, behaviour: str) -> list[int]:
    """Columns of the other behaviours without its duplicates: adjusting for these would remove it entirely."""
    same = {row.other for row in evidence.flags if row.flag is Flag.DUPLICATE and row.behaviour == behaviour}
    same |= {row.behaviour for row in evidence.flags if row.flag is Flag.DUPLICATE and row.other == behaviour}
    names = enumerate(evidence.table.behaviours)
    return [place for place, name in names if name != behaviour and name not in same]


def control_group(judged: Sequence[Judged], evidence: Evidence, *, progress: Progress = silent) -> Controls:
    """The last rung of every negative control, and their empirical null."""
    chosen = [(row.behaviour, row.chosen) for row in judged if Flag.INERT in row.flags and computable(row.chosen)]

    def control(pair: tuple[str, Pick], inner: Progress) -> Control:
        name, pick = pair
        difference = ladder_of(evidence, name, pick, progress=inner).full.difference
        return Control(name, pick.days, pick.times, difference)

    rows = each(chosen, control, progress=progress)
    return Controls(tuple(rows), empirical_null([row.adjusted for row in rows if computable(row.adjusted)]))


def follow(row: Judged, evidence: Evidence, controls: Controls, *, progress: Progress = silent) -> Candidate:
    """All evidence of one candidate.

    Raises:
        ValueError: for a behaviour without a cell; `qualifying` gives none.
    """
    pick, choice, step = row.chosen, row.choice, row.step
    if not computable(pick) or not computable(choice) or step is None:
        raise ValueError(f"{row.behaviour} has no cell to follow")
    table, place = evidence.table, evidence.place(row.behaviour, pick)
    rng = np.random.default_rng(evidence.seed)
    cell = describe(evidence.grid.take([place]), table.behaviours, rng=rng)[0]
    cell_of = {"days": pick.days, "times": pick.times}
    honesty = judge(table, evidence.parts, row.behaviour, **cell_of, rng=rng, choice=choice, by_step=row.by_step)
    units, trials = units_of(evidence, row.behaviour, pick), trials_in(evidence, row.behaviour, pick)
    did, options = units.did, {"seed": evidence.seed, "max_units": evidence.max_units}
    ladder = climb(units, trials, days=pick.days, progress=part(progress, 0, 0.7), **options)
    ratio = _adjusted_ratio(ladder)
    calibrated = _calibrated(ladder, controls.null)
    hold_out = honesty.hold_out
    reach = evidence.grid.reach[place] or 0.0
    expected, past = evidence.past.of(
        Definition(row.behaviour, pick.times, pick.days, evidence.outcome), ladder.headline.difference, 1 - reach
    )
    return Candidate(
        behaviour=row.behaviour,
        days=pick.days,
        times=pick.times,
        rule_pick=choice.recommended,
        by_step=row.by_step,
        cell=cell,
        pick_share=pick.share,
        indifference=choice.indifference,
        step=step.verdict,
        smooth_range=step.smooth_range,
        levels_off=step.levels_off,
        honesty=honesty,
        hold_out_j=hold_out.j if computable(hold_out) else honesty.corrected.get("j", hold_out),
        later_cohort_j=honesty.later.j if computable(honesty.later) else honesty.later,
        p_luck=evidence.grid.p_luck[place] or 0.0,
        p_active=_known(evidence.grid.p_active[place]),
        z_active=_known(evidence.grid.z_active[place]),
        ladder=ladder,
        e_value=e_values(ratio) if computable(ratio) else ratio,
        benchmark=(
            benchmark(ratio.estimate, retained=table.retained, did=did, active_days=units.active_days)
            if computable(ratio)
            else ratio
        ),
        calibrated=calibrated,
        promise=_promise(ladder, reach),
        expected=expected,
        past=past,
        flags=(*row.flags, *_marks(evidence, place, calibrated)),
        by_segment=_by_segment(evidence, row.behaviour, pick, rng),
        by_week=week_cells(table.week, table.retained, did),
        robustness=_robustness(units, **options),
        earlier_outcomes=_earlier(evidence, units, trials, ladder, progress=part(progress, 0.7, 1)),
    )


def _robustness(units: Units, *, seed: int, max_units: int) -> Robustness | NotComputable:
    rest = np.column_stack([known_at_signup(units), np.log1p(units.others)])
    outcome, activity = units.retained.astype(np.float64), dummies(units.active_days)
    return robustness(outcome, units.did, activity, rest, seed=seed, max_units=max_units)


def _earlier(
    evidence: Evidence, units: Units, trials: Trials | None, ladder: Ladder, *, progress: Progress
) -> tuple[EarlierOutcome, ...]:
    daily = trials if ladder.headline.name is RungName.DAILY else None
    most = min(evidence.max_units, MOST_ROWS)
    names = evidence.attributes.names
    return earlier_outcomes(units, daily, names, seed=evidence.seed, max_units=most, progress=progress)


def ranked(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Candidates by expected causal gain, the largest first, each with its rank by raw correlational estimate.

    Candidates with a jump come first, and within both groups those without a mark in `DOUBTS`. The gain discounts every
    estimate by the same ratio, and behaviours that only go with activity have the largest: by gain alone, in the
    simulated world `step`, the inert "browse" would come before the cause.
    """
    order = sorted(candidates, key=lambda row: -_size(row.ladder.rungs[0].difference))
    places = {id(row): place for place, row in enumerate(order, start=1)}
    best = sorted(candidates, key=lambda row: (not row.by_step, bool(DOUBTS & set(row.flags)), -_size(row.expected)))
    return tuple(replace(row, rank_by_promise=places[id(row)]) for row in best)


def _size(value: Difference | ExpectedGain | NotComputable) -> float:
    return -inf if isinstance(value, NotComputable) else value.estimate


def _adjusted_ratio(ladder: Ladder) -> RiskRatio | NotComputable:
    """The risk ratio of the last rung, or the reason from its difference."""
    full = ladder.full
    if not computable(full.difference):
        return full.difference
    return NotComputable(Reason.NO_OVERLAP) if full.adjusted is None else full.adjusted.ratio


def _promise(ladder: Ladder, reach: float) -> Promise:
    raw, adjusted = ladder.rungs[0].difference, ladder.headline.difference
    return promise(min(MOVED, 1 - reach), reach=reach, raw=raw, adjusted=adjusted)


def _marks(evidence: Evidence, place: int, calibrated: Calibrated | NotComputable) -> tuple[str, ...]:
    p, z = evidence.grid.p_active[place], evidence.grid.z_active[place]
    beats_activity = p is not None and z is not None and p <= ALPHA and z > 0
    strong = computable(calibrated) and calibrated.as_strong_as_inert
    marks = {
        ACTIVITY_ONLY: not beats_activity,
        NO_BETTER_THAN_EVERYBODY: not evidence.grid.beats_everybody[place],
        AS_STRONG_AS_INERT: strong,
    }
    return tuple(mark for mark, holds in marks.items() if holds)


def _calibrated(ladder: Ladder, null: EmpiricalNull | NotComputable) -> Calibrated | NotComputable:
    full = ladder.full.difference
    if not computable(full):
        return full
    return calibrate(full, null) if computable(null) else null


def _by_segment(evidence: Evidence, behaviour: str, pick: Pick, rng: np.random.Generator) -> tuple[SegmentCell, ...]:
    table = evidence.table
    if len(table.segments) < 2:
        return ()
    behaviour_table = table.only([behaviour])
    rows = []
    for number, name in enumerate(table.segments):
        members = behaviour_table.take(table.segment == number)
        cells = count_cells(levels(members, [(pick.times,)]), members.retained)
        mine = cells.take([cells.find(0, pick.days, pick.times)])
        rows.append(SegmentCell(name, describe(mine, behaviour_table.behaviours, rng=rng)[0]))
    return tuple(rows)


def _picked(choice: Choice, days: int, times: int) -> float:
    return next((pick.share for pick in choice.picks if (pick.days, pick.times) == (days, times)), 0.0)


def _known(value: float | None) -> float | NotComputable:
    return NotComputable(Reason.NO_CELL_TO_TEST) if value is None else value


def flags_of(flags: Sequence[Flagged]) -> Mapping[str, tuple[str, ...]]:
    """Codes of the marks per behaviour."""
    codes: dict[str, tuple[str, ...]] = {}
    for row in flags:
        codes[row.behaviour] = (*codes.get(row.behaviour, ()), row.flag.value)
    return codes
