"""From the report to a segment: who may, what the form is filled with, and what is refused."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from experiments.models import Analysis
from tests.experiments.analyse.for_whom.make import opposite
from tests.experiments.make_readout import make_readout, stored

pytestmark = pytest.mark.django_db
BUTTON = "Make a segment of the rule for nudge"


@pytest.fixture
def analyst(client: Client) -> Client:
    person = User.objects.create_user("pm")
    person.user_permissions.set(Permission.objects.filter(codename="add_segmentversion"))
    client.force_login(person)
    return client


def found(*, by_rule: bool = True) -> Analysis:
    """An analysis whose rule is "segment is new", which is a row of the audience with a rule of its own, or not."""
    run = stored(readout=opposite())
    if by_rule:
        run.experiment.audience.create(
            position=1, segment_key="new", coverage=10_000, rule={"all": [{"trait": "age_days", "at_most": 7}]}
        )
    return run


@pytest.mark.slow
def test_button__who_may_publish_segments__sees_it_and_gets_a_filled_form(analyst: Client) -> None:
    run = found()

    assert BUTTON in analyst.get("/experiments/exp/results/segments/").content.decode()
    answer = analyst.post(f"/experiments/exp/{run.pk}/segment/", {"variant": "nudge"})
    assert answer.status_code == 302
    target = urlsplit(answer.headers["Location"])
    assert target.path == "/segments/rules/new/"
    fields = parse_qs(target.query)
    assert json.loads(fields["rule"][0]) == {"all": [{"all": [{"trait": "age_days", "at_most": 7}]}]}
    assert fields["key"] == ["exp-nudge"]
    page = analyst.get(answer.headers["Location"]).content.decode()
    assert "age_days" in page
    assert 'value="exp-nudge"' in page


def test_button__segment_by_play_pattern__is_refused_in_a_sentence(analyst: Client) -> None:
    run = found(by_rule=False)
    answer = analyst.post(f"/experiments/exp/{run.pk}/segment/", {"variant": "nudge"}, follow=True)

    assert answer.redirect_chain[-1][0] == f"/experiments/exp/{run.pk}/"
    # The quotation marks are escaped.
    assert "isn&#x27;t a segment by rule" in answer.content.decode()


def test_button__no_rule_beats_everybody__is_not_there(analyst: Client) -> None:
    run = stored(readout=make_readout())

    assert BUTTON not in analyst.get("/experiments/exp/").content.decode()
    answer = analyst.post(f"/experiments/exp/{run.pk}/segment/", {"variant": "nudge"}, follow=True)
    assert "No rule beats everybody in this analysis" in answer.content.decode()


@pytest.mark.slow
def test_button__without_the_permission__is_not_there_and_refused(client: Client) -> None:
    run = found()
    client.force_login(User.objects.create_user("ann"))

    assert BUTTON not in client.get("/experiments/exp/").content.decode()
    assert client.post(f"/experiments/exp/{run.pk}/segment/", {"variant": "nudge"}).status_code == 403
    client.logout()
    assert client.post(f"/experiments/exp/{run.pk}/segment/").headers["Location"].startswith("/login/")
