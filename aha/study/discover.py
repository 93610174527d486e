"""The whole study as one pure function: from the data of the warehouse to one frozen report.

Sample sizes: the cells count every eligible unit. Everything that resamples (nulls, choice, steps, hold-out, ladder)
uses at most 200,000 units, models at most 50,000 of them, SHAP at most 10,000. All draws come from the seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from aha.evidence.aipw import MAX_UNITS
from aha.evidence.daily_trials import UnitDays
from aha.evidence.expected_gain import NOTHING_KNOWN, PastKnowledge
from aha.evidence.retention_curve import DayCount, retention_curve
from aha.evidence.sensitivity import empirical_null
from aha.study import preliminary
from aha.study.candidates import Evidence, control_group, flags_of, follow, qualifying, ranked, take_cell
from aha.study.cells import Cells
from aha.study.choice import REPLICATES, Choice, Choosing, Rule, choose
from aha.study.grid import (
    CountTable,
    Flags,
    Floats,
    Ints,
    Levels,
    Names,
    build_table,
    cells_of_histogram,
    count_cells,
    levels,
    thresholds,
)
from aha.study.hold_out import Parts, split
from aha.study.null import PERMUTATIONS, Null, enough, grid_null
from aha.study.preliminary import ACTIVE, LUCK, Counted, Followed, Left, Marked, chances, counted, jumps_of, places_of
from aha.study.question import Inputs
from aha.study.ranking import Attributes, judge_model
from aha.study.report_columns import Dates, curve_of_all, grid_columns, mondays, null_picture, weeks, who_counts
from aha.study.result import (
    Asked,
    Candidate,
    Controls,
    Dose,
    DosePoint,
    InvalidDays,
    Judged,
    Model,
    Population,
    Report,
    SegmentCurve,
)
from aha.study.smooth import design, knots, patterns_of, smooth_terms
from aha.study.step import REPLICATES as STEP_REPLICATES
from aha.study.step import Step, step_evidence
from aha.study.window_guard import Flag, Flagged, Windows, flag_behaviours, may_be_candidates, not_yet_available
from events.metrics import Behaviour
from events.windows import Clock, DayMode
from runs.parallel import calls, each
from runs.progress import Early, Progress, part, silent, unseen
from segments.search.importance import MAX_EXPLAINED, REPEATS
from stats.results import NotComputable, Reason
from stats.score import wilson_limits

# Retention by number of times, with the smooth null model: the chart of the step test.

MOST_POINTS = 20
FEWEST_UNITS = 20


def dose_curve(table: CountTable, behaviour: str, days: int) -> Dose:
    """Observed and smoothly expected retention by count.

    Args:
        table: units that were not used to choose the cell.
        behaviour: its text form.
        days: Y, one of the table's.

    Returns:
        One point per count up to 20; once fewer than 20 units are left, one point for "so often or more". The smooth
        curve is that of the step test, fitted again: spline of log(1 + count), active days and segment.
    """
    counts = table.counts[:, table.behaviours.index(behaviour), table.days.index(days)].astype(np.int64)
    expected = _smooth(table, counts, days)
    at_least = np.cumsum(np.bincount(counts, minlength=MOST_POINTS + 2)[::-1])[::-1]
    last = max(int((at_least[: MOST_POINTS + 1] >= FEWEST_UNITS).sum()) - 1, 0)
    place = np.minimum(counts, last)
    units = np.bincount(place, minlength=last + 1)
    stayed = np.bincount(place, weights=table.retained, minlength=last + 1)
    low, high = wilson_limits(stayed, units)
    smooth = None if expected is None else np.bincount(place, weights=expected, minlength=last + 1)
    points = tuple(
        DosePoint(
            count=count,
            last=count == last,
            units=int(units[count]),
            share=float(stayed[count] / units[count]),
            low=float(low[count]),
            high=float(high[count]),
            smooth=None if smooth is None else float(smooth[count] / units[count]),
        )
        for count in range(last + 1)
        if units[count]
    )
    return Dose(days, points)


def _smooth(table: CountTable, counts: Ints, days: int) -> Floats | None:
    """Per unit the probability of staying under the smooth model; None where it can't be fitted."""
    # Not statsmodels.api, which imports the whole library and takes seconds.
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    if smooth_terms(counts) is None or table.retained.all() or not table.retained.any():
        return None
    patterns, pattern = patterns_of(table, counts, days)
    columns = design(patterns, knots(counts))
    units = np.bincount(pattern).astype(np.float64)
    stayed = np.bincount(pattern, weights=table.retained)
    # IRLS uses a pseudo-inverse, so collinear columns are allowed.
    with np.errstate(all="ignore"):
        model = GLM(np.column_stack([stayed, units - stayed]), columns, family=Binomial())
        fitted = np.asarray(model.fit(maxiter=50).fittedvalues, dtype=np.float64)
    return fitted[pattern] if np.isfinite(fitted).all() else None


# Publishes partial results of a running study to a callback. Pure.


@dataclass(frozen=True, eq=False)
class Telling:
    """Publishes the partial results of one study to a callback.

    Attributes:
        early: the callback.
        counted: the naive ranking of all users.
        exact: the cells of that ranking.
        behaviours: text forms, in the order of the cells.
    """

    early: Early
    counted: Counted
    exact: Cells
    behaviours: tuple[str, ...]

    def null(self, name: str, found: Null | NotComputable) -> None:
        """Publish one null: `preliminary.ACTIVE` or `preliminary.LUCK`."""
        self.early(name, chances(self.counted, self.exact, self.behaviours, found))

    def model(self, found: Model | NotComputable) -> None:
        """Publish the behaviours' ranks in the model."""
        self.early(preliminary.MODEL, places_of(found))

    def judged(self, found: tuple[Judged, ...]) -> None:
        """Publish the results of the step test, and the cells taken."""
        self.early(preliminary.JUMPS, jumps_of(found))

    def following(self, found: tuple[Judged, ...]) -> None:
        """Publish which behaviours get full evidence."""
        self.early(preliminary.FOLLOWED, Followed(tuple(row.behaviour for row in found)))

    def left(self, one: Candidate) -> None:
        """Publish one candidate's adjusted difference."""
        self.early(preliminary.LEFT + one.behaviour, Left(one.days, one.times, one.ladder.headline.difference))


def begin(
    early: Early,
    exact: Cells,
    behaviours: tuple[str, ...],
    population: Population,
    flags: tuple[Flagged, ...],
    *,
    rule: str,
    seed: int,
) -> Telling:
    """Publish the exact counts and the marks of the behaviours; later parts add to their ranking.

    Args:
        early: the callback.
        exact: the cells of all users.
        behaviours: text forms, in the order of the cells.
        population: who counts.
        flags: marks of behaviours.
        rule, seed: of the study.
    """
    ranking = counted(exact, behaviours, population, rule=rule, users=population.eligible, seed=seed)
    telling = Telling(early, ranking, exact, behaviours)
    early(preliminary.COUNTED, telling.counted)
    early(preliminary.MARKED, Marked(dict(flags_of(flags))))
    return telling


LIBRARIES = ("numpy", "scipy", "scikit-learn", "lightgbm", "shap", "statsmodels", "duckdb", "ibis-framework")
SEEDS = ("phi", "model", "luck", "active", "choice", "steps", "evidence", "curve")
# Excluded from the model and from every choice: equal to the outcome, done by everybody, or not available to all.
SET_ASIDE = frozenset({Flag.GOAL_LIKE, Flag.FORCED, Flag.NOT_AVAILABLE})


@dataclass(frozen=True)
class Effort:
    """How much is computed; the defaults are those of docs/methods/discovery.md, smaller ones are for tests.

    Attributes:
        permutations: of each null.
        replicates: of the choice.
        step_replicates: of the step test.
        repeats: cross-fits of the model.
        max_units: units that the models see.
        max_explained: units with SHAP values.
        ladder_units: units that the models of the ladder see.
        followed: number of candidates that get full evidence.
    """

    permutations: int = PERMUTATIONS
    replicates: int = REPLICATES
    step_replicates: int = STEP_REPLICATES
    repeats: int = REPEATS
    max_units: int = MAX_UNITS
    max_explained: int = MAX_EXPLAINED
    ladder_units: int = MAX_UNITS
    followed: int = 8


@dataclass(frozen=True, eq=False)
class Answers:
    """Data of a study from the warehouse; units are ordered by id, so that the same data give the same report.

    Attributes:
        behaviours: what was counted.
        left_out: number of event names that weren't counted.
        windows: valid and invalid Y values.
        data_end: end of complete data, UTC.
        time_zone: the site's zone at that time.
        signups: units of the cohort.
        excluded: how many aren't eligible, by reason.
        unit_ids, retained, dates: of every eligible unit; dates are local signup dates.
        segment: name per eligible unit, or None.
        sample: indices of the sampled units; everything below is about these only.
        anchors: moments of signup.
        rows: unit numbers, behaviour names, counts (rows × days).
        active_days: units × valid days, as in `CountTable.active`.
        attributes: known before any behaviour.
        unit_days: daily counts up to the landmark of some of the sampled units, few enough for the models of the daily
            trials, whose rows are unit-days.
        first_times: when each behaviour first appears in the log.
        first_sessions: doers, and doers who did it first in the first session.
        histogram: columns of `aha.study.queries.histogram` over every eligible unit; None when the sample is all units.
        curve: per segment (one empty name without) active units by day, of every eligible unit.
    """

    behaviours: tuple[Behaviour, ...]
    left_out: int
    windows: Windows
    data_end: datetime
    time_zone: str
    signups: int
    excluded: dict[str, int]
    unit_ids: Names
    retained: Flags
    dates: Dates
    segment: Names | None
    sample: Ints
    anchors: npt.NDArray[np.datetime64]
    rows: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]
    active_days: Ints
    attributes: Attributes
    unit_days: UnitDays
    first_times: Mapping[str, datetime | None]
    first_sessions: Mapping[str, tuple[int, int]]
    histogram: Mapping[str, npt.ArrayLike] | None
    curve: Mapping[str, tuple[DayCount, ...]]


def study(
    answers: Answers,
    inputs: Inputs,
    *,
    seed: int,
    effort: Effort = Effort(),
    past: PastKnowledge = NOTHING_KNOWN,
    progress: Progress = silent,
    early: Early = unseen,
) -> Report:
    """Compute a study.

    Args:
        answers: data from the warehouse.
        inputs: the study's inputs.
        seed: of every draw. The same answers, inputs and seed give the same report.
        effort: how much is computed.
        past: findings of finished experiments, for the candidates' expected gains.
        progress: called with the stage and the share done, 0 to 1.
        early: called with the parts of `aha.study.preliminary` as they are computed, from any thread.
    """
    seeds = dict(zip(SEEDS, map(int, np.random.SeedSequence(seed).generate_state(len(SEEDS))), strict=True))
    table = _table(answers)
    times = thresholds(table, inputs.max_times)
    grid = levels(table, times)
    exact = _exact(answers, grid, table, times)
    floor, flags = enough(table.retained), _flags(answers, inputs, table)
    remaining, parts = _kept(table, flags), split(table)
    population = who_counts(answers.signups, answers.excluded, answers.retained, answers.dates)
    telling = begin(early, exact, table.behaviours, population, flags, rule=inputs.choose, seed=seed)
    to_judge = remaining.only(()) if floor else remaining
    (model, used), judged, (active, luck) = calls(  # each has its own seeds; the slowest come first
        lambda inner: _model(remaining, answers.attributes, floor, seeds, effort, telling, inner),
        lambda inner: _judge(to_judge, parts, times, table, exact, flags, inputs, seeds, effort, telling, inner),
        lambda inner: _nulls(table, grid, seeds, effort, telling, inner),
        progress=part(progress, 0.05, 0.60),
    )
    columns = grid_columns(exact, luck, active, rng=np.random.default_rng(seeds["phi"]))
    shown = (answers.attributes, parts, columns, flags, seeds["evidence"], effort.ladder_units)
    evidence = Evidence(table, *shown, answers.unit_days, past, inputs.retention)
    qualified = () if floor else tuple(qualifying(judged, evidence))
    controls, candidates = _follow(judged, qualified, evidence, floor, effort, telling, part(progress, 0.60, 0.98))
    progress("report", 1.0)
    return Report(
        asked=_asked(answers, inputs, times, table),
        floor=floor,
        model=model,
        grid=columns,
        luck=null_picture(luck),
        active=null_picture(active),
        flags=flags,
        judged=judged,
        candidates=candidates,
        more_candidates=len(qualified) - len(candidates),
        controls=controls,
        parts={"train": parts.train.size, "hold_out": parts.hold_out.size, "later": parts.later.size},
        samples=_samples(answers, table) | used,
        seeds={"study": seed, **seeds},
        **_of_everybody(answers, population, seeds["curve"]),
    )


def _of_everybody(answers: Answers, population: Population, seed: int) -> dict[str, Any]:
    """The fields of the report that come directly from the data."""
    return {
        "population": population,
        "weeks": weeks(mondays(answers.dates), answers.retained),
        "curve": retention_curve(curve_of_all(answers.curve), seed=seed),
        "segment_curves": _segment_curves(answers, seed),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def _kept(table: CountTable, flags: tuple[Flagged, ...]) -> CountTable:
    aside = {row.behaviour for row in flags if row.flag in SET_ASIDE}
    return table.only([name for name in table.behaviours if name not in aside])


def _flags(answers: Answers, inputs: Inputs, table: CountTable) -> tuple[Flagged, ...]:
    clock = Clock(DayMode(inputs.day_mode), answers.time_zone)
    late = not_yet_available(table, answers.anchors, answers.first_times)
    return flag_behaviours(
        table,
        answers.behaviours,
        inputs.definition,
        first_sessions=answers.first_sessions,
        inert=inputs.inert,
        unavailable={name: None if first is None else clock.local_date(first) for name, first in late.items()},
    )


def _segment_curves(answers: Answers, seed: int) -> tuple[SegmentCurve, ...]:
    return tuple(SegmentCurve(name, retention_curve(rows, seed=seed)) for name, rows in answers.curve.items() if name)


def _samples(answers: Answers, table: CountTable) -> dict[str, int]:
    return {"eligible": answers.retained.size, "sample": table.n, "daily": len(np.unique(answers.unit_days.unit))}


def _table(answers: Answers) -> CountTable:
    rows = answers.sample
    return build_table(
        behaviours=[str(behaviour) for behaviour in answers.behaviours],
        days=answers.windows.valid,
        unit_ids=answers.unit_ids[rows],
        retained=answers.retained[rows],
        week=mondays(answers.dates[rows]),
        active_days=answers.active_days,
        rows=answers.rows,
        segment=None if answers.segment is None else [str(name) for name in answers.segment[rows]],
    )


def _exact(answers: Answers, grid: Levels, table: CountTable, times: tuple[tuple[int, ...], ...]) -> Cells:
    if answers.histogram is None:
        return count_cells(grid, table.retained)
    return cells_of_histogram(
        answers.histogram,
        behaviours=table.behaviours,
        days=table.days,
        times=times,
        units=answers.retained.size,
        retained=int(answers.retained.sum()),
    )


def _nulls(
    table: CountTable, grid: Levels, seeds: Mapping[str, int], effort: Effort, telling: Telling, progress: Progress
) -> list[Null | NotComputable]:
    """The null of equally active users, then that of luck."""

    def compute(name: str, inner: Progress) -> Null | NotComputable:
        rng = np.random.default_rng(seeds[name])
        null = grid_null(
            table, grid, rng=rng, by_activity=name == ACTIVE, permutations=effort.permutations, progress=inner
        )
        telling.null(name, null)
        return null

    return each((ACTIVE, LUCK), compute, progress=progress)


def _model(
    remaining: CountTable,
    attributes: Attributes,
    floor: NotComputable | None,
    seeds: Mapping[str, int],
    effort: Effort,
    telling: Telling,
    progress: Progress,
) -> tuple[Model | NotComputable, dict[str, int]]:
    if floor or not remaining.behaviours:
        missing = floor or NotComputable(Reason.NO_DATA)
        telling.model(missing)
        return missing, {}
    model, used = judge_model(
        remaining,
        attributes,
        seed=seeds["model"],
        repeats=effort.repeats,
        max_units=effort.max_units,
        max_explained=effort.max_explained,
        progress=progress,
    )
    telling.model(model)
    return model, used


def _judge(
    to_judge: CountTable,
    parts: Parts,
    all_times: tuple[tuple[int, ...], ...],
    table: CountTable,
    exact: Cells,
    flags: tuple[Flagged, ...],
    inputs: Inputs,
    seeds: Mapping[str, int],
    effort: Effort,
    telling: Telling,
    progress: Progress,
) -> tuple[Judged, ...]:
    """Choose a cell for every behaviour that isn't set aside, and run the step test on those that may be candidates."""
    if not to_judge.behaviours:
        return ()
    times = dict(zip(table.behaviours, all_times, strict=True))
    train = to_judge.take(parts.train)
    unseen = to_judge.only(may_be_candidates(to_judge, flags)).take(parts.for_steps)
    steps, choices = calls(
        lambda inner: step_evidence(
            unseen,
            [times[name] for name in unseen.behaviours],
            rng=np.random.default_rng(seeds["steps"]),
            replicates=effort.step_replicates,
            progress=inner,
        ),
        lambda inner: choose(
            train,
            levels(train, [times[name] for name in to_judge.behaviours]),
            rng=np.random.default_rng(seeds["choice"]),
            choosing=Choosing(Rule(inputs.choose)),
            replicates=effort.replicates,
            progress=inner,
        ),
        progress=progress,
    )
    by_name = {step.behaviour: step for step in steps}
    codes = flags_of(flags)
    judged = each(
        to_judge.behaviours,
        lambda name, _: _judged(
            name, choices[name], by_name.get(name), codes.get(name, ()), exact, table.behaviours.index(name), unseen
        ),
    )
    telling.judged(tuple(judged))
    return tuple(judged)


def _judged(
    name: str,
    choice: Choice | NotComputable,
    step: Step | None,
    codes: tuple[str, ...],
    exact: Cells,
    place: int,
    unseen: CountTable,
) -> Judged:
    chosen, by_step = take_cell(choice, step, exact, place)
    dose = None if step is None else dose_curve(unseen, name, step.days or unseen.days[-1])
    return Judged(name, codes, choice, step, dose, chosen, by_step)


def _follow(
    judged: tuple[Judged, ...],
    qualified: tuple[Judged, ...],
    evidence: Evidence,
    floor: NotComputable | None,
    effort: Effort,
    telling: Telling,
    progress: Progress,
) -> tuple[Controls, tuple[Candidate, ...]]:
    if floor:
        return Controls((), empirical_null([])), ()
    telling.following(qualified[: effort.followed])
    controls = control_group(judged, evidence, progress=part(progress, 0, 0.3))

    def look(row: Judged, inner: Progress) -> Candidate:
        candidate = follow(row, evidence, controls, progress=inner)
        telling.left(candidate)
        return candidate

    followed = each(qualified[: effort.followed], look, progress=part(progress, 0.3, 1.0))
    return controls, ranked(followed)


def _asked(answers: Answers, inputs: Inputs, times: tuple[tuple[int, ...], ...], table: CountTable) -> Asked:
    return Asked(
        inputs=inputs,
        behaviours=table.behaviours,
        left_out=answers.left_out,
        times=times,
        valid_days=answers.windows.valid,
        invalid_days=tuple(InvalidDays(y, reason) for y, reason in answers.windows.invalid),
        data_end=answers.data_end.isoformat(),
        time_zone=answers.time_zone,
        segments=() if answers.segment is None else table.segments,
    )
