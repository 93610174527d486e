"""Attack N10: the average of an SQL metric, which counts units without a row as 0."""

from collections import Counter
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from benchmarks.audit_04.figure import Figure, percent
from experiments.analyse.gather.answers import Audit, Block, Cells
from experiments.analyse.health.stored_context import stored_context
from experiments.analyse.health.values import check_rows
from experiments.analyse.outcome_lock import standing_of
from stats.compare import compare_means
from stats.results import computable
from stats.summaries import Mean
from tests.experiments.analyse.stored_world import MONDAY, TODAY, answers_of, plan_of

TITLE = "Averages that count units without a row as 0 (N10)"
TEXT = """
An SQL metric gives each user's mean latency (161 ms, sd 65, alike in all groups); users without a call count 0. Where
43 % of the nudged make a call and 40 % of the others, the average differs by 3 % of 161 ms, and a test calls that an
effect. The health checks now compare the shares with a row, inside the segments, and warn at p < alpha over SQL metrics
and variants, as soon as the outcome may be read; before, the share of all groups together alone is told. Required: the
warning is raised in at least 77 % (how often the audit saw the false finding), and in at most 5 % where the shares are
alike, plus two binomial errors. 5,000 users a group.
"""
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
    plan = plan if world.open else replace(plan, enrolment_ended=None)
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
        standing = standing_of(plan, answers, looks=(), peek=False, today=TODAY)
        codes = [found.check for found in check_rows(stored_context(plan, answers, standing, Audit(0, 0, {})))]
        seen.update(codes)
        difference = compare_means(means[0], means[1])
        significant = computable(difference) and difference.p_value < 0.05
        seen["significant"] += significant
        seen["unwarned"] += significant and "rows_differ" not in codes
    return seen


def figures(size: float) -> list[Figure]:
    """1.0 takes about twenty seconds."""
    rng, runs = np.random.default_rng(20261217), max(round(RUNS * size), 20)
    least, most = (share + sign * 2 * sqrt(share * (1 - share) / runs) for share, sign in ((0.77, -1), (0.05, 1)))
    seen = count(rng, MOVED, runs)
    found = [
        _figure(f"{MOVED.name}: the average differs, p < .05", "shown", seen["significant"], runs, None),
        _figure(f"{MOVED.name}: warned", f"at least {percent(least)}", seen["rows_differ"], runs,
                seen["rows_differ"] / runs >= least),
        _figure(f"{MOVED.name}: the average differs and nothing warns", "shown", seen["unwarned"], runs, None),
    ]  # fmt: skip
    for world in ALIKE:
        warned = count(rng, world, runs)["rows_differ"]
        found.append(_figure(f"{world.name}: warned", f"at most {percent(most)}", warned, runs, warned / runs <= most))
    locked = count(rng, replace(MOVED, open=False), max(runs // 10, 10))
    told = locked["rows_differ"] + locked["rows_by_group"]
    found.append(_figure("outcome locked: shares by group told", "never", told, max(runs // 10, 10), told == 0))
    return found


def _figure(what: str, required: str, hits: int, runs: int, met: bool | None) -> Figure:
    return Figure(what, required, f"{percent(hits / runs)} of {runs:,}", met)
