"""The decision memo, and what belief in the dashboard would have meant for the next quarter."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import translation

from experiments.report import memo
from experiments.report.summary import summary
from tests.experiments.make_readout import RUNNING, broken, make_readout, make_result, stored
from tests.experiments.report.test_views import page, viewer

__all__ = ["viewer"]


def test_entries__of_a_gain__go_from_the_question_to_what_would_change_it() -> None:
    readout = make_readout()
    found = memo.entries(readout, summary(readout), "Friends keep players.")
    said = {entry.title: " ".join(entry.sentences) for entry in found}

    assert list(said) == ["Question", "What was promised", "What was found", "Decision", "What would change it"]
    assert "Friends keep players." in said["Question"]
    assert "+40.0 points" in said["What was promised"]
    assert summary(readout).difference in said["What was found"]
    assert said["Decision"].startswith("Ship it. More users stay.")
    assert summary(readout).weak in said["What would change it"]


def test_quarter__is_users_times_the_shares_of_promise_and_finding() -> None:
    readout = make_readout()
    found = memo.quarter(readout, 100.0)
    comparison = readout.report.outcomes[0].comparisons[0]

    assert found is not None
    assert found.users == 9_100
    assert comparison.encouragement is not None
    take_up = comparison.encouragement.take_up.difference  # type: ignore[union-attr]
    assert found.promised == pytest.approx(9_100 * take_up * 0.4)
    assert found.found == pytest.approx(9_100 * 0.07628828553490193)
    assert found.found_low < found.found < found.found_high
    rows = list(found.rows(Decimal(2)))
    assert rows[1] == ("The experiment found", "+690 (+430\u00a0to\u00a0+960)", "+1,400")


@pytest.mark.parametrize("make", [broken, lambda: make_readout(claim=None), lambda: make_result(**RUNNING)])
def test_quarter__without_a_finding_to_hold_against_the_promise__is_left_out(make: object) -> None:
    assert memo.quarter(make(), 100.0) is None  # type: ignore[operator]


def test_quarter__of_a_study_of_another_outcome__is_left_out() -> None:
    claim = make_readout().plan.claim
    assert claim is not None

    assert memo.quarter(make_readout(claim=replace(claim, retention="window:7-13")), 100.0) is None


@pytest.mark.django_db
def test_page__in_the_asked_language__with_the_readers_own_numbers(viewer: Client) -> None:
    stored()

    english = page(viewer, "exp/memo/?language=en&per_day=100&value=2")
    korean = page(viewer, "exp/memo/?language=ko&per_day=100")

    assert "Ship it. More users stay." in english
    assert "+1,400" in english
    assert "Signatures" in english
    assert "출시하세요." in korean
    with translation.override("ko"):
        assert "Signatures" not in korean


@pytest.mark.django_db
def test_page__of_a_wrong_number__says_so_and_computes_nothing(viewer: Client) -> None:
    stored()

    text = page(viewer, "exp/memo/?per_day=-3&language=en")

    assert "greater than or equal to 0.01" in text
    assert "The dashboard promised" not in text


@pytest.mark.django_db
def test_page__while_the_outcome_is_locked__is_none(viewer: Client) -> None:
    stored(readout=make_result(**RUNNING))

    assert viewer.get("/experiments/exp/memo/").status_code == 404
