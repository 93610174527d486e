"""The last step: what is started, and with what said."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from experiments.models import Experiment
from tests.experiments.make import draft
from tests.experiments.steps.test_steps import inflow, step

__all__ = ["inflow"]
pytestmark = pytest.mark.django_db


def test_review__incomplete__names_each_trouble_with_its_step_and_refuses_the_start(admin_client: Client) -> None:
    row = draft("exp", hypothesis="", planned_units=None, audience=[{"segment_key": "gone.v1.g1", "coverage": 10_000}])

    page = " ".join(admin_client.get(step(row, "review")).content.decode().split())
    admin_client.post(step(row, "review"))

    for sentence, name in (
        ("The plan needs a hypothesis.", "hypothesis"),
        ("The plan needs a planned number of users.", "plan"),
        ("There is no published segment &#x27;gone.v1.g1&#x27;.", "audience"),
    ):
        assert sentence in page
        assert f'{sentence} <a href="{step(row, name)}">' in page
    row.refresh_from_db()
    assert row.status == "draft"


def test_review__complete__starts_with_the_note_in_the_log(admin_client: Client, inflow: None) -> None:
    end = timezone.localdate() + timedelta(days=62)  # 3,068 at 50 a day
    row = draft("exp", nudge="A banner in the lobby.", smallest_effect=0.05, planned_units=3_068, planned_end=end)

    answer = admin_client.post(step(row, "review"), {"why": "agreed on Monday"})

    row.refresh_from_db()
    assert (row.status, answer["Location"]) == ("running", "/experiments/exp/")
    assert row.history.first().history_change_reason == "agreed on Monday"


def test_review__before_the_first_event__says_what_is_not_known_and_starts_only_when_it_is_meant(
    admin_client: Client, settings: Any, tmp_path: Path
) -> None:
    cache.clear()
    settings.EVENTS_URL = str(tmp_path / "events")  # not what a demo left in this checkout
    row = draft("exp", nudge="A banner in the lobby.")

    refused = admin_client.post(step(row, "review"))
    admin_client.post(step(row, "review"), {"sure": "1"})

    row.refresh_from_db()
    assert [one.code for one in refused.context["silly"]] == ["unknown_power", "unknown_length"]
    assert row.status == "running"


def test_review__silly__starts_only_when_a_person_says_that_it_is_meant(admin_client: Client, inflow: None) -> None:
    row = draft("exp", nudge="", planned_units=1_000)

    refused = admin_client.post(step(row, "review"))
    states = [Experiment.objects.get().status]
    admin_client.post(step(row, "review"), {"sure": "1"})
    states.append(Experiment.objects.get().status)

    said = [one.code for one in refused.context["silly"]]
    assert states == ["draft", "running"]
    assert said == ["no_nudge", "too_few_units"]  # 1,000 of 19,000 units; 20 days of enrolment are enough for them
    assert "Tick the box below first" in refused.content.decode()
