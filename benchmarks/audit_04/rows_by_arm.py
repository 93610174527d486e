"""N10: the average of an SQL metric, which counts units without a row as 0."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.audit_04.figure import Figure, at_least, at_most, percent, shown, two_errors
from experiments.analyse.gather.answers import Audit, Block, Cells
from experiments.analyse.health.context import stored_context
from experiments.analyse.health.values import check_rows
from experiments.analyse.outcome_lock import maturity_of
from stats.compare import compare_means
from stats.results import computable
from stats.summaries import Mean
from tests.experiments.analyse.stored_world import MONDAY, TODAY, answers_of, plan_of

METRIC = "sql:0-6:SELECT user_id, avg(number('ms')) FILTER (WHERE event = 'call') AS value FROM events GROUP BY user_id"
UNITS, LATENCY, SPREAD = 5_000, 161.0, 65.0
RUNS = 2_000


@dataclass(frozen=True)
class World:
    """Shares with a row by segment and arm, and units by segment and arm; `slower`: what the nudge adds to latency."""

    name: str
    shares: tuple[tuple[float, ...], ...]
    units: tuple[tuple[int, ...], ...] = ((UNITS, UNITS),)
    slower: float = 0.0
    open: bool = True


ALIKE = (
    World("shares alike", ((0.4, 0.4),)),
    World("shares alike, calls 5 ms slower", ((0.4, 0.4),), slower=5.0),
    World("shares alike, three variants", ((0.4, 0.4, 0.4, 0.4),), ((UNITS,) * 4,)),
    World("segments of 20 and 60 %, split 80:20 and 30:70", ((0.2, 0.2), (0.6, 0.6)), ((1_000, 4_000), (3_500, 1_500))),
)
MOVED = World("43 % of the nudged and 40 % of the others make a call", ((0.40, 0.43),))


def count(rng: np.random.Generator, world: World, runs: int) -> Counter[str]:
    """Findings by code, and `significant`: p < .05 of the average; `unwarned`: that without a warning."""
    seen = Counter[str]()
    arms = len(world.shares[0])
    variants = ("control", "nudge", "b", "c")[:arms]
    plan = plan_of(variants, sum(map(sum, world.units)), primary=(METRIC,), claim=None)
    plan = plan if world.open else replace(plan, history=replace(plan.history, enrolment_ended=None))
    segment, arm = (part.ravel() for part in np.indices((len(world.shares), arms)))
    n = np.array(world.units).ravel()
    for _ in range(runs):
        rows = rng.binomial(n, np.array(world.shares).ravel())
        values = [
            np.concatenate([rng.normal(LATENCY + world.slower * (a > 0), SPREAD, r), np.zeros(size - r)])
            for r, size, a in zip(rows, n, arm, strict=True)
        ]
        means = [Mean.from_values(one) for one in values]
        block = Block(
            ("value",), n, np.array([[one.mean] for one in means]), np.array([[[one.variance]] for one in means]), rows
        )
        none = np.zeros(len(n), dtype=np.int64)
        labels = tuple(f"s{place}" for place in range(len(world.shares)))
        cells = Cells(variants, labels, (MONDAY,), (), (), arm, segment, none, none[:, None][:, :0], n, {METRIC: block})
        answers = answers_of(cells)
        maturity = maturity_of(plan, answers, looks=(), peek=False, today=TODAY)
        codes = [found.check for found in check_rows(stored_context(plan, answers, maturity, Audit(0, 0, {})))]
        seen.update(codes)
        difference = compare_means(means[0], means[1])
        significant = computable(difference) and difference.p_value < 0.05
        seen["significant"] += significant
        seen["unwarned"] += significant and "rows_differ" not in codes
    return seen


def figures(size: float) -> list[Figure]:
    rng, runs = np.random.default_rng(20261217), max(round(RUNS * size), 20)
    seen = {code: number / runs for code, number in count(rng, MOVED, runs).items()}
    differs, unwarned = (f"{percent(seen.get(code, 0.0))} of {runs:,}" for code in ("significant", "unwarned"))
    least, most = 0.77 - two_errors(0.77, runs), 0.05 + two_errors(0.05, runs)
    found = [
        shown(f"{MOVED.name}: the average differs, p < .05", differs),
        at_least(f"{MOVED.name}: warned", least, seen.get("rows_differ", 0.0), f"{runs:,}"),
        shown(f"{MOVED.name}: the average differs and nothing warns", unwarned),
    ]
    for world in ALIKE:
        warned = count(rng, world, runs)["rows_differ"] / runs
        found.append(at_most(f"{world.name}: warned", most, warned, f"{runs:,}"))
    few = max(runs // 10, 10)
    locked = count(rng, replace(MOVED, open=False), few)
    told = (locked["rows_differ"] + locked["rows_by_group"]) / few
    return [*found, at_most("outcome locked: shares by group told", 0.0, told, f"{few:,}", "never")]
