"""Labs in the management API: made, changed, sized, started, copied; what it refuses."""

from typing import Any

import pytest

from aha.models import AhaMoment
from experiments.models import Experiment
from experiments.plan.lab import NO_NUDGE
from tests.experiments.api.make import PLAN, Api
from tests.experiments.stored import MOMENT

pytestmark = pytest.mark.django_db
NUDGES = [
    {"key": "pals", "behaviour": "friend_add", "times": 3, "take_up": 0.15, "name": "Friends", "words": "A banner."},
    {"key": "chat", "behaviour": "chat"},
]
LAB: dict[str, Any] = {
    **{name: value for name, value in PLAN.items() if name not in ("variants", "default_value")},
    "key": "lab", "kind": "lab", "moment": "friends", "nudges": NUDGES,
}  # fmt: skip


@pytest.fixture(autouse=True)
def moment() -> AhaMoment:
    return AhaMoment.objects.create(**MOMENT)


def test_lab__made_changed_and_started() -> None:
    api = Api()

    made = api.ok("POST", "", LAB)
    assert [arm["key"] for arm in made["variants"]] == [NO_NUDGE, "pals", "chat", "pals.chat"]
    assert made["variants"][1]["value"] == {"pals": True, "chat": False}
    assert (made["kind"], made["value_type"], made["most_nudges"]) == ("lab", "json", None)
    assert made["default_value"] == {"pals": False, "chat": False}
    assert made["nudges"][1] == {
        "key": "chat", "share": 5_000, "behaviour": "chat", "times": 1, "take_up": 0.1, "spill": 0.0, "name": "",
        "words": "",
    }  # fmt: skip

    changed = api.ok("PATCH", "lab", {"nudges": [*NUDGES, {"key": "shop", "behaviour": "shop", "share": 3_000}]})
    assert len(changed["variants"]) == 8
    fewer = api.ok("PATCH", "lab", {"most_nudges": 1})
    assert [arm["weight"] for arm in fewer["variants"]] == [2_500] * 4

    started = api.ok("POST", "lab/start", {})
    assert (started["status"], started["nudges"][2]["share"]) == ("running", 3_000)
    assert api("PATCH", "lab", {"most_nudges": 2}).status_code == 409
    copy = api.ok("POST", "lab/clone", {"key": "lab-2"})
    assert (copy["kind"], copy["variants"]) == ("lab", fewer["variants"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variants": PLAN["variants"]}, "made of its nudges"),
        ({"nudges": [{"key": "a" * 16, "behaviour": "a"}]}, "15"),
        ({"nudges": [{"key": "a"}]}, "required"),
        ({"nudges": [{"key": f"n{at}", "behaviour": "a"} for at in range(9)]}, "8"),
        ({"nudges": [{"key": "a", "behaviour": "a", "take_up": 1.5}]}, "1"),
        ({"nudges": [{"key": "a", "behaviour": "a", "share": 10_001}]}, "10000"),
        ({"kind": "other"}, "other"),
    ],
)
def test_lab__that_cant_be_made__is_refused(changes: dict[str, Any], said: str) -> None:
    answer = Api()("POST", "", {**LAB, **changes})

    assert answer.status_code in (400, 409)
    assert said in answer.content.decode()
    assert not Experiment.objects.exists()


def test_lab__with_nudges_that_cant_start__says_why_at_its_start() -> None:
    api = Api()
    api.ok("POST", "", {**LAB, "nudges": [{"key": "none", "behaviour": "chat"}]})

    answer = api("POST", "lab/start", {})

    assert answer.status_code == 409
    for said in ("A lab has 2 to 8 nudges.", "'none' can't be the key of a nudge", "No nudge of the lab leads to"):
        assert said in answer.json()["detail"]


def test_test__without_arms__is_refused_as_before() -> None:
    answer = Api()("POST", "", {name: value for name, value in PLAN.items() if name != "variants"})

    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["pointer"], "required" in str(error)) == ("/variants", True), error


def test_kind__of_a_draft__stays() -> None:
    api = Api()
    api.ok("POST", "", LAB)

    assert "new one" in api("PATCH", "lab", {"kind": "test"}).content.decode()
