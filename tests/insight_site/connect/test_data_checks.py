"""Do the data look right: each sentence, on both sides of its threshold."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from insight_site.connect.newest_events import Check, NewEvent, Seen, checks, first_odd

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WEEK = tuple((date(2026, 11, 17) + timedelta(days=n), 100) for n in range(8))


def event(number: int, **given: Any) -> NewEvent:
    ready: dict[str, Any] = {
        "user": f"u{number % 10}",
        "event": "play",
        "time": NOW - timedelta(minutes=number),
        "received_at": NOW,
    }
    return NewEvent(**{**ready, "properties": "{}", "by_http": True, "corrected": False, **given})


def seen(*, newest: list[NewEvent] | None = None, **given: Any) -> Seen:
    rows = [event(n) for n in range(40)] if newest is None else newest
    ready: dict[str, Any] = {
        "days": WEEK,
        "refused": {},
        "reason": "",
        "stored": 0,
        "first": None,
        "last": None,
        "signup": "signup",
    }
    return Seen(**{"newest": tuple(rows), **ready, "listed": True, **given})


def check(slug: str, **given: Any) -> Check:
    return next(one for one in checks(seen(**given)) if one.slug == slug)


def test_checks__of_good_data__are_all_fine_and_name_their_numbers() -> None:
    found = checks(seen())

    assert [(one.slug, one.light) for one in found] == [
        ("volume", "good"), ("users", "good"), ("ids", "good"), ("refused", "good"), ("clocks", "good"),
        ("repeated", "good"), ("signup", "good"),
    ]  # fmt: skip
    assert found[0].sentence == "800 events came by HTTP since Nov 17, 2026, today included: 100 a day on average."
    assert found[1].sentence == "The newest 40 events are of 10 users."


@pytest.mark.parametrize(
    ("slug", "fine", "odd", "words"),
    [
        (
            "volume",
            {"days": (*WEEK[:7], (WEEK[7][0], 0))},  # today has only begun
            {"days": (*WEEK[:3], (WEEK[3][0], 0), *WEEK[4:])},
            "No event came on Nov 20, 2026.",
        ),
        (
            "users",
            {"newest": [event(n, user="one" if n < 19 else f"u{n // 2}") for n in range(40)]},
            {"newest": [event(n, user="one" if n < 20 else f"u{n // 2}") for n in range(40)]},
            "One user has 50% of them",
        ),
        (
            "users",
            {"newest": [event(n, user=f"u{max(n, 1)}") for n in range(40)]},
            {"newest": [event(n, user=f"u{n}") for n in range(40)]},
            "Every event has another user",
        ),
        ("ids", {"refused": {"bad_number": 9}}, {"refused": {"missing_identity": 1}}, "1 of the 801 events"),
        ("refused", {"refused": {"x": 42}}, {"refused": {"x": 43}, "reason": "why"}, "most of them because: why"),
        (
            "clocks",
            {"newest": [event(n, corrected=n < 3) for n in range(40)]},
            {"newest": [event(n, corrected=n < 4) for n in range(40)]},
            "4 had a clock that was corrected",
        ),
        (
            "clocks",
            {"newest": [event(n, time=NOW - timedelta(days=1)) for n in range(40)]},
            {"newest": [event(n, time=NOW - timedelta(days=1, seconds=1)) for n in range(40)]},
            "40 happened over a day before they arrived",
        ),
        (
            "repeated",
            {"newest": [event(min(n, 198)) for n in range(200)][:198] + [event(n) for n in range(300, 302)]},
            {"newest": [*(event(n) for n in range(99)), event(0)]},
            "1 of the newest 100 events",
        ),
        ("signup", {}, {"signup": ""}, "No event seems to be a signup."),
    ],
)  # fmt: skip
def test_check__at_its_threshold__looks_odd_and_not_before(slug: str, fine: Any, odd: Any, words: str) -> None:
    assert check(slug, **fine).light == "good"
    assert check(slug, **odd).light == "warn"
    assert words in check(slug, **odd).sentence.replace("\u00a0", " ")


def test_check__too_few_or_nothing__is_not_judged() -> None:
    empty = checks(seen(newest=[], days=tuple((day, 0) for day, _n in WEEK), listed=False))

    assert [one.slug for one in empty if one.light] == ["repeated"]
    assert check("users", newest=[event(n, user="one") for n in range(19)]).light == ""


def test_volume__of_files_alone__is_that_of_the_store() -> None:
    given = {"stored": 3_000, "first": NOW - timedelta(days=29), "last": NOW}

    found = check("volume", days=tuple((day, 0) for day, _n in WEEK), **given)

    assert found.light == ""
    assert "The store holds 3,000 events of Oct 26, 2026 to Nov 24, 2026: 100 a day" in found.sentence
    assert check("clocks", newest=[event(n, by_http=False) for n in range(40)]).light == ""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"user": "ann@example.com"}, "mail address"),
        ({"user": "undefined"}, "seems to be a missing value"),
        ({"event": "order 123456"}, "long number"),
        ({"corrected": True}, "the time was corrected"),
        ({"time": NOW - timedelta(days=2)}, "over a day before"),
    ],
)
def test_odd__of_one_event__is_one_sentence_however_often_it_comes(given: dict[str, Any], words: str) -> None:
    (text,) = first_odd([event(1, **given), event(1, **given)])

    assert words in text
    assert first_odd([event(1), event(2, event="level 12345")]) == ()
