"""The page of these proofs: what was promised, what was counted, with the interval that luck allows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.frame import filled, line, table
from benchmarks.several import runs as made
from benchmarks.several.runs import BASE, SHARE, TRUE_MEAN, TRUE_SPREAD
from stats.compare import wilson
from stats.results import computable

COVER_AIM = 0.93


def page(records: Sequence[dict[str, Any]]) -> str:
    parts = []
    by = {
        name: [one for one in records if one["proof"] == name]
        for name in ("holdout", "interaction_null", "interaction_planted")
    }
    if by["holdout"]:
        parts.append(_holdout(by["holdout"]))
    if by["interaction_null"] or by["interaction_planted"]:
        parts.append(_interactions(by["interaction_null"], by["interaction_planted"]))
    return filled("several_experiments", parts="\n\n".join(parts)) + "\n"


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
    cells = []
    for name, hits, gap, mean in lines:
        luck = 196 * gap.std() / len(rows) ** 0.5
        large = f"{100 * gap.mean():+.2f} ± {luck:.2f}"
        cells.append([name, _rate(hits, len(rows)), large, f"{100 * mean:.2f}"])
    return filled(
        "several_holdout",
        vars(made),
        runs=len(rows),
        base=f"{100 * BASE:.0f}",
        mean=f"{100 * TRUE_MEAN:.1f}",
        spread=f"{100 * TRUE_SPREAD:.1f}",
        share=f"{SHARE / 100:.0f}",
        aim=f"{100 * COVER_AIM:.0f}",
        rows=[line(*row) for row in cells],
        broken=sum(row["broken"] for row in rows),
    )


def _interactions(null: Sequence[dict[str, Any]], planted: Sequence[dict[str, Any]]) -> str:
    cells = []
    for name, records in (("effects add up", null), ("both together add 6 points more", planted)):
        if records:
            hits = sum(one["p_value"] < 0.05 for one in records)
            cells.append([name, _rate(hits, len(records)), f"{len(records)}"])
    return filled("several_interactions", rows=table(("world", "found at 5 %", "runs"), cells))


def _inside(found: Any, truth: Any) -> int:
    return int(((found[:, 1] <= truth) & (truth <= found[:, 2])).sum())


def _rate(hits: int, runs: int) -> str:
    around = wilson(hits, runs)
    limits = f" ({100 * around.low:.1f} to {100 * around.high:.1f} %)" if computable(around) else ""
    return f"{hits} of {runs}, {100 * hits / runs:.1f} %{limits}"
