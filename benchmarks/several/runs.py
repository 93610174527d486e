"""Made-up programmes of experiments whose truth is known, and one run of each proof: a world is read by the product's
own functions, and held against its truth."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from events.windows import Clock
from experiments.analyse.across.holdout_question import HELD, REST, HoldoutQuestion, Population, due
from experiments.analyse.across.holdout_readings import moments_of
from experiments.analyse.across.holdout_result import SideMoments, read_holdout
from experiments.analyse.across.overlaps import Side, met_of
from experiments.draw.many_units import read_units, unit_hashes
from experiments.plan.derived import Question
from experiments.plan.record import WHOLE
from stats.interaction import Interaction, interaction
from stats.results import NotComputable, computable
from stats.summaries import Joint, Mean
from stats.winners_curse import sum_selected
from tests.experiments.ask import KINDS, opened

START = datetime(2026, 3, 2, tzinfo=UTC).replace(tzinfo=None)
DAYS = 40  # of signups
WINDOW = (7, 13)
OUTCOME = "window:7-13"
BASE = 0.35
SHARE = 1_000  # a holdout of 10 %
SHIPPED_ON = (0, 8, 16)  # days on which the three winners went to everybody but the holdout
CANDIDATES, AN_ARM = 10, 3_000
TRUE_MEAN, TRUE_SPREAD = 0.005, 0.012  # of candidates' effects: half a point, give or take 1.2 points

type Floats = np.ndarray[Any, np.dtype[np.float64]]
type Bools = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class Programme:
    """Ten experiments, of which the three that look best are shipped.

    Attributes:
        effects: true effects of all ten, shares of units.
        found: what their experiments found; `errors` the standard errors.
        shipped: places of the three with the largest z, in the order of shipping.
        ids: of everybody who signed up afterwards; `signup` in days; `held` who is held out; `stays` who comes back.
        log: what everybody did afterwards, as events.
        truth: what the shipped changes did together, over all users whose outcome is known.
    """

    effects: Floats
    found: Floats
    errors: Floats
    shipped: tuple[int, ...]
    ids: list[str]
    signup: Floats
    held: Bools
    stays: Bools
    came: Floats
    truth: float

    def log(self) -> pa.Table:
        """Signups, returns, and exposures of the rest, some before the signup and inside the outcome's window."""
        rest, stays = np.flatnonzero(~self.held), np.flatnonzero(self.stays)
        met = [self.ids[place] for place in rest]
        return pa.concat_tables(
            [
                _rows(self.ids, self.signup, "signup"),
                _rows([self.ids[place] for place in stays], self.came[stays], "play"),
                _rows(met, self.signup[rest] - 0.5, "Experiment Viewed"),
                _rows(met, self.signup[rest] + 9, "Experiment Viewed"),
            ]
        )


def question(seed: int, **changes: Any) -> HoldoutQuestion:
    """The plan of the holdout report in this world: one reading, when the last user's outcome is known."""
    given: dict[str, Any] = {
        "holdout": str(seed),
        "seed": f"holdout:{seed}",
        "share": SHARE,
        "since": START.date(),
        "population": Population.SIGNUP,
        "signup_event": "signup",
        "outcome": OUTCOME,
        "day_mode": "rolling",
        "alpha": 0.05,
        "method": "fixed",
        "readings": (reading_on(),),
        "planned_units": None,
        "spending": "obrien_fleming",
        **changes,
    }
    return HoldoutQuestion(**given)


def reading_on() -> date:
    """The day on which everybody's outcome is known."""
    return START.date() + timedelta(days=DAYS + WINDOW[1] + 1)


def programme(seed: int, units: int) -> Programme:
    """One programme.

    Args:
        seed: of everything that is drawn, and of the holdout.
        units: who sign up while the changes are shipped.
    """
    rng = np.random.default_rng(seed)
    effects = rng.normal(TRUE_MEAN, TRUE_SPREAD, CANDIDATES)
    control, variant = rng.binomial(AN_ARM, BASE, CANDIDATES), rng.binomial(AN_ARM, np.clip(BASE + effects, 0, 1))
    p0, p1 = control / AN_ARM, variant / AN_ARM
    found, errors = p1 - p0, np.sqrt((p0 * (1 - p0) + p1 * (1 - p1)) / AN_ARM)
    shipped = tuple(int(place) for place in np.argsort(-found / errors)[: len(SHIPPED_ON)])
    signup = np.sort(rng.uniform(0, DAYS, units))
    gained = sum(effects[place] * (signup >= day) for place, day in zip(shipped, SHIPPED_ON, strict=True))
    ids = [f"u{seed}-{number}" for number in range(units)]
    held = np.rint(unit_hashes(f"holdout:{seed}", read_units(ids)) * WHOLE) < SHARE
    stays = rng.uniform(size=units) < BASE + np.where(held, 0.0, gained)
    came = signup + np.where(stays, rng.uniform(WINDOW[0], WINDOW[1] + 1, units), 0.0)
    truth = float(np.mean(gained))
    return Programme(effects, found, errors, shipped, ids, signup, held, stays, came, truth)


@dataclass(frozen=True, eq=False)
class TwoExperiments:
    """Two experiments on the same users.

    Attributes:
        ids: of the users; `first` and `second` who is nudged by each; `stays` who comes back.
    """

    ids: list[str]
    first: Bools
    second: Bools
    met: Floats
    later: Floats
    stays: Bools
    came: Floats

    def log(self) -> pa.Table:
        """Exposures to both, and returns."""
        stays = np.flatnonzero(self.stays)
        tables = [_rows([self.ids[place] for place in stays], self.came[stays], "play")]
        for key, arm, when in (("first", self.first, self.met), ("second", self.second, self.later)):
            tables.append(_rows(self.ids, when, "Experiment Viewed", key, arm))
        return pa.concat_tables(tables)


def two_experiments(seed: int, units: int, *, added: float) -> TwoExperiments:
    """Two experiments of two arms, each drawn by a seed of its own as the doors draw.

    Args:
        seed: of everything that is drawn.
        units: who meet both.
        added: what both treatments together do beyond the sum of what each does, share of units.
    """
    rng = np.random.default_rng(seed)
    ids = [f"v{seed}-{number}" for number in range(units)]
    first, second = (unit_hashes(f"{name}{seed}", read_units(ids)) >= 0.5 for name in ("a", "b"))
    met = rng.uniform(0, 10, units)
    chance = 0.3 + 0.03 * first + 0.02 * second + added * (first & second)
    stays = rng.uniform(size=units) < chance
    came = met + rng.uniform(WINDOW[0] + 2, WINDOW[1], units)
    return TwoExperiments(ids, first, second, met, met + rng.uniform(0, 2, units), stays, came)


def _rows(ids: list[str], days: Floats, event: str, experiment: str = "x", arm: Bools | None = None) -> pa.Table:
    """Events of these users so many days after the start."""
    arms = np.ones(len(ids), dtype=np.bool_) if arm is None else arm
    said = [json.dumps({"experiment_id": experiment, "variation_id": name}) for name in ("control", "nudge")]
    times = [START + timedelta(days=float(day)) for day in days]
    return pa.table(
        {
            "user_id": ids,
            "event": [event] * len(ids),
            "time": times,
            "properties": [said[int(one)] for one in arms] if "Viewed" in event else ["{}"] * len(ids),
            "received_at": [None] * len(ids),
        },
        schema=KINDS,
    )


# ── Runs ──────────────────────────────────────────────────────────────────────
END = datetime.combine(reading_on(), time(), UTC)


@dataclass(frozen=True)
class HoldoutRun:
    """What one programme gave: truths and what was said, shares of units.

    Attributes:
        truth: what everything shipped did together; `found` with its limits `low` and `high`.
        winners: true sum of the three effects; `naive` and `shrunk` as they were summed, with their limits.
        broken: the sample ratio alarmed.
    """

    truth: float
    found: float
    low: float
    high: float
    winners: float
    naive: tuple[float, float, float]
    shrunk: tuple[float, float, float]
    broken: bool


def holdout_run(seed: int, units: int) -> HoldoutRun:
    """One programme, read on the day that was planned."""
    world, asked = programme(seed, units), question(seed)
    at = due(asked, Clock(), END, ())
    sums = sum_selected(world.found.tolist(), world.errors.tolist(), world.shipped)
    report = read_holdout(asked, at, sides_of(world), earlier=(), shipped=(), sums=sums)
    difference = report.difference
    if difference is None or not computable(difference) or not computable(sums) or not computable(sums.shrunk):
        raise ValueError(f"seed {seed} can't be read: {difference}, {sums}")
    return HoldoutRun(
        truth=world.truth,
        found=difference.estimate,
        low=difference.low,
        high=difference.high,
        winners=float(world.effects[list(world.shipped)].sum()),
        naive=_three(sums.naive),
        shrunk=_three(sums.shrunk),
        broken=report.broken,
    )


def sides_of(world: Programme) -> SideMoments:
    """The moments of both sides, counted from the world itself: everybody's outcome is known on that day."""
    sides = {HELD: world.stays[world.held], REST: world.stays[~world.held]}
    return SideMoments(
        units={side: len(values) for side, values in sides.items()},
        outcome={side: Joint.from_columns(values[:, None].astype(np.float64)) for side, values in sides.items()},
    )


def sides_by_warehouse(world: Programme, seed: int) -> SideMoments:
    """The same as the product asks it of the log."""
    asked = question(seed)
    with opened(world.log(), END, Clock()) as questions:
        return moments_of(questions, asked, due(asked, Clock(), END, ()).until)


def interaction_run(seed: int, units: int, *, added: float, planned_units: int | None = None) -> Interaction:
    """Two experiments on the same users, by the outcome of the first."""
    found = interaction(cells_of(two_experiments(seed, units, added=added)), planned_units=planned_units)
    if isinstance(found, NotComputable):
        raise ValueError(f"seed {seed} can't be tested: {found}")
    return found


def cells_of(world: TwoExperiments) -> list[list[Mean]]:
    return [
        [Mean.from_values(world.stays[(world.first == one) & (world.second == other)]) for other in (False, True)]
        for one in (False, True)
    ]


def cells_by_warehouse(world: TwoExperiments) -> list[list[Mean]] | NotComputable:
    """The same as the product asks it of the log."""
    sides = [Side(Question(key, ("control", "nudge"), (OUTCOME,), None), None) for key in ("first", "second")]
    with opened(world.log(), END, Clock()) as questions, met_of(questions, sides) as met:
        return met.cells("first", "second", END)


def _three(found: Any) -> tuple[float, float, float]:
    return found.estimate, found.low, found.high
