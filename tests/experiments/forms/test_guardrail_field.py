"""Rules of guardrails as lines of the plan's form."""

import pytest
from django.test import Client

from tests.experiments.make import draft
from tests.experiments.steps.test_steps import FINE, step

pytestmark = pytest.mark.django_db


def test_outcomes__rules_of_guardrails__are_lines_with_direction_and_margin(admin_client: Client) -> None:
    row = draft("exp")
    given = {"first": "on_day:7", "second": "", "guardrail_metrics": "on_day:1\nactive_days:0-6", **FINE}
    rules = "on_day:1 | higher | 0.01\n active_days:0-6|lower|.5 "

    wrong = admin_client.post(step(row, "outcomes"), {**given, "guardrail_rules": "on_day:1 | up | 0.01"})
    admin_client.post(step(row, "outcomes"), {**given, "guardrail_rules": rules, "otherwise": "dont"})

    row.refresh_from_db()
    assert wrong.context["form"].errors["guardrail_rules"]
    assert row.guardrail_rules == {
        "on_day:1": {"direction": "higher", "margin": 0.01},
        "active_days:0-6": {"direction": "lower", "margin": 0.5},
    }
    assert row.otherwise == "dont"
    shown = admin_client.get(step(row, "outcomes")).content.decode()
    assert "on_day:1 | higher | 0.01\nactive_days:0-6 | lower | 0.5" in shown
