"""A moment written by hand: what its form refuses, with its mend; what it keeps."""

from typing import Any

import pytest
from django.test import Client

from aha.models import AhaMoment
from aha.moments.promote import create_moment
from runs.refusals import Refused
from tests.aha.questions.test_new_study import said

ASKED = {
    "name": "Guild",
    "behaviour": "friend_add",
    "times": "2",
    "days": "7",
    "signup_event": "signup",
    "retention": "window:7-9",
}
NEW = "/aha/moments/new/"


def post(client: Client, language: str = "en", **change: str) -> Any:
    return client.post(NEW, {**ASKED, **change}, headers={"accept-language": language})


@pytest.mark.slow
def test_new_moment__good__is_kept(editor: Client) -> None:
    answer = post(editor, retention="2주차 잔존")

    made = AhaMoment.objects.get()
    assert answer.headers["Location"] == f"/aha/moments/{made.key}/"
    assert (made.key, made.retention) == ("friend_add-2-in-7", "week:2")


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"behaviour": "friend_ad"}, "behaviour", "friend_add"),
        ({"behaviour": "battle[mode=coop]"}, "behaviour", "battle[mode=pvp]"),
        ({"signup_event": "sign-up"}, "signup_event", "signup"),
        ({"days": "10"}, "days", "7"),
        ({"retention": "min_events:batle:7-9:1"}, "retention", "min_events:battle:7-9:1"),
    ],
)
def test_new_moment__wrong_field__is_said_beside_it_with_its_mend(
    editor: Client, language: str, change: dict[str, str], field: str, value: str
) -> None:
    found = said(post(editor, language, **change))

    assert list(found) == [field]
    assert value in [mend[1] for mend in found[field][1]]
    assert any("가" <= letter <= "힣" for letter in found[field][0]) is (language == "ko")
    assert not AhaMoment.objects.exists()


def test_new_moment__same_claim_again__is_refused_and_linked(editor: Client) -> None:
    post(editor)

    answer = post(editor, name="Another name")

    assert said(answer)["behaviour"][0] == "“Guild” says the same already."
    assert '<a class="button quiet" href="/aha/moments/friend_add-2-in-7/">' in answer.content.decode()
    assert AhaMoment.objects.count() == 1


@pytest.mark.parametrize("change", [{"times": "3"}, {"days": "6"}, {"retention": "on_day:7"}, {"signup_event": "*"}])
def test_new_moment__one_part_differs__is_another_claim(editor: Client, change: dict[str, str]) -> None:
    post(editor)

    assert post(editor, **change).status_code == 302
    assert AhaMoment.objects.count() == 2


def test_service__same_claim_again__is_refused(db: None) -> None:
    claim: dict[str, Any] = {"behaviour": "x", "times": 1, "days": 3, "signup_event": "signup", "retention": "on_day:7"}
    create_moment(name="First", **claim)

    with pytest.raises(Refused, match="“First” says the same already"):
        create_moment(name="Second", **claim)


def test_new_moment__mend__is_taken_over_and_keeps_nothing(editor: Client) -> None:
    answer = post(editor, days="10", mend="days=7")

    assert answer.context["form"]["days"].value() == "7"
    assert not AhaMoment.objects.exists()
