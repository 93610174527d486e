"""The page that ships a variant: who may, what it says of the verdict, its form, its questions, its history."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from experiments.analyse.result import ArmRuling, Decision, Ground, Locked, Ruling
from experiments.models import Experiment, Rollout, RolloutMove
from experiments.status.rollout_moves import advice
from experiments.status.rollout_state import change_words
from tests.experiments.make import do, draft, running
from tests.experiments.make_readout import make_readout, started, stored
from tests.experiments.views.test_one_page import read, someone

pytestmark = [pytest.mark.once, pytest.mark.django_db]
PAGE = "/experiments/exp/rollout/"
FORM = {"form-TOTAL_FORMS": "3", "form-INITIAL_FORMS": "0", "arm": "banner", "why": "We like it."}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Iterator[None]:
    cache.clear()
    settings.EVENTS_URL = str(tmp_path / "events")
    monkeypatch.setattr("experiments.analyse.analyses.enqueue", lambda run: run)
    yield
    cache.clear()


def ended() -> Experiment:
    running()
    return do("exp", "stop")


def lines(*given: tuple[str, str, str]) -> dict[str, str]:
    fields = dict(FORM)
    for at, (segment, share, moment) in enumerate(given):
        fields |= {f"form-{at}-segment": segment, f"form-{at}-share": share, f"form-{at}-at": moment}
    return fields


def ship(client: Client, *given: tuple[str, str, str], **fields: str) -> Any:
    return client.post(PAGE + "ship/", {**lines(*(given or (("", "10", ""),))), **fields})


def test_form__with_steps__ships_and_the_page_says_what_is_served() -> None:
    ended()
    pm = someone("PM")
    later = (timezone.localtime() + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M")

    answer = ship(pm, ("", "10", ""), ("", "50.5", later), ("", "", ""))

    assert answer.headers["Location"] == PAGE
    row, log = Rollout.objects.get(), RolloutMove.objects.get()
    assert [step["share"] for step in row.rows[0]["steps"]] == [1_000, 5_050]
    assert (log.by.username, log.why) == ("PM", "We like it.")  # type: ignore[union-attr]
    text = read(pm, PAGE)
    assert "banner is rolled out" in text
    assert "10%" in text
    assert "50.5% from" in text
    assert "We like it." in text
    assert "nothing rolled out → rolling out: banner – everyone 10%" in text


@pytest.mark.slow
def test_head__of_every_tab__says_the_same() -> None:
    ended()
    pm = someone("PM")
    ship(pm)

    heads = []
    for tab in ("", "health/", "plan/", "setup/", "history/", "rollout/"):
        (head,) = lxml.html.fromstring(pm.get("/experiments/exp/" + tab).content).find_class("standing")
        heads.append(" ".join(head.text_content().split()))

    assert len(set(heads)) == 1
    assert "Health" in heads[0]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ((("", "0", ""),), "greater than or equal to 0.01"),
        ((("", "101", ""),), "less than or equal to 100"),
        ((("", "", "2026-12-01T10:00"),), "Give the share of this step."),
        ((("", "50", ""), ("", "10", "2999-12-01T10:00")), "A rollout only grows"),
        ((("", "10", "soon"),), "Enter a valid date/time."),
        ((("", "", ""),), "at least one step"),
    ],
)
def test_form__with_steps_that_cant_be__says_why_and_keeps_them(given: Any, sentence: str) -> None:
    ended()

    answer = ship(someone("PM"), *given)

    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert not Rollout.objects.exists()


def test_form__without_a_verdict_and_without_a_reason__is_refused() -> None:
    ended()

    text = ship(someone("PM"), why="").content.decode()

    assert "say why it is shipped all the same" in text
    assert not Rollout.objects.exists()


@pytest.mark.parametrize(
    ("locked", "why", "is_shipped"), [(False, "", True), (True, "", False), (True, "All the same", True)]
)
def test_ship__as_the_table_says__needs_no_reason_and_nothing_is_said_of_a_locked_outcome(
    locked: bool, why: str, is_shipped: bool
) -> None:
    started()
    readout, arm = make_readout(), "banner"
    ruled = ArmRuling(arm, Ruling.SHIP, Ground.PROVED, True)
    decision = Decision(Ruling.SHIP, Ground.PROVED, arm, (ruled,), (), "ask")
    if locked:  # as an analysis of a locked outcome decides: nothing is proved
        waits = ArmRuling(arm, Ruling.WAIT, Ground.NOT_YET, False)
        decision = Decision(Ruling.WAIT, Ground.NOT_YET, "", (waits,), (), "ask")
    shared = {field.name: getattr(readout, field.name) for field in fields(Locked)}
    stored(readout=Locked(**shared | {"decision": decision}) if locked else replace(readout, decision=decision))
    do("exp", "stop")

    text = read(someone("Analyst"), PAGE)
    found = advice(Experiment.objects.get())
    someone_else = someone("PM")
    page = read(someone_else, PAGE)
    ship(someone_else, arm=arm, why=why)

    assert "What the decision table says" in page
    assert "What the decision table says" not in text
    assert found.proved == (frozenset() if locked else {arm})
    assert ("a primary outcome improved" in page) is not locked
    assert Rollout.objects.exists() is is_shipped


def test_reader__sees_the_state_and_has_no_button() -> None:
    ended()
    ship(someone("PM"))

    reader = someone("Analyst")
    text = read(reader, PAGE)

    assert "banner is rolled out" in text
    assert 'id="ship"' not in text
    assert "/kill/" not in text
    for path in ("rollout/do/back/", "kill/"):
        assert reader.post(f"/experiments/exp/{path}").status_code == 403
    assert ship(reader).status_code == 403
    assert Rollout.objects.get().state == "rolling"


@pytest.mark.parametrize(
    ("path", "state"), [("rollout/do/hold/", "held"), ("kill/", "killed"), ("rollout/do/back/", "back")]
)
def test_move__asks_first_and_then_does_it(path: str, state: str) -> None:
    ended()
    pm = someone("PM")
    ship(pm)

    question = read(pm, f"/experiments/exp/{path}")
    assert Rollout.objects.get().state == "rolling"
    answer = pm.post(f"/experiments/exp/{path}", {"why": "because"})

    assert "? </h1>" in " ".join(question.split())
    assert answer.headers["Location"] == PAGE
    assert (Rollout.objects.get().state, RolloutMove.objects.first().why) == (state, "because")  # type: ignore[union-attr]


def test_move__that_is_not_possible__says_so_and_has_no_button() -> None:
    ended()
    pm = someone("PM")
    ship(pm)
    pm.post("/experiments/exp/rollout/do/back/")

    for path in ("rollout/do/hold/", "kill/"):
        text = read(pm, f"/experiments/exp/{path}")
        assert "Nothing is served that this could change." in text
        assert "Yes:" not in text


def test_kill__of_a_running_experiment__says_that_it_is_a_pause() -> None:
    running()
    pm = someone("PM")
    assert "/experiments/exp/kill/" in read(pm, "/experiments/exp/")
    assert "The experiment is paused by it" in read(pm, "/experiments/exp/kill/")

    pm.post("/experiments/exp/kill/", {"why": "it burns"})

    assert Experiment.objects.get().status == "paused"
    assert "kill switch: it burns" in read(pm, "/experiments/exp/history/")


def test_change__keeps_the_past_steps_and_adds_others() -> None:
    ended()
    pm = someone("PM")
    ship(pm)
    at = timezone.localtime() - timedelta(minutes=1)

    answer = ship(pm, ("", "10", at.strftime("%Y-%m-%dT%H:%M")), ("", "100", ""))
    fewer = ship(pm, ("", "5", ""))

    assert answer.status_code == 302
    assert [step["share"] for step in Rollout.objects.get().rows[0]["steps"]] == [1_000, 10_000]
    assert "take it from users who have it" in fewer.content.decode()


def test_tab__before_the_end__is_not_offered_and_says_when() -> None:
    draft()

    assert "/rollout/" not in read(someone("PM"), "/experiments/exp/plan/")
    assert "once the experiment is stopped" in read(someone(), PAGE)


def test_warning__while_outcomes_are_counted__names_the_day() -> None:
    ended()

    assert "Outcomes are still counted until" in read(someone("PM"), PAGE)
    Experiment.objects.update(stopped_at=timezone.now() - timedelta(days=60))
    assert "Outcomes are still counted until" not in read(someone("Analyst"), PAGE)


def test_head__of_an_ended_experiment__leads_to_the_page() -> None:
    ended()

    assert f'<li><a href="{PAGE}">Ship it</a></li>' in read(someone("PM"), "/experiments/exp/")
    assert "Ship it</a>" not in read(someone("Analyst"), "/experiments/exp/")


@pytest.mark.parametrize("ruling", [Ruling.SHIP, Ruling.ASK])
def test_head__of_an_ended_experiment__offers_shipping_first_where_the_rule_says_so(ruling: Ruling) -> None:
    started()
    ground = Ground.PROVED if ruling is Ruling.SHIP else Ground.AS_REGISTERED
    ruled = ArmRuling("banner", ruling, ground, ruling is Ruling.SHIP)
    stored(readout=replace(make_readout(), decision=Decision(ruling, ground, "banner", (ruled,), (), "ask")))
    do("exp", "stop")
    pm = someone("PM")

    head = read(pm, "/experiments/exp/")
    page = lxml.html.fromstring(read(pm, PAGE))

    assert (f'<a class="button" href="{PAGE}">Ship it</a>' in head) is (ruling is Ruling.SHIP)
    assert (f'<li><a href="{PAGE}">Ship it</a></li>' in head) is (ruling is not Ruling.SHIP)
    (why,) = page.find_class("name-why")
    assert "optional" not in why.text_content()  # control is in the list, and is never said to be shipped
    assert ("Needed:" in why.text_content()) is (ruling is not Ruling.SHIP)


def test_head_and_results__of_a_shipped_experiment__say_who_gets_it() -> None:
    ended()
    pm, later = someone("PM"), timezone.localtime() + timedelta(days=2)
    ship(pm, ("", "10", ""), ("", "50", later.strftime("%Y-%m-%dT%H:%M")))
    day = f"{later:%b} {later.day}"

    head, results = read(pm, "/experiments/exp/plan/"), read(pm, "/experiments/exp/")
    pm.post("/experiments/exp/kill/", {"why": "Wrong text."})

    assert f"shipped: banner to 10%, 50% on {day}" in head
    assert f"users who had banner in the experiment still get it; of all others: 10%, 50% on {day}." in results
    assert "banner: kill switch" in read(pm, "/experiments/exp/plan/")


def test_history__of_changed_steps__says_what_changed_and_never_the_same_twice() -> None:
    ended()
    pm, later = someone("PM"), (timezone.localtime() + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M")
    ship(pm, ("", "10", ""), ("", "50", later))
    ship(pm, ("", "10", ""), ("", "100", later))
    ship(pm, ("", "20", ""), ("", "100", later))

    raised, steps, shipped = (change_words(move) for move in RolloutMove.objects.order_by("-pk"))

    assert raised == "everyone 10% → 20%"
    assert steps.startswith("everyone 10%, 50% from ")
    assert " → 10%, 100% from " in steps
    assert shipped.startswith("nothing rolled out → rolling out: banner – everyone 10%, 50% from ")
    for words in (raised, steps, shipped):
        before, after = words.split(" → ")
        assert before.removeprefix("everyone ") != after


def test_admin__shows_the_log_and_changes_nothing() -> None:
    ended()
    ship(someone("PM"))
    staff = someone("Admin", staff=True)
    move, row = RolloutMove.objects.get(), Rollout.objects.get()

    for path in (f"rolloutmove/{move.pk}/change/", "rolloutmove/", f"rollout/{row.pk}/change/", "rollout/"):
        assert "banner" in read(staff, f"/admin/experiments/{path}")
    assert staff.post(f"/admin/experiments/rolloutmove/{move.pk}/delete/").status_code == 403
    assert staff.get("/admin/experiments/rolloutmove/add/").status_code == 403
