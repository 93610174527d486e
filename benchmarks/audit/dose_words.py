"""Attack B4: every act counts, there is no threshold, and the verdict speaks of one."""

import numpy as np

from benchmarks.audit.frame.figure import Figure, percent
from benchmarks.audit.worlds.stored_world import plan_of, read
from experiments.analyse.codes import Code
from experiments.report.verdict import verdict_sentence
from stats.results import computable

TITLE = "Effect of crossing the number, and of one act more"
TEXT = """
World: 2 points of retention per friend, no threshold; the nudge triples the friends of 60 % of the users. Crossing
"3 friends" then looks worth 8 to 13 points, because the nudge adds acts on both sides of the number, and the third
friend is worth 2.0. Where less than half of the acts that the nudge added cross the number, the sentence leads with the
effect per act and calls the other "per user carried across, with all acts that came along". 20,000 units an arm, stored
experiments. Sources: docs/methods/encouragement.md and docs/methods/verdict.md; Angrist and Imbens 1995;
Marshall 2016.
"""
UNITS, RUNS, WORTH = 20_000, 100, 0.02


def figures(size: float) -> list[Figure]:
    runs = max(round(RUNS * size), 5)
    found = []
    for mean in (1.0, 2.0):
        seen = [one(mean, seed=round(1_000 * mean) + run) for run in range(runs)]
        causes = [row for row in seen if row["code"] is Code.CAUSES]
        led = sum(bool(row["led"]) for row in causes)
        covers = sum(bool(row["covers"]) for row in causes)
        world = f"mean {mean:g} friends"
        acts, crossing, share = (float(np.median([row[name] for row in seen])) for name in ("act", "crossing", "share"))
        found += [
            Figure(
                f"{world}: CAUSES whose sentence leads with the effect per act",
                "every one",
                f"{led} of {len(causes)} ({runs} runs)",
                led == len(causes),
            ),
            Figure(
                f"{world}: its set of one act more holds 2.0 points",
                "at least 90 %",
                f"{percent(covers / max(len(causes), 1))} of {len(causes)}",
                covers >= 0.9 * len(causes),
            ),
            Figure(
                f"{world}: median effect per act and per crossing, share of acts that cross",
                "shown",
                f"{100 * acts:.1f} and {100 * crossing:.1f} points, {percent(share, 0)}",
                None,
            ),
        ]
    return found


def one(mean: float, *, seed: int) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    arm = np.repeat([0, 1], UNITS)
    boosted = (arm == 1) & (rng.random(2 * UNITS) < 0.6)
    times = rng.poisson(np.where(boosted, 3 * mean, mean))
    value = rng.random(2 * UNITS) < np.minimum(0.2 + WORTH * times, 1)
    readout = read(plan_of(("control", "nudge"), 2 * UNITS), arm, value, times >= 3, times)
    if readout.verdict is None or readout.report is None:
        raise ValueError("a mature experiment has a verdict")
    acts, row = readout.by_times[0], readout.report.outcomes[0].comparisons[0]
    told = row.encouragement
    if told is None or not computable(told.effect) or not computable(acts.response) or not computable(acts.weights):
        raise ValueError("this world has a first stage")
    effect, details = acts.response.effect, readout.verdict.details
    sentence = verdict_sentence(readout.verdict)
    return {
        "code": readout.verdict.code,
        "led": sentence.startswith("Each act more") and "carried across, with all acts that came along" in sentence,
        "covers": "act_low" in details and float(details["act_low"]) <= WORTH <= float(details["act_high"]),
        "act": effect.estimate if computable(effect) else 0.0,
        "crossing": told.effect.estimate,
        "share": acts.weights.share_at_threshold,
    }
