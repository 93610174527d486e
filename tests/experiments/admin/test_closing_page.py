"""The screens and the report say what closing early costs, and which rule was applied."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from experiments.analyse.result import AnalysisResult
from experiments.report import looks
from experiments.report.looks import path_finding
from tests.experiments.analyse.test_closing import closed_early
from tests.experiments.make_readout import make_readout, make_result, started, stored

pytestmark = pytest.mark.django_db


def plain(text: str) -> str:
    return text


def asked(client: Client, action: str, readout: AnalysisResult | None, **fields: Any) -> str:
    given: dict[str, Any] = {"method": "group_sequential", "planned_units": 20_000, **fields}
    row = started("exp", **given)
    if readout is not None:
        stored("exp", readout)
    return " ".join(client.get(f"/experiments/{row.key}/do/{action}/").content.decode().split())


@pytest.mark.slow
@pytest.mark.parametrize("action", ["close_enrolment", "stop"])
def test_after_a_look__the_screen_says_what_closing_costs(admin_client: Client, action: str) -> None:
    look = make_result(method="group_sequential", planned_units=20_000, enrolment_ended=None)

    text = asked(admin_client, action, look)

    assert "This costs the result: an outcome was shown" in text
    assert "no effect can be found any more" in text  # 20 % again: nothing new, nothing to spend


def test_after_a_look__more_units_since__names_both_critical_values(admin_client: Client) -> None:
    look = make_result(method="group_sequential", planned_units=4_600, enrolment_ended=None)

    text = asked(admin_client, "close_enrolment", look, planned_units=4_400)

    assert "|z| will have to be about 2.18 instead of 1.98" in text


def test_before_any_look__closing_costs_nothing(admin_client: Client) -> None:
    locked = make_result(method="group_sequential", planned_units=40_000, enrolment_ended=None)

    text = asked(admin_client, "close_enrolment", locked, planned_units=40_000)

    assert "No outcome has been shown yet" in text
    assert "|z| will have to be about 1.96" in text


def test_other_plans__say_nothing_of_it(admin_client: Client) -> None:
    text = asked(admin_client, "close_enrolment", make_readout(), method="fixed")

    assert "|z|" not in text


def test_planned_end__is_fixed_once_the_outcome_was_read() -> None:
    from experiments.plan import amend
    from runs.refusals import Refused

    stored("exp", make_result(method="group_sequential", planned_units=20_000, enrolment_ended=None))

    with pytest.raises(Refused, match="planned_end"):
        amend.amend(key="exp", why="it looks good", planned_end=timezone.localdate() + timedelta(days=1))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("day", "sentence", "words"),
    [
        (date(2026, 1, 20), "spends only what the plan allows", "the last: closed early, after the outcome was read"),
        (date(2026, 2, 10), "before any outcome was shown", "the last: closed unseen"),
    ],
)
def test_report__says_which_rule_was_applied(day: date, sentence: str, words: str) -> None:
    found = closed_early(day)

    assert sentence in path_finding(found)
    table = looks.looks(found.path, share=True)
    assert table is not None
    assert [row[-1] for row in table.rows] == ["as planned", words]
