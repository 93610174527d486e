"""What a study, an experiment's analysis and a search for segments say of a planted copy. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from aha.study.candidates import ALPHA, take_cell
from aha.study.choice import choose
from aha.study.grid import CountTable, Flags, Names, count_cells, levels, thresholds
from aha.study.hold_out import split
from aha.study.null import Null, grid_null
from aha.study.step import Step, StepVerdict, step_evidence
from experiments.analyse.codes import Code
from experiments.analyse.effects import leading
from experiments.analyse.engine import SEGMENTS_DIFFER, analyze
from experiments.files.cleaning import clean, resolve
from experiments.files.reading import Source
from experiments.plan.design import Design
from insight_site.selftest.planted_effects import Ground, PlantedExperiment, PlantedMoment
from segments.search.features import Floats, Ints, UnitTable
from segments.search.reduction import Method
from segments.search.segmentation import Options, Segmentation, segment
from stats.power.family_and_looks import Plan
from stats.power.sample_size import Size, power_at, sample_size
from stats.results import NotComputable, computable

# Run a study on a planted copy: its nulls, its step test and its choice of the threshold. Pure.

# Fewer than in a study, since each self-test repeats them often. With 99 shuffles a p-value of .05 is still exact.
SHUFFLES = 99
REPLICATES = 99
MOST_BEHAVIOURS = 5
MOST_WINDOWS = 3


@dataclass(frozen=True)
class StudySays:
    """Result of a study of one planted copy.

    Attributes:
        candidate: the planted behaviour is a candidate: its cell is significantly better than chance, and positive.
        at_moment: it reports a jump of the planted behaviour, at the planted count or a neighbouring one.
        any_jump: it reports a jump of any behaviour.
        beats_luck: some cell of the grid is significantly better than chance.
        beats_active: some cell is significantly better than equally active users.
        step_missing: why no step could be tested for the planted behaviour; None where one was.
        detection: share of jumps of 5 points there that its step test would find; None if it found a step.
        not_apart: it found a step there that it can't distinguish from a smooth curve.
    """

    candidate: bool
    at_moment: bool
    any_jump: bool
    beats_luck: bool
    beats_active: bool
    step_missing: NotComputable | None
    detection: float | None
    not_apart: bool


def looked_at(table: CountTable, candidates: Sequence[str], moment: PlantedMoment) -> CountTable:
    """The planted behaviour and the most frequent others, in the planted window and two more.

    A real study tests all behaviours, which is the same work many times over.
    """
    others = [name for name in candidates if name != moment.behaviour]
    reach = {name: (table.counts[:, table.behaviours.index(name), -1] > 0).mean() for name in others}
    names = sorted(others, key=lambda name: (-reach[name], name))[: MOST_BEHAVIOURS - 1]
    days = sorted({moment.days, table.days[0], table.days[len(table.days) // 2], table.days[-1]})
    days = [day for day in days if day == moment.days or len(days) <= MOST_WINDOWS or day != table.days[-1]]
    columns = [table.days.index(day) for day in days]
    small = table.only([moment.behaviour, *names])
    return CountTable(
        small.behaviours,
        tuple(days),
        small.unit_ids,
        small.counts[:, :, columns],
        small.retained,
        small.week,
        small.segment,
        small.segments,
        small.active[:, columns],
    )


def study_planted(table: CountTable, moment: PlantedMoment, retained: Flags, *, rng: np.random.Generator) -> StudySays:
    """Run the parts of a study that decide what it calls a moment.

    Args:
        table: of `looked_at`.
        moment: the planted one.
        retained: planted retention per unit.
        rng: for shuffles and bootstraps.
    """
    planted = _with_outcome(table, retained)
    times = thresholds(planted)
    grid, parts = levels(planted, times), split(planted)
    luck = grid_null(planted, grid, rng=rng, permutations=SHUFFLES)
    active = grid_null(planted, grid, rng=rng, permutations=SHUFFLES, by_activity=True)
    steps = step_evidence(planted.take(parts.for_steps), times, rng=rng, replicates=REPLICATES)
    place = planted.behaviours.index(moment.behaviour)
    own = steps[place]
    train = planted.take(parts.train).only([moment.behaviour])
    choice = choose(train, levels(train, [times[place]]), rng=rng, replicates=REPLICATES)[moment.behaviour]
    cells = count_cells(grid, planted.retained)
    pick, _by_step = take_cell(choice, own, cells, place)
    candidate = False
    if computable(pick) and isinstance(luck, Null):
        cell = cells.find(place, pick.days, pick.times)
        candidate = bool(luck.adjusted_p[cell] <= ALPHA and luck.z[cell] > 0)
    return StudySays(
        candidate=candidate,
        at_moment=_at(own, moment, times[place]),
        any_jump=any(step.verdict is StepVerdict.JUMP for step in steps),
        beats_luck=isinstance(luck, Null) and luck.smallest_p <= ALPHA,
        beats_active=isinstance(active, Null) and active.smallest_p <= ALPHA,
        step_missing=own.reason,
        detection=own.detection,
        not_apart=computable(own.adjusted_p_value)
        and own.adjusted_p_value <= ALPHA
        and own.verdict is not StepVerdict.JUMP,
    )


def _at(step: Step, moment: PlantedMoment, times: Sequence[int]) -> bool:
    """A jump at the planted count, or at the next tested one on either side."""
    if step.verdict is not StepVerdict.JUMP or moment.times not in times:
        return False
    return abs(times.index(step.times) - times.index(moment.times)) <= 1


def _with_outcome(table: CountTable, retained: Flags) -> CountTable:
    return CountTable(
        table.behaviours,
        table.days,
        table.unit_ids,
        table.counts,
        retained,
        table.week,
        table.segment,
        table.segments,
        table.active,
    )


# Run an experiment's analysis on planted units: cleaned, compared and judged as any finished one. Pure.

CONTROL, NUDGE = "control", "nudge"
IN_TRAIT, OUTSIDE = "yes", "no"


@dataclass(frozen=True)
class AnalysisSays:
    """Result of the analysis of one planted experiment.

    Attributes:
        verdict: its code.
        segments_differ: its test finds different effects of the nudge in the two halves; None without such a test.
        covers: the confidence set of the behaviour's effect contains the true one; None without a set.
    """

    verdict: Code
    segments_differ: bool | None
    covers: bool | None


def analyse_planted(planted: PlantedExperiment, units: Names, trait: Flags | None) -> AnalysisSays:
    """Analyse a planted experiment as an encouragement design; if the nudge moved nobody, as a plain A/A test."""
    columns: dict[str, object] = {
        "unit": pa.array([str(unit) for unit in units]),
        "arm": np.where(planted.nudged, NUDGE, CONTROL).astype(object),
        "did": planted.did.astype(np.int8),
        "retained": planted.retained.astype(np.int8),
    }
    if trait is not None:
        columns["trait"] = np.where(trait, IN_TRAIT, OUTSIDE).astype(object)
    design = Design(
        variant="arm",
        control=CONTROL,
        outcomes=("retained",),
        unit="unit",
        segment=None if trait is None else "trait",
        behaviour="did" if planted.moved else None,
    )
    source = Source("self-test", pa.table(columns), 1)
    design = resolve(source, design)
    report = analyze(source.name, design, clean(source, design))
    row = leading(report)
    differ = None if row.stratified is None else row.stratified.heterogeneity
    effects = None if row.encouragement is None else row.encouragement.effect_set
    return AnalysisSays(
        verdict=report.verdict.code,
        segments_differ=differ.p_value < SEGMENTS_DIFFER if differ is not None and computable(differ) else None,
        covers=effects.contains(planted.true_effect) if effects is not None and computable(effects) else None,
    )


@dataclass(frozen=True)
class Foretold:
    """The planner's forecast for an experiment with these users.

    Attributes:
        power: probability that it finds the planted effect, 0 to 1.
        needed: users in both arms for 80 % power, or why there is no such number.
    """

    power: float
    needed: int | NotComputable


def foretell(ground: Ground, *, take_up: float) -> Foretold | None:
    """Power of the planted threshold's experiment; None if the effect leaves no room for a plan."""
    base = float(ground.shared_cause.mean() + ground.effect * ground.moment.reach)
    moved = take_up * (1 - ground.moment.reach)
    try:
        plan = Plan(baseline=min(max(base, 1e-6), 1 - 1e-6), take_up=moved)
        size = sample_size(plan, ground.effect)
        half = ground.table.n // 2
        power = power_at(plan, ground.effect, (half, ground.table.n - half))
        return Foretold(power, size.total if isinstance(size, Size) else size)
    except ValueError:
        return None


# Run a segment search on users with planted play styles, and on users without any. Pure.

MOST_UNITS = 4_000
LIKE_THE_TRUTH = 0.8  # adjusted Rand index from which the groups count as the planted ones
BEHAVIOURS = 3  # behaviours that a style needs to differ in
# Enough for a null at 5 % (1 of 20) and for the usual bootstrap samples; a page shows more.
EFFORT = Options(
    method=Method.PCA,
    umap_rows=600,
    reference_rows=1_000,
    refit_rows=300,
    measure_rows=600,
    picture_rows=100,
    resamples=(20, 5),
    null_draws=(19, 19),
    seeds=2,
)


@dataclass(frozen=True)
class StylesSay:
    """Result of a segment search.

    Attributes:
        found: it reports its groups as stable, and as more than one continuous cloud.
        agreement: adjusted Rand index with the planted styles, 1 where every user is in the right group.
        units: users searched.
    """

    found: bool
    agreement: float
    units: int


def search_planted(
    table: UnitTable, *, planted: bool, rng: np.random.Generator, seed: int
) -> StylesSay | NotComputable:
    """Search a copy in which half of the users have another style, or in which no style is left.

    With styles, one half's acts are redistributed: what the others do most, it does least. Each user's total activity
    is unchanged. Without, each behaviour's rate per active day is shuffled among all users, one behaviour at a time, so
    that behaviours are independent.

    Args:
        table: counts of a window, from the log.
        planted: whether styles are planted or removed.
        rng: for the halves, and the shuffling of rates.
        seed: of the search.
    """
    from sklearn.metrics import adjusted_rand_score

    rows = np.sort(rng.permutation(len(table))[:MOST_UNITS])
    copied = table.take(rows)
    styles = rng.integers(0, 2, len(copied))
    counts = _with_styles(copied, styles) if planted else _without(copied, rng)
    result = segment(replace(copied, counts=counts), options=replace(EFFORT, seed=seed))
    if not isinstance(result, Segmentation):
        return result
    known = result.labels >= 0
    agreement = float(adjusted_rand_score(styles[known], result.labels[known]))
    return StylesSay(result.clusters_found, agreement, int(known.sum()))


def _with_styles(table: UnitTable, styles: Ints) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    """Behaviours by frequency, and in reverse order for the second style."""
    order = np.argsort(-np.asarray(table.counts.sum(axis=0)), kind="stable")
    turned = table.counts.copy()
    turned[:, order] = table.counts[:, order[::-1]]
    return np.asarray(np.where(styles[:, None] == 1, turned, table.counts), dtype=np.int32)


def _without(table: UnitTable, rng: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    days: Floats = np.maximum(table.active_days, 1).astype(np.float64)
    rates = table.counts / days[:, None]
    dealt = np.column_stack([rng.permutation(column) for column in rates.T])
    return np.asarray(np.rint(dealt * days[:, None]), dtype=np.int32)
