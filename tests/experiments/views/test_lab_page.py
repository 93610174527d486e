"""The result page of a lab: each nudge's decision, each behaviour, and the heat map in words, open and locked."""

from typing import Any

import pytest
from django.test import Client

from experiments.analyse.result import AnalysisResult
from tests.experiments.analyse.labs.lab_world import draw_users, lab_plan, read
from tests.experiments.make_readout import stored

MOVES = [[0.2, 0.04], [0.04, 0.2]]
PAGE = "/experiments/lab/"


def result_of(n: int, **changes: Any) -> AnalysisResult:
    planned = lab_plan(**changes)
    return read(planned, draw_users(planned, n, 1, moves=MOVES, effects=[0.4, 0.0]))


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "ko"])
def test_result_of_a_lab__shows_nudges_behaviours_and_the_heat_map(admin_client: Client, language: str) -> None:
    stored("lab", result_of(20_000))

    html = admin_client.get(PAGE, headers={"accept-language": language}).content.decode()

    assert html.count("<li>a: ") == html.count("<li>b: ") == 1
    assert "lab-heat" in html
    assert 'class="shade-' in html
    assert "friend_add" in html
    for part in ("time", "segments", "assumptions", "numbers"):
        assert admin_client.get(f"{PAGE}results/{part}/", headers={"accept-language": language}).status_code == 200


@pytest.mark.django_db
def test_numbers_of_a_lab__have_sets_by_behaviour_and_interactions(admin_client: Client) -> None:
    stored("lab", result_of(20_000))

    html = admin_client.get(f"{PAGE}results/assumptions/").content.decode()

    for slug in ("lab-behaviours", "lab-interactions", "lab-whole", "lab-agreement"):
        assert f'id="{slug}"' in html
    assert "without any nudge" in admin_client.get(f"{PAGE}results/numbers/").content.decode()


@pytest.mark.django_db
def test_locked_lab__shows_take_ups_and_no_behaviours_effect(admin_client: Client) -> None:
    stored("lab", result_of(3_000, enrolment_ended=None, planned_units=20_000))

    html = admin_client.get(PAGE).content.decode()

    assert 'id="lab-take-ups"' in html
    assert 'id="lab-behaviours"' not in html
    assert "Known to change" not in html
