"""Decide which: two experiments, each of whose nudges moves friend_add and chat. Which of the two keeps users?

    .venv/bin/python -m benchmarks.aha_worlds.which --seeds 20

What is found is kept a line a round in benchmarks/aha_worlds/which.jsonl; the page of the benchmark shows it.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.aha_worlds.entries.ours import promises_of
from benchmarks.aha_worlds.generator import OTHER_USERS, log_of
from benchmarks.aha_worlds.records import Moment
from benchmarks.causes.which_behaviour import moments_of_arms, say
from benchmarks.frame import header, line, options_of, workers
from events.simulation import WORLDS, Simulation, simulate
from events.simulation.worlds import OTHER, TARGET
from stats.instrument.joint import read_jointly, stack_nudges
from stats.instrument.other_behaviours import OtherMoments
from stats.iv_moments import IvMoments
from stats.results import computable
from stats.summaries import Array
from tests.simulated import others_done

ROWS = Path(__file__).parent / "which.jsonl"
PLAYED = ("spill", "spill_2", "spill_both", "consequence")
UNITS = 40_000
# A second nudge, towards chat: it moves chat by 12 points and friend_add by 4.
TAKE_UP_TO_CHAT, CHAT_TO_CHAT = 0.4 / 3, 0.568
METHODS = ("each alone", "each, with other behaviours", "both jointly")
BEHAVIOURS = (TARGET, OTHER)

type Row = dict[str, Any]


def play(job: tuple[str, int, int]) -> Row:
    """One round: users whom nobody nudged, then both experiments on others."""
    name, seed, units = job
    world = WORLDS[name]
    log = log_of(simulate(world, units, seed, np.full(units, -1)))
    both = (world, replace(world, take_up=TAKE_UP_TO_CHAT, other_take_up=CHAT_TO_CHAT))
    tried = [simulate(one, units, seed + place * OTHER_USERS) for place, one in enumerate(both, start=1)]
    alone, beside = set(), set()
    rows, covariances = [], []
    for simulation, own in zip(tried, BEHAVIOURS, strict=True):
        names = (own, *(other for other in (TARGET, *others_done(simulation)) if other != own))
        control, variant = arms_of(simulation, names)
        moments, others = moments_of_arms(control, variant, names[1:])
        tested = Moment(own, world.times, world.within)
        marked = (OTHER,) if own == TARGET and world.leads != 1 else ()
        said = say(moments, others, promises_of(log, tested, names[1:]), marked)
        alone |= {own} if said.before else set()
        beside |= {own} if said.now in ("CAUSES", "HARMS") else set()
        row, covariance = of_both(moments, others, own)
        rows.append(row)
        covariances.append(covariance)
    reading = read_jointly(stack_nudges(("to friends", "to chat"), BEHAVIOURS, rows, covariances))
    together = {row.behaviour for row in reading.behaviours if computable(row.p_zero) and row.p_zero < 0.05}
    answers = zip(METHODS, (alone, beside, together), strict=True)
    true = [name for name in BEHAVIOURS if name not in world.inert]
    return {"world": name, "seed": seed, "units": units, "parameters": world.parameter_hash[:12], "true": true,
            "answers": {method: sorted(found) for method, found in answers}}  # fmt: skip


def arms_of(simulation: Simulation, names: tuple[str, ...]) -> tuple[Array, Array]:
    """Users' rows of control and nudge: retained, and who did each behaviour."""
    did = {TARGET: simulation.reached, **others_done(simulation)}
    rows = np.column_stack([simulation.retained, *(did[name] for name in names)]).astype(float)
    return rows[simulation.exposed & (simulation.arm == 0)], rows[simulation.exposed & (simulation.arm == 1)]


def of_both(moments: IvMoments, others: OtherMoments, own: str) -> tuple[Array, Array]:
    """(ITT, FS of friend_add, FS of chat) and their covariance."""
    at = others.names.index(OTHER if own == TARGET else TARGET)
    values = np.array([moments.itt, moments.first_stage, others.first_stages[at]])
    covariance = np.array(
        [
            [moments.v_r, moments.c_rd, others.with_itt[at]],
            [moments.c_rd, moments.v_d, others.with_first_stage[at]],
            [others.with_itt[at], others.with_first_stage[at], others.covariance[at, at]],
        ]
    )
    order = [0, 1, 2] if own == TARGET else [0, 2, 1]
    return values[order], covariance[np.ix_(order, order)]


def read_rows(path: Path = ROWS) -> list[Row]:
    """Kept rounds of today's parameters."""
    if not path.exists():
        return []
    rows = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines() if text]
    return [row for row in rows if row["parameters"] == WORLDS[row["world"]].parameter_hash[:12]]


def lines(rows: list[Row]) -> Iterable[str]:
    """Per world and method: exactly the causes, something that is none, something missing."""
    yield from header("world", "keeps users", "rounds", *(f"{name}: right / false / missed" for name in METHODS))
    for world in PLAYED:
        mine = [row for row in rows if row["world"] == world]
        if mine:
            causes = " and ".join(mine[0]["true"])
            yield line(f"`{world}`", causes, str(len(mine)), *(_shares(mine, method) for method in METHODS))


def _shares(rows: list[Row], method: str) -> str:
    tests: tuple[Callable[[set[str], set[str]], bool], ...] = (
        lambda found, true: found == true,
        lambda found, true: bool(found - true),
        lambda found, true: bool(true - found),
    )
    shares = [fmean(test(set(row["answers"][method]), set(row["true"])) for row in rows) for test in tests]
    return " / ".join(f"{share:.0%}" for share in shares)


def main() -> None:
    options = options_of(__doc__, page=False, seeds=20, units=UNITS).parse_args()
    rows = read_rows()
    there = {(row["world"], row["seed"], row["units"]) for row in rows}
    jobs = [(name, seed, options.units) for seed in range(1, options.seeds + 1) for name in PLAYED]
    with workers(options.processes) as pool:
        for row in pool.map(play, [job for job in jobs if job not in there]):
            rows.append(row)
            text = "\n".join(json.dumps(one, separators=(",", ":")) for one in rows)
            ROWS.write_text(text + "\n", encoding="utf-8")
            print(row, flush=True)
    print("\n".join(lines(rows)))


if __name__ == "__main__":
    main()
