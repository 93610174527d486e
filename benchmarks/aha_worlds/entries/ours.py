"""Insight: the jump of the step test as the moment, and the verdict of `analyze_file` on the experiment."""

import numpy as np

from aha.study.candidates import take_cell
from aha.study.choice import choose
from aha.study.grid import CountTable, count_cells, levels, thresholds
from aha.study.hold_out import split
from aha.study.step import StepVerdict, step_evidence
from aha.study.window_guard import flag_behaviours, may_be_candidates
from benchmarks.aha_worlds.records import LONGEST_DAYS, MOST_TIMES, Answer, Entry, Experiment, Log, Moment
from benchmarks.causes.which_behaviour import OTHER_BEHAVIOUR, Said, moments_of_arms, say
from benchmarks.frame import analysed
from benchmarks.verdicts import design_of
from events.metrics import parse_behaviour, parse_retention
from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.results import computable

RETENTION = "window:21-27"


def insight(log: Log, experiment: Experiment | None) -> Answer:
    """A moment only where retention jumps; a cause only by the verdict of an experiment."""
    moment = jump(log)
    if experiment is None:
        return Answer(moment, cause=False, reason="no experiment")
    arms = set(experiment.users.column("variant").to_pylist())
    report = analysed(experiment.users, design_of(sorted(arms), by_guild=experiment.by_guild))
    code = str(report.verdict.code)
    found = next(row for row in report.outcomes[0].comparisons if row.variant == "nudge").encouragement
    effect: float | None = None
    intervals: tuple[tuple[float | None, float | None], ...] = ()
    said = beyond_others(log, experiment) if code in ("CAUSES", "HARMS") else None
    if said is not None and said.now == OTHER_BEHAVIOUR:  # nothing is known of the behaviour
        return Answer(moment, cause=False, of="moved", reason="NUDGE_NOT_BEHAVIOUR")
    # An invalid split makes every number of the experiment worthless: none is given.
    if code != "INVALID" and found is not None and computable(found.effect) and computable(found.effect_set):
        under = found.effect_set if said is None or said.under is None else said.under
        effect, intervals = found.effect.estimate, pieces(under)
    return Answer(moment, code in ("CAUSES", "HARMS"), effect, intervals, "moved", code)


def beyond_others(log: Log, experiment: Experiment) -> Said | None:
    """Whether the nudge did more than what else it moved can explain; None where nothing else was measured.

    Source: docs/methods/joint.md.
    """
    others = tuple(name for name in experiment.users.column_names if name in log.behaviours)
    if not others:
        return None
    control, nudge = (
        np.stack([experiment.column(name, arm) for name in ("retained", "reached", *others)], axis=1)
        for arm in ("control", "nudge")
    )
    return say(*moments_of_arms(control, nudge, others), promises_of(log, experiment.moment, others))


def promises_of(log: Log, tested: Moment, others: tuple[str, ...]) -> list[float]:
    """Upper limit of each behaviour's gap in retention, adjusted for all others and for active days; at least 0.

    A short form of the study's ladder, which the product would read.
    """
    names = (tested.behaviour, *others)
    did = np.stack([log.did(Moment(name, tested.times, tested.days)) for name in names], axis=1)
    days = log.active[:, -1:] == np.arange(2, LONGEST_DAYS + 1)
    x = np.column_stack([np.ones(len(did)), did, days]).astype(float)
    inverse = np.linalg.pinv(x.T @ x)
    slopes = inverse @ (x.T @ log.retained)
    left = (log.retained - x @ slopes)[:, None] * x
    errors = np.sqrt(np.diag(inverse @ (left.T @ left) @ inverse))
    return [float(high) for high in np.maximum(slopes + 1.96 * errors, 0.0)[2 : 2 + len(others)]]


def jump(log: Log) -> Moment | None:
    """The cell at which retention jumps: the step test on the hold-out, with the study's own flags and rules."""
    table = count_table(log)
    definitions = [parse_behaviour(name) for name in log.behaviours]
    flags = flag_behaviours(table, definitions, parse_retention(RETENTION), first_sessions={})
    table = table.only(may_be_candidates(table, flags))
    times, parts = thresholds(table, MOST_TIMES), split(table)
    train, exact = table.take(parts.train), count_cells(levels(table, times), table.retained)
    choices = choose(train, levels(train, times), rng=np.random.default_rng(2))
    steps = step_evidence(table.take(parts.for_steps), times, rng=np.random.default_rng(3))
    jumps = [
        (step.adjusted_p_value, -step.statistic, step)
        for step in steps
        if step.verdict is StepVerdict.JUMP and computable(step.statistic)
    ]
    for _, _, step in sorted(jumps, key=lambda one: one[:2]):
        taken, by_step = take_cell(choices[step.behaviour], step, exact, table.behaviours.index(step.behaviour))
        if by_step and computable(taken):
            return Moment(step.behaviour, taken.times, taken.days)
    return None


def count_table(log: Log) -> CountTable:
    units = log.retained.size
    return CountTable(
        behaviours=log.behaviours,
        days=tuple(range(1, LONGEST_DAYS + 1)),
        unit_ids=np.asarray([f"u{number:07d}" for number in range(1, units + 1)], dtype=np.object_),
        counts=log.counts.astype(np.int32),
        retained=log.retained,
        week=log.week,
        segment=np.zeros(units, dtype=np.int64),
        segments=("",),
        active=log.active,
    )


def pieces(found: object) -> tuple[tuple[float | None, float | None], ...]:
    """A set of effects as disjoint intervals; None is an unbounded side."""
    if not isinstance(found, AndersonRubin):
        return tuple(found.pieces)  # type: ignore[attr-defined]
    match found.shape:
        case Shape.EMPTY:
            return ()
        case Shape.RAYS:
            return ((None, found.low), (found.high, None))
        case _:
            return ((found.low, found.high),)


INSIGHT = Entry(
    "Insight",
    insight,
    "A moment only where the step test says that retention jumps; a cause only by the verdict of an "
    "encouragement experiment, with its Anderson-Rubin set, and only where what else the nudge moved can't explain it.",
    "[discovery.md](methods/discovery.md), [encouragement.md](methods/encouragement.md); Anderson, Rubin 1949",
)
