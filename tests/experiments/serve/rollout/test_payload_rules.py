"""What local SDKs read of a rollout: half-open ranges, filters, no tracking, and nothing that stays on the server."""

from datetime import timedelta
from typing import Any

import pytest

from experiments.draw.bucketing import Saturation
from experiments.draw.evaluation import (
    HELD,
    KILLED,
    ROLLING,
    RolloutRecord,
    RolloutRow,
    Row,
    Slot,
    Step,
    killed,
    rollout_seed,
    shipped,
)
from experiments.serve.payload import features, remote_features
from tests.experiments.make import MOMENT, a_flag

SEED = rollout_seed("9f2c41d07ab3")
DAY = timedelta(days=1)


def rollout(*rows: RolloutRow, **changes: Any) -> RolloutRecord:
    steps = (Step(MOMENT, 1_000), Step(MOMENT + DAY, 10_000))
    values: dict[str, Any] = {
        "arm": 1,
        "state": ROLLING,
        "seed": SEED,
        "rows": rows or (RolloutRow(None, None, steps),),
    }
    return RolloutRecord(**{**values, **changes})


def rules(now: Any = MOMENT, **changes: Any) -> Any:
    flag = a_flag(state="stopped", **{"rollout": rollout(), **changes})
    return features([flag], now)["guild-invite"].get("rules")


def test_rules__of_everyone__are_who_had_it_and_the_share() -> None:
    own = {"attribute": "id", "hashVersion": 2, "seed": "9f2c41d07ab3", "ranges": [[0.5, 1.0]]}

    assert rules() == [
        {"id": "exp-1-kept-0-0", "filters": [own], "force": "banner"},
        {
            "id": "exp-1-share-0",
            "force": "banner",
            "hashAttribute": "id",
            "hashVersion": 2,
            "seed": "9f2c41d07ab3:rollout",
            "range": [0, 0.1],
        },
    ]


def test_rules__change_at_a_step_alone() -> None:
    shares = [rules(MOMENT + hours * DAY / 24)[-1] for hours in (0, 23.99, 24, 99)]

    assert [rule["range"] for rule in shares] == [[0, 0.1], [0, 0.1], [0, 1.0], [0, 1.0]]
    assert len(rules(MOMENT - DAY)) == 1  # before the first step: who had it


def test_rules__with_holdout_and_layer__keep_the_holdout_out_and_let_the_slice_go() -> None:
    found = rules(holdout=Slot("holdout:h", 0.05, 1.0), layer=Slot("layer:l", 0.0, 0.5))

    seeds = [[one["seed"] for one in rule["filters"]] for rule in found]
    assert seeds == [["holdout:h", "layer:l", "9f2c41d07ab3"], ["holdout:h"]]


def test_rules__over_segments__let_the_first_row_decide() -> None:
    row = rollout(RolloutRow("ios", None, (Step(MOMENT, 10_000),)), RolloutRow(None, None, (Step(MOMENT, 500),)))
    member = {"segments": {"$elemMatch": {"$eq": "ios"}}}
    audience = (Row("ios", None, 0.5, (0.5, 0.5)), Row(None, None, 1.0, (0.1, 0.9)))

    found = rules(rollout=row, rows=audience)

    assert [rule["condition"] for rule in found] == [member, {"$nor": [member]}, member, {"$nor": [member]}]
    assert [rule["filters"][0]["ranges"] for rule in found[:2]] == [[[0.5, 0.75]], [[0.1, 1.0]]]


def test_rules__of_clusters__hash_the_cluster_until_everybody_has_it() -> None:
    part, whole = rules(cluster="guild"), rules(MOMENT + DAY, cluster="guild")

    assert [part[0]["filters"][0]["attribute"], part[1]["hashAttribute"]] == ["guild", "guild"]
    assert whole[1]["hashAttribute"] == "id"


def test_rules__of_saturations__choose_the_clusters_and_then_their_units() -> None:
    found = rules(cluster="guild", saturations=(Saturation(0.0, 0.5), Saturation(0.4, 0.5)))

    kept = [[(one["attribute"], one["seed"], one["ranges"]) for one in rule["filters"]] for rule in found[:2]]
    seed = "9f2c41d07ab3"
    assert kept == [
        [("guild", seed, [[0.0, 0.5]]), ("id", f"{seed}:within", [[1.0, 1.0]])],
        [("guild", seed, [[0.5, 1.0]]), ("id", f"{seed}:within", [[0.6, 1.0]])],
    ]


@pytest.mark.parametrize("changes", [{"remote_only": True}, {"rollout": rollout(state=KILLED)}], ids=str)
def test_rules__of_what_is_off_or_stays_on_the_server__are_none(changes: dict[str, Any]) -> None:
    assert rules(**changes) is None


def test_rules__of_an_experiment_for_new_units__are_the_share_alone() -> None:
    assert [rule["id"] for rule in rules(new_since=MOMENT)] == ["exp-1-share-0"]


def test_rules__while_it_is_held__stay() -> None:
    assert rules(MOMENT + 9 * DAY, rollout=rollout(state=HELD, held_at=MOMENT + DAY / 2)) == rules()


def test_remote__of_a_rollout__forces_and_tracks_nothing() -> None:
    flag = a_flag(state="stopped", rollout=rollout())

    found = remote_features([shipped(flag, rollout())])
    off = remote_features([killed(flag)])

    assert found == {"guild-invite": {"defaultValue": "none", "rules": [{"force": "banner"}]}}
    assert off == {"guild-invite": {"defaultValue": "none"}}
