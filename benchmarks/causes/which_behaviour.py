"""This behaviour, or another one: what is claimed of behaviours that a nudge moves together, where the truth is known.

    .venv/bin/python -m benchmarks.causes.which_behaviour --write docs/which_behaviour_figures.md
    .venv/bin/python -m benchmarks.causes.which_behaviour --runs 200 --lab-runs 20

One nudge: users of the worlds `spill`, `spill_2`, `spill_both` and `consequence` (docs/methods/worlds.md) give the
means and covariances of outcome and all thirteen behaviours in both arms; each run draws an experiment's means from
them. Several nudges: each run draws users, row by row. What is said of them is the product's: `stats/instrument`.
Seeds are fixed. The exit code is 1 where a promise is broken.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import sqrt
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.frame import filled, options_of, show, table, workers
from stats.instrument.anderson_rubin import AndersonRubin, anderson_rubin
from stats.instrument.joint import JointMoments, JointReading, moments_of_units, read_jointly, stack_nudges
from stats.instrument.other_behaviours import Moved, OtherMoments, describe_others, under_others
from stats.instrument.pooled import Instrument
from stats.instrument.pooled_sets import conditional_p, likelihood_ratio, stacked
from stats.iv_moments import IvMoments, iv_moments
from stats.results import computable
from stats.summaries import Array, Joint

ALPHA, LEVEL, SEED = 0.05, 0.95, 20261201
RUNS, LAB_RUNS, PART = 2_000, 200, 5

type Rng = np.random.Generator


@dataclass(frozen=True)
class Promise:
    """A share that must be at most, or at least, a limit; luck of so many runs is added to the limit."""

    what: str
    share: float
    limit: float
    runs: int
    at_most: bool = False

    @property
    def kept(self) -> bool:
        luck = 2 * sqrt(self.limit * (1 - self.limit) / max(self.runs, 1))
        return self.share <= self.limit + luck if self.at_most else self.share >= self.limit - luck

    @property
    def words(self) -> str:
        side = "≤" if self.at_most else "≥"
        return f"{side} {percent(self.limit)}: {'met' if self.kept else '**missed**'}"


# ── One nudge ─────────────────────────────────────────────────────────────────
# The population stands for "all users": its own means are the truth of every run.
POPULATION = 100_000
SIZES = (20_000, 60_000)
NOTHING_MOVED = "nothing else moved"


@dataclass(frozen=True)
class Case:
    """A world, what is registered of the others, and what must come out.

    Attributes:
        world: its name, or `NOTHING_MOVED`.
        promise: largest effect that each other behaviour may have.
        marked: chat is registered as a consequence.
    """

    world: str
    promise: float
    marked: bool = False


CASES = (
    *(Case(world, promise) for world in ("spill_2", "spill") for promise in (0.15, 0.18, 0.3)),
    *(Case("spill_both", promise) for promise in (0.15, 0.18, 0.3)),
    *(Case(NOTHING_MOVED, promise) for promise in (0.18, 0.3)),
    *(Case("consequence", 0.18, marked) for marked in (True, False)),
)


@dataclass(frozen=True, eq=False)
class Population:
    """Means and covariances of outcome, tested behaviour and others, in control and with everybody nudged."""

    names: tuple[str, ...]
    means: Array
    covariances: Array


@cache
def population(world: str, size: int = POPULATION) -> Population:
    from events.simulation import WORLDS, simulate
    from tests.simulated import others_done

    if world == NOTHING_MOVED:  # both behaviours work, and the nudge moves the tested one alone
        parameters = replace(WORLDS["spill_both"], name=world, other_take_up=0.0)
    else:
        parameters = WORLDS[world]
    names: tuple[str, ...] = ()
    arms = []
    for arm in (0, 1):  # the same users, once with nobody and once with everybody nudged
        seen = simulate(parameters, size, SEED, np.full(size, arm))
        done = others_done(seen)
        names = tuple(done)
        arms.append(Joint.from_columns(np.column_stack([seen.retained, seen.reached, *done.values()]).astype(float)))
    return Population(names, np.stack([arm.means for arm in arms]), np.stack([arm.covariance for arm in arms]))


def draw_moments(found: Population, users: int, rng: Rng) -> tuple[IvMoments, OtherMoments]:
    """What an experiment measures with so many users, half of them nudged."""
    half = users // 2
    covariance = found.covariances.sum(axis=0) / half
    effects = rng.multivariate_normal(found.means[1] - found.means[0], covariance, method="cholesky")
    itt, first_stage = map(float, effects[:2])
    moments = IvMoments(itt, first_stage, covariance[0, 0], covariance[1, 1], covariance[0, 1], half, half)
    return moments, OtherMoments(found.names, effects[2:], covariance[2:, 2:], covariance[0, 2:], covariance[1, 2:])


def moments_of_arms(control: Array, variant: Array, names: tuple[str, ...]) -> tuple[IvMoments, OtherMoments]:
    """The same from users' rows of each arm: outcome, tested behaviour, others."""
    arms = [Joint.from_columns(rows) for rows in (control, variant)]
    effects = arms[1].means - arms[0].means
    covariance = sum((arm.covariance / arm.n for arm in arms), np.zeros((len(effects), len(effects))))
    moments = iv_moments(*(arm.take(0, 1) for arm in arms))
    assert computable(moments)
    return moments, OtherMoments(names, effects[2:], covariance[2:, 2:], covariance[0, 2:], covariance[1, 2:])


@dataclass(frozen=True)
class Said:
    """What is said of one experiment: `before` without other behaviours, `now` with them, and the set under them."""

    before: str
    now: str
    under: AndersonRubin | None = None


OTHER_BEHAVIOUR = "other_behaviour"


def say(
    moments: IvMoments, others: OtherMoments, promise: float | Sequence[float], consequences: Sequence[str] = ()
) -> Said:
    """CAUSES and HARMS need the nudge's effect, a set without 0, and the same whatever the moved others do."""
    critical = moments.critical_value(ALPHA)
    own = anderson_rubin(moments, q=critical**2)
    shown = moments.tail(moments.itt / sqrt(moments.v_r)) < ALPHA and own.bounded and not own.contains(0.0)
    before = ("CAUSES" if (own.low or 0.0) > 0 else "HARMS") if shown else ""
    if not before:
        return Said("", "")
    most = [promise] * len(others.names) if isinstance(promise, float) else promise
    box = [(0.0, one) for one in most]
    rows = describe_others(moments, others, box, critical=critical)
    counts = [place for place, row in enumerate(rows) if row.moved is Moved.MOVED and row.name not in consequences]
    under = under_others(moments, others.take(counts), [box[place] for place in counts], critical=critical)
    holds = under.excludes_zero and under.effect_set.bounded and not under.effect_set.contains(0.0)
    return Said(before, before if holds else OTHER_BEHAVIOUR, under.effect_set)


def one_nudge(job: tuple[Case, int, int]) -> dict[str, float]:
    case, users, runs = job
    found = population(case.world)
    rng = np.random.default_rng([SEED, users, *case.world.encode()])  # the same experiments for each promise
    marked = (CHAT,) if case.marked else ()
    said = [say(*draw_moments(found, users, rng), case.promise, marked) for _ in range(runs)]
    return {
        "before": fmean(one.before == "CAUSES" for one in said),
        "now": fmean(one.now == "CAUSES" for one in said),
        "other": fmean(one.now == OTHER_BEHAVIOUR for one in said),
        "harms": fmean(one.now == "HARMS" for one in said),
        "runs": runs,
    }


CHAT = "chat"


def promises(case: Case, users: int, row: dict[str, float]) -> list[Promise]:
    runs = int(row["runs"])
    wrong = Promise("HARMS", row["harms"], ALPHA / 2, runs, at_most=True)
    small = users == SIZES[0]
    if case.world in ("spill", "spill_2"):
        return [Promise("CAUSES", row["now"], 0.05, runs, at_most=True)]
    if case.world == "spill_both":
        return [Promise("CAUSES", row["now"], 0.62 if small else 0.95, runs)] if case.promise == 0.18 else []
    if case.world == NOTHING_MOVED or case.marked:
        lost = 0.06 if small else 0.01
        return [Promise("CAUSES", row["now"], row["before"] - lost, runs)] if case.promise == 0.18 else []
    return [wrong]


# ── Several nudges ────────────────────────────────────────────────────────────
type Drawn = Callable[[Rng], JointMoments]
EFFECTS = (0.15, 0.08, 0.0, 0.0, 0.0)
NAMES = ("add", "chat", "buy", "play", "browse")


@dataclass(frozen=True, eq=False)
class Nudges:
    """Nudges of which each moves several behaviours.

    Attributes:
        name: of the scenario.
        moves: J x K, how far each moves each behaviour of those who meet it.
        effects: K effects of the behaviours.
        users: of the lab, or of each experiment.
        shared: 0: each experiment has users of its own. Else each user is in each experiment with this chance.
        direct: of each nudge on the outcome.
    """

    name: str
    moves: Array
    effects: Array
    users: int
    shared: float = 0.0
    direct: Array = field(default_factory=lambda: np.zeros(1))

    @property
    def behaviours(self) -> tuple[str, ...]:
        return NAMES[: len(self.effects)]

    @property
    def nudges(self) -> tuple[str, ...]:
        return tuple(f"nudge {place}" for place in range(1, len(self.moves) + 1))


def five(own: float) -> Array:
    """Five nudges, each towards its own behaviour; each also moves two others, by a sixth to a half of the own move."""
    moves = own * np.eye(5)
    for place in range(5):
        moves[place, (place + 1) % 5] = own * (1 / 6 + place / 12)
        moves[place, (place + 2) % 5] = own * (1 / 2 - place / 12)
    return moves


def twelve() -> Array:
    """Twelve experiments on four behaviours: three on each, all of which move another one too."""
    moves = np.zeros((12, 4))
    for place in range(12):
        own, strength = place % 4, (0.12, 0.09, 0.15)[place // 4]
        moves[place, own], moves[place, (own + 1 + place // 4) % 4] = strength, strength * (0.5, 0.3, 0.4)[place // 4]
    return moves


FOUR = np.array([0.15, 0.08, 0.0, 0.0])
ONE_DIRECT = np.where(np.arange(12) == 4, 0.03, 0.0)
ALIKE = five(0.12)[:, :4].copy()
ALIKE[:, 3] = 0.6 * ALIKE[:, 2]
SCENARIOS = {
    one.name: one
    for one in (
        Nudges("lab, own take-up 12", five(0.12), np.array(EFFECTS), 40_000, 1.0),
        Nudges("lab, own take-up 4", five(0.04), np.array(EFFECTS), 40_000, 1.0),
        Nudges("twelve experiments", twelve(), FOUR, 12_000),
        Nudges("twelve that share users", twelve(), FOUR, 36_000, 1 / 3),
        Nudges("one of twelve acts directly", twelve(), FOUR, 12_000, 0.0, ONE_DIRECT),
        Nudges("one of twelve acts directly, shared users", twelve(), FOUR, 36_000, 1 / 3, ONE_DIRECT),
        Nudges("two behaviours move alike", ALIKE, FOUR, 40_000, 1.0),
    )
}


def people(scenario: Nudges, arms: Array, rng: Rng) -> tuple[Array, Array]:
    """Outcome and behaviours of users with these arms: 1 nudged, 0 or NaN not.

    Who is more engaged does more of everything and stays more often: comparing doers with others is wrong.
    """
    n = len(arms)
    engaged = rng.uniform(-1, 1, n)
    own = 0.3 + 0.2 * engaged
    nudged = np.nan_to_num(arms)
    # A nudge brings a part of those who wouldn't do it by themselves: 70 % on average.
    stays_away = np.ones((n, len(scenario.effects)))
    for place, moves in enumerate(scenario.moves):
        stays_away *= 1 - nudged[:, [place]] * moves / 0.7
    acts = rng.random((n, len(scenario.effects))) < 1 - (1 - own)[:, None] * stays_away
    keeps = 0.25 + 0.12 * engaged + acts @ scenario.effects
    keeps += nudged @ np.broadcast_to(scenario.direct, len(scenario.moves))
    return (rng.random(n) < keeps).astype(float), acts.astype(float)


def draw_nudges(scenario: Nudges, rng: Rng) -> JointMoments:
    j = len(scenario.moves)
    if scenario.shared:
        arms = rng.integers(0, 2, (scenario.users, j)).astype(float)
        arms[rng.random(arms.shape) >= scenario.shared] = np.nan
        outcome, acts = people(scenario, arms, rng)
        found = moments_of_units(scenario.nudges, scenario.behaviours, outcome, acts, arms)
        assert computable(found)
        return found
    moments, covariances = [], []
    for place in range(j):
        arms = np.full((scenario.users, j), np.nan)
        arms[:, place] = rng.integers(0, 2, scenario.users)
        outcome, acts = people(scenario, arms, rng)
        rows = np.column_stack([outcome, acts])
        control, variant = (Joint.from_columns(rows[arms[:, place] == side]) for side in (0, 1))
        moments.append(variant.means - control.means)
        covariances.append(variant.covariance / variant.n + control.covariance / control.n)
    return stack_nudges(scenario.nudges, scenario.behaviours, moments, covariances)


def several_nudges(job: tuple[str, int, int]) -> list[dict[str, Any]]:
    name, first, last = job
    scenario = SCENARIOS[name]
    rows = []
    for run in range(first, last):
        moments = draw_nudges(scenario, np.random.default_rng([SEED, run, *name.encode()]))
        begun = time.perf_counter()
        reading = read_jointly(moments, ALPHA)
        rows.append(read(scenario, moments, reading) | {"seconds": time.perf_counter() - begun})
    return rows


def read(scenario: Nudges, moments: JointMoments, reading: JointReading) -> dict[str, Any]:
    """What one run said of each behaviour; a behaviour without a number neither covers nor has an effect."""
    each, true = reading.behaviours, scenario.effects
    agreement = reading.agreement
    culprit = int(np.argmax(scenario.direct)) if scenario.direct.any() else None
    called = computable(agreement) and bool(agreement.p_value < ALPHA)
    touched = [] if culprit is None else list(np.flatnonzero(scenario.moves[culprit]))
    return {
        "number": [computable(row.effect) for row in each],
        "covers": [bool(row.effect_set.contains(b)) if computable(row.effect_set) else None
                   for row, b in zip(each, true, strict=True)],
        "effect": [computable(row.p_zero) and bool(row.p_zero < ALPHA) for row in each],
        "alone": [alone(scenario, moments, place) for place in range(len(true))],
        "called": called,
        "silent": called and not any(computable(each[place].effect) for place in touched),
        "named": culprit is not None and computable(agreement)
        and scenario.nudges[culprit] in agreement.influential,
        "confused": [row.confused_with for row in each],
    }  # fmt: skip


def alone(scenario: Nudges, moments: JointMoments, place: int) -> tuple[bool, bool]:
    """Read one behaviour at a time, from the nudges towards it: has it an effect, and does the set cover?"""
    own = np.flatnonzero(scenario.moves.argmax(axis=1) == place)
    if not len(own):  # no nudge is meant for it
        own = scenario.moves[:, place].argmax(keepdims=True)
    p = len(scenario.effects) + 1
    instruments = []
    for nudge in own:
        at = [nudge * p, nudge * p + 1 + place]
        v = moments.covariance[np.ix_(at, at)]
        one = IvMoments(float(moments.itt[nudge]), float(moments.first_stages[nudge, place]), v[0, 0], v[1, 1], v[0, 1],
                        scenario.users // 2, scenario.users // 2)  # fmt: skip
        instruments.append(Instrument(str(nudge), str(nudge), one))
    if len(instruments) == 1:
        found = anderson_rubin(instruments[0].moments, alpha=ALPHA)
        return not found.contains(0.0), bool(found.contains(float(scenario.effects[place])))
    stack = stacked(instruments, alpha=ALPHA)
    ratio, strength = likelihood_ratio(stack, np.arctan(np.array([0.0, scenario.effects[place]]) / stack.unit))
    p_values = [float(conditional_p(ratio[[at]], strength, stack.size)[0]) for at in (0, 1)]
    return p_values[0] < ALPHA, p_values[1] >= ALPHA


@dataclass(frozen=True)
class Lab:
    """Shares over the runs of one scenario; by behaviour where lists."""

    runs: int
    number: list[float]
    covers: list[float]
    effect: list[float]
    alone_effect: list[float]
    alone_covers: list[float]
    called: float
    silent: float
    named: float
    pair: float
    seconds: float


def lab_of(rows: list[dict[str, Any]]) -> Lab:
    def by_behaviour(key: str, part: int | None = None) -> list[float]:
        columns = zip(*[row[key] for row in rows], strict=True)
        found = [[one if part is None else one[part] for one in column if one is not None] for column in columns]
        return [float(np.mean(column)) if column else float("nan") for column in found]

    def share(key: str, among: list[dict[str, Any]]) -> float:
        return float(np.mean([row[key] for row in among])) if among else float("nan")

    twins = {2: NAMES[3], 3: NAMES[2]}  # of `ALIKE`
    called = [row for row in rows if row["called"]]
    return Lab(
        runs=len(rows),
        number=by_behaviour("number"),
        covers=by_behaviour("covers"),
        effect=by_behaviour("effect"),
        alone_effect=by_behaviour("alone", 0),
        alone_covers=by_behaviour("alone", 1),
        called=len(called) / len(rows),
        silent=share("silent", called),
        named=share("named", called),
        pair=float(np.mean([[row["confused"][place] == other for place, other in twins.items()] for row in rows])),
        seconds=float(np.median([row["seconds"] for row in rows])),
    )


def lab_promises(name: str, lab: Lab) -> list[Promise]:
    runs = lab.runs
    inert = [place for place, b in enumerate(SCENARIOS[name].effects) if b == 0]
    if name.startswith("lab"):
        limit = 0.07 if "12" in name else 0.08
        found = [Promise("largest share of an inert behaviour with an effect", max(lab.effect[k] for k in inert), limit,
                         runs, at_most=True)]  # fmt: skip
        return [*found, Promise("lowest coverage", min(lab.covers), 0.91, runs)]
    if name.startswith("twelve"):
        return [Promise("lowest coverage", min(lab.covers), 0.93, runs)]
    if name.startswith("one of twelve"):
        called = round(lab.called * runs)
        return [
            Promise("disagreement called", lab.called, 0.5, runs),
            Promise("then no number for what it touches", lab.silent, 1.0, called),
        ]
    return [
        Promise("no number for either of the two", 1 - max(lab.number[2:]), 0.93, runs),
        Promise("the named pair is right", lab.pair, 0.9, 2 * runs),
    ]


# ── The page ──────────────────────────────────────────────────────────────────
def main() -> None:
    parser = options_of(__doc__, runs=RUNS, lab_runs=LAB_RUNS)
    parser.add_argument("--rows", type=Path, help="file that keeps what is done, so that a stopped run goes on")
    parser.add_argument("--page-only", action="store_true", help="the page of what is kept")
    options = parser.parse_args()
    done: dict[str, Any] = {}
    if options.rows and options.rows.exists():
        done = dict(json.loads(row) for row in options.rows.read_text(encoding="utf-8").splitlines())
    single = {f"{case} {users} {options.runs}": (one_nudge, (case, users, options.runs))
              for case in CASES for users in SIZES}  # fmt: skip
    several = {f"{name} {first}": (several_nudges, (name, first, min(first + PART, options.lab_runs)))
               for first in range(0, options.lab_runs, PART) for name in SCENARIOS}  # fmt: skip
    waiting = {} if options.page_only else {k: job for k, job in (single | several).items() if k not in done}
    with workers(options.processes) as pool:
        runs = [pool.submit(*job) for job in waiting.values()]
        for key, run in zip(waiting, runs, strict=True):
            done[key] = run.result()
            print(key, flush=True)
            if options.rows:
                with options.rows.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, done[key]]) + "\n")
    labs: dict[str, list[dict[str, Any]]] = {name: [] for name in SCENARIOS}
    for key, (_, part) in several.items():
        labs[str(part[0])] += done.get(key, [])
    text, broken = page(
        [(job, done[key]) for key, (_, job) in single.items() if key in done],
        {name: lab_of(rows) for name, rows in labs.items() if rows},
    )
    show(text, options.write)
    sys.exit(broken)


def page(single: list[tuple[tuple[Case, int, int], dict[str, float]]], labs: dict[str, Lab]) -> tuple[str, bool]:
    first = [single_row(case, users, row) for (case, users, _), row in single]
    made = [promise for (case, users, _), row in single for promise in promises(case, users, row)]
    made += [promise for name, lab in labs.items() for promise in lab_promises(name, lab)]
    missed = sum(not promise.kept for promise in made)
    one = ("world", "users", "promise of each other", "0.4 says CAUSES", "CAUSES", "maybe another one", "HARMS",
           "runs", "must")  # fmt: skip
    each = ("nudges", "behaviour", "worth", "has an effect", "covers", "gets a number", "alone: has an effect",
            "alone: covers")  # fmt: skip
    all_of = ("nudges", "runs", "disagreement called", "then the culprit is named", "then silent on what it moves",
              "seconds of one reading", "must")  # fmt: skip
    text = filled(
        "which_behaviour",
        globals(),
        missed=missed or "none",
        promises=len(made),
        single=table(one, first),
        behaviours=table(each, [row for name, lab in labs.items() for row in behaviour_rows(name, lab)]),
        labs=table(all_of, [lab_row(name, lab) for name, lab in labs.items()]),
    )
    return text, bool(missed)


def percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f} %"


def single_row(case: Case, users: int, row: dict[str, float]) -> list[str]:
    marks = ", chat marked a consequence" if case.marked else ""
    shares = [percent(row[name]) for name in ("before", "now", "other", "harms")]
    made = "; ".join(f"{one.what} {one.words}" for one in promises(case, users, row))
    world = case.world if case.world == NOTHING_MOVED else f"`{case.world}`"
    return [f"{world}{marks}", f"{users:,}", f"{100 * case.promise:g} points", *shares, f"{int(row['runs']):,}", made]


def behaviour_rows(name: str, lab: Lab) -> list[list[str]]:
    scenario = SCENARIOS[name]
    columns = (lab.effect, lab.covers, lab.number, lab.alone_effect, lab.alone_covers)
    return [
        [name, behaviour, f"{100 * b:g} points", *(percent(column[place]) for column in columns)]
        for place, (behaviour, b) in enumerate(zip(scenario.behaviours, scenario.effects, strict=True))
    ]


def lab_row(name: str, lab: Lab) -> list[str]:
    made = "; ".join(f"{one.what} {percent(one.share)}, {one.words}" for one in lab_promises(name, lab))
    direct = SCENARIOS[name].direct.any()
    shares = (lab.called, lab.named if direct else float("nan"), lab.silent if direct else float("nan"))
    return [name, f"{lab.runs:,}", *(percent(share) for share in shares), f"{lab.seconds:.2g}", made]


if __name__ == "__main__":
    main()
