"""Feature importance of behaviours in a model of retention, as stored in a study's report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from aha.study.grid import CountTable, Floats
from aha.study.result import BEESWARM_BEHAVIOURS, BEESWARM_UNITS, Model, Ranked, Swarm
from runs.progress import Progress, silent
from segments.search.importance import Ranking, rank_features
from stats.results import NotComputable, computable

ACTIVE_DAYS = "active_days"
FEWEST_VALUES, MOST_VALUES = 2, 20
RARE = 0.01


@dataclass(frozen=True, eq=False)
class Attributes:
    """Attributes of each unit from before any behaviour, as 0/1 columns: units × names, ``platform=ios``."""

    names: tuple[str, ...]
    values: Floats


def attributes_of(rows: Sequence[Mapping[str, object]]) -> Attributes:
    """0/1 columns of the signup event's properties.

    Args:
        rows: the properties of each unit, in order.

    Returns:
        One column per value of every property with 2 to 20 different values, except the most frequent one; values of
        fewer than 1 % of the units are merged with that one. Names (many values) and constants are left out.
    """
    names, columns = [], []
    for key in sorted({key for row in rows for key in row}):
        texts = np.asarray([_text(row.get(key)) for row in rows], dtype=np.object_)
        values, place, count = np.unique(texts, return_inverse=True, return_counts=True)
        if not FEWEST_VALUES <= values.size <= MOST_VALUES:
            continue
        for number, value in enumerate(values):
            if number != int(count.argmax()) and count[number] >= RARE * len(rows):
                names.append(f"{key}={value}")
                columns.append(place.reshape(-1) == number)
    matrix = np.column_stack(columns).astype(np.float64) if columns else np.zeros((len(rows), 0))
    return Attributes(tuple(names), matrix)


def judge_model(
    table: CountTable,
    attributes: Attributes,
    *,
    seed: int,
    repeats: int,
    max_units: int,
    max_explained: int,
    progress: Progress = silent,
) -> tuple[Model | NotComputable, dict[str, int]]:
    """Skill, ranking and beeswarm of the table's behaviours, active days and attributes; and the number of units used.

    Args:
        table: behaviours without those that a flag excludes (`goal_like`, `forced`, `not_available`).
        attributes: of the same units.
        seed: of samples, folds and trees.
        repeats, max_units, max_explained: as in `segments.search.importance.rank_features`.
        progress: called with the stage and the share done, 0 to 1.
    """
    names = (*table.behaviours, ACTIVE_DAYS, *attributes.names)
    values = np.column_stack([table.counts[:, :, -1], table.active_days, attributes.values]).astype(np.float64)
    importance = rank_features(
        values,
        table.retained,
        names=names,
        seed=seed,
        repeats=repeats,
        max_units=max_units,
        max_explained=max_explained,
        progress=progress,
    )
    if not computable(importance):
        return importance, {}
    ranking = importance.ranking
    if not computable(ranking):
        return Model(importance.trees, importance.logistic, ranking, ()), {"model": importance.trees.units}
    kinds = dict.fromkeys(table.behaviours, "behaviour") | {ACTIVE_DAYS: "activity"}
    used = {"model": importance.trees.units, "explained": int(ranking.explained.rows.size)}
    return Model(importance.trees, importance.logistic, _rows(ranking, kinds), _swarm(ranking, names, kinds)), used


def _rows(ranking: Ranking, kinds: Mapping[str, str]) -> tuple[Ranked, ...]:
    rows = [
        Ranked(
            name=feature.name,
            kind=kinds.get(feature.name, "attribute"),
            group=feature.group,
            importance=feature.importance,
            group_importance=ranking.groups[feature.group].importance,
            rank=ranking.groups[feature.group].rank,
            rank_low=ranking.groups[feature.group].rank_low,
            rank_high=ranking.groups[feature.group].rank_high,
            direction=feature.direction,
        )
        for feature in ranking.features
    ]
    return tuple(sorted(rows, key=lambda row: (row.rank, -row.importance)))


def _swarm(ranking: Ranking, names: Sequence[str], kinds: Mapping[str, str]) -> tuple[Swarm, ...]:
    """The same units for every behaviour, evenly spread over those that were explained."""
    explained = ranking.explained
    size = explained.rows.size
    shown = np.linspace(0, size - 1, min(size, BEESWARM_UNITS)).round().astype(np.int64)
    order = [row.name for row in _rows(ranking, kinds) if row.kind == "behaviour"][:BEESWARM_BEHAVIOURS]
    swarms = []
    for name in order:
        column = names.index(name)
        values = explained.values[:, column]
        quantile = (stats.rankdata(values) - 0.5) / values.size
        swarms.append(
            Swarm(
                name,
                tuple(float(q) for q in quantile[shown]),
                tuple(float(value) for value in values[shown]),
                tuple(float(shap) for shap in explained.shap[shown, column]),
            )
        )
    return tuple(swarms)


def _text(value: object) -> str:
    return "" if value is None else str(value)
