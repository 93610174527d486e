"""Which finished experiments are levers, which rate each moves, and that nothing of a locked outcome is read."""

import re
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from experiments.models import Analysis
from insight_site.boards import board_services as boards
from insight_site.boards.cards import cards_of
from launches.growth import report as words
from launches.growth.forecasts import finished_experiments
from launches.growth.model import GROWTH, Finished, Unmoved
from launches.models import GrowthForecast
from stats.growth_chain import BackTest, NoBackTest, Rate
from stats.results import Interval
from tests.experiments.make_readout import started, stored
from tests.launches.growth.make import growth_report

pytestmark = pytest.mark.django_db

FIGURES: dict[str, Any] = {
    "outcome": "window:1-7",
    "share": True,
    "control": "control",
    "variant": "nudge",
    "levels": {"control": {"n": 100, "mean": 0.4}, "nudge": {"n": 100, "mean": 0.5}},
    "nudge": {"estimate": 0.1, "low": 0.02, "high": 0.18},
    "behaviour": None,
    "take_up": None,
}
FINAL: dict[str, Any] = {"final": True, "peek": False, "verdict": "CAUSES"}


def finished(figures: dict[str, Any] | None = None, fields: dict[str, Any] | None = None, **given: Any) -> Finished:
    started("exp", **(fields or {}))
    stored("exp", **{**FINAL, "figures": FIGURES | (figures or {}), **given})
    (row,) = finished_experiments()
    return row


def test_lever__of_a_retention__is_the_effect_over_the_level_without_it() -> None:
    row = finished()
    assert row.rate is Rate.CURRENT
    assert isinstance(row.lift, Interval)
    assert (row.lift.estimate, row.lift.low, row.lift.high) == pytest.approx((0.25, 0.05, 0.45))


@pytest.mark.parametrize("fields", [{"clock": "signup"}, {"enrolment": "new_units"}])
def test_lever__of_new_users__moves_the_rate_of_new_users(fields: dict[str, str]) -> None:
    assert finished(fields=fields).rate is Rate.NEW


@pytest.mark.parametrize(
    ("figures", "why"),
    [
        ({"outcome": "count:chat:0-6", "share": False}, Unmoved.NO_RETENTION),
        ({"outcome": "min_events:chat:0-6:1"}, Unmoved.NO_RETENTION),
        ({"nudge": None}, Unmoved.NO_EFFECT),
        ({"nudge": {"estimate": 0.1, "low": None, "high": 0.18}}, Unmoved.NO_EFFECT),
        ({"levels": {"nudge": {"n": 100, "mean": 0.1}}}, Unmoved.NO_LEVEL),
    ],
)
def test_experiment__that_moves_nothing_here__says_why(figures: dict[str, Any], why: Unmoved) -> None:
    row = finished(figures)
    assert (row.rate, row.lift, row.why) == (None, None, why)


@pytest.mark.parametrize(
    "given",
    [
        {"final": False},
        {"peek": True},
        {"verdict": "INVALID"},
        {"verdict": ""},
        {"figures": None},
        {"status": "queued"},
    ],
)
def test_experiment__without_a_valid_final_result__is_no_lever(given: dict[str, Any]) -> None:
    stored("exp", **{**FINAL, "figures": FIGURES, **given})
    assert Analysis.objects.count() == 1
    assert list(finished_experiments()) == []


def test_levers__of_a_report__are_worth_more_where_more_users_are_and_the_unmoved_come_last() -> None:
    report = growth_report()
    assert report.levers[0].of.key == "digest"
    assert report.levers[-1].of.key == "price"
    assert report.levers[-1].worth is None
    table = words.levers_table(report)
    assert table is not None
    assert "Assumed: everybody" in table.note
    assert "isn't a retention" in table.rows[-1][-1]
    assert "(lab)" in "".join(row[0] for row in table.rows)


def test_words__of_the_back_test__name_what_was_not_tested() -> None:
    report = growth_report()
    assert [type(row) for row in report.tested] == [BackTest, BackTest, BackTest, NoBackTest]
    said = words.tested_words(report)
    assert "13 weeks ahead" in said
    assert "(4 without overlap)" in said
    assert "More than 26 weeks ahead nothing was tested." in said
    short = growth_report(30)
    assert "the log is too short for 20 forecasts" in words.tested_words(short)


@pytest.mark.parametrize(("held", "warns"), [(0.59, True), (0.6, False)])
def test_words__of_a_band_that_held_too_few_forecasts__warn(held: float, warns: bool) -> None:
    report = growth_report()
    tested = [replace(row, covered=held) if isinstance(row, BackTest) else row for row in report.tested]
    assert ("don't plan by this band" in words.tested_words(replace(report, tested=tuple(tested)))) == warns


def test_table__of_the_back_test__says_how_many_weeks_are_missing() -> None:
    told = words.tested_table(growth_report()).rows[-1][1]
    assert "{" not in told
    assert re.search(r"it has \d+ whole weeks, and \d+ are needed", told)


def test_stored_forecast__is_read_as_it_was_made() -> None:
    report = growth_report()
    assert GROWTH.read(GROWTH.store(report)) == report


# ── On a board ────────────────────────────────────────────────────────────────
def _card(user: User) -> tuple[Client, str]:
    board = boards.make_board(name="own", team=True, by=user)
    card = boards.add_card(board=board, kind="growth", by=user)
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    (shown,) = cards_of(board)
    assert (shown.title, shown.url, shown.loads) == ("Growth forecast", "/growth/", True)
    return client, f"/boards/{board.pk}/cards/{card.pk}/"


def test_card__of_growth__says_the_headline_of_the_newest_forecast_and_is_offered_once() -> None:
    user = User.objects.create_superuser("boss")
    client, address = _card(user)
    assert "No forecast yet." in client.get(address).content.decode()
    GrowthForecast.objects.create(status="done", payload=GROWTH.store(growth_report()), share=1.0)
    assert words.headline(growth_report()) in client.get(address).content.decode()
    board = address.split("/")[2]
    assert '"growth:"' not in client.get(f"/boards/{board}/").content.decode()
    client.post(f"/boards/{board}/cards/", {"card": "growth:"})
    assert client.get(f"/boards/{board}/").content.decode().count("Growth forecast</a>") == 1


def test_card__of_growth__for_somebody_who_may_not_read_it__shows_no_number() -> None:
    user = User.objects.create_user("ann")
    user.user_permissions.add(Permission.objects.get(codename="change_board"))
    client, address = _card(user)
    GrowthForecast.objects.create(status="done", payload=GROWTH.store(growth_report()), share=1.0)
    answer = client.get(address).content.decode()
    assert "may not read" in answer
    assert "Active users" not in answer
