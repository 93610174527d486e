"""The registered decision in simulated experiments: how often harm is shipped, and a true success.

    .venv/bin/python benchmarks/causes/decision.py --runs 4000 --write docs/decision.md

Experiments of the planned size (`stats.power.with_guardrails`) with one primary outcome and two guardrails, all shares
and correlated within a unit. 25 evenings; guardrails are read every evening, the outcome as the plan allows. Bounds,
the table and the size are the product's. Intervals are by z, for all runs at once; a sample of single looks goes
through `judge` and `compare_unpooled` and must agree.
"""

import sys
import time
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.frame import filled, options_of
from experiments.analyse.decision_table import GUARDRAIL_UNITS, rule_on
from experiments.analyse.result import GuardrailState, Ruling
from stats.compare import compare_unpooled
from stats.power.family_and_looks import Method, Plan
from stats.power.with_guardrails import Watched, guarded_size
from stats.results import NotComputable, Reason, computable
from stats.sequential.boundaries import FEWEST_MATURE, sequence_multiplier, tightest_rho_squared
from stats.sequential.looks import Look, at_look, fixed
from stats.sequential.non_inferiority import Safety, judge, one_sided
from stats.summaries import Mean

SEED, ALPHA, POWER = 20261126, 0.05, 0.8
BASE, EFFECT = 0.3, 0.03
GUARDED, MARGIN, GUARDRAILS = 0.5, 0.025, 2
TOGETHER = 0.3  # correlation of the normal variables behind the three shares of a unit
EVENINGS = 25
LOOKS = (0.2, 0.4, 0.6, 0.8, 1.0)
SAMPLE = 400  # single looks that are computed by the product as well
SAFETIES = (Safety.UNKNOWN, Safety.NO_HARM, Safety.HARM)


@dataclass(frozen=True)
class World:
    """What is true: the effect on the primary outcome and on each guardrail, and what it is called."""

    name: str
    effect: float
    guardrails: tuple[float, ...]
    harm: bool = False
    success: bool = False


WORLDS = (
    World("success, guardrails unchanged", EFFECT, (0.0, 0.0), success=True),
    World("success, one guardrail loses its margin", EFFECT, (-MARGIN, 0.0), harm=True),
    World("success, both guardrails lose their margin", EFFECT, (-MARGIN, -MARGIN), harm=True),
    World("success, one guardrail loses twice its margin", EFFECT, (-2 * MARGIN, 0.0), harm=True),
    World("large success, one guardrail loses its margin", 3 * EFFECT, (-MARGIN, 0.0), harm=True),
    World("success, one guardrail loses half its margin", EFFECT, (-MARGIN / 2, 0.0)),
    World("no effect at all", 0.0, (0.0, 0.0), harm=True),
    World("primary outcome loses", -EFFECT, (0.0, 0.0), harm=True),
)


def main() -> None:
    parser = options_of(__doc__, processes=False, runs=4_000)
    given = parser.parse_args()
    began, rows = time.perf_counter(), []
    for method in Method:
        units = per_arm(method)
        for place, world in enumerate(WORLDS):
            rng = np.random.default_rng([SEED, place, list(Method).index(method)])
            rows.append((method, units, world, simulate(method, units, world, given.runs, rng)))
            print(row_text(*rows[-1]), flush=True)
    text = page(rows, given.runs, time.perf_counter() - began)
    if given.write:
        given.write.write_text(text + "\n", encoding="utf-8")
    if broken(rows, given.runs):
        sys.exit("a promise is broken")


def per_arm(method: Method) -> int:
    """Units of an arm as the planner says, a whole number an evening."""
    plan = Plan(baseline=BASE, alpha=ALPHA, power=POWER, method=method, looks=planned_looks(method))
    size = guarded_size(plan, EFFECT, [Watched(MARGIN, baseline=GUARDED)] * GUARDRAILS)
    if not computable(size):
        raise ValueError("no size")
    return EVENINGS * -(-size.size.units[0] // EVENINGS)


def planned_looks(method: Method) -> int | tuple[float, ...]:
    """An always valid plan is read every evening, and sized for its last one alone."""
    return LOOKS if method is Method.GROUP_SEQUENTIAL else 1


def simulate(method: Method, units: int, world: World, runs: int, rng: np.random.Generator) -> dict[Ruling, float]:
    """Share of runs by the first decision that isn't "wait"; the last evening always gives one."""
    control, variant = (draw(units // EVENINGS, shares, runs, rng) for shares in (truth(world, 0), truth(world, 1)))
    n = np.arange(1, EVENINGS + 1) * (units // EVENINGS)
    effect, error = differences(control, variant, n)
    check(effect, error, control, variant, n, rng)
    decided = np.full(runs, -1)
    rulings = list(Ruling)
    crossed = np.zeros(runs, dtype=np.int64)
    seen: list[float] = []
    for evening in range(EVENINGS):
        look = look_at(method, evening, n, seen)
        if look is not None:
            seen.append((evening + 1) / EVENINGS)
            z = effect[:, evening, 0] / error[:, evening, 0]
            now = np.where(np.abs(z) >= look.critical, np.sign(z), 0).astype(np.int64)
            crossed = np.where(crossed == 0, now, crossed)
        states = safeties(effect[:, evening, 1:], error[:, evening, 1:], look, nightly(n[evening], units))
        rows = np.column_stack([crossed if look is not None else np.zeros(runs, dtype=np.int64), states])
        kinds, place = np.unique(rows, axis=0, return_inverse=True)
        found = [rulings.index(table(kind, open_=look is not None, final=evening == EVENINGS - 1)) for kind in kinds]
        ruled = np.asarray(found)[place]
        new = (decided < 0) & (ruled != rulings.index(Ruling.WAIT))
        decided[new] = ruled[new]
    return {ruling: float(np.mean(decided == at)) for at, ruling in enumerate(rulings)}


def truth(world: World, arm: int) -> np.ndarray:
    """Shares of the primary outcome and of both guardrails in one arm."""
    return np.array([BASE, GUARDED, GUARDED]) + arm * np.array([world.effect, *world.guardrails])


def draw(a_night: int, shares: np.ndarray, runs: int, rng: np.random.Generator) -> np.ndarray:
    """Units with each of the three properties until each evening: runs x evenings x 3."""
    cells = cell_shares(shares)
    counts = rng.multinomial(a_night, cells, size=(runs, EVENINGS))
    has = (np.arange(8)[:, None] >> np.arange(3)) & 1
    return np.cumsum(counts @ has, axis=1)


def cell_shares(shares: np.ndarray) -> np.ndarray:
    """Shares of the eight kinds of units, from normal variables with one correlation."""
    thresholds, cells = stats.norm.ppf(shares), np.zeros(8)
    below = {}
    for mask in range(8):  # probability that all properties of the mask hold
        chosen = [at for at in range(3) if mask >> at & 1]
        if not chosen:
            below[mask] = 1.0
            continue
        cov = np.full((len(chosen),) * 2, TOGETHER) + (1 - TOGETHER) * np.eye(len(chosen))
        normal = stats.multivariate_normal(np.zeros(len(chosen)), cov, seed=1)
        below[mask] = float(normal.cdf(thresholds[chosen]))
    for mask in range(8):
        others = [one for one in range(8) if one & mask == mask]
        cells[mask] = sum((-1) ** (one.bit_count() - mask.bit_count()) * below[one] for one in others)
    return cells / cells.sum()


def differences(control: np.ndarray, variant: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p0, p1 = (counts / n[:, None] for counts in (control, variant))
    return p1 - p0, np.sqrt((p0 * (1 - p0) + p1 * (1 - p1)) / (n[:, None] - 1))


def look_at(method: Method, evening: int, n: np.ndarray, seen: list[float]) -> Look | None:
    share, last = (evening + 1) / EVENINGS, evening == EVENINGS - 1
    if method is Method.FIXED:
        return fixed(ALPHA) if last else None
    if method is Method.ALWAYS_VALID:
        enough = n[evening] >= FEWEST_MATURE
        return Look(ALPHA, "always_valid", units=2 * int(n[evening]), planned_units=2 * int(n[-1])) if enough else None
    if not any(abs(share - look) < 1e-9 for look in LOOKS):
        return None
    return Look(ALPHA, "group_sequential", fractions=(*seen, share), final=last)


def nightly(n: int, units: int) -> Look | None:
    """The confidence sequence by which guardrails are read every evening."""
    return Look(ALPHA, "always_valid", units=2 * int(n), planned_units=2 * units) if n >= GUARDRAIL_UNITS else None


def safeties(effect: np.ndarray, error: np.ndarray, look: Look | None, night: Look | None) -> np.ndarray:
    """What is known of each guardrail, as places in `SAFETIES`: runs x guardrails. Higher is better."""
    found = np.zeros(effect.shape, dtype=np.int64)
    shown = look or night
    if shown is not None:
        found[-(effect - one_sided(shown).critical * error) < MARGIN] = SAFETIES.index(Safety.NO_HARM)
    for one in (look, night):
        if one is not None:
            found[effect <= -harm_bound(one) * error] = SAFETIES.index(Safety.HARM)
    return found


def harm_bound(look: Look) -> float:
    """What |z| must reach for a repeated p-value below alpha / m; a sequence keeps the tuning of its alpha."""
    if look.method != Method.ALWAYS_VALID:
        return replace(look, alpha=ALPHA / GUARDRAILS).critical
    rho_squared = tightest_rho_squared(look.planned_units, alpha=look.alpha)
    return sequence_multiplier(look.units, rho_squared=rho_squared, alpha=ALPHA / GUARDRAILS)


def table(kind: np.ndarray, *, open_: bool, final: bool) -> Ruling:
    """The product's decision table for one combination of what is known."""
    missing = NotComputable(Reason.NO_DATA)
    guardrails = [
        GuardrailState(str(at), "proportion", "nudge", "higher", MARGIN, missing, missing, SAFETIES[known])
        for at, known in enumerate(kind[1:])
    ]
    effects = (int(kind[0]),) if open_ else ()
    return rule_on("nudge", guardrails, effects=effects, invalid=False, final=final, otherwise="ask").ruling


def check(
    effect: np.ndarray,
    error: np.ndarray,
    control: np.ndarray,
    variant: np.ndarray,
    n: np.ndarray,
    rng: np.random.Generator,
) -> None:
    look = Look(ALPHA, "always_valid", units=2 * int(n[-1]), planned_units=2 * int(n[-1]))
    for one in (fixed(ALPHA), look):
        fast = safeties(effect[:, -1, 1:], error[:, -1, 1:], one, None)
        for run in rng.integers(0, len(effect), SAMPLE // len(WORLDS)):
            groups = [Mean.from_counts(int(counts[run, -1, 1]), int(n[-1])) for counts in (control, variant)]
            wide, narrow = (
                at_look(compare_unpooled(groups[0], groups[1], alpha=used.nominal_alpha), used)
                for used in (one, one_sided(one))
            )
            if not computable(wide) or not computable(narrow):
                raise ValueError("no difference")
            told = judge(wide, narrow, higher_is_better=True, margin=MARGIN, alpha=ALPHA, tests=GUARDRAILS)
            if SAFETIES[fast[run, 0]] is not told.safety:
                raise AssertionError(f"run {run}: {SAFETIES[fast[run, 0]]} and {told}")


type Row = tuple[Method, int, World, dict[Ruling, float]]


def broken(rows: list[Row], runs: int) -> list[Row]:
    """Rows whose promise luck alone wouldn't break in 999 of 1,000 cases."""

    def above(share: float, level: float) -> bool:
        return share > level + 3.09 * sqrt(level * (1 - level) / runs)

    return [
        row
        for row in rows
        if (row[2].harm and above(row[3][Ruling.SHIP], ALPHA))
        or (row[2].success and above(1 - row[3][Ruling.SHIP], 1 - POWER))
    ]


def row_text(method: Method, units: int, world: World, found: dict[Ruling, float]) -> str:
    promise = f"≤ {ALPHA:.0%}" if world.harm else f"≥ {POWER:.0%}" if world.success else ""
    shares = " | ".join(f"{found[one]:.1%}" for one in (Ruling.SHIP, Ruling.DONT, Ruling.ASK))
    return f"| {method} | {units:,} | {world.name} | {shares} | {promise} |"


def page(rows: list[Row], runs: int, seconds: float) -> str:
    """docs/decision.md."""
    return filled(
        "decision",
        globals(),
        runs=runs,
        seconds=seconds,
        effect=100 * EFFECT,
        margin=100 * MARGIN,
        looks=len(LOOKS),
        broken=len(broken(rows, runs)) or "none",
        rows=[row_text(*row) for row in rows],
        tests=GUARDRAILS + 1,
        each=1 - (1 - POWER) / (GUARDRAILS + 1),
    )


if __name__ == "__main__":
    main()
