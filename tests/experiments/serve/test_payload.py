"""What local SDKs read: the full form, the order of rows, and what stays on the server."""

from typing import Any

import pytest

from experiments.draw.evaluation import DEFAULT, Row, Slot, disabled, excluded, forced, split
from experiments.serve.payload import features, remote_features
from tests.experiments.make import MOMENT, a_flag


def test_features__of_a_running_experiment__have_the_full_form() -> None:
    flag = a_flag(holdout=Slot("holdout:2026h2", 0.05, 1.0), layer=Slot("layer:onboarding", 0.0, 0.5))

    assert features([flag], MOMENT) == {
        "guild-invite": {
            "defaultValue": "none",
            "rules": [
                {
                    "id": "exp-1-0",
                    "key": "guild-invite-2026q4",
                    "name": "Guild invite",
                    "hashAttribute": "id",
                    "hashVersion": 2,
                    "seed": "9f2c41d07ab3",
                    "variations": ["none", "banner"],
                    "weights": [0.5, 0.5],
                    "coverage": 1.0,
                    "meta": [{"key": "control", "name": "Control"}, {"key": "banner", "name": "Banner"}],
                    "filters": [
                        {"attribute": "id", "hashVersion": 2, "seed": "holdout:2026h2", "ranges": [[0.05, 1.0]]},
                        {"attribute": "id", "hashVersion": 2, "seed": "layer:onboarding", "ranges": [[0.0, 0.5]]},
                    ],
                    "bucketVersion": 1,
                    "minBucketVersion": 0,
                }
            ],
        }
    }


def test_features__of_several_rows__let_only_the_first_match_decide() -> None:
    rows = tuple(Row(segment, None, 0.5, (0.5, 0.5)) for segment in ("a", "b", None))
    member: dict[str, dict[str, Any]] = {name: {"segments": {"$elemMatch": {"$eq": name}}} for name in ("a", "b")}

    rules = features([a_flag(rows=rows)], MOMENT)["guild-invite"]["rules"]

    assert [rule["condition"] for rule in rules] == [
        member["a"],
        {"$and": [member["b"], {"$nor": [member["a"]]}]},
        {"$nor": [member["a"], member["b"]]},
    ]


@pytest.mark.parametrize(
    "changes",
    [{"state": "paused"}, {"state": "stopped"}, {"state": "concluded"}, {"remote_only": True}, {"new_since": MOMENT}],
    ids=str,
)
def test_features__of_what_a_local_sdk_must_not_decide__leave_only_the_default(changes: dict[str, Any]) -> None:
    assert features([a_flag(**changes)], MOMENT) == {"guild-invite": {"defaultValue": "none"}}


def test_remote_features__of_each_kind_of_answer__carry_no_configuration() -> None:
    flags = [a_flag(flag=name) for name in ("in", "out", "off", "qa")]
    answers = [
        split(flags[0], 1, 0.6863, sticky=True),
        excluded(flags[1], "coverage"),
        disabled(flags[2]),
        forced(flags[3], 1, "override"),
    ]

    found = remote_features(answers)

    assert found["out"] == found["off"] == {"defaultValue": "none"}
    assert found["qa"] == {"defaultValue": "none", "rules": [{"force": "banner"}]}
    (rule,) = found["in"]["rules"]
    assert set(rule) == {"force", "tracks"}
    assert rule["tracks"][0]["experiment"]["key"] == "guild-invite-2026q4"
    result = rule["tracks"][0]["result"]
    assert (result["inExperiment"], result["variationId"], result["key"]) == (True, 1, "banner")
    assert answers[1].variant == DEFAULT
