"""Growth by command, page and REST: one forecast, the same numbers at every door, refusals in words."""

import json
from io import StringIO
from typing import Any

import lxml.html
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from launches.growth import forecasts
from launches.growth.model import GROWTH, GrowthReport
from launches.models import GrowthForecast
from runs.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def text_of(answer: Any) -> str:
    return " ".join(lxml.html.fromstring(answer.content.decode()).text_content().split())


def computed(weeks: int = 52) -> GrowthForecast:
    run = forecasts.create_forecast(weeks=weeks)
    forecasts.run_forecast(run.pk)
    run.refresh_from_db()
    return run


def report_of(run: GrowthForecast) -> GrowthReport:
    report = GROWTH.of(run)
    assert isinstance(report, GrowthReport), run.reason
    return report


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("growth", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.mark.usefixtures("growth_store")
def test_command__says_headline_rates_forecast_and_back_test() -> None:
    said = printed("--weeks", "26", "--language", "en")
    for words in ("Active users of a week:", "in 26 weeks", "current users (CURR)", "Forecast by week", "band held"):
        assert words in said
    assert "Stored as forecast" in said


@pytest.mark.usefixtures("growth_store")
def test_command__json__is_the_document_of_the_stored_forecast() -> None:
    said = json.loads(printed("--weeks", "8", "--json", "--language", "en"))
    report = report_of(GrowthForecast.objects.get())
    assert said["weeks"] == len(said["forecast"]) == 8
    assert [row["rate"] for row in said["rates"]][:4] == ["new", "current", "reactivated", "resurrected"]
    assert said["forecast"][-1]["middle"] == pytest.approx(report.end.middle)
    assert said["past"][-1]["active"] == report.past[-1].active
    assert [row["ahead"] for row in said["back_test"]] == [4, 13, 26, 52]
    assert "The log is too short" in said["back_test"][3]["why"]["not_computable"]
    assert "verdict" not in json.dumps(said)


@pytest.mark.usefixtures("growth_store")
def test_forecast__of_the_same_seed__is_the_same() -> None:
    assert report_of(computed(4)) == report_of(computed(4))


@pytest.mark.parametrize("weeks", ["0", "105"])
def test_command__weeks_out_of_range__are_refused(weeks: str) -> None:
    with pytest.raises(CommandError, match="From 1 to 104") as caught:
        printed("--weeks", weeks, "--language", "en")
    assert caught.value.returncode == 2
    assert not GrowthForecast.objects.exists()


@pytest.mark.usefixtures("growth_store")
def test_page__from_button_to_forecast__shows_the_numbers_of_the_command(boss: Client) -> None:
    assert "No forecast yet" in text_of(boss.get("/growth/"))
    sent = boss.post("/growth/start/", follow=True)
    run = GrowthForecast.objects.get()
    assert sent.redirect_chain[-1][0] == f"/growth/{run.pk}/"
    assert Job.objects.count() == 1
    forecasts.run_forecast(run.pk)
    said = json.loads(printed("--json", "--language", "en"))
    for address in ("/growth/", f"/growth/{run.pk}/"):
        shown = text_of(boss.get(address))
        assert " ".join(said["sentence"].split()) in shown
        assert "What is one more point worth?" in shown


@pytest.mark.usefixtures("growth_store")
def test_page__of_a_log_that_is_too_short__shows_why(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stats.growth_chain.FEWEST_WEEKS", 100)
    run = computed()
    assert run.status == "failed"
    assert "The log is too short" in run.reason
    assert "The log is too short" in text_of(boss.get("/growth/"))
