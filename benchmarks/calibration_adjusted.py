"""Does the registered adjustment keep its promises? A section of docs/calibration.md of its own.

    .venv/bin/python benchmarks/calibration_adjusted.py --write docs/calibration.md

Every number goes through the product's own functions, the moments of each made-up experiment being drawn as counts. The
exit code is 1 when a promise is broken.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import product
from math import sqrt
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.calibration import COVERAGE_SLACK, OF_ITS_OWN, Alarm, Power, alarm_table, power_table
from benchmarks.calibration_looks import DAILY, DAYS, evening_bounds
from benchmarks.calibration_rows import FIRST_STAGES, LEVEL, LEVELS, Test
from benchmarks.calibration_worlds import Floats, Rng, clustered
from benchmarks.frame import filled, in_django, options_of, table
from experiments.plan.record import Plan as PlanRecord
from experiments.plan.record import PlannedVariant, Predictor
from stats import adjustment
from stats.cells import pool_cells
from stats.instrument.anderson_rubin import anderson_rubin
from stats.lin import LinEffects, lin_effects_clustered, lin_effects_stratified, lin_estimate
from stats.power.family_and_looks import Plan
from stats.power.sample_size import power_at, sample_size
from stats.ratios import linearised, ratio_point
from stats.results import computable
from stats.summaries import Joint

RUNS, SLOW_RUNS, SEED = 5_000, 2_000, 20261126
R_SQUARED, FEWER, SLACK = 0.2, 0.20, 0.03


def main() -> None:
    parser = options_of(__doc__, processes=False)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"experiments a row ({RUNS:,}; slow rows {SLOW_RUNS:,})")
    options = parser.parse_args()
    in_django()
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


# ── Worlds in which a covariate known before explains a part of the outcome ───
# Units, share of the nudge, level, weight of the covariate.
FOUR = ((300, 0.5, 0.2, 0.1), (500, 0.3, 0.4, 0.25), (800, 0.6, 0.5, 0.2), (120, 0.5, 0.7, 0.1))
# Outcome, behaviour, covariate of each cell.
CELLS = np.array(list(product((0.0, 1.0), (0.0, 1.0), (-1.0, 1.0))))
OUTCOME = "window:14-20"


@dataclass(frozen=True)
class Nudged:
    """A nudge, a behaviour and a retention that a covariate of -1 or 1 explains to a fifth.

    Attributes:
        compliers: share that reaches the behaviour only if nudged.
        effect: of the behaviour on everybody's retention.
        n: units of each arm.
        reach: share that reaches it without the nudge; they stay more often by themselves.
        level: retention on average without the behaviour's effect; `lean` is added times the covariate.
    """

    compliers: float
    effect: float
    n: int
    reach: float = 0.2
    level: float = 0.36
    lean: float = 0.2115

    def shares(self, *, nudged: bool) -> Floats:
        """Share of the units of an arm in each of `CELLS`."""
        found = np.zeros(len(CELLS))
        for place, (outcome, did, x) in enumerate(CELLS.tolist()):
            always, rest = self.reach * (1 + 0.2 * x), 1 - self.reach * (1 + 0.2 * x)
            compliers = self.compliers
            # Those who come by themselves stay 5 points more, the others less, so that the level is the average.
            groups = [(always, 0.05, 1.0), (compliers, -0.0125, float(nudged)), (rest - compliers, -0.0125, 0.0)]
            for size, own, reached in groups:
                if reached != did:
                    continue
                kept = self.level + self.lean * x + own + self.effect * reached
                found[place] += 0.5 * size * (kept if outcome else 1 - kept)
        return found

    @property
    def baseline(self) -> float:
        return float(self.shares(nudged=False) @ CELLS[:, 0])

    def draw(self, rng: Rng, runs: int) -> Floats:
        arms = [rng.multinomial(self.n, self.shares(nudged=nudged), runs) for nudged in (False, True)]
        return np.stack(arms, axis=1).astype(float)


def joints_of(counts: Floats) -> Iterator[tuple[Joint, Joint]]:
    nothing = np.zeros((len(CELLS), 2, 2))
    for arms in counts:
        control, variant = (pool_cells(n, CELLS[:, :2], nothing, CELLS[:, 2:]) for n in arms)
        yield control, variant


def strata_of_four(rng: Rng, runs: int) -> Iterator[list[tuple[Joint, Joint]]]:
    """Four segments with their own level, split and weight of the covariate; nobody is moved."""
    for _ in range(runs):
        strata = []
        for size, split, level, lean in FOUR:
            x = rng.choice((-1.0, 1.0), size)
            rows = np.column_stack([rng.random(size) < level + lean * x, x]).astype(float)
            arm = rng.random(size) < split
            strata.append((Joint.from_columns(rows[~arm]), Joint.from_columns(rows[arm])))
        yield strata


def few_units(rng: Rng, runs: int, n: int = 50) -> Iterator[tuple[Joint, Joint]]:
    """Skewed spending of 50 users an arm, which three covariates explain in part."""
    x = rng.normal(size=(runs, 2 * n, 3))
    y = np.exp(0.4 * x[..., 0] + 0.2 * x[..., 1]) * rng.gamma(1.5, 10, (runs, 2 * n))
    for row in np.concatenate([y[..., None], x], axis=2):
        yield Joint.from_columns(row[:n]), Joint.from_columns(row[n:])


def ratio_pairs(rng: Rng, runs: int, n: int = 1_000) -> Iterator[tuple[Joint, Joint]]:
    """Clicks per view, linearised where each arm stands; the covariate is what the user clicked before."""
    for _ in range(runs):
        rate = rng.beta(2, 6, 2 * n)
        views = rng.poisson(3, 2 * n) + 1
        rows = np.column_stack([rng.binomial(views, rate), views, rng.binomial(10, rate)]).astype(float)
        arms = []
        for part in (rows[:n], rows[n:]):
            point = ratio_point(np.ones(n), part[:, :2])
            changed, _ = linearised(part, np.zeros((n, 3, 3)), point)
            arms.append(Joint.from_columns(changed))
        yield arms[0], arms[1]


LEVEL_SHARES = (0.4, 0.3, 0.2, 0.1)
KEPT = (0.2, 0.35, 0.55, 0.8)  # of users by their channel


def earlier_users(rng: Rng, n: int = 2_000) -> Predictor:
    """A model of users who came before, by channel; 600 newest judge it."""
    from experiments.plan.cupac import Earlier, fit_predictor

    sizes = np.concatenate([rng.multinomial(n - 600, LEVEL_SHARES), rng.multinomial(600, LEVEL_SHARES)])
    kept = rng.binomial(sizes, np.tile(KEPT, 2))
    means = kept / np.maximum(sizes, 1)
    earlier = Earlier(
        names=("channel",),
        labels=tuple((f"c{place}",) for place in range(4)) * 2,
        n=sizes.astype(float),
        means=means,
        variances=means * (1 - means) * sizes / np.maximum(sizes - 1, 1),
        newest=np.repeat([0, 1], 4),
        share=True,
        first=date(2026, 9, 1),
        last=date(2026, 11, 23),
    )
    arms = (PlannedVariant("control", 0, 5_000), PlannedVariant("nudge", 1, 5_000))
    plan = PlanRecord("e", "e", "h", arms, "integer", 0, (OUTCOME,), 2_000, None, 0.02, covariates=("channel",))
    found = fit_predictor(earlier, plan)
    if not isinstance(found, Predictor):
        raise TypeError(f"no model: {found}")
    return found


def predicted_levels(rng: Rng, predictor: Predictor, n: int = 500) -> tuple[Joint, Joint]:
    """New users, half of them nudged, which does nothing; the covariate is their predicted retention."""
    channel = rng.choice(4, 2 * n, p=LEVEL_SHARES)
    scores = predictor.score(("channel",), [(f"c{place}",) for place in range(4)])
    rows = np.column_stack([rng.random(2 * n) < np.array(KEPT)[channel], scores[channel]]).astype(float)
    return Joint.from_columns(rows[:n]), Joint.from_columns(rows[n:])


# ── False alarms ──────────────────────────────────────────────────────────────
def adjusted(drawn: Iterable[tuple[Joint, Joint]], outcomes: int = 1) -> list[float]:
    return [p_of(lin_effects_stratified([pair], outcomes)) for pair in drawn]


def predicted(rng: Rng, runs: int) -> list[float]:
    """A model fitted anew on 2,000 earlier users; then new users, whom the nudge does nothing to."""
    return adjusted(predicted_levels(rng, earlier_users(rng)) for _ in range(runs))


def clusters(rng: Rng, runs: int) -> list[float]:
    drawn = (clustered(rng) for _ in range(runs))
    return [p_of(lin_effects_clustered(y[:, None], arm, x, codes)) for y, arm, x, codes in drawn]


UNMOVED = Nudged(compliers=0.2, effect=0.0, n=1_000)
TESTS = (
    Test(
        "share, one covariate, 1,000 units an arm",
        lambda rng, runs: adjusted(joints_of(UNMOVED.draw(rng, runs)), outcomes=2),
    ),
    Test(
        "share, inside four segments of unequal split",
        lambda rng, runs: [p_of(lin_effects_stratified(one, 1)) for one in strata_of_four(rng, runs)],
    ),
    Test("skewed mean, three covariates, 50 units an arm", lambda rng, runs: adjusted(few_units(rng, runs))),
    Test("ratio of sums, 1,000 units an arm", lambda rng, runs: adjusted(ratio_pairs(rng, runs))),
    Test("60 clusters", clusters, slow=True),
    Test("predicted outcome (CUPAC), model fitted anew", predicted, slow=True),
)


# ── Looking every evening ─────────────────────────────────────────────────────
def evenings(world: Nudged, rng: Rng, runs: int) -> Iterator[list[tuple[Joint, Joint]]]:
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
        for name, bound in evening_bounds(level).items():
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
    bounds = evening_bounds(1 - LEVEL)
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
        rows.append(Power(name, calculated, float(np.mean(hits)), size.total, runs))
        if r_squared:
            errors = [float(one.variance_reduction) for pair in pairs if computable(one := adjustment.lin(*_two(pair)))]
    return rows, float(np.mean(errors))


def _two(pair: tuple[Joint, Joint]) -> tuple[Joint, Joint]:
    return pair[0].take(0, 2), pair[1].take(0, 2)


# ── The section ───────────────────────────────────────────────────────────────
def section(runs: int, begun: float) -> tuple[str, bool]:
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


def page(found: Measured, runs: int, slow: int, minutes: float) -> str:
    fewer = 1 - found.power[1].units / found.power[0].units
    plans = list(evening_bounds(0.05))
    cells = [
        [
            f"{f}",
            f"{found.once[f]:.1%}",
            *(f"{found.throughout[f, False][name]:.1%} / {found.throughout[f, True][name]:.1%}" for name in plans),
        ]
        for f in FIRST_STAGES
    ]
    text = filled(
        "calibration_adjusted",
        globals(),
        runs=runs,
        slow=slow,
        minutes=minutes,
        broken=found.broken or "none",
        alarms=alarm_table(found.alarms),
        peeking=alarm_table(found.peeking),
        sets=table(("F about", "adjusted, one look", *(f"{name}: plain / adjusted" for name in plans)), cells),
        fewer=fewer,
        saved=found.saved,
        power=power_table("plan, share, 37 % to 40 %", found.power),
    )
    return f"{OF_ITS_OWN}\n\n{text}"


if __name__ == "__main__":
    main()
