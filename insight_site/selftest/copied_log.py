"""Copy the study data of the log into memory, and choose where and how to plant effects."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aha.study.grid import CountTable, Flags, build_table
from aha.study.report_columns import mondays
from aha.study.window_guard import Flag, flag_behaviours, may_be_candidates, not_yet_available
from insight_site.selftest.planted_study import looked_at
from insight_site.selftest.planting.moment_choice import NoMoment, PlantedMoment, choose_moment
from insight_site.selftest.planting.planted_outcomes import Ground, shared_cause
from insight_site.selftest.selftest_result import Asked, Shortfall, Why

if TYPE_CHECKING:
    from aha.study.discover import Answers
    from aha.study.question import Inputs

LEAST_HALF = 0.1  # smallest share of users in the smaller half


@dataclass(frozen=True, eq=False)
class Copied:
    """The copied users.

    Attributes:
        table: their counts and real retention.
        candidates: behaviours without an excluding flag.
        trait, trait_name: a division by something known at signup; None and "" without one.
    """

    table: CountTable
    candidates: tuple[str, ...]
    trait: Flags | None
    trait_name: str


@dataclass(frozen=True, eq=False)
class Planted:
    """Where effects are planted, and the table that studies use."""

    ground: Ground
    small: CountTable
    true_effect: float


def copy_units(answers: "Answers", inputs: "Inputs") -> Copied:
    """The sampled users from the warehouse's answers."""
    rows = answers.sample
    table = build_table(
        behaviours=[str(behaviour) for behaviour in answers.behaviours],
        days=answers.windows.valid,
        unit_ids=answers.unit_ids[rows],
        retained=answers.retained[rows],
        week=mondays(answers.dates[rows]),
        active_days=answers.active_days,
        rows=answers.rows,
    )
    flags = flag_behaviours(
        table,
        answers.behaviours,
        inputs.definition,
        first_sessions=answers.first_sessions,
        inert=inputs.inert,
        unavailable=dict.fromkeys(not_yet_available(table, answers.anchors, answers.first_times)),
    )
    repeats = {mark.behaviour for mark in flags if mark.flag is Flag.DUPLICATE}
    candidates = tuple(name for name in may_be_candidates(table, flags) if name not in repeats)
    trait, name = _trait(answers)
    return Copied(table, candidates, trait, name)


def _trait(answers: "Answers") -> tuple[Flags | None, str]:
    """The column known at signup that divides users most evenly."""
    shares = answers.attributes.values.mean(axis=0) if len(answers.attributes.names) else np.zeros(0)
    if not len(shares):
        return None, ""
    best = int(np.argmin(np.abs(shares - 0.5)))
    if not LEAST_HALF <= shares[best] <= 1 - LEAST_HALF:
        return None, ""
    return np.asarray(answers.attributes.values[:, best] > 0), answers.attributes.names[best]


def place_for_plants(copied: Copied, asked: Asked) -> Planted | Shortfall:
    """Where effects are planted, or why these data have no suitable place."""
    if not copied.candidates:
        return Shortfall(Why.NO_BEHAVIOUR, {})
    moment = choose_moment(copied.table, copied.candidates, only=asked.behaviour)
    if isinstance(moment, NoMoment):
        return _nobody_reaches(moment.nearest)
    cause = shared_cause(copied.table, moment)
    ground = Ground(copied.table, moment, cause, copied.trait, asked.effect)
    return Planted(ground, looked_at(copied.table, copied.candidates, moment), ground.mean_gain())


def _nobody_reaches(nearest: PlantedMoment | None) -> Shortfall:
    if nearest is None:
        return Shortfall(Why.NO_BEHAVIOUR, {})
    figures: dict[str, float | int | str] = {"behaviour": nearest.behaviour, "times": nearest.times}
    return Shortfall(Why.NOBODY_REACHES, {**figures, "days": nearest.days, "reach": nearest.reach})
