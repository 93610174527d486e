"""`Idempotency-Key`: what was asked once is done once."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from experiments.models import Experiment
from experiments.plan import drafts
from insight_site import tasks
from insight_site.models import IdempotentCall
from insight_site.rest import idempotency
from insight_site.rest.idempotency import KEPT, LOST
from runs.models import Schedule
from tests.experiments.api.make import PLAN, Api

pytestmark = pytest.mark.django_db
KEY = {"Idempotency-Key": "abc"}


def age(by: timedelta) -> None:
    IdempotentCall.objects.update(created_at=timezone.now() - by)


def test_same_key__same_body__is_done_once_and_answered_alike() -> None:
    api = Api()

    first, again = api("POST", "", PLAN, **KEY), api("POST", "", PLAN, **KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again["Content-Type"] == first["Content-Type"] == "application/json"
    assert again["Idempotent-Replayed"] == "true"
    assert Experiment.objects.count() == 1


def test_same_key__other_body__is_422() -> None:
    api = Api()
    api("POST", "", PLAN, **KEY)

    answer = api("POST", "", {**PLAN, "key": "other"}, **KEY)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert answer["Content-Type"] == "application/problem+json"


def test_same_key__other_query__is_422() -> None:
    api = Api()
    api("POST", "", PLAN, **KEY)

    answer = api("POST", "/api/v1/experiments?dry_run=1", PLAN, **KEY)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_same_key__other_path_or_caller__is_another_call() -> None:
    api, other = Api(), Api()
    api("POST", "", PLAN, **KEY)

    start = api("POST", "guild/start", **KEY)
    stranger = other("POST", "", PLAN, **KEY)

    assert start.json()["status"] == "running"
    assert (stranger.status_code, "Idempotent-Replayed" in stranger) == (400, False)  # its key exists already


def test_refusal__changed_nothing__and_is_not_kept() -> None:
    api = Api()
    api("POST", "", PLAN)
    Experiment.objects.update(hypothesis="")

    refused = api("POST", "guild/start", **KEY)
    Experiment.objects.update(hypothesis="It helps.")
    again = api("POST", "guild/start", **KEY)

    assert (refused.status_code, refused.json()["code"]) == (409, "refused")
    assert (again.status_code, "Idempotent-Replayed" in again) == (200, False)


def test_forbidden__is_asked_anew_when_the_person_may(client: Client) -> None:
    user = User.objects.create_user("ann", password="x")
    client.force_login(user)
    ask: dict[str, Any] = {
        "path": "/api/v1/experiments",
        "data": PLAN,
        "content_type": "application/json",
        "headers": KEY,
    }

    assert client.post(**ask).status_code == 403
    user.groups.add(Group.objects.get(name="PM"))

    assert client.post(**ask).status_code == 201


def test_call_that_is_running__is_409__until_it_must_be_lost() -> None:
    api = Api()
    api("POST", "", PLAN, **KEY)
    IdempotentCall.objects.update(status=None)

    running = api("POST", "", PLAN, **KEY)
    age(LOST + timedelta(seconds=1))
    Experiment.objects.all().delete()
    later = api("POST", "", PLAN, **KEY)

    assert (running.status_code, running.json()["code"]) == (409, "still_running")
    assert later.status_code == 201


@pytest.mark.parametrize(("by", "status"), [(KEPT - timedelta(minutes=1), 201), (KEPT + timedelta(seconds=1), 400)])
def test_answer__after_a_day__is_forgotten(by: timedelta, status: int) -> None:
    api = Api()
    api("POST", "", PLAN, **KEY)
    age(by)

    assert api("POST", "", PLAN, **KEY).status_code == status  # done again, its key exists already


def test_answer__after_a_day__leaves_its_key_to_another_body() -> None:
    api = Api()
    api("POST", "", PLAN, **KEY)
    age(KEPT + timedelta(seconds=1))

    assert api("POST", "", {**PLAN, "key": "other"}, **KEY).status_code == 201


@pytest.mark.parametrize(("by", "left"), [(KEPT - timedelta(minutes=1), 1), (KEPT + timedelta(seconds=1), 0)])
def test_forget_old_calls__each_night__deletes_those_that_count_no_longer(by: timedelta, left: int) -> None:
    Api()("POST", "", PLAN, **KEY)
    age(by)

    forgotten = tasks.forget_old_calls()

    assert (forgotten, IdempotentCall.objects.count()) == (1 - left, left)
    assert Schedule.objects.get(task="insight_site.tasks.forget_old_calls").every == "D"


def test_our_own_fault__is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    api, real = Api(), drafts.create_draft

    def broken(**_: Any) -> Any:
        raise RuntimeError("bug")

    monkeypatch.setattr(drafts, "create_draft", broken)
    with pytest.raises(RuntimeError):
        api("POST", "", PLAN, **KEY)
    monkeypatch.setattr(drafts, "create_draft", real)

    assert api("POST", "", PLAN, **KEY).status_code == 201


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_process__that_dies_between_the_change_and_its_note__leaves_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    api("POST", "", PLAN)

    def killed(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "_keep", killed)
        with pytest.raises(SystemExit):
            api("POST", "guild/clone", {"key": "chat"}, **KEY)
    between = sorted(Experiment.objects.values_list("key", flat=True))
    again = [api("POST", "guild/clone", {"key": "chat"}, **KEY).status_code for _ in range(2)]

    assert between == ["guild"]  # the clone was there before, and a second one was made after five minutes (S23)
    assert again == [201, 201]
    assert sorted(Experiment.objects.values_list("key", flat=True)) == ["chat", "guild"]


@pytest.mark.parametrize("key", ["a b", "", "x" * 256, "키"])
def test_key__that_can_not_be_one__is_400(key: str) -> None:
    answer = Api()("POST", "", PLAN, **{"Idempotency-Key": key})

    assert answer.status_code == 400
    assert Experiment.objects.count() == 0


def test_other_methods_and_doors__ignore_it() -> None:
    api = Api()
    api("GET", "", **KEY)

    assert IdempotentCall.objects.count() == 0


def test_key__while_the_database_is_away__is_told_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    api("GET", "", None)  # the caller is known now

    def away(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(idempotency, "_first_or_stored", away)
    answer = api("POST", "", PLAN, **KEY)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert not Experiment.objects.exists()
