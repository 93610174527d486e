"""Does the registered adjustment keep its promises? A section of docs/calibration.md of its own.

    .venv/bin/python benchmarks/calibration_adjusted.py --write docs/calibration.md

Every number goes through the product's own functions, the moments of each made-up experiment being drawn as counts. The
exit code is 1 when a promise is broken.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.adjusted_worlds import (
    Nudged,
    earlier_users,
    few_units,
    joints_of,
    predicted_levels,
    ratio_pairs,
    strata_of_four,
)
from benchmarks.calibration import COVERAGE_SLACK, OF_ITS_OWN, POWER_SLACK, Alarm, alarm_table
from benchmarks.calibration_intervals import FIRST_STAGES, LEVEL
from benchmarks.calibration_worlds import Floats, Rng, clustered
from benchmarks.frame import commit, line, options_of
from stats import adjustment
from stats.instrument.anderson_rubin import anderson_rubin
from stats.lin import LinEffects, lin_effects_clustered, lin_effects_stratified, lin_estimate
from stats.power.family_and_looks import Plan
from stats.power.sample_size import power_at, sample_size
from stats.results import computable
from stats.sequential import boundaries
from stats.summaries import Joint

RUNS, SLOW_RUNS, SEED = 5_000, 2_000, 20261126
LEVELS = (0.01, 0.05, 0.10)
DAYS, DAILY = 28, 150
R_SQUARED, FEWER, SLACK = 0.2, 0.20, 0.03

type Critical = dict[str, Floats]


def main() -> None:
    parser = options_of(__doc__, processes=False)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"experiments a row ({RUNS:,}; slow rows {SLOW_RUNS:,})")
    options = parser.parse_args()
    begun = time.process_time()
    text, broken = section(options.runs, begun)
    print(text)
    if options.write:
        page = options.write.read_text(encoding="utf-8").partition(OF_ITS_OWN)[0].rstrip()
        options.write.write_text(f"{page}\n\n{text}\n", encoding="utf-8")
    sys.exit(broken)


def stream(kind: str) -> Rng:
    """Its own for each row, so that adding a row moves no other."""
    return np.random.default_rng([SEED, *kind.encode()])


def p_of(found: object) -> float:
    """A refusal is no alarm."""
    if not isinstance(found, LinEffects):
        return 1.0
    effect = lin_estimate(found)
    return effect.p_value if computable(effect) else 1.0


# ── False alarms ──────────────────────────────────────────────────────────────
def share(rng: Rng, runs: int) -> list[float]:
    world = Nudged(compliers=0.2, effect=0.0, n=1_000)
    return [p_of(lin_effects_stratified([pair], 2)) for pair in joints_of(world.draw(rng, runs))]


def strata(rng: Rng, runs: int) -> list[float]:
    return [p_of(lin_effects_stratified(one, 1)) for one in strata_of_four(rng, runs)]


def skewed(rng: Rng, runs: int) -> list[float]:
    return [p_of(lin_effects_stratified([pair], 1)) for pair in few_units(rng, runs)]


def ratio(rng: Rng, runs: int) -> list[float]:
    return [p_of(lin_effects_stratified([pair], 1)) for pair in ratio_pairs(rng, runs)]


def clusters(rng: Rng, runs: int) -> list[float]:
    drawn = (clustered(rng) for _ in range(runs))
    return [p_of(lin_effects_clustered(y[:, None], arm, x, codes)) for y, arm, x, codes in drawn]


def predicted(rng: Rng, runs: int) -> list[float]:
    """A model fitted anew on 2,000 earlier users; then new users, whom the nudge does nothing to."""
    found = []
    for _ in range(runs):
        predictor = earlier_users(rng)
        found.append(p_of(lin_effects_stratified([predicted_levels(rng, predictor)], 1)))
    return found


@dataclass(frozen=True)
class Row:
    name: str
    draw: Callable[[Rng, int], list[float]]
    slow: bool = False


TESTS = (
    Row("share, one covariate, 1,000 units an arm", share),
    Row("share, inside four segments of unequal split", strata),
    Row("skewed mean, three covariates, 50 units an arm", skewed),
    Row("ratio of sums, 1,000 units an arm", ratio),
    Row("60 clusters", clusters, slow=True),
    Row("predicted outcome (CUPAC), model fitted anew", predicted, slow=True),
)


# ── Looking every evening ─────────────────────────────────────────────────────
def criticals(level: float) -> Critical:
    """The critical value of each evening, by plan; infinite where nothing is shown yet."""
    n = 2.0 * DAILY * np.arange(1, DAYS + 1)
    rho = boundaries.tightest_rho_squared(int(n[-1]), alpha=level)
    sequence = [
        boundaries.sequence_multiplier(float(units), rho_squared=rho, alpha=level)
        if units >= 2 * boundaries.FEWEST_MATURE
        else np.inf
        for units in n
    ]
    times = [float(day / DAYS) for day in range(1, DAYS + 1)]
    return {"confidence sequence": np.array(sequence)} | {
        f"group sequential, {spending.value.replace('_', '-')}": np.array(
            boundaries.bounds(times, alpha=level, spending=spending)
        )
        for spending in boundaries.Spending
    }


def evenings(world: Nudged, rng: Rng, runs: int) -> Iterator[list[tuple[Joint, Joint]]]:
    """Of each run, both arms as they stand on each evening."""
    for counts in world.draw(rng, runs * DAYS).reshape(runs, DAYS, 2, -1).cumsum(axis=1):
        yield list(joints_of(counts))


def looked_at(rng: Rng, runs: int) -> dict[str, list[float]]:
    """Share of experiments without an effect that alarm on any evening, by plan, at each level."""
    world = Nudged(compliers=0.2, effect=0.0, n=DAILY)
    z = np.array(
        [[_z(lin_effects_stratified([_two(pair)], 1)) for pair in days] for days in evenings(world, rng, runs)]
    )
    found: dict[str, list[float]] = {}
    for level in LEVELS:
        for name, bound in criticals(level).items():
            found.setdefault(name, []).append(float((np.abs(z) >= bound).any(axis=1).mean()))
    return found


def _z(found: object) -> float:
    if not isinstance(found, LinEffects):
        return 0.0
    effect = lin_estimate(found)
    return effect.estimate / effect.standard_error if computable(effect) else 0.0


# ── Coverage of the set ───────────────────────────────────────────────────────
def world_of(f: float, n: int) -> Nudged:
    """The world whose first stage has about this F with n units an arm."""
    plain = Nudged(compliers=0.0, effect=0.15, n=n)
    return replace(plain, compliers=sqrt(f * 2 * plain.reach * (1 - plain.reach) / n))


def covered_once(f: float, rng: Rng, runs: int) -> float:
    world = world_of(f, 2_000)
    held = []
    for pair in joints_of(world.draw(rng, runs)):
        found = lin_effects_stratified([pair], 2)
        held.append(computable(found) and anderson_rubin(found.moments).contains(world.effect))
    return float(np.mean(held))


def covered_throughout(f: float, rng: Rng, runs: int, *, adjusted: bool) -> dict[str, float]:
    """Share of experiments whose set holds the truth on all evenings, by plan; F is that of the last evening."""
    world = replace(world_of(f, DAILY * DAYS), n=DAILY)
    bounds = criticals(1 - LEVEL)
    held: dict[str, list[bool]] = {name: [] for name in bounds}
    for days in evenings(world, rng, runs):
        moments = []
        for control, variant in days:
            columns = (0, 1, 2) if adjusted else (0, 1)
            found = lin_effects_stratified([(control.take(*columns), variant.take(*columns))], 2)
            moments.append(found.moments if computable(found) else None)
        for name, bound in bounds.items():
            held[name].append(
                all(
                    one is None or not np.isfinite(c) or anderson_rubin(one, q=c**2, alpha=1 - LEVEL).contains(0.15)
                    for one, c in zip(moments, bound.tolist(), strict=True)
                )
            )
    return {name: float(np.mean(each)) for name, each in held.items()}


# ── Units saved ───────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Power:
    name: str
    units: int
    calculated: float
    found: float

    @property
    def kept(self) -> bool:
        return abs(self.found - self.calculated) <= POWER_SLACK


def powers(rng: Rng, runs: int) -> tuple[list[Power], float]:
    """Power of the size with R2 = .2 and of that without; and by how much fewer units have the same error."""
    effect, base = 0.03, Nudged(compliers=0.5, effect=0.06, n=0)
    plan = Plan(baseline=base.baseline, power=0.8)
    rows, errors = [], []
    for name, r_squared, columns in (("without covariates", 0.0, (0,)), ("adjusted, R² = .2", R_SQUARED, (0, 2))):
        size = sample_size(replace(plan, r_squared=r_squared), effect)
        if not computable(size):
            continue
        pairs = list(joints_of(replace(base, n=size.units[0]).draw(rng, runs)))
        found = [lin_effects_stratified([(c.take(*columns), v.take(*columns))], 1) for c, v in pairs]
        tests = [lin_estimate(one) for one in found if computable(one)]
        hits = [computable(one) and one.p_value < plan.alpha and one.estimate > 0 for one in tests]
        calculated = power_at(replace(plan, r_squared=r_squared), effect, size.units)
        rows.append(Power(name, size.total, calculated, float(np.mean(hits))))
        if r_squared:
            errors = [float(one.variance_reduction) for pair in pairs if computable(one := adjustment.lin(*_two(pair)))]
    return rows, float(np.mean(errors))


def _two(pair: tuple[Joint, Joint]) -> tuple[Joint, Joint]:
    return pair[0].take(0, 2), pair[1].take(0, 2)


# ── The section ───────────────────────────────────────────────────────────────
def section(runs: int, begun: float) -> tuple[str, bool]:
    """The section, and whether a promise is broken."""
    slow = min(runs, SLOW_RUNS)
    alarms = []
    for test in TESTS:
        n = slow if test.slow else runs
        drawn = np.array(test.draw(stream(test.name), n))
        alarms += [Alarm(test.name, level, float((drawn < level).mean()), n, bounded=False) for level in LEVELS]
    by_plan = looked_at(stream("evenings"), slow)
    peeking = [
        Alarm(name, level, rate, slow, bounded=True)
        for name, rates in by_plan.items()
        for level, rate in zip(LEVELS, rates, strict=True)
    ]
    once = {f: covered_once(f, stream(f"once {f}"), runs) for f in FIRST_STAGES}
    throughout = {
        (f, adjusted): covered_throughout(f, stream(f"throughout {f}"), slow, adjusted=adjusted)
        for f in FIRST_STAGES
        for adjusted in (False, True)
    }
    power, saved = powers(stream("power"), runs)
    covers = [*once.values(), *(rate for each in throughout.values() for rate in each.values())]
    broken: list[object] = [
        *(row for row in (*alarms, *peeking) if not row.kept),
        *(row for row in power if not row.kept),
        *(rate for rate in covers if rate < LEVEL - COVERAGE_SLACK),
        *([saved] if abs(saved - FEWER) > SLACK else []),
    ]
    measured = Measured(alarms, peeking, once, throughout, power, saved, len(broken))
    return page(measured, runs, slow, (time.process_time() - begun) / 60), bool(broken)


@dataclass(frozen=True)
class Measured:
    alarms: list[Alarm]
    peeking: list[Alarm]
    once: dict[int, float]
    throughout: dict[tuple[int, bool], dict[str, float]]
    power: list[Power]
    saved: float
    broken: int


def power_line(row: Power) -> str:
    kept = "kept" if row.kept else "**broken**"
    return line(row.name, f"{row.units:,}", f"{row.calculated:.1%}", f"{row.found:.1%}", kept)


def page(found: Measured, runs: int, slow: int, minutes: float) -> str:
    fewer = 1 - found.power[1].units / found.power[0].units
    return "\n".join(
        [
            OF_ITS_OWN,
            "",
            "A plan may register the comparison adjusted for covariates (Lin) as the one that decides: verdict, looks",
            "and Anderson-Rubin set then rest on one pair of adjusted effects.",
            f"`python benchmarks/calibration_adjusted.py`, commit {commit()}: {runs:,} made-up experiments a row",
            f"(slow rows {slow:,}), seed {SEED}, {minutes:.0f} minutes of one core. Promises broken:",
            f"{found.broken or 'none'}.",
            "",
            "False alarms of the adjusted test, at one look:",
            "",
            *alarm_table(found.alarms),
            "",
            f"Looked at on {DAYS} evenings, {DAILY} new units an arm a day, no effect: alarms by the last evening.",
            "",
            *alarm_table(found.peeking),
            "",
            "The set of the behaviour's effects at 95 %: how often it holds the truth at one look, and how often on",
            f"every one of {DAYS} evenings, without and with the adjustment. F is that of the whole experiment.",
            "",
            line("F about", "adjusted, one look", *(f"{name}: plain / adjusted" for name in criticals(0.05))),
            line(*["---"] * (2 + len(criticals(0.05)))),
            *(
                line(
                    f"{f}",
                    f"{found.once[f]:.1%}",
                    *(
                        f"{found.throughout[f, False][name]:.1%} / {found.throughout[f, True][name]:.1%}"
                        for name in criticals(0.05)
                    ),
                )
                for f in FIRST_STAGES
            ),
            "",
            "Units saved where the covariate explains a fifth of the variance (R² = .2): the size that",
            f"`power --r-squared 0.2` gives has {fewer:.1%} fewer units than the one without, and the power stays. The",
            f"adjusted test's variance was {found.saved:.1%} smaller (the aim is {FEWER:.0%} ± {SLACK:.0%}).",
            "",
            line("plan, share, 37 % to 40 %", "units", "calculated", "found", ""),
            line("---", "---", "---", "---", "---"),
            *map(power_line, found.power),
        ]
    )


if __name__ == "__main__":
    main()
