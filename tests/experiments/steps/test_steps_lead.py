"""Where the steps of an experiment lead."""

import pytest
from django.test import Client

from tests.experiments.make import draft, running
from tests.experiments.steps.test_steps import FINE, step

pytestmark = pytest.mark.django_db


def test_save_and_review__from_any_step__goes_there(admin_client: Client) -> None:
    row = draft("exp")

    answer = admin_client.post(step(row, "outcomes"), {"first": "on_day:7", "review": "1", **FINE})

    assert answer["Location"] == step(row, "review")


def test_steps__of_a_started_experiment__lead_back_to_its_page(admin_client: Client) -> None:
    row = running("exp")

    answer = admin_client.post(step(row, "outcomes"), {"first": "on_day:7"})

    row.refresh_from_db()
    assert answer["Location"] == "/experiments/exp/"
    assert row.primary_metrics == ["window:14-20"]
