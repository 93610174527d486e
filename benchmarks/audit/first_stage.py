"""Attack A3: a strong nudge whose take-up is far below what was hoped for."""

from collections import Counter

import numpy as np

from benchmarks.audit.frame.figure import Figure
from benchmarks.audit.worlds.stored_world import plan_of, read
from experiments.analyse.codes import Code
from stats.results import computable

TITLE = "Strong nudges with less take-up than planned"
TEXT = """
Version 0.3 called a first stage below a quarter of the planned one "another path", however strong the instrument was.
World: 20 % always-takers, compliers as named, the nudge works only through the behaviour; fixed plans with a planned
take-up as named, read as stored experiments. The verdict has no floor now: the Anderson-Rubin set decides, and a
take-up below plan is a note of planning. Sources: docs/methods/verdict.md; Dufour 1997; Huber and Mellace 2015.
"""
# planned take-up, true one, effect of the behaviour on compliers, units an arm, runs at full size
CASES = (
    (0.6, 0.10, 0.5, 10_000, 200),
    (0.6, 0.10, 0.0, 10_000, 200),
    (0.2, 0.10, 0.5, 10_000, 200),
    (0.1, 0.015, 0.5, 200_000, 40),
)


def figures(size: float) -> list[Figure]:
    found = []
    for place, (planned, take_up, effect, units, runs) in enumerate(CASES):
        count = max(round(runs * size), 5)
        seen = [one(planned, take_up, effect, units, seed=1_000 * place + run) for run in range(count)]
        codes = Counter(code for code, _f, _noted in seen)
        strength = float(np.median([f for _code, f, _noted in seen]))
        what = f"planned {planned:g}, true {take_up:g}, effect {100 * effect:g} points, {units:,} an arm"
        told = f"{count} runs, median F {strength:.0f}"
        if effect:
            found.append(
                Figure(f"{what}: CAUSES", "every run", f"{codes[Code.CAUSES]} of {told}", codes[Code.CAUSES] == count)
            )
        other = codes[Code.NUDGE_NOT_BEHAVIOUR]
        # Without an effect Holm over four one-sided tests may reject in alpha of the runs, as any valid test may.
        allowed = 0 if effect else round(0.05 * count)
        required = "none" if effect else "at most 5 %"
        found.append(Figure(f"{what}: NUDGE_NOT_BEHAVIOUR", required, f"{other} of {told}", other <= allowed))
        failed = codes[Code.NUDGE_FAILED]
        found.append(Figure(f"{what}: NUDGE_FAILED", "none", f"{failed} of {told}", failed == 0))
        noted = sum(note for _code, _f, note in seen)
        expected = count if take_up < planned / 4 else 0
        found.append(
            Figure(f"{what}: note that take-up is below plan", f"{expected} of {count}", f"{noted} of {count}", None)
        )
    return found


def one(planned: float, take_up: float, effect: float, units: int, *, seed: int) -> tuple[Code, float, bool]:
    """Code, robust F and whether the planning note stands beside the verdict."""
    rng = np.random.default_rng(seed)
    arm, kind = np.repeat([0, 1], units), rng.random(2 * units)
    reached = (kind < 0.2) | ((kind < 0.2 + take_up) & (arm == 1))
    base = np.where(kind < 0.2, 0.5, np.where(kind < 0.2 + take_up, 0.3, 0.25))
    value = rng.random(2 * units) < base + effect * (reached & (kind >= 0.2))
    plan = plan_of(("control", "nudge"), 2 * units, take_up=planned)
    readout = read(plan, arm, value, reached, 3 * reached)
    stage = readout.first_stage[0].take_up
    if readout.verdict is None or not computable(stage) or not computable(stage.f_statistic):
        raise ValueError("a mature experiment has a verdict and a first stage")
    noted = any(finding.check == "take_up_below_plan" for finding in readout.health)
    return readout.verdict.code, stage.f_statistic, noted
