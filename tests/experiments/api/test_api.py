"""Experiments over REST: drafts, verbs, amendments, overrides, lists, and who may do what."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from experiments.models import Assignment, Experiment, Override
from experiments.serve import assign, config
from tests.experiments.api.make import PLAN, ROOT, Api
from tests.experiments.make import IOS, draft, running

pytestmark = pytest.mark.django_db


def test_create__a_whole_plan__is_a_draft_that_may_start() -> None:
    api = Api()

    made = api("POST", "", {**PLAN, "audience": [{"segment_key": None, "coverage": 4_000}]})

    assert made.status_code == 201, made.content
    row = made.json()
    assert (row["status"], row["flag_key"], row["name"]) == ("draft", "guild", "guild")
    assert row["variants"][1] == {
        "key": "banner",
        "name": "",
        "value": "b",
        "weight": 5_000,
        "role": "nudge",
        "dose": None,
    }
    assert row["audience"] == [{"segment_key": None, "rule": None, "coverage": 4_000, "weights": None}]
    assert api.ok("POST", "guild/start", {"why": "go"})["status"] == "running"
    assert Experiment.objects.get().history.first().history_change_reason.startswith("go · key k (ak_")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"variants": [{"key": "a", "weight": -1}]}, "/variants/0/weight"),
        ({"method": "guess"}, "/method"),
        ({"primary": "cuped"}, "/primary"),
        ({"active_days_before": 29}, "/active_days_before"),
        ({"moment": "none"}, "/moment"),
        ({"primary_metrics": "window:1-2"}, "/primary_metrics"),
        ({"planned_units": 2**31}, "/planned_units"),
        ({"key": None}, "/key"),
    ],
    ids=str,
)
def test_create__a_field_that_can_not_be__is_400_with_its_pointer(change: dict[str, Any], pointer: str) -> None:
    answer = Api()("POST", "", {**PLAN, **change})

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert answer.json()["request_id"] == answer["X-Request-ID"]
    assert Experiment.objects.count() == 0


@pytest.mark.parametrize("body", [b"{", b'{"key": NaN}', b'{"key": "a\\u0000"}', b'{"key": "\\ud800"}', b"[" * 9_000])
def test_create__what_is_no_clean_json__is_400(body: bytes) -> None:
    assert Api()("POST", "", body).status_code == 400


def test_primary__of_a_plan__is_set_amended_and_refused_without_covariates() -> None:
    api = Api()
    made = api.ok("POST", "", {**PLAN, "primary": "lin", "active_days_before": 14})
    assert (made["primary"], made["active_days_before"]) == ("lin", 14)

    api.ok("PATCH", "guild", {"active_days_before": 0})
    refused = api("POST", "guild/start", {})
    assert refused.status_code == 409 or refused.status_code == 400
    assert "names none" in refused.content.decode()

    api.ok("PATCH", "guild", {"covariates": ["platform"]})
    api.ok("POST", "guild/start", {})
    amended = api.ok("POST", "guild/amend", {"why": "simpler", "changes": {"primary": "unadjusted"}})
    assert amended["changes"] == {"primary": ["lin", "unadjusted"]}


def test_create__a_key_that_exists__is_refused() -> None:
    draft("guild")

    answer = Api()("POST", "", PLAN)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/key"


def test_patch__a_draft__changes_what_is_given_and_nothing_else() -> None:
    api, row = Api(), draft("guild")

    changed = api.ok("PATCH", "guild", {"alpha": 0.01, "key": "other", "status": "running"})

    assert (changed["alpha"], changed["key"], changed["status"]) == (0.01, "guild", "draft")
    assert [arm["key"] for arm in changed["variants"]] == ["control", "banner"]
    row.refresh_from_db()
    assert (row.alpha, row.version) == (0.01, 2)


def test_patch__after_the_start__is_refused_with_a_sentence() -> None:
    running("guild")

    answer = Api()("PATCH", "guild", {"alpha": 0.01})

    assert (answer.status_code, answer.json()["code"]) == (409, "refused")
    assert "amended" in answer.json()["detail"]


@pytest.mark.slow
def test_verbs__through_a_whole_life__lead_to_the_archive() -> None:
    api = Api()
    api.ok("POST", "", PLAN)
    verbs = ["start", "pause", "resume", "close-enrolment", "stop", "conclude", "archive"]

    states = [api.ok("POST", f"guild/{verb}")["status"] for verb in verbs]

    assert states == ["running", "paused", "running", "running", "stopped", "concluded", "archived"]


def test_verb__that_the_table_forbids__is_409_and_changes_nothing() -> None:
    draft("guild", hypothesis="")
    api = Api()

    refused = [api("POST", f"guild/{verb}") for verb in ("pause", "start", "conclude")]

    assert [answer.status_code for answer in refused] == [409, 409, 409]
    assert refused[1].json()["detail"] == "The plan needs a hypothesis."
    assert Experiment.objects.get().status == "draft"


def test_amend__with_a_reason__is_logged_and_without_one_refused() -> None:
    running("guild")
    api = Api()

    made = api.ok("POST", "guild/amend", {"why": "slow", "changes": {"planned_end": "2099-02-02"}})
    blank = api("POST", "guild/amend", {"why": "", "changes": {"alpha": 0.1}})
    frozen = api("POST", "guild/amend", {"why": "x", "changes": {"seed": "other"}})

    assert (made["why"], made["changes"]["planned_end"][1]) == ("slow", "2099-02-02")
    assert blank.status_code == 400
    assert frozen.json()["changes"] == {}  # a name that isn't amendable is no part of the shape
    assert [row["why"] for row in api.ok("GET", "guild/amendments")["results"]] == ["slow", "x"]


def test_raise_coverage__down__is_refused() -> None:
    running("guild", audience=[{"coverage": 5_000}])
    api = Api()

    up = api("POST", "guild/raise-coverage", {"why": "well", "position": 0, "coverage": 6_000})
    down = api("POST", "guild/raise-coverage", {"why": "oh", "position": 0, "coverage": 100})

    assert (up.status_code, down.status_code) == (201, 409)
    assert Experiment.objects.get().audience.get().coverage == 6_000


def test_clone__of_a_running_one__is_a_draft_with_another_seed() -> None:
    old = running("guild", audience=[{"segment_key": "ios", "rule": IOS}])

    made = Api().ok("POST", "guild/clone", {})

    assert (made["key"], made["status"], made["planned_end"]) == ("guild-2", "draft", None)
    assert made["seed"] != old.seed
    assert made["audience"][0]["rule"] == IOS  # no such segment is published, so the rule stands for itself


def test_overrides__added_listed_and_deleted() -> None:
    running("guild")
    api = Api()

    made = api.ok("POST", "guild/overrides", {"unit": "qa", "variant": "banner"})
    neither = api("POST", "guild/overrides", {"variant": "banner"})
    unknown = api("POST", "guild/overrides", {"unit": "qa", "variant": "none"})
    listed = api.ok("GET", "guild/overrides")
    gone = api("DELETE", f"guild/overrides/{made['id']}")

    assert listed["results"] == [{"id": made["id"], "unit": "qa", "rule": None, "variant": "banner"}]
    assert (neither.status_code, unknown.status_code, gone.status_code) == (409, 409, 204)
    assert Override.objects.count() == 0
    assert api("DELETE", f"guild/overrides/{made['id']}").status_code == 404


def test_list__filtered__has_only_what_was_asked_for() -> None:
    running("live", flag_key="flag-a")
    draft("other", flag_key="flag-b")
    api = Api()

    def keys(query: str) -> list[str]:
        return [row["key"] for row in api.ok("GET", f"{ROOT}?{query}")["results"]]

    assert keys("") == ["other", "live"]
    assert keys("status=running") == ["live"]
    assert keys("flag=flag-b") == ["other"]
    assert keys("moment=none") == []
    assert api("GET", f"{ROOT}?status=odd").status_code == 400


def test_assignments__by_cursor__come_each_once() -> None:
    running("guild")
    config.forget()
    for n in range(5):
        assign.evaluate("guild", f"u{n}", {})
    api, seen = Api("server", "assignments:read"), []

    page = api.ok("GET", "guild/assignments?page_size=2")
    while True:
        seen += [row["unit"] for row in page["results"]]
        if page["next"] is None:
            break
        page = api.ok("GET", page["next"].removeprefix("http://testserver"))

    assert seen == ["u4", "u3", "u2", "u1", "u0"]
    assert Assignment.objects.count() == 5


def test_history__of_a_moved_experiment__says_why() -> None:
    running("guild")
    api = Api()
    api.ok("POST", "guild/stop", {"why": "broken banner"})

    rows = api.ok("GET", "guild/history")["results"]

    assert [row["status"] for row in rows] == ["stopped", "running", "draft"]
    assert rows[0]["why"].startswith("broken banner · key k (ak_")
    assert rows[0]["plan"]["alpha"] == 0.05


@pytest.mark.parametrize("key", ["none", "a%00b", "%2e%2e", "x" * 400])
def test_detail__of_a_key_that_is_none__is_404(key: str) -> None:
    assert Api()("GET", key).status_code == 404


def test_chunked__verb__is_411_since_its_reason_would_be_lost() -> None:
    running("guild")

    answer = Api()("POST", "guild/stop", {"why": "x"}, **{"Transfer-Encoding": "chunked"})

    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")
    assert Experiment.objects.get().status == "running"


def test_body__over_a_megabyte__is_413() -> None:
    assert Api()("POST", "", b" " * (1024 * 1024 + 1)).status_code == 413


@pytest.mark.parametrize(
    ("codenames", "start", "create"),
    [((), 403, 403), (("change_experiment",), 200, 403), (("add_experiment",), 403, 201)],
)
def test_people__by_permission__move_and_make(codenames: tuple[str, ...], start: int, create: int) -> None:
    draft("old")
    user = User.objects.create_user("ann")
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)

    assert client.get(f"{ROOT}/old").status_code == 200
    assert client.post(f"{ROOT}/old/start", {}, content_type="application/json").status_code == start
    assert client.post(ROOT, PLAN, content_type="application/json").status_code == create
    assert client.get("/api/v1/webhook-endpoints").status_code == 403
    if start == 200:
        assert Experiment.objects.get(key="old").history.first().history_user == user


def test_person__without_a_form_token__can_not_write() -> None:
    draft("old")
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))

    assert client.post(f"{ROOT}/old/start", {}, content_type="application/json").status_code == 403
