"""Build the cells of an analysis from aggregated queries: counts, means and covariances, by arm and segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from events.asking import Questions
from events.counting.known_before import MOST_LEVELS, level_counts
from events.metrics import Quantile, parse_metric
from experiments.analyse.gather import quantile_queries, queries
from experiments.analyse.gather.answers import Block, Cells
from experiments.draw.many_units import saturation_of
from experiments.plan.question import Question
from stats.quantiles import QuantilePoint, bandwidth, linearised_quantile, quantile_point

if TYPE_CHECKING:
    import ibis.expr.types as ir


def rows_of(questions: Questions, question: ir.Table) -> list[dict[str, Any]]:
    """A small query result as a list of dicts."""
    found: list[dict[str, Any]] = questions.warehouse.arrow(question).to_pylist()
    return found


def cells_of(questions: Questions, asked: Question, values: ir.Table) -> Cells:
    """All moments of the outcomes, by arm, segment, week and covariates."""
    names = queries.covariates_of(asked)
    kept = [_levels(questions, values, place, asked) for place, _ in enumerate(names)]
    points = _quantiles(questions, asked, values)
    thresholds = {place: [point.value for point in found] for place, found in points.items()}
    rows = rows_of(questions, queries.cells(quantile_queries.below_quantiles(values, thresholds), asked, kept))
    keys = queries.cell_keys(asked, len(names))
    rows.sort(key=lambda row: tuple(row[key] for key in keys))
    segments, weeks = (sorted({row[key] for row in rows}) for key in ("segment", "week"))
    levels = [sorted({row[f"l_{place}"] for row in rows}) for place, _ in enumerate(names)]
    covariate = np.zeros((len(rows), len(names)), dtype=np.int64)
    for place, labels in enumerate(levels):
        covariate[:, place] = [labels.index(row[f"l_{place}"]) for row in rows]
    return Cells(
        variants=asked.variants,
        segments=tuple(segments),
        weeks=tuple(weeks),
        covariates=names,
        levels=tuple(map(tuple, levels)),
        variant=_ints([row["arm"] for row in rows]),
        segment=_ints([segments.index(row["segment"]) for row in rows]),
        week=_ints([weeks.index(row["week"]) for row in rows]),
        covariate=covariate,
        exposed=_ints([row["exposed"] for row in rows]),
        blocks={text: _block(asked, place, rows, points.get(place)) for place, text in enumerate(asked.outcomes)},
        **(_clusters(asked, [row["cluster"] for row in rows]) if asked.clustered else {}),
    )


def _clusters(asked: Question, ids: Sequence[str]) -> dict[str, Any]:
    """Cluster codes of the cells, with the saturation that each cluster draws, computed again rather than read."""
    labels = sorted(set(ids))
    places = {label: place for place, label in enumerate(labels)}
    found: dict[str, Any] = {"clusters": len(labels), "cluster": _ints([places[one] for one in ids])}
    if asked.saturations:
        drawn = {one: saturation_of(asked.seed, asked.saturations, one) for one in labels}
        found["saturation"] = _ints([drawn[one] for one in ids])
    return found


def _levels(questions: Questions, values: ir.Table, place: int, asked: Question) -> list[str]:
    """Levels of one covariate: the most frequent ones of a property, all numbers of active days."""
    most = MOST_LEVELS if place < len(asked.covariates) else asked.active_days_before + 1
    found = rows_of(questions, level_counts(values, f"c_{place}", most))
    return [str(row["level"]) for row in found]


def _quantiles(questions: Questions, asked: Question, values: ir.Table) -> dict[int, list[QuantilePoint]]:
    """Per quantile outcome the quantile of every arm, from counts, so that no unit leaves the warehouse.

    Where one arm has no density, no arm gets a spread: the difference's error would be too small.
    """
    found = {}
    for place, metric in enumerate(map(parse_metric, asked.outcomes)):
        if not isinstance(metric, Quantile):
            continue
        sizes = {row["arm"]: int(row["units"]) for row in rows_of(questions, quantile_queries.arm_sizes(values, place))}
        widths = {arm: bandwidth(units, metric.share) for arm, units in sizes.items()}
        rows = {
            row["arm"]: row
            for row in rows_of(questions, quantile_queries.arm_quantiles(values, place, metric.share, widths))
        }
        points = [
            quantile_point(sizes[arm], metric.share, row["at"], row["low"], row["high"], on=int(row["at_units"]))
            if (row := rows.get(arm)) is not None
            else QuantilePoint(metric.share, 0.0, 0.0)
            for arm in range(len(asked.variants))
        ]
        flat = any(points[arm].spread == 0 for arm in rows)
        found[place] = [replace(point, spread=0.0) for point in points] if flat else points
    return found


def _block(
    asked: Question, place: int, rows: Sequence[Mapping[str, Any]], quantiles: Sequence[QuantilePoint] | None
) -> Block:
    names = tuple(queries.block_columns(asked, place))
    size = len(names)
    means, covariance = np.zeros((len(rows), size)), np.zeros((len(rows), size, size))
    for cell, row in enumerate(rows):
        for a in range(size):
            means[cell, a] = row[f"m_{place}_{a}"] if row[f"n_{place}"] else 0.0
            for b in range(a + 1):
                moment = row[f"s_{place}_{a}_{b}"] if row[f"n_{place}"] > 1 else 0.0
                covariance[cell, a, b] = covariance[cell, b, a] = moment
    for cell, row in enumerate(rows if quantiles is not None else ()):
        point = quantiles[row["arm"]]  # type: ignore[index]
        if row[f"n_{place}"]:
            means[cell, 0], covariance[cell, 0, 0] = linearised_quantile(means[cell, 0], covariance[cell, 0, 0], point)
    units = _ints([row[f"n_{place}"] for row in rows])
    if f"v_{place}" not in queries.with_rows(asked):
        return Block(names, units, means, covariance)
    return Block(names, units, means, covariance, _ints([int(row[f"rows_{place}"] or 0) for row in rows]))


def _ints(numbers: Sequence[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(numbers, dtype=np.int64)
