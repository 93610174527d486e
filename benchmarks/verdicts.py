"""Verdicts in the simulated worlds: what the product says against what is true, over many seeds.

    .venv/bin/python benchmarks/verdicts.py --seeds 20 --write docs/verdicts.md
    .venv/bin/python benchmarks/verdicts.py --worlds direct_nudge --seeds 5

Each run simulates a world (docs/methods/worlds.md), writes its experiment as a file and gives it to `analyze_file`, the
door that a team's own export goes through: the verdict is the product's, nothing here decides. The worlds `spillover`
and `guilds` are assigned and analysed by guild; a world with a placebo arm names it. "..., no placebo" is the same
world whose file holds control and nudge only: what such a team would read.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.frame import analysed, filled, options_of, show, table, workers

UNITS, MARGIN, ALPHA = 20_000, 0.05, 0.05
# docs/methods/worlds.md, "What Insight must find", for the worlds that have a verdict.
REQUIRED = {
    "step": "CAUSES",
    "no_effect": "NO_MATERIAL_EFFECT or INCONCLUSIVE",
    "smooth": "CAUSES",
    "forced": "CAUSES",
    "direct_nudge": "NUDGE_FAILED or INCONCLUSIVE or NO_MATERIAL_EFFECT",
    "direct_nudge, no placebo": "breakdown below the direct effect",
    "weak_nudge": "NUDGE_FAILED or INCONCLUSIVE",
    "opposite_segments": "heterogeneity found",
    "sample_ratio": "INVALID (srm)",
    "spillover": "cluster design covers own and friends' effect together",
    "guilds": "cluster design covers own and friends' effect together",
    "guilds_null": "neither CAUSES nor HARMS",
    "salience": "CAUSES, set covers the truth",
    "salience_null": "neither CAUSES nor HARMS",
    "salience_null, no placebo": "breakdown below the direct effect",
}
# Worlds in which "the behaviour causes it" would be a false alarm, or unwarranted.
NO_CAUSES = ("no_effect", "direct_nudge", "weak_nudge", "sample_ratio", "salience_null", "guilds_null")
# Worlds in which the behaviour does nothing: harm is as false as gain.
NO_HARMS = ("no_effect", "direct_nudge", "salience_null", "guilds_null")
NO_PLACEBO = ", no placebo"
# Worlds that are assigned and analysed by guild.
BY_GUILD = ("spillover", "guilds", "guilds_null")
AIM = 0.9


def main() -> None:
    parser = options_of(__doc__, seeds=20, first_seed=1, units=UNITS)
    parser.add_argument("--worlds", nargs="+", choices=list(REQUIRED), default=list(REQUIRED))
    options = parser.parse_args()
    jobs = [
        (world, seed, options.units)
        for seed in range(options.first_seed, options.first_seed + options.seeds)
        for world in options.worlds
    ]
    begun, records = time.perf_counter(), []
    with workers(options.processes) as pool:
        for record in pool.map(run, jobs):
            records.append(record)
            print(f"{record['world']:18} seed {record['seed']:<4} {record['code']} ({record['reason']})", flush=True)
    text = page(records, options.units, time.perf_counter() - begun)
    show(text, options.write)


# ── One run ───────────────────────────────────────────────────────────────────
def run(job: tuple[str, int, int]) -> dict[str, Any]:
    import pyarrow.compute as pc

    from events.simulation import WORLDS, draw_arms, simulate, truth
    from tests.simulated import experiment_table

    name, seed, units = job
    world = WORLDS[name.removesuffix(NO_PLACEBO)]
    arms = draw_arms(world, units, seed, by_guild=name in BY_GUILD)
    simulation = simulate(world, units, seed, arms)
    users, arms_seen = experiment_table(simulation), world.arms
    if name.endswith(NO_PLACEBO):
        users = users.filter(pc.not_equal(users["variant"], "placebo"))
        arms_seen = tuple(arm for arm in world.arms if arm != "placebo")
    report = analysed(users, design_of(arms_seen, segment="segment", by_guild=name in BY_GUILD))
    return {"world": name, "seed": seed} | record_of(report, truth(simulation))


def design_of(arms: Sequence[str], *, by_guild: bool = False, **more: Any) -> Any:
    """The plan of a careful team: behaviour, covariates and margin are fixed before the outcome is read."""
    from experiments.plan.design import Covariate, Design

    covariates = (Covariate("platform"), Covariate("channel"), Covariate("country"))
    given: dict[str, Any] = {
        "alpha": ALPHA,
        "margin": MARGIN,
        "covariates": covariates,
        "cluster": "guild" if by_guild else None,
    }
    given["placebo"] = "placebo" if "placebo" in arms else None
    return Design("variant", "control", ("retained",), unit="unit", behaviour="reached", **(given | more))


def record_of(report: Any, facts: dict[str, Any]) -> dict[str, Any]:
    """What is counted later; the comparison is that of the nudge, whichever arm leads."""
    from stats.results import computable

    row = next(row for row in report.outcomes[0].comparisons if row.variant == "nudge")
    found = row.encouragement
    known = found is not None and computable(found.effect_set) and computable(found.effect)
    heterogeneity = None if row.stratified is None else row.stratified.heterogeneity
    record = {
        "code": str(report.verdict.code),
        "reason": report.verdict.reason,
        "leading": report.leading,
        "comparator": None if found is None else found.comparator,
        "truth": facts["effect"] if isinstance(facts["effect"], float) else None,
        # Without an effect of the behaviour the nudge's whole effect is its direct one.
        "direct": facts["itt"] if not facts["moment"] else None,
        "breakdown": breakdown_of(found),
        "truth_wald": true_wald(facts, "" if found is None else found.comparator),
        "itt_p": row.difference.p_value if computable(row.difference) else None,
        "heterogeneity_p": heterogeneity.p_value if computable(heterogeneity) and heterogeneity else None,
    }
    if known:
        record |= {
            "estimate": found.effect.estimate,
            "wald": [found.effect.low, found.effect.high],
            "set": [found.effect_set.low, found.effect_set.high],
            "set_shape": str(found.effect_set.shape),
            **{
                name: None if record[truth] is None else found.effect_set.contains(record[truth])
                for name, truth in (("set_covers", "truth"), ("set_covers_wald", "truth_wald"))
            },
            "take_up": found.take_up.difference,
            "f": found.take_up.f_statistic if computable(found.take_up.f_statistic) else None,
            "as_treated": found.as_treated if computable(found.as_treated) else None,
        }
    return record


def true_wald(facts: dict[str, Any], comparator: str) -> float | None:
    """ITT over the first stage of the same users' potential outcomes, of the comparison that was made."""
    if comparator != "placebo":
        return facts["wald"] if isinstance(facts["wald"], float) else None
    itt, take_up = facts["itt_by_arm"], facts["take_up"]
    moved: float = take_up["nudge"] - take_up["placebo"]
    return float(itt["nudge"] - itt["placebo"]) / moved if moved > 0 else None


def breakdown_of(found: Any) -> float | None:
    """Direct effect of being nudged beyond which nothing is shown about the behaviour, share of units."""
    value = getattr(found, "breakdown", None)
    value = getattr(value, "value", value)
    return float(value) if isinstance(value, int | float) else None


def meets(record: dict[str, Any]) -> bool:
    world, code = record["world"], record["code"]
    if world == "opposite_segments":
        return record["heterogeneity_p"] is not None and record["heterogeneity_p"] < ALPHA
    if world in ("spillover", "guilds"):
        return bool(record.get("set_covers"))
    if world == "salience":
        return code == "CAUSES" and bool(record.get("set_covers"))
    if world in ("salience_null", "guilds_null"):
        return code not in ("CAUSES", "HARMS")
    if world.endswith(NO_PLACEBO):
        # A verdict that claims nothing of the behaviour needs no "unless".
        if code not in ("CAUSES", "HARMS"):
            return True
        return record["breakdown"] is not None and record["breakdown"] < abs(record["direct"])
    if world == "sample_ratio":
        return (code, record["reason"]) == ("INVALID", "srm")
    return code in REQUIRED[world].split(" or ")


# ── Tables ────────────────────────────────────────────────────────────────────
def page(records: list[dict[str, Any]], units: int, seconds: float) -> str:
    worlds = list(dict.fromkeys(record["world"] for record in records))
    seeds = sorted({record["seed"] for record in records})
    return filled(
        "verdicts",
        globals(),
        units=units,
        seeds=f"{seeds[0]} to {seeds[-1]}",
        minutes=seconds / 60,
        matrix=matrix(records, worlds),
        alarms=table(("world", "runs", "false alarms", "allowed"), list(alarms(records))),
        estimates=table(ESTIMATES, list(estimates(records, worlds))),
    )


def matrix(records: list[dict[str, Any]], worlds: list[str]) -> list[str]:
    codes, rows = sorted({record["code"] for record in records}), []
    for world in worlds:
        mine = [record for record in records if record["world"] == world]
        counts = Counter(record["code"] for record in mine)
        share = fmean(meets(record) for record in mine)
        said = [str(counts[code] or "") for code in codes]
        rows.append([world, *said, REQUIRED[world], f"{share:.0%}", "met" if share >= AIM else "**missed**"])
    return table(("world", *codes, "must get", "share", "aim 90 %"), rows)


def alarms(records: list[dict[str, Any]]) -> Iterator[list[str]]:
    """CAUSES where it isn't warranted, against what a test at level alpha may give by luck."""
    from scipy import stats

    for world in NO_CAUSES:
        false = ("CAUSES", "HARMS") if world in NO_HARMS else ("CAUSES",)
        mine = [record["code"] in false for record in records if record["world"] == world]
        if mine:
            allowed = int(stats.binom.ppf(0.99, len(mine), ALPHA))
            yield [world, f"{len(mine)}", f"{sum(mine)}{'' if sum(mine) <= allowed else ' **!**'}", f"{allowed}"]


ESTIMATES = (
    *("world", "truth", "median estimate", "median F", "Anderson-Rubin covers", "Wald covers", "bounded"),
    "correlation",
)


def estimates(records: list[dict[str, Any]], worlds: list[str]) -> Iterator[list[str]]:
    """The effect of the behaviour on those whom the nudge moved, against the truth."""
    for world in worlds:
        mine = [record for record in records if record["world"] == world and "estimate" in record]
        known = [record for record in mine if record["truth"] is not None]
        if not known:
            continue
        in_wald = [record["wald"][0] <= record["truth"] <= record["wald"][1] for record in known]
        covers = [record["set_covers_wald"] for record in known if record["set_covers_wald"] is not None]
        yield [
            world,
            points(fmean(record["truth"] for record in known)),
            points(median(record["estimate"] for record in known)),
            f"{median(record['f'] for record in known if record['f'] is not None):,.1f}",
            f"{fmean(record['set_covers'] for record in known):.0%} ({fmean(covers):.0%})",
            f"{fmean(in_wald):.0%}",
            f"{fmean(record['set_shape'] == 'interval' for record in known):.0%}",
            points(fmean(record["as_treated"] for record in known if record["as_treated"] is not None)),
        ]


def points(value: float) -> str:
    return f"{100 * value:+.1f}"


if __name__ == "__main__":
    main()
