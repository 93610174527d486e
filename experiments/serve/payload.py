"""GrowthBook SDK payloads: configuration for local evaluation, answers for remote evaluation. Pure.

A local SDK continues with the next rule when a unit is outside a rule's coverage; on our server the first matching row
decides. So each row's condition also excludes the earlier rows.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from experiments.draw.bucketing import STEPS, Range, bucket_ranges, saturation_ranges, within_seed, within_weights
from experiments.draw.evaluation import KILLED, Evaluation, Flag, RolloutRecord, RolloutRow, Row, Slot

# Rules of a rollout for GrowthBook's SDKs: forced values, which fire no tracking callback. Pure.
#
# First units that had the arm in the experiment, as far as the draw determines it; then the share of each row,
# written as ``"range": [0, x]``: half-open in both SDKs, which treat the edge of a `coverage` differently.

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
    rules = [] if flag.new_since is not None else _kept(flag, rollout, condition)
    return [*rules, *_shares(flag, rollout, now, condition)]


def _kept(flag: Flag, rollout: RolloutRecord, condition: Condition) -> list[Json]:
    rules = []
    slots = [_slot(slot) for slot in (flag.holdout, flag.layer) if slot is not None]
    for index, row in enumerate(flag.rows):
        matched = condition(row, flag.rows[:index])
        for place, drawn in enumerate(_draws(flag, index, rollout.arm)):
            rules.append(_payload_rules_rule(flag, rollout, f"kept-{index}-{place}", matched, [*slots, *drawn]))
    return rules


def _draws(flag: Flag, index: int, arm: int) -> list[list[Json]]:
    """Filters that select the units that keep an arm: one list, or one for each saturation."""
    row = flag.rows[index]
    if not flag.saturations:
        kept = [own for place, own in enumerate(row.ranges) if flag.keeps(place, arm)]
        return [[_payload_rules_filter(flag, flag.hash_attribute, flag.seed, *kept)]]
    stages = saturation_ranges(flag.saturations, row.coverage)
    return [
        [
            _payload_rules_filter(flag, flag.cluster, flag.seed, stage),
            _payload_rules_filter(
                flag, "id", within_seed(flag.seed), bucket_ranges(2, 1.0, within_weights(saturation))[arm]
            ),
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
        rules.append(_payload_rules_rule(flag, rollout, f"share-{index}", matched, slots) | drawn)
    return rules


def _payload_rules_rule(flag: Flag, rollout: RolloutRecord, name: str, matched: Json, filters: list[Json]) -> Json:
    return {
        "id": f"exp-{flag.pk}-{name}",
        **({"condition": matched} if matched else {}),
        **({"filters": filters} if filters else {}),
        "force": flag.arms[rollout.arm].value,
    }


def _payload_rules_filter(flag: Flag, attribute: str, seed: str, *ranges: Range) -> Json:
    return {"attribute": attribute, "hashVersion": flag.hash_version, "seed": seed, "ranges": list(map(list, ranges))}


def _slot(slot: Slot) -> Json:
    return {"attribute": "id", "hashVersion": 2, "seed": slot.seed, "ranges": [[slot.low, slot.high]]}


def features(flags: Iterable[Flag], now: datetime) -> Json:
    """The features of a payload by flag key: rules of running experiments, and current rules of rollouts.

    An experiment that is remote-only, or enrols only new units, has only its default: a local SDK can't know which
    units are new.
    """
    return {flag.flag: _feature(flag, now) for flag in sorted(flags, key=lambda flag: flag.flag)}


def remote_features(evaluations: Iterable[Evaluation]) -> Json:
    """Features that contain only the answers for one unit: no condition, list or weight leaves the server."""
    return {answer.flag.flag: _answered(answer) for answer in sorted(evaluations, key=lambda answer: answer.flag.flag)}


def preview(found: Json, flags: Iterable[Flag], *, variations: Any, values: Any) -> Json:
    """The features with forced values instead of the answers. They have no tracks, so a preview exposes no unit.

    Args:
        found: features by flag key.
        flags: the served flags.
        variations: arm's index by experiment key, as SDKs send it; other shapes are ignored.
        values: value by flag key, as an object or as pairs.
    """
    if isinstance(values, list):
        values = dict(pair for pair in values if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str))
    forced = dict(values) if isinstance(values, dict) else {}
    for flag in flags:
        arm = variations.get(flag.key) if isinstance(variations, dict) else None
        if isinstance(arm, int) and not isinstance(arm, bool) and 0 <= arm < len(flag.arms):
            forced.setdefault(flag.flag, flag.arms[arm].value)
    return {
        key: {**feature, "rules": [{"force": forced[key]}]} if key in forced else feature
        for key, feature in found.items()
    }


def _feature(flag: Flag, now: datetime) -> Json:
    if flag.rollout is not None:
        rules = rollout_rules(flag, flag.rollout, now, _condition)
        return {"defaultValue": flag.default, **({"rules": rules} if rules else {})}
    if flag.state != "running" or flag.remote_only or flag.new_since is not None:
        return {"defaultValue": flag.default}
    if not flag.saturations:
        return {"defaultValue": flag.default, "rules": [_rule(flag, index) for index in range(len(flag.rows))]}
    rules = [
        _of_saturation(flag, index, place) for index in range(len(flag.rows)) for place in range(len(flag.saturations))
    ]
    return {"defaultValue": flag.default, "rules": rules}


def _of_saturation(flag: Flag, index: int, place: int) -> Json:
    """The rule for clusters that draw one saturation: a filter selects them, and units are drawn within."""
    row, saturation = flag.rows[index], flag.saturations[place]
    low, high = saturation_ranges(flag.saturations, row.coverage)[place]
    rule = _rule(flag, index)
    chosen = {"attribute": flag.cluster, "hashVersion": flag.hash_version, "seed": flag.seed, "ranges": [[low, high]]}
    return {
        **rule,
        "id": f"{rule['id']}-{place}",
        "seed": within_seed(flag.seed),
        "weights": list(within_weights(saturation)),
        "coverage": 1.0,
        "filters": [*rule.get("filters", ()), chosen],
    }


def _rule(flag: Flag, index: int) -> Json:
    row = flag.rows[index]
    condition = _condition(row, flag.rows[:index])
    # Holdout and layer always use units, also where the experiment draws clusters.
    slots = [_filter(slot) for slot in (flag.holdout, flag.layer) if slot is not None]
    return {
        "id": f"exp-{flag.pk}-{index}",
        "key": flag.key,
        "name": flag.name,
        **({"condition": condition} if condition else {}),
        "hashAttribute": flag.hash_attribute,
        "hashVersion": flag.hash_version,  # the SDKs' default is 1
        "seed": flag.seed,
        "variations": [arm.value for arm in flag.arms],
        "weights": list(row.weights),
        "coverage": row.coverage,
        "meta": [{"key": arm.key, "name": arm.name} for arm in flag.arms],
        **({"filters": slots} if slots else {}),
        "bucketVersion": 1,
        "minBucketVersion": 0,
    }


def _condition(row: Row | RolloutRow, earlier: tuple[Row | RolloutRow, ...]) -> Json:
    own = _in_segment(row)
    others = [_in_segment(other) for other in earlier]
    if not others:
        return own
    return {"$and": [own, {"$nor": others}]} if own else {"$nor": others}


def _in_segment(row: Row | RolloutRow) -> Json:
    return {} if row.segment is None else {"segments": {"$elemMatch": {"$eq": row.segment}}}


def _filter(slot: Slot) -> Json:
    return {"attribute": "id", "hashVersion": 2, "seed": slot.seed, "ranges": [[slot.low, slot.high]]}


def _answered(answer: Evaluation) -> Json:
    if answer.arm is None:
        return {"defaultValue": answer.flag.default}
    rule: Json = {"force": answer.value}
    if answer.reason == "SPLIT":
        rule["tracks"] = [_track(answer, answer.arm)]
    return {"defaultValue": answer.flag.default, "rules": [rule]}


def _track(answer: Evaluation, arm: int) -> Json:
    """The arguments that both SDKs pass to the tracking callback."""
    flag, chosen = answer.flag, answer.flag.arms[arm]
    variations = [variant.value for variant in flag.arms]
    result = {
        "inExperiment": True,
        "variationId": arm,
        "value": chosen.value,
        "key": chosen.key,
        "name": chosen.name,
        "hashUsed": True,
        "hashAttribute": flag.hash_attribute,
        "bucket": answer.metadata["bucket"],
        "featureId": flag.flag,
        "stickyBucketUsed": answer.metadata["sticky"],
    }
    return {"experiment": {"key": flag.key, "name": flag.name, "variations": variations}, "result": result}
