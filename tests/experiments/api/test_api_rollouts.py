"""Rollouts and the kill switch over REST."""

from typing import Any

import pytest

from experiments.models import RolloutMove
from tests.experiments.api.make import PLAN, Api

pytestmark = pytest.mark.django_db
ROWS = [{"segment": None, "steps": [{"share": 1_000}, {"share": 10_000, "at": "2999-01-01T00:00:00Z"}]}]
SHIP: dict[str, Any] = {"arm": "banner", "rows": ROWS, "why": "we like it"}


def ended(api: Api) -> None:
    api.ok("POST", "", PLAN)
    api.ok("POST", "guild/start")
    api.ok("POST", "guild/stop")


@pytest.mark.slow
def test_rollout__from_ship_to_back__is_told_and_logged() -> None:
    api = Api()
    ended(api)
    assert api("GET", "guild/rollout").status_code == 404

    made = api("POST", "guild/rollout", SHIP)
    api.ok("POST", "guild/rollout/hold", {"why": "wait"})
    changed = api.ok("POST", "guild/rollout/change", {"rows": [{"steps": [{"share": 2_000}]}]})
    killed = api.ok("POST", "guild/kill")
    off = api.ok("GET", "guild/rollout")
    resumed = api.ok("POST", "guild/rollout/resume")
    api.ok("POST", "guild/rollout/back")
    log = api.ok("GET", "guild/rollout/moves")["results"]

    assert made.status_code == 201
    assert made.json()["now"]["rows"][0]["share"] == 1_000
    assert (changed["now"]["state"], changed["now"]["rows"][0]["share"]) == ("held", 2_000)
    assert killed == {"stopped": "rollout"}
    assert (off["now"]["state"], off["now"]["rows"][0]["share"]) == ("killed", 0)
    assert resumed["now"]["state"] == "held"
    assert [one["kind"] for one in log] == ["back", "go_on", "kill", "change", "hold", "ship"]
    assert (log[-1]["before"], log[-1]["after"]["variant"], log[-1]["why"]) == (None, "banner", "we like it")
    assert {one["key_prefix"] for one in log} == {api.key[:8]}
    assert RolloutMove.objects.count() == 6


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**SHIP, "why": ""}, 409),
        ({**SHIP, "arm": "nothing"}, 409),
        ({**SHIP, "rows": []}, 400),
        ({**SHIP, "rows": [{"steps": [{"share": 0}]}]}, 400),
        ({**SHIP, "rows": [{"steps": [{"share": 10_001}]}]}, 400),
        ({**SHIP, "rows": [{"segment": "nowhere", "steps": [{"share": 1}]}]}, 409),
        ({"arm": "banner"}, 400),
    ],
    ids=str,
)
def test_ship__that_cant_be__is_refused(body: dict[str, Any], status: int) -> None:
    api = Api()
    ended(api)

    assert api("POST", "guild/rollout", body).status_code == status
    assert RolloutMove.objects.count() == 0


def test_verbs__before_anything_is_shipped__are_refused() -> None:
    api = Api()
    ended(api)

    for path in ("rollout/hold", "rollout/resume", "rollout/back", "kill"):
        assert api("POST", f"guild/{path}").status_code == 409
    assert api("POST", "guild/rollout/change", {"rows": ROWS}).status_code == 409
    assert api("GET", "nothing/rollout").status_code == 404


def test_rollout__with_a_reading_key__may_be_read_alone() -> None:
    api = Api()
    ended(api)
    api.ok("POST", "guild/rollout", SHIP)
    reader = Api("server", "reports:read")

    assert reader("GET", "guild/rollout").status_code == 200
    assert reader("GET", "guild/rollout/moves").status_code == 200
    for path in ("rollout", "rollout/back", "kill"):
        assert reader("POST", f"guild/{path}", SHIP).status_code == 403
