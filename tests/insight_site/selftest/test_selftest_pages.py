"""The pages of self-tests: who may start one, and what a finished one says."""

from typing import Any

import lxml.html
import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from insight_site.models import SelfTest
from insight_site.selftest.planted_answers import Foretold
from insight_site.selftest.planted_effects import Plant, PlantedMoment
from insight_site.selftest.selftest_page import asks_words, document, plant_words, shortfall_words, shown
from insight_site.selftest.selftest_result import (
    SELF_TEST,
    Asked,
    Asks,
    CopyCheck,
    DividingTrait,
    MetricOnItsPast,
    PlantedEffect,
    SelfTestReport,
    Shortfall,
    Tally,
    Why,
)
from stats.results import Interval, NotComputable, Reason

FIGURES: dict[str, float | int | str] = {
    "behaviour": "invite", "times": 3, "days": 7, "reach": 0.01, "share": 0.4, "n": 12, "retained": 4, "needed": 200,
    "needed_each": 50, "power": 0.3, "effect": 0.1, "fits": 0.02, "k": 9,
}  # fmt: skip


def report(**more: Any) -> SelfTestReport:
    values: dict[str, Any] = {
        "asked": Asked("signup", "window:14-20", (1, 3, 7), plants=100),
        "data_end": "2026-03-01T00:00:00",
        "users": 30_000,
        "sampled": 20_000,
        "retained": Interval(0.31, 0.30, 0.32, 0.95, "wilson-interval"),
        "planted": PlantedEffect(PlantedMoment("invite", 3, 7, 0.24), 0.098),
        "trait": DividingTrait("platform=ios", 0.45),
        "foretold": Foretold(0.93, 9_000),
        "tallies": (
            Tally(Plant.NOTHING, Asks.LUCK, 4, 100),
            Tally(Plant.CORRELATION, Asks.WRONG_JUMP, 30, 100),
            Tally(Plant.THRESHOLD, Asks.JUMP, 81, 100),
            Tally(Plant.THRESHOLD, Asks.CAUSES, 92, 100),
        ),
        "shortfalls": (Shortfall(Why.NO_TRAIT, {}),),
        "check": CopyCheck(20_000, 0, 1, 4, "jump"),
        "metrics": (MetricOnItsPast("revenue", 2, NotComputable(Reason.TOO_FEW_VALUES, {"n": 3, "needed": 100})),),
        "seed": 1,
        "versions": {},
    }
    return SelfTestReport(**values | more)


def person(client: Client, *permissions: str) -> Client:
    user = User.objects.create_user("ann")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def text_of(answer: Any) -> str:
    return " ".join(lxml.html.fromstring(answer.content.decode()).text_content().split())


def test_words__of_everything_that_may_be_said__exist_and_differ() -> None:
    asks = [asks_words(one) for one in Asks]
    plants = [plant_words(one) for one in (*Plant, None)]
    whys = [shortfall_words(Shortfall(why, dict(FIGURES))) for why in Why]

    for texts in (asks, plants, whys):
        assert len(set(texts)) == len(texts)
        assert all(texts)
        assert not any("{" in text for text in texts)


def test_tally__more_alarms_than_promised_by_its_whole_interval__is_off() -> None:
    assert not Tally(Plant.NOTHING, Asks.LUCK, 10, 100).is_off  # 4.9 to 17.6 %
    assert Tally(Plant.NOTHING, Asks.LUCK, 11, 100).is_off  # 5.6 to 18.8 %
    assert not Tally(Plant.THRESHOLD, Asks.JUMP, 100, 100).is_off
    assert not Tally(Plant.NOTHING, Asks.LUCK, 0, 0).is_off


def test_page__of_a_report__says_found_missed_alarms_and_reasons() -> None:
    found = shown(report())

    assert "81 of 100" in found["headline"]
    assert "92 of 100" in found["headline"]
    assert "more frequent than promised in 1 of 2 checks" in found["headline"]
    assert [row[-1] for row in found["alarms"].rows] == ["no sign of more", "more than promised"]
    assert ("a threshold", "81 of 100", "19") in [(row[0], row[2], row[-1]) for row in found["found"].rows]
    assert any("sample of 20,000 of 30,000" in line for line in found["asked"])
    assert any("by 9.8 points" in line for line in found["asked"])
    assert "all 20,000 users are as they were planted" in found["check"][0]


def test_document__has_an_interval_for_each_share_and_comes_back_from_the_store() -> None:
    found = document(report())

    assert found["tallies"][0]["share"]["low"] == pytest.approx(0.0110, abs=1e-4)
    assert found["tallies"][1]["off"] is True
    assert found["tallies"][2]["planned"] is None
    assert SELF_TEST.read(SELF_TEST.store(report())) == report()


@pytest.mark.django_db
def test_start__who_may__queues_one_and_a_second_click_leads_to_it(
    client: Client, settings: Any, tmp_path: Any
) -> None:
    settings.EVENTS_URL = str(tmp_path / "store")
    somebody = person(client, "view_selftest", "add_selftest")

    first = somebody.post("/data/self-test/start/")
    second = somebody.post("/data/self-test/start/")

    run = SelfTest.objects.get()
    assert first["Location"] == second["Location"] == f"/data/self-test/{run.pk}/"
    assert run.created_by is not None
    assert "queued" in text_of(somebody.get(first["Location"]))


@pytest.mark.django_db
def test_pages__without_the_permission__are_forbidden(client: Client) -> None:
    reader = person(client, "view_selftest")

    assert reader.get("/data/self-test/").status_code == 200
    assert "Test on our own events" not in text_of(reader.get("/data/self-test/"))
    assert reader.post("/data/self-test/start/").status_code == 403
    assert not SelfTest.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("missing", [False, True])
def test_page__of_a_finished_run__shows_its_tables_or_why_not(client: Client, *, missing: bool) -> None:
    tested = report(planted=None, tallies=(), check=None, foretold=None) if missing else report()
    run = SelfTest.objects.create(status="done", payload=SELF_TEST.store(tested))

    text = text_of(person(client, "view_selftest").get(f"/data/self-test/{run.pk}/"))

    assert ("can't show a planted threshold" in text) == missing
    assert ("an experiment says that the behaviour causes a gain" in text) != missing
    assert "Nothing that is known at signup divides users" in text


@pytest.mark.django_db
def test_page__payload_of_a_newer_version__costs_only_its_numbers(client: Client) -> None:
    run = SelfTest.objects.create(status="done", payload={"schema": 99})

    assert "A newer version of Insight" in text_of(person(client, "view_selftest").get(f"/data/self-test/{run.pk}/"))
