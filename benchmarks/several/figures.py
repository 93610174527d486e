"""The page of these proofs: what was promised, what was counted, with the interval that luck allows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.frame import commit
from benchmarks.several.worlds import AN_ARM, BASE, CANDIDATES, SHARE, TRUE_MEAN, TRUE_SPREAD
from stats.compare import wilson
from stats.results import computable

COVER_AIM = 0.93
HEAD = """# Several experiments together

What a holdout report says of three shipped changes, and how often two experiments are called interacting. Made-up
worlds whose truth is known, counted by the product's own functions.

`python -m benchmarks.several --write docs/several_experiments.md`, commit {commit}.
`tests/benchmarks/several/test_several.py` holds that the product's questions to the event log give the same
numbers as are counted here from the world itself.
"""


def page(records: Sequence[dict[str, Any]]) -> str:
    """The whole page, of the proofs that were run."""
    parts = [HEAD.format(commit=commit())]
    by = {
        name: [one for one in records if one["proof"] == name]
        for name in ("holdout", "interaction_null", "interaction_planted")
    }
    if by["holdout"]:
        parts.append(_holdout(by["holdout"]))
    if by["interaction_null"] or by["interaction_planted"]:
        parts.append(_interactions(by["interaction_null"], by["interaction_planted"]))
    return "\n".join(parts)


def _holdout(rows: Sequence[dict[str, Any]]) -> str:
    found, truth = (np.array([row[name] for row in rows]) for name in ("found", "truth"))
    covered = sum(row["low"] <= row["truth"] <= row["high"] for row in rows)
    winners = np.array([row["winners"] for row in rows])
    naive, shrunk = (np.array([row[name] for row in rows]) for name in ("naive", "shrunk"))
    lines = [
        ("holdout report", covered, found - truth, float(truth.mean())),
        ("plain sum of the three findings", _inside(naive, winners), naive[:, 0] - winners, float(winners.mean())),
        ("sum without the winners' luck", _inside(shrunk, winners), shrunk[:, 0] - winners, float(winners.mean())),
    ]
    table = ["| | covers its truth | too large by, points | truth, points |", "| --- | --- | --- | --- |"]
    for name, hits, gap, mean in lines:
        luck = 196 * gap.std() / len(rows) ** 0.5
        large = f"{100 * gap.mean():+.2f} ± {luck:.2f}"
        table.append(f"| {name} | {_rate(hits, len(rows))} | {large} | {100 * mean:.2f} |")
    return f"""## Three shipped changes

{len(rows)} programmes of {CANDIDATES} experiments each, {AN_ARM:,} users an arm, {100 * BASE:.0f} % come back without
any change. True effects: {100 * TRUE_MEAN:.1f} points with a standard deviation of {100 * TRUE_SPREAD:.1f}. The three
with the largest z are shipped, on days 0, 8 and 16 of the 40 on which 20,000 new users sign up; a holdout of
{SHARE / 100:.0f} % gets none of them. Promised: the report's 95 % interval covers what the changes did together, over
all users, in at least {100 * COVER_AIM:.0f} %; the plain sum is too large.

{chr(10).join(table)}

The sample ratio alarmed in {sum(row["broken"] for row in rows)} of {len(rows)} runs. The report's truth is smaller than
the winners' sum, since users who came before a change was shipped didn't get it.
"""


def _interactions(null: Sequence[dict[str, Any]], planted: Sequence[dict[str, Any]]) -> str:
    rows = ["| world | found at 5 % | runs |", "| --- | --- | --- |"]
    for name, records in (("effects add up", null), ("both together add 6 points more", planted)):
        if records:
            hits = sum(one["p_value"] < 0.05 for one in records)
            rows.append(f"| {name} | {_rate(hits, len(records))} | {len(records)} |")
    return f"""## Two experiments on the same users

24,000 users meet both, two arms each; each treatment adds 3 and 2 points to 30 %. Promised: with 6 points more for both
together found in at least 18 of 20 seeds; without, at the nominal rate.

{chr(10).join(rows)}
"""


def _inside(found: Any, truth: Any) -> int:
    return int(((found[:, 1] <= truth) & (truth <= found[:, 2])).sum())


def _rate(hits: int, runs: int) -> str:
    around = wilson(hits, runs)
    limits = f" ({100 * around.low:.1f} to {100 * around.high:.1f} %)" if computable(around) else ""
    return f"{hits} of {runs}, {100 * hits / runs:.1f} %{limits}"
