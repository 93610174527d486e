"""Rules of a rollout for GrowthBook's SDKs: forced values, which fire no tracking callback. Pure.

First units that had the arm in the experiment, as far as the draw determines it; then the share of each row, written as
``"range": [0, x]``: half-open in both SDKs, which treat the edge of a `coverage` differently.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from experiments.draw.bucketing import STEPS, bucket_ranges
from experiments.draw.evaluation import Flag, Slot
from experiments.draw.rollout_record import KILLED, RolloutRecord
from experiments.draw.whole_clusters import saturation_ranges, within_seed, within_weights

Json = dict[str, Any]
Condition = Callable[[Any, tuple[Any, ...]], Json]


def rollout_rules(flag: Flag, rollout: RolloutRecord, now: datetime, condition: Condition) -> list[Json]:
    """The rules at a moment; none under the kill switch, and none for remote-only flags.

    Args:
        flag: of the ended experiment.
        rollout: of it.
        now: the moment, which determines the current step of each row.
        condition: function that gives a row's condition, which excludes earlier rows, as in an experiment's rules.
    """
    if rollout.state == KILLED or flag.remote_only:
        return []
    kept = [] if flag.new_since is not None else _kept(flag, rollout, condition)
    return [*kept, *_shares(flag, rollout, now, condition)]


def _kept(flag: Flag, rollout: RolloutRecord, condition: Condition) -> list[Json]:
    rules = []
    slots = [_slot(slot) for slot in (flag.holdout, flag.layer) if slot is not None]
    for index, row in enumerate(flag.rows):
        matched = condition(row, flag.rows[:index])
        for place, drawn in enumerate(_draws(flag, index, rollout.arm)):
            rules.append(_rule(flag, rollout, f"kept-{index}-{place}", matched, [*slots, *drawn]))
    return rules


def _draws(flag: Flag, index: int, arm: int) -> list[list[Json]]:
    """Filters that select the units of an arm: one list, or one for each saturation."""
    row = flag.rows[index]
    if not flag.saturations:
        return [[_filter(flag, flag.hash_attribute, flag.seed, *row.ranges[arm])]]
    stages = saturation_ranges(flag.saturations, row.coverage)
    return [
        [
            _filter(flag, flag.cluster, flag.seed, *stage),
            _filter(flag, "id", within_seed(flag.seed), *bucket_ranges(2, 1.0, within_weights(saturation))[arm]),
        ]
        for stage, saturation in zip(stages, flag.saturations, strict=True)
    ]


def _shares(flag: Flag, rollout: RolloutRecord, now: datetime, condition: Condition) -> list[Json]:
    rules = []
    slots = [] if flag.holdout is None else [_slot(flag.holdout)]
    for index, row in enumerate(rollout.rows):
        share = rollout.share(row, now)
        if not share:
            continue
        drawn = {
            "hashAttribute": "id" if share >= STEPS else flag.hash_attribute,
            "hashVersion": 2,
            "seed": rollout.seed,
            "range": [0, share / STEPS],
        }
        matched = condition(row, rollout.rows[:index])
        rules.append(_rule(flag, rollout, f"share-{index}", matched, slots) | drawn)
    return rules


def _rule(flag: Flag, rollout: RolloutRecord, name: str, matched: Json, filters: list[Json]) -> Json:
    return {
        "id": f"exp-{flag.pk}-{name}",
        **({"condition": matched} if matched else {}),
        **({"filters": filters} if filters else {}),
        "force": flag.arms[rollout.arm].value,
    }


def _filter(flag: Flag, attribute: str, seed: str, low: float, high: float) -> Json:
    return {"attribute": attribute, "hashVersion": flag.hash_version, "seed": seed, "ranges": [[low, high]]}


def _slot(slot: Slot) -> Json:
    return {"attribute": "id", "hashVersion": 2, "seed": slot.seed, "ranges": [[slot.low, slot.high]]}
