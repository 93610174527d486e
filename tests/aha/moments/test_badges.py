"""What a moment's badge claims beside what all experiments of it say together."""

from dataclasses import replace
from typing import Any

import lxml.html
import pytest
from django.test import Client

from aha.evidence.findings import PastExperiments, pool_findings
from aha.models import AhaMoment
from aha.moments.promote import Badge, badge, confirmed_moments, create_moment
from tests.aha.evidence.past.make_findings import FRIENDS, drawn

pytestmark = pytest.mark.django_db
FOUND = ["CAUSES", *["INCONCLUSIVE"] * 3]


def moment(status: str) -> AhaMoment:
    made = create_moment(
        name="Friends",
        behaviour=FRIENDS.behaviour,
        times=FRIENDS.times,
        days=FRIENDS.days,
        signup_event="signup",
        retention=FRIENDS.outcome,
    )
    made.status = status
    made.save()
    return made


def past(*, direct: tuple[float, ...], verdicts: list[str]) -> PastExperiments:
    rows = drawn(len(verdicts), seed=3, direct=direct)
    return pool_findings([replace(row, verdict=code) for row, code in zip(rows, verdicts, strict=True)], FRIENDS)


def told(monkeypatch: pytest.MonkeyPatch, found: PastExperiments) -> None:
    monkeypatch.setattr("aha.moments.promote.past_experiments", lambda _definition, _state: found)


@pytest.mark.parametrize(
    ("status", "direct", "said"),
    [
        ("confirmed", (0.2,), Badge("confirmed by 1 of 4 experiments, which disagree", "warn", disagree=True)),
        ("refuted", (0.2,), Badge("4 experiments disagree", "warn", disagree=True)),
        ("inconclusive", (0.2,), Badge("4 experiments disagree", "warn", disagree=True)),
        ("testing", (0.2,), Badge("being tested", "state-testing")),
        ("confirmed", (), Badge("confirmed", "state-confirmed")),
    ],
)
def test_badge__beside_what_experiments_say_together__claims_no_more(
    monkeypatch: pytest.MonkeyPatch, status: str, direct: tuple[float, ...], said: Badge
) -> None:
    told(monkeypatch, past(direct=direct, verdicts=FOUND))

    assert badge(moment(status)) == said


def test_pages__of_a_confirmed_moment_whose_experiments_disagree__show_no_green(
    monkeypatch: pytest.MonkeyPatch, admin_client: Client
) -> None:
    told(monkeypatch, past(direct=(0.2,), verdicts=FOUND))
    made = moment("confirmed")

    for path in (f"/aha/moments/{made.key}/", "/aha/moments/"):
        page: Any = lxml.html.fromstring(admin_client.get(path).content)
        text = page.text_content()
        assert "confirmed by 1 of 4 experiments, which disagree" in text, path
        assert page.find_class("state-confirmed") == [], path
    assert confirmed_moments() == 0
