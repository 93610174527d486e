"""Run an experiment's analysis on planted units: cleaned, compared and judged as any finished one. Pure."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from aha.study.grid import Flags, Names
from experiments.analyse.codes import Code
from experiments.analyse.effects import leading
from experiments.analyse.engine import SEGMENTS_DIFFER, analyze
from experiments.from_file.cleaning import clean, resolve
from experiments.from_file.reading import Source
from experiments.plan.design import Design
from insight_site.selftest.planting.planted_nudge import PlantedExperiment
from insight_site.selftest.planting.planted_outcomes import Ground
from stats.power.family_and_looks import Plan
from stats.power.sample_size import Size, power_at, sample_size
from stats.results import NotComputable, computable

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
    found = None if row.encouragement is None else row.encouragement.effect_set
    return AnalysisSays(
        verdict=report.verdict.code,
        segments_differ=differ.p_value < SEGMENTS_DIFFER if differ is not None and computable(differ) else None,
        covers=found.contains(planted.true_effect) if found is not None and computable(found) else None,
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
