"""Names and hypotheses made of a claim: kept in English, shown in the reader's language; what people wrote stays."""

from dataclasses import dataclass

import pytest
from django.utils import translation

from aha import made_names
from reporting.words import names_from


@dataclass(frozen=True)
class Claim:
    """A claim that a moment makes."""

    name: str = ""
    behaviour: str = "friend_add"
    times: int = 3
    days: int = 7
    retention: str = "week:3"


KOREAN_NAME = "7일 안에 friend_add ≥ 3"


@pytest.mark.parametrize("maker", ["en", "ko"])
def test_moment_name__nobody_named_it__is_in_the_language_of_each_reader(maker: str) -> None:
    with translation.override(maker):
        kept = made_names.new_moment_name(Claim())

    with translation.override("ko"):
        korean = made_names.moment_name(kept, Claim())

    assert kept == made_names.moment_name(kept, Claim()) == "friend_add ≥ 3 within 7 days"
    assert korean == KOREAN_NAME


@pytest.mark.parametrize("stored", ["friend_add ≥ 3 within 7 days", "7일 이내 friend_add ≥ 3"])
def test_moment_name__stored_by_an_earlier_version__counts_as_made(stored: str) -> None:
    with translation.override("ko"):
        assert made_names.moment_name(stored, Claim()) == KOREAN_NAME
    assert made_names.moment_name(stored, Claim()) == "friend_add ≥ 3 within 7 days"


@pytest.mark.parametrize("stored", ["Friends early", "friend_add ≥ 3 within 8 days", "친구 셋"])
def test_moment_name__written_by_a_person__stays(stored: str) -> None:
    with translation.override("ko"):
        assert made_names.moment_name(stored, Claim()) == stored


def test_moment_name__one_day__is_singular() -> None:
    one = Claim(times=1, days=1)

    assert made_names.moment_name("friend_add ≥ 1 within 1 days", one) == "friend_add ≥ 1 within 1 day"


def test_moment_name__event_with_a_display_name__shows_it_and_keeps_the_sent_one() -> None:
    with names_from(lambda event, _property: {"friend_add": "Friend added"}.get(event, "")):
        kept = made_names.new_moment_name(Claim())
        shown = made_names.moment_name(kept, Claim())

    assert (kept, shown) == ("friend_add ≥ 3 within 7 days", "Friend added ≥ 3 within 7 days")


@pytest.mark.parametrize(
    ("moment", "english", "korean"),
    [
        (Claim(name="friend_add ≥ 3 within 7 days"), "Friend add 3+ nudge", "Friend add 3+ 넛지"),
        (Claim(name="친구 셋"), "친구 셋 nudge", "친구 셋 넛지"),
    ],
)
def test_test_name__made__follows_the_reader_and_comes_back_from_a_form(
    moment: Claim, english: str, korean: str
) -> None:
    kept = made_names.new_test_name(moment)

    with translation.override("ko"):
        shown = made_names.name_of_test(kept, moment)
        back = made_names.kept_name_of_test(shown, moment)
        own = made_names.kept_name_of_test("내 실험", moment)

    assert (kept, shown, back, own) == (english, korean, english, "내 실험")
    assert made_names.name_of_test(korean, moment) == english


OLD = (
    "If we nudge new users to do friend_add at least 3 times within 7 days, more of them stay (week:3).",
    "신규 사용자가 7일 안에 friend_add 행동을 3번 이상 하도록 유도하면 더 많은 사용자가 남는다(week:3).",
)


@pytest.mark.parametrize("stored", [made_names.new_hypothesis(Claim()), *OLD])
def test_hypothesis__made__follows_the_reader_and_says_retention_in_words(stored: str) -> None:
    with translation.override("ko"):
        korean = made_names.hypothesis(stored, Claim())
        back = made_names.hypothesis_to_keep(korean, Claim())
    english = made_names.hypothesis(stored, Claim())

    assert english == (
        "If we nudge new users to do friend_add at least 3 times within 7 days, more of them stay "
        "(retention on days 15–21)."
    )
    assert "7일 안에 friend_add" in korean
    assert "15" in korean.partition("(")[2]
    assert "week:" not in english + korean
    assert back == english


def test_hypothesis__of_a_lab__says_what_it_answers_to_each_reader() -> None:
    kept = made_names.new_hypothesis(Claim(), lab=True)

    with translation.override("ko"):
        korean = made_names.hypothesis(kept, Claim())
        same = korean == made_names.made_hypothesis(Claim(), lab=True)
        back = made_names.hypothesis_to_keep(korean, Claim())

    assert (made_names.hypothesis(kept, Claim()), back, same) == (kept, kept, True)
    assert kept == (
        "If a nudge leads new users to do friend_add at least 3 times within 7 days, more of them stay (retention on "
        "days 15–21). The other nudges show which of these behaviours keeps users, and whether it is this one."
    )


def test_hypothesis__changed_by_a_person__stays() -> None:
    own = OLD[0] + " Because friends bring friends."

    with translation.override("ko"):
        assert made_names.hypothesis(own, Claim()) == own


def test_hypothesis__once__is_said_so() -> None:
    assert "at least once within 1 day, more" in made_names.made_hypothesis(Claim(times=1, days=1))
