"""How often does a map of causes say "causes" of a behaviour that does nothing? Thousands of made-up maps.

    .venv/bin/python -m benchmarks.causes.false_maps --write docs/map_of_causes.md
    .venv/bin/python -m benchmarks.causes.false_maps --maps 200

Ten behaviours, and nudges that each move one of them and spill on others. The moments of each nudge are drawn from
their normal law with all covariances; from there on everything goes through the product's functions. Seeds are fixed.
The exit code is 1 when a promise is broken.
"""

import sys
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from benchmarks.frame import filled, options_of, show, table, workers
from stats.instrument.causes import State, map_of_causes, measured_jointly
from stats.instrument.joint import JointMoments, p_value_of, read_jointly, stack_nudges
from stats.multiplicity import benjamini_yekutieli

MAPS, SEED, ALPHA = 1_000, 20261201, 0.05
BEHAVIOURS = 10
# Maps that say something must be read whole, which takes seconds: so many times fewer of them.
SLOWER = 5
# Share of users who do a behaviour by themselves, and retention.
DOES, STAYS = 0.3, 0.4
# Correlation of a user's behaviours with each other and with retention, which is why nobody can just compare users.
TOGETHER, WITH_OUTCOME = 0.3, 0.25
# Each nudge also moves two other behaviours by this share of its own take-up.
SPILL = (1 / 6, 1 / 2)

type Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Scenario:
    """Nudges whose results make one map.

    Attributes:
        label: as the page names it.
        nudges: how many; from ten on each behaviour has one.
        users: behind each nudge's contrast, both arms together.
        take_up: how far a nudge moves its own behaviour.
        effects: of the first behaviours; the others do nothing.
        direct: effect that one of the nudges has by itself.
    """

    label: str
    nudges: int
    users: int
    take_up: float
    effects: tuple[float, ...] = ()
    direct: float = 0.0


INERT = (
    Scenario("lab of ten nudges, take-up 12 points", 10, 40_000, 0.12),
    Scenario("lab of ten nudges, take-up 4 points", 10, 40_000, 0.04),
    Scenario("twelve experiments, take-up 12 points", 12, 12_000, 0.12),
    Scenario("twelve experiments, take-up 4 points", 12, 12_000, 0.04),
    Scenario("twenty experiments, take-up 12 points", 20, 12_000, 0.12),
)
DIRECT = Scenario("twelve experiments, take-up 12 points, one with a direct effect", 12, 12_000, 0.12, direct=0.03)
CAUSES = (
    Scenario("lab of ten nudges, take-up 12 points", 10, 40_000, 0.12, (0.15, 0.08)),
    Scenario("lab of ten nudges, take-up 12 points, 80,000 users", 10, 80_000, 0.12, (0.15, 0.08)),
)


def law(users: int) -> Floats:
    """Covariance of a nudge's effects on retention and on each behaviour."""
    errors = np.array([sqrt(4 * STAYS * (1 - STAYS) / users)] + [sqrt(4 * DOES * (1 - DOES) / users)] * BEHAVIOURS)
    correlation = np.full((BEHAVIOURS + 1, BEHAVIOURS + 1), TOGETHER)
    correlation[0, :] = correlation[:, 0] = WITH_OUTCOME
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation * np.outer(errors, errors))


def draw(scenario: Scenario, rng: np.random.Generator) -> JointMoments:
    effects = np.array([*scenario.effects, *[0.0] * (BEHAVIOURS - len(scenario.effects))])
    covariance = law(scenario.users)
    rows = []
    for nudge in range(scenario.nudges):
        own = nudge % BEHAVIOURS
        stages = np.zeros(BEHAVIOURS)
        others = rng.choice([place for place in range(BEHAVIOURS) if place != own], 2, replace=False)
        stages[others] = scenario.take_up * rng.uniform(*SPILL, 2)
        stages[own] = scenario.take_up
        direct = scenario.direct if nudge == 0 else 0.0
        rows.append(rng.multivariate_normal([stages @ effects + direct, *stages], covariance))
    names = [f"behaviour {place}" for place in range(BEHAVIOURS)]
    nudges = [f"nudge {place}" for place in range(scenario.nudges)]
    return stack_nudges(nudges, names, rows, [covariance] * scenario.nudges)


@dataclass(frozen=True)
class Counted:
    """One map: whether an inert behaviour is called a cause or harmful, and each true cause's state."""

    wrong: bool
    found: tuple[bool, ...]
    read_whole: bool


def count(job: tuple[Scenario, int]) -> Counted:
    scenario, seed = job
    moments = draw(scenario, np.random.default_rng([SEED, seed, scenario.nudges, round(1000 * scenario.take_up)]))
    if not scenario.effects:
        # Without a small p of "no effect" no behaviour can be called anything, whatever the rest of the reading says.
        p_values = [p_value_of(moments, place, 0.0) for place in range(BEHAVIOURS)]
        if min(benjamini_yekutieli(p_values)) >= ALPHA:
            return Counted(wrong=False, found=(), read_whole=False)
    places = map_of_causes(measured_jointly(read_jointly(moments, ALPHA)), alpha=ALPHA)
    called = [place.state in (State.CAUSES, State.HARMS) for place in places]
    causes = len(scenario.effects)
    return Counted(any(called[causes:]), tuple(called[:causes]), read_whole=True)


def main() -> None:
    parser = options_of(__doc__, maps=MAPS)
    options = parser.parse_args()
    found: dict[Scenario, list[Counted]] = {}
    with workers(options.processes) as pool:
        for scenario in (*INERT, DIRECT, *CAUSES):
            runs = options.maps // SLOWER if scenario.effects or scenario.direct else options.maps
            found[scenario] = list(pool.map(count, [(scenario, seed) for seed in range(runs)], chunksize=10))
            print(scenario.label, len(found[scenario]), share(found[scenario]), flush=True)
    show(page(found), options.write)
    sys.exit(bool(missed(found)))


def share(maps: list[Counted]) -> float:
    return sum(row.wrong for row in maps) / len(maps)


def missed(found: dict[Scenario, list[Counted]]) -> list[str]:
    """Scenarios of the promise in which more maps are wrong than 5 % and two binomial errors allow."""
    rows = {scenario: maps for scenario, maps in found.items() if not scenario.direct}
    allowed = {scenario: ALPHA + 2 * sqrt(ALPHA * (1 - ALPHA) / len(maps)) for scenario, maps in rows.items()}
    return [scenario.label for scenario, maps in rows.items() if share(maps) > allowed[scenario]]


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def page(found: dict[Scenario, list[Counted]]) -> str:
    inert = table(
        ["nudges", "users behind each", "maps", "wrong anywhere"],
        [[s.label, f"{s.users:,}", f"{len(found[s]):,}", percent(share(found[s]))] for s in (*INERT, DIRECT)],
    )
    causes = table(
        ["nudges", "users behind each", "maps", "found: 15 points", "found: 8 points", "wrong anywhere"],
        [
            [s.label, f"{s.users:,}", f"{len(found[s]):,}",
             *(percent(float(np.mean([row.found[place] for row in found[s]]))) for place in range(2)),
             percent(share(found[s]))]
            for s in CAUSES
        ],
    )  # fmt: skip
    return filled(
        "map_of_causes",
        globals(),
        broken="; ".join(missed(found)) or "none",
        inert=inert,
        causes=causes,
        many=len(found[INERT[0]]),
    )


if __name__ == "__main__":
    main()
