"""Analyses and calibration over REST: list, latest, one, ask for one, refusals as problem documents."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from experiments.models import Analysis
from tests.experiments.api.make import Api
from tests.experiments.make_locked import after_a_peek, keep
from tests.experiments.make_readout import RUNNING, make_readout, make_result, started, stored

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.analyse.analyses.enqueue", lambda run: run)


@pytest.fixture
def analyst(client: Client) -> Client:
    person = User.objects.create_user("pm")
    person.user_permissions.set(Permission.objects.filter(codename__in=("add_analysis", "view_analysis")))
    client.force_login(person)
    return client


def asked(client: Client, body: dict[str, Any], key: str = "exp") -> Any:
    return client.post(f"/api/v1/experiments/{key}/analyses", json.dumps(body), content_type="application/json")


def test_list__gives_all_states_newest_first_without_documents(analyst: Client) -> None:
    good = stored()
    failed = Analysis.objects.create(experiment=good.experiment, status="failed", reason="The store is away.")

    rows = analyst.get("/api/v1/experiments/exp/analyses").json()["results"]

    assert [row["id"] for row in rows] == [failed.pk, good.pk]
    assert rows[0]["reason"] == "The store is away."
    assert (rows[1]["verdict"], rows[1]["final"], rows[1]["experiment"]) == ("CAUSES", True, "exp")
    assert "document" not in rows[1]


def test_latest__after_a_failure__is_the_last_good_one(analyst: Client) -> None:
    good = stored()
    Analysis.objects.create(experiment=good.experiment, status="failed", reason="x")

    found = analyst.get("/api/v1/experiments/exp/analyses/latest").json()

    assert found["id"] == good.pk
    assert found["document"]["verdict"]["code"] == "CAUSES"
    assert found["document"]["contrasts"][0]["estimate"] == 0.4


def test_one__while_locked__has_no_outcome(analyst: Client) -> None:
    row = stored(readout=make_result(**RUNNING))

    document = analyst.get(f"/api/v1/experiments/exp/analyses/{row.pk}").json()["document"]

    assert (document["verdict"], document["report"], document["contrasts"]) == (None, None, [])
    assert document["state"] == "pending"


def test_one__that_failed__has_its_reason_and_no_document(analyst: Client) -> None:
    row = Analysis.objects.create(experiment=started(), status="failed", reason="The store is away.")

    found = analyst.get(f"/api/v1/experiments/exp/analyses/{row.pk}").json()

    assert (found["document"], found["reason"]) == (None, "The store is away.")


@pytest.mark.parametrize("path", ["nope/analyses", "exp/analyses/latest", "exp/analyses/999", "other/analyses/{pk}"])
def test_what_is_not_there__is_404(analyst: Client, path: str) -> None:
    started()
    row = Analysis.objects.create(experiment=started("two"), status="failed")

    assert analyst.get(f"/api/v1/experiments/{path}".format(pk=row.pk)).status_code == 404


def test_ask__keeps_a_waiting_analysis(analyst: Client) -> None:
    started()

    answer = asked(analyst, {"seed": 7})

    row = Analysis.objects.get()
    assert answer.status_code == 202
    assert (row.status, row.seed, row.peek) == ("queued", 7, False)


def test_ask__twice__is_a_problem_with_its_sentence(analyst: Client) -> None:
    started()
    asked(analyst, {})

    answer = asked(analyst, {})

    assert answer.status_code == 409
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert "waiting or running already" in answer.json()["detail"]


def test_ask__with_nonsense__is_a_problem(analyst: Client) -> None:
    started()

    assert asked(analyst, {"seed": -1}).status_code == 400
    assert not Analysis.objects.exists()


def test_calibration__gives_trials_and_why_others_are_left_out(analyst: Client) -> None:
    stored("one", make_readout(key="one"), moment=True)
    stored("two", make_result(key="two", **RUNNING), moment=True)

    found = analyst.get("/api/v1/calibration").json()

    assert [row["key"] for row in found["trials"]] == ["one"]
    assert found["trials"][0]["promised"] == 0.4
    assert [(row["key"], row["why"]) for row in found["left_out"]] == [("two", "locked")]
    assert found["pooled"] == {"not_computable": "Too few experiments have tested a prediction to pool them."}


# ── Peeks, asked for by keys ──────────────────────────────────────────────────
def test_peek__of_a_key_that_may_not_peek__is_not_read_anywhere() -> None:
    row = stored(readout=make_readout(peek=True, **RUNNING))
    Analysis.objects.filter(pk=row.pk).update(peek=True, verdict="CAUSES")
    reader, peeker = Api("server", "reports:read"), Api("server", "reports:read", "outcomes:peek")

    answers = [reader("GET", f"exp/analyses/{path}") for path in (row.pk, "latest")]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(403, "peek")] * 2
    assert reader.ok("GET", "exp/analyses")["results"][0]["verdict"] == ""
    assert peeker.ok("GET", "exp/analyses")["results"][0]["verdict"] == "CAUSES"
    assert peeker.ok("GET", "exp/analyses/latest")["document"]["report"] is not None


def test_latest__for_a_key_that_may_not_peek__is_the_last_that_is_none(analyst: Client) -> None:
    good = stored(readout=make_result(**RUNNING))
    row = stored_again(good, make_readout(peek=True, **RUNNING), peek=True)

    assert Api("server", "reports:read").ok("GET", "exp/analyses/latest")["id"] == good.pk
    assert analyst.get("/api/v1/experiments/exp/analyses/latest").json()["id"] == row.pk


def test_path__after_a_peek__keeps_its_look_for_who_may_peek(analyst: Client) -> None:
    row = stored(key="after", readout=after_a_peek("after")[0])

    shown = analyst.get(f"/api/v1/experiments/after/analyses/{row.pk}").json()["document"]
    kept = Api("server", "reports:read").ok("GET", f"after/analyses/{row.pk}")["document"]

    assert any(look["peeked"] for look in shown["path"])
    assert not any(look["peeked"] for look in kept["path"])
    assert kept["peeked"] is True


def test_ask__for_a_peek_by_a_key_without_the_scope__is_refused() -> None:
    started()

    answers = [
        Api("admin", "admin:*", *more)("POST", "exp/analyses", {"peek": True}) for more in ((), ("outcomes:peek",))
    ]

    assert [one.status_code for one in answers] == [403, 202]


def stored_again(before: Analysis, readout: Any, *, peek: bool) -> Analysis:
    """One more analysis of the same experiment."""
    row = Analysis.objects.create(experiment=before.experiment, status="done", peek=peek, inputs=before.inputs)
    keep(row, readout)
    return row
