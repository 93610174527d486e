"""Clusters in the service: direct and spillover effects of saturation plans, and verdicts of whole guilds.

    .venv/bin/python benchmarks/causes/saturation.py --write docs/saturation.md
    .venv/bin/python benchmarks/causes/saturation.py --populations 20 --seeds 0

Effects: in the worlds of docs/methods/worlds.md a user's retention depends on its own boost and on whether a friend of
its guild has one: three potential outcomes, each made by the world's own generator. Guilds and users are drawn by the
draw that serves experiments, and `stats.saturation` judges. Verdicts: whole guilds are drawn by the same draw, the
exposures carry them, and the log goes through the questions to the warehouse and the readout of a stored experiment.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.frame import filled, in_django, options_of, show, table, workers
from events.schema import EXPOSURE_EVENTS
from events.simulation import WORLDS, events_table, simulate, truth
from events.simulation.people import active_days, draw_people, early_target_count, leaving_shift
from events.simulation.worlds import RETENTION_DAYS, World
from events.warehouse.unit_values import Basis
from events.windows import Clock
from experiments.draw.bucketing import Saturation
from experiments.draw.evaluation import Arm, Flag, Row
from experiments.draw.many_units import arms_drawn, saturation_of
from stats.results import computable
from stats.saturation import saturation_effects
from tests.experiments.analyse.stored_world import plan_of

UNITS, DRAWS = 20_000, 5
SATURATIONS = (Saturation(0.0, 0.34), Saturation(0.4, 0.33), Saturation(0.8, 0.33))
EFFECTS = ("direct", "spillover", "total")
WORLDS_OF_EFFECTS, WORLDS_OF_VERDICTS = ("spillover", "guilds", "guilds_null"), ("guilds", "guilds_null")
AIM = 0.93


# ── Direct and spillover effects ──────────────────────────────────────────────
@dataclass(frozen=True)
class Population:
    """The three potential outcomes of each user, who responds to a nudge, and the friends of its guild.

    Attributes:
        plain, beside, nudged: retained without any boost, with a boosted friend, with a boost of its own.
        responds: whether a nudge boosts the user.
        friends: users x 4, other users of the guild or the user itself in guilds of fewer than five.
        guild: index of its guild.
    """

    plain: np.ndarray
    beside: np.ndarray
    nudged: np.ndarray
    responds: np.ndarray
    friends: np.ndarray
    guild: np.ndarray


def population(world: World, units: int, seed: int) -> Population:
    """The users of a world and what each would do."""
    people = draw_people(world, units, seed)
    early, nobody = active_days(people, 0.0), np.zeros(units, dtype=bool)
    first, last = RETENTION_DAYS

    def outcome(boost: float) -> np.ndarray:
        count = early_target_count(world, people, seed, early, np.full(units, boost))
        days = active_days(people, leaving_shift(world, people, count, nobody), 0.0, world.habit)
        return days[:, first : last + 1].any(axis=1).astype(np.float64)

    begin = np.searchsorted(people.guild, people.guild)
    size = np.bincount(people.guild)[people.guild]
    friends = np.stack([begin + (people.user - begin + step) % size for step in (-2, -1, 1, 2)], axis=1)
    beside = 1 + world.spill * (world.boost - 1)
    plain, met, nudged = (outcome(boost) for boost in (1.0, beside, world.boost))
    return Population(plain, met, nudged, people.responds, friends, people.guild)


def true_effects(found: Population, share: float) -> dict[str, float]:
    """What the groups' means differ by when each user of a guild is nudged with this chance, for itself."""
    own = np.arange(len(found.plain))[:, None]
    counted = found.responds[found.friends] & (found.friends != own)
    for place in range(1, 4):  # a friend on both sides is one friend
        counted[:, place] &= (found.friends[:, :place] != found.friends[:, place, None]).all(axis=1)
    met = 1 - (1 - share) ** counted.sum(axis=1)
    apart = (1 - met) * found.plain + met * found.beside
    nudged = np.where(found.responds, found.nudged, apart)
    means = found.plain.mean(), apart.mean(), nudged.mean()
    return {
        "direct": float(means[2] - means[1]),
        "spillover": float(means[1] - means[0]),
        "total": float(means[2] - means[0]),
    }


def effects(job: tuple[str, int, int]) -> list[dict[str, Any]]:
    """One population, drawn several times."""
    name, seed, units = job
    found, rows = population(WORLDS[name], units, seed), []
    names = [f"guild-{number:05d}" for number in range(1, int(found.guild.max()) + 2)]
    truths = {one.share: true_effects(found, one.share) for one in SATURATIONS}
    for draw in range(DRAWS):
        flag = flag_of(f"saturation-{seed}-{draw}", SATURATIONS)
        ids = [f"u{number:07d}" for number in range(1, units + 1)]
        arm = arms_drawn(flag, flag.rows[0], ids, [names[place] for place in found.guild])
        places = [saturation_of(flag.seed, SATURATIONS, one) for one in names]
        share = np.array([SATURATIONS[place].share for place in places])[found.guild]
        boosted = (arm == 1) & found.responds
        beside = boosted[found.friends].any(axis=1)
        y = np.where(boosted, found.nudged, np.where(beside, found.beside, found.plain))
        for one in SATURATIONS[1:]:
            judged = saturation_effects(y, (arm == 1).astype(float), share, found.guild, at=one.share)
            for effect in EFFECTS:
                value = getattr(judged, effect)
                row = {"world": name, "share": one.share, "effect": effect, "own": truths[one.share][effect]}
                rows.append(row | {part: getattr(value, part) for part in ("estimate", "low", "high")})
    return rows


def flag_of(seed: str, saturations: tuple[Saturation, ...] = ()) -> Flag:
    """An experiment of guilds as it is served."""
    return Flag(
        pk=1,
        flag="x",
        key="x",
        name="x",
        version=1,
        state="running",
        default=None,
        arms=(Arm(1, "control", "", None), Arm(2, "nudge", "", None)),
        rows=(Row(None, None, 1.0, (0.5, 0.5)),),
        seed=seed,
        cluster="guild",
        saturations=saturations,
    )


# ── Verdicts through the service ──────────────────────────────────────────────
def verdict(job: tuple[str, int, int]) -> dict[str, Any]:
    """Whole guilds: drawn, exposed, asked of a warehouse and read out as a stored experiment is."""
    in_django()
    from experiments.analyse.analyse_experiment import analyse_answers
    from experiments.analyse.gather.answers import Audit
    from experiments.analyse.gather.gather import gather
    from experiments.analyse.result import Opened
    from experiments.plan.derived import Question
    from tests.experiments.ask import opened

    name, seed, units = job
    world, flag = WORLDS[name], flag_of(f"guilds-{seed}")
    guild = draw_people(world, units, seed).guild
    names = [f"guild-{place + 1:05d}" for place in guild]
    arm = arms_drawn(flag, flag.rows[0], [""] * units, names).astype(np.int64)
    world_seen = simulate(world, units, seed, arm)
    log, end = log_of(world_seen, names)
    asked = Question("aha-nudge", world.arms, ("window:21-27",), "friend_add", 3, 7, clustered=True)
    planned = plan_of(world.arms, units, cluster="guild", smallest_effect=0.05)
    with opened(log, end, Clock()) as questions:
        assert isinstance(questions.basis, Basis)
        answers = gather(questions, asked, primary=planned.plan.primary)
    found = analyse_answers(planned, answers, Audit(0, 0, {}), today=end.date())
    assert isinstance(found, Opened)
    row = found.report.outcomes[0].comparisons[0]
    assert row.encouragement is not None
    facts, around = truth(world_seen), row.encouragement.effect_set
    counts = found.report.clusters or {}
    return {
        "world": name,
        "seed": seed,
        "code": str(found.report.verdict.code),
        "covers": around.contains(facts["wald"]) if computable(around) and isinstance(facts["wald"], float) else None,
        "itt_p": row.difference.p_value if computable(row.difference) else 1.0,
        "clusters": min(one.clusters for one in counts.values()),
        "effective": min(one.effective for one in counts.values()),
    }


def log_of(simulation: Any, names: Sequence[str]) -> tuple[Any, datetime]:
    """The world's log as a warehouse has it, each exposure with its unit's guild; and a moment when all is known."""
    import pyarrow as pa

    from tests.experiments.ask import KINDS

    log = events_table(simulation).to_pandas()
    exposed = log["event"].isin(EXPOSURE_EVENTS)
    of_user = dict(zip([f"u{number:07d}" for number in range(1, simulation.units + 1)], names, strict=True))
    said = log.loc[exposed, "properties"].str[:-1] + ',"cluster":"' + log.loc[exposed, "user_id"].map(of_user) + '"}'
    log.loc[exposed, "properties"] = said
    log["time"] = log["time"].dt.tz_convert("UTC").dt.tz_localize(None)
    kept = pa.Table.from_pandas(log[["user_id", "event", "time", "properties"]], preserve_index=False)
    kept = kept.append_column("received_at", pa.nulls(kept.num_rows, pa.timestamp("us"))).cast(KINDS)
    return kept, (log["time"].max() + timedelta(days=40)).to_pydatetime().replace(tzinfo=UTC)


# ── Tables ────────────────────────────────────────────────────────────────────
def page(rows: list[dict[str, Any]], verdicts: list[dict[str, Any]], options: Any, seconds: float) -> str:
    columns = ("world", "share nudged", "effect", "truth", "mean estimate", "covers", "own", "alarms", "runs", "aim")
    text = filled(
        "saturation", globals() | vars(options), minutes=seconds / 60, effects=table(columns, list(effect_rows(rows)))
    )
    if not verdicts:
        return text
    judged = ("world", "runs", "verdicts", "set covers", "false alarms", "guilds in the smaller arm", "effective")
    whole = filled("saturation_verdicts", verdicts=table(judged, list(verdict_rows(verdicts))))
    return f"{text}\n{whole}"


def effect_rows(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    for world in dict.fromkeys(row["world"] for row in rows):
        for share in sorted({row["share"] for row in rows}):
            for effect in EFFECTS:
                mine = [r for r in rows if (r["world"], r["share"], r["effect"]) == (world, share, effect)]
                target = fmean(row["own"] for row in mine)
                covers = fmean(row["low"] <= target <= row["high"] for row in mine)
                own = fmean(row["low"] <= row["own"] <= row["high"] for row in mine)
                alarms = fmean(not row["low"] <= 0 <= row["high"] for row in mine)
                yield [
                    f"`{world}`",
                    f"{share:.0%}",
                    effect,
                    f"{100 * target:+.2f}",
                    f"{100 * fmean(row['estimate'] for row in mine):+.2f}",
                    f"{covers:.1%}",
                    f"{own:.1%}",
                    f"{alarms:.1%}" if world.endswith("_null") else "",
                    str(len(mine)),
                    "met" if covers >= AIM else "**missed**",
                ]


def verdict_rows(found: list[dict[str, Any]]) -> Iterator[list[str]]:
    for world in dict.fromkeys(row["world"] for row in found):
        mine = [row for row in found if row["world"] == world]
        codes = ", ".join(
            f"{code} {sum(r['code'] == code for r in mine)}" for code in sorted({r["code"] for r in mine})
        )
        known = [row["covers"] for row in mine if row["covers"] is not None]
        alarms = f"{fmean(row['itt_p'] < 0.05 for row in mine):.1%}" if world.endswith("_null") else ""
        covers = f"{fmean(known):.1%}" if known else ""
        sizes = (f"{fmean(row[name] for row in mine):.0f}" for name in ("clusters", "effective"))
        yield [f"`{world}`", str(len(mine)), codes, covers, alarms, *sizes]


def main() -> None:
    parser = options_of(__doc__, populations=100, units=UNITS)
    parser.add_argument("--seeds", type=int, default=40, help="runs of each world through the service")
    options = parser.parse_args()
    begun = time.perf_counter()
    jobs = [(world, seed, options.units) for world in WORLDS_OF_EFFECTS for seed in range(1, options.populations + 1)]
    judged = [(world, seed, options.units) for world in WORLDS_OF_VERDICTS for seed in range(1, options.seeds + 1)]
    with workers(options.processes) as pool:
        rows = [row for some in pool.map(effects, jobs) for row in some]
        print(f"effects after {time.perf_counter() - begun:.0f} s", flush=True)
        verdicts = []
        for found in pool.map(verdict, judged):
            verdicts.append(found)
            print(found, flush=True)
    text = page(rows, verdicts, options, time.perf_counter() - begun)
    show(text, options.write)


if __name__ == "__main__":
    main()
