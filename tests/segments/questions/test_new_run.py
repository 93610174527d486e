"""A new segmentation: what its form refuses, with its mend; what it says will happen; what it starts."""

from typing import Any

import pytest
from django.test import Client

from runs.refusals import Refused
from segments.models import SegmentationRun
from segments.search import segmentations
from tests.aha.questions.test_new_study import said

ASKED = {"signup_event": "signup", "first_day": "0", "last_day": "3", "retention": "window:7-9", "seed": "1"}
NEW, BESIDE = "/segments/runs/new/", "/segments/runs/new/foretold/"


@pytest.fixture
def enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty users who were active on one day are enough for these tests."""
    monkeypatch.setattr(segmentations, "MIN_UNITS", 1)
    monkeypatch.setattr(segmentations, "MIN_ACTIVE_DAYS", 1)


def post(client: Client, language: str = "en", path: str = NEW, **change: str) -> Any:
    return client.post(path, {**ASKED, **change}, headers={"accept-language": language})


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize(
    ("change", "field", "mend"),
    [
        ({"last_day": "8"}, "retention", ("retention", "window:9-11")),
        ({"last_day": "8"}, "retention", ("last_day", "6")),
        ({"retention": "min_days:3-5:2"}, "retention", ("retention", "min_days:4-6:2")),
        ({"retention": "unbounded:7"}, "retention", ("retention", "window:4-10")),
        ({"first_day": "9", "last_day": "3"}, "last_day", ("last_day", "22")),
        ({"last_day": "400"}, "last_day", ("last_day", "365")),
        ({"first_date": "2026-03-09", "last_date": "2026-03-01"}, "last_date", ("last_date", "")),
        ({"signup_event": "sign_up"}, "signup_event", ("signup_event", "signup")),
        ({"behaviours": "friend_ad"}, "behaviours", ("behaviours", "friend_add")),
        ({"behaviours": "battle[mode=x]"}, "behaviours", ("behaviours", "battle[mode=pvp]")),
    ],
)
def test_new_run__wrong_field__is_said_beside_it_with_its_mend(
    editor: Client, enough: None, language: str, change: dict[str, str], field: str, mend: tuple[str, str]
) -> None:
    found = said(post(editor, language, **change))

    assert list(found) == [field]
    assert mend in [offered[:2] for offered in found[field][1]]
    assert any("가" <= letter <= "힣" for letter in found[field][0]) is (language == "ko")
    assert not SegmentationRun.objects.exists()


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"retention": "soon"}, "retention", "I don't know 'soon'"),
        ({"last_day": "-1"}, "last_day", "greater than or equal to 0"),
        ({"signup_event": " "}, "signup_event", "required"),
        ({"first_date": "2030-01-01"}, "first_date", "Nobody signed up between these dates."),
        (
            {"retention": "window:40-46"},
            "retention",
            "None of the 30 users who signed up has completed these days yet.",
        ),
    ],
)
def test_new_run__nonsense__a_sentence_and_no_run(
    editor: Client, enough: None, change: dict[str, str], field: str, words: str
) -> None:
    assert words in said(post(editor, **change))[field][0]
    assert not SegmentationRun.objects.exists()


def test_new_run__too_few_users__refused_before_it_starts(editor: Client) -> None:
    assert "Below 100 no groups are searched for" in said(post(editor))["last_day"][0].replace("\u00a0", " ")


@pytest.mark.slow
def test_new_run__good__starts_with_its_inputs(editor: Client, enough: None) -> None:
    answer = post(editor, title="November", behaviours="battle\n friend_add \n", retention="D7")

    run = SegmentationRun.objects.get()
    assert answer.headers["Location"] == f"/segments/runs/{run.pk}/"
    assert run.inputs["retention"] == "on_day:7"
    assert run.inputs["behaviours"] == ["battle", "friend_add"]
    assert (run.title, run.seed, run.created_by and run.created_by.username) == ("November", 1, "pm")


def test_new_run__without_retention__is_taken(editor: Client, enough: None) -> None:
    assert post(editor, retention="").status_code == 302
    assert SegmentationRun.objects.get().inputs["retention"] is None


def test_new_run__refused_by_the_service__stands_at_its_field(
    editor: Client, enough: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(**_: Any) -> SegmentationRun:
        raise Refused("there is no event {event!r} in the log.", at="behaviours", event="nope")

    monkeypatch.setattr(segmentations, "start_segmentation", start)

    assert said(post(editor))["behaviours"][0] == "There is no event 'nope' in the log."


def test_beside__says_who_counts_and_what_would_refuse(editor: Client, enough: None) -> None:
    good = post(editor, path=BESIDE).content.decode()
    bad = post(editor, path=BESIDE, last_day="8").content.decode()

    assert "Which users play alike on days 0 to 3?" in good
    assert "of 30 who signed up" in good
    assert 'data-field="last_day" data-value="6"' in bad


def test_mend__is_taken_over_and_starts_nothing(editor: Client, enough: None) -> None:
    answer = post(editor, last_day="8", mend="last_day=6")

    assert answer.context["form"]["last_day"].value() == "6"
    assert not answer.context["form"].errors
    assert not SegmentationRun.objects.exists()


def test_form__by_a_link__takes_its_fields_above_what_fits(editor: Client) -> None:
    form = editor.get(f"{NEW}?last_day=6&retention=week:2").context["form"]

    assert (form["signup_event"].value(), form["last_day"].value(), form["retention"].value()) == (
        "signup",
        "6",
        "week:2",
    )
