"""The fragments of pickers: who may ask, what is offered, and definitions that stay in step."""

from typing import Any

import pytest
from django.test import Client

from tests.events.pickers.conftest import page

pytestmark = pytest.mark.django_db


def values(html: str) -> list[str]:
    return [piece.split('"')[0] for piece in html.split('data-value="')[1:]]


@pytest.mark.parametrize(
    ("kind", "typed", "of", "offered"),
    [
        ("event", "", "", ["signup", "friend_add", "battle", "a=b", "shop"]),
        ("event", "FRIE", "", ["friend_add"]),
        ("start", "", "", ["signup", "friend_add", "battle", "a=b", "shop", "*"]),
        ("property", "", "battle", ["mode", "score"]),
        ("property", "sc", "battle", ["score"]),
        ("property", "", "nothing", []),
        ("behaviour", "battle", "", ["battle", "battle["]),
        ("behaviour", "a=b", "", [r"a\=b"]),
        ("behaviour", "battle[", "", ["battle[mode=", "battle#mode", "battle[score=", "battle#score"]),
        ("behaviour", "battle[mode=", "", ["battle[mode=pvp]", "battle[mode=solo]"]),
        ("behaviour", "battle[mode=so", "", ["battle[mode=solo]", "battle[mode=so]"]),
        ("behaviour", "no such thing", "", []),
        ("outcome", "D7", "", ["on_day:7"]),
        ("outcome", "count:battle:3-9", "", ["count:battle:3-9"]),
        ("outcome", "battle", "", ["count:battle:0-6", "count:battle:0-13"]),
        ("outcome", "active_days", "", ["active_days:0-6"]),
    ],
)
def test_options__for_what_was_typed(asker: Client, kind: str, typed: str, of: str, offered: list[str]) -> None:
    assert values(page(asker, f"/pick/{kind}/", q=typed, of=of)) == offered


def test_options__show_reach_and_users(asker: Client) -> None:
    found = page(asker, "/pick/event/", q="friend")

    assert "40.0% of new users · 2 users" in found
    assert 'role="option"' in found
    assert "1 choice" in found


def test_options__for_script_in_a_name__are_escaped(asker: Client) -> None:
    assert "<script>" not in page(asker, "/pick/event/", q="<script>alert(1)</script>")


def test_chips__of_lines__show_reach_and_what_is_unknown(asker: Client) -> None:
    lines = "friend_add\nfriend_ad\nbattle[mode=pvp]\n[\nfriend_add"

    found = page(asker, "/pick/chips/", lines=lines)

    assert asker.post("/pick/chips/", {"lines": lines}).content.decode().count("<li") == 4
    assert found.count('<li class="chip') == 4
    assert found.count("chip wrong") == 2
    assert "battle · mode = pvp" in found
    assert "unknown event" in found
    assert "can&#x27;t be read" in found


def definition(client: Client, **asked: Any) -> str:
    return page(client, "/pick/definition/", of="retention", kinds="active event", **asked)


def test_definition__changed_parts__bring_line_and_sentence(asker: Client) -> None:
    found = definition(
        asker, changed="parts", retention_kind="active", retention_least="2", retention_first="7", retention_last="9",
        retention_was="window:14-20", retention="window:14-20",
    )  # fmt: skip

    assert 'value="min_days:7-9:2"' in found
    assert 'hx-swap-oob="true"' in found
    assert "active on at least 2 different days from day 7 to day 9" in found
    assert "<select" not in found  # somebody may be typing in the next gap


def test_definition__changed_line__brings_the_gaps(asker: Client) -> None:
    found = definition(asker, changed="line", retention="2주차 잔존")

    assert 'name="retention" id="id_retention" value="week:2"' in found
    assert 'name="retention_first" value="8"' in found
    assert 'aria-pressed="true"' in found


def test_definition__wrong_parts__say_what_is_wrong(asker: Client) -> None:
    found = definition(
        asker, changed="parts", retention_kind="active", retention_first="9", retention_last="3", retention_was="D7"
    )

    assert "9-3 runs backwards" in found
    assert "hx-swap-oob" not in found  # the line keeps what was right


@pytest.mark.parametrize("asked", [{"of": "a b", "kinds": "active"}, {"of": "retention", "kinds": "x"}, {}])
def test_definition__nonsense__is_not_there(asker: Client, asked: dict[str, str]) -> None:
    assert asker.get("/pick/definition/", asked).status_code == 404


def rate(client: Client, **asked: str) -> str:
    return page(client, "/pick/rate/", signup_event="signup", **asked)


def test_rate__of_a_window__counts_users_on_fingers(asker: Client) -> None:
    # Ann came back on day 2 and 7, Bob on day 7; Eve is too young for day 7.
    found = rate(asker, retention="on_day:7")

    assert "<strong>50.0% (15.0 to 85.0)</strong>" in found
    assert "4 of 5 users who signed up are old enough to count." in found
    assert "<svg" in found


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"retention": "on_day:60"}, "None of the 5 users who signed up is old enough yet."),
        ({"retention": "on_day:7", "first_date": "2030-01-01"}, "Nobody signed up in these dates."),
        ({"retention": "soon"}, "is no retention definition"),
        ({"retention": "survival:7"}, "has no single share"),
    ],
)
def test_rate__that_cannot_be_told__says_why(asker: Client, asked: dict[str, str], said: str) -> None:
    assert said in rate(asker, **asked)


def test_chips__of_outcomes__say_each_in_words_and_what_is_wrong(asker: Client) -> None:
    lines = "window:14-20\ncount:batle:0-6\nnonsense"

    html = asker.get("/pick/chips/", {"of": "outcome", "lines": lines}).content.decode()

    assert "Retained: active on at least one day from day 14 to day 20" in html
    assert html.count('class="chip wrong"') == 2
    assert "unknown event" in html
