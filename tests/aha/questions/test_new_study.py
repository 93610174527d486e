"""A new study: what its form begins with, what it says beside a wrong field and how that is mended, what it starts."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from aha.models import Study
from aha.questions import objections
from aha.study.hold_out import MOST_UNITS
from aha.study.question import Inputs
from aha.study.studies import PACE, study_size
from reporting.document import dump, load
from runs.run_times import Spent
from tests.aha.questions.conftest import INERT

ASKED = {
    "signup_event": "signup",
    "retention": "window:7-9",
    "gap": "0",
    "choose": "j",
    "day_mode": "rolling",
    "seed": "5",
}
NEW = "/aha/studies/new/"


def said(answer: Any) -> dict[str, tuple[str, list[tuple[str, str, str]]]]:
    """Sentence and mends of each wrong field."""
    return {
        name: (
            " ".join(text for error in errors.data for text in error.messages),
            [
                (mend.field or name, mend.value, str(mend.label))
                for error in errors.data
                for mend in getattr(error, "mends", ())
            ],
        )
        for name, errors in answer.context["form"].errors.items()
    }


def post(client: Client, language: str = "en", path: str = NEW, **change: str) -> Any:
    return client.post(path, {**ASKED, **change}, headers={"accept-language": language})


# ── What it begins with ───────────────────────────────────────────────────────
def test_form__begins_with_what_fits_the_data(editor: Client) -> None:
    form = editor.get(NEW).context["form"]

    assert form["signup_event"].value() == "signup"
    assert form["retention"].value() == "window:7-13"  # 30 days of data: too few for days 14 to 20
    assert [field.name for field in form.first_fields] == [
        "signup_event",
        "first_date",
        "last_date",
        "retention",
        "retention_metric",
        "title",
    ]
    assert not form.opens_advanced


@pytest.mark.parametrize(
    ("days", "line"), [(9.9, "on_day:1"), (10, "on_day:7"), (34.9, "window:7-13"), (35, "window:14-20")]
)
def test_usual_retention__on_both_sides_of_each_limit(days: float, line: str) -> None:
    assert next(found for least, found in objections.RETENTIONS if days >= least) == line


def test_form__by_a_link__takes_its_fields(editor: Client) -> None:
    query = "?retention=2%EC%A3%BC%EC%B0%A8&behaviours=friend_add&behaviours=battle%5Bmode%3Dpvp%5D&days=1+3&title=Mine"

    form = editor.get(NEW + query).context["form"]

    assert form["retention"].value() == "week:2"
    assert form["behaviours"].value() == "friend_add\nbattle[mode=pvp]"
    assert (form["days"].value(), form["title"].value(), form["signup_event"].value()) == ("1 3", "Mine", "signup")
    assert form.opens_advanced


def test_controls__are_proposed_by_name_and_never_taken_unasked(editor: Client) -> None:
    answer = editor.get(NEW)

    assert set(answer.context["likely_inert"]) == set(INERT)
    assert not answer.context["form"]["inert"].value()


# ── What it says ──────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("change", "field", "sentence", "mends"),
    [
        (
            {"days": "1 7 20"},
            "days",
            "Retention is measured from day 7 on, so a behaviour can be counted within at most 7 days: 20 would be "
            "dropped.",
            [("days", "1 7", "Use days 1, 7"), ("retention", "window:20-22", "Measure retention on days 20–22")],
        ),
        (
            {"days": "9"},
            "days",
            "Retention is measured from day 7 on, so a behaviour can be counted within at most 7 days: 9 would be "
            "dropped.",
            [
                ("days", "1 2 3 4 5 6 7", "Use days 1, 2, 3, 4, 5, 6, 7"),
                ("retention", "window:9-11", "Measure retention on days 9–11"),
            ],
        ),
        (
            {"days": "1 7", "gap": "3"},
            "days",
            "Retention is measured from day 7 on and the gap is 3, so a behaviour can be counted within at most 4 days:"
            " 7 would be dropped.",
            [("days", "1", "Use days 1"), ("retention", "window:10-12", "Measure retention on days 10–12")],
        ),
        (
            {"inert": "rotate\nmute"},
            "inert",
            "2 can't show how much is found where nothing is: choose at least 5, or none.",
            [
                ("inert", "rotate\nmute\nerror_seen\nhelp_open\nsettings_open", "Add the others"),
                ("inert", "", "Use none"),
            ],
        ),
        (
            {"signup_event": "sign_up"},
            "signup_event",
            "There is no event “sign_up”. Did you mean signup?",
            [("signup_event", "signup", "Use signup")],
        ),
        (
            {"behaviours": "friend_ad"},
            "behaviours",
            "There is no event “friend_ad”. Did you mean friend_add?",
            [("behaviours", "friend_add", "Use friend_add")],
        ),
        (
            {"behaviours": "battle[mode=coop]"},
            "behaviours",
            "mode of battle is never “coop”. Its values are pvp, solo.",
            [("behaviours", "battle[mode=pvp]", "mode = pvp"), ("behaviours", "battle[mode=solo]", "mode = solo")],
        ),
        (
            {"retention": "survival:7"},
            "retention",
            "The time until users leave counts from day 0 on, so no behaviour can come before it.",
            [("retention", "window:14-20", "Use days 14–20")],
        ),
        (
            {"retention": "unbounded:7"},
            "retention",
            "This grows as the data age, so no threshold can be chosen by it.",
            [("retention", "window:7-13", "Use days 7–13")],
        ),
        ({"retention": "soon"}, "retention", "I don't know 'soon'. Write it as D7, day 14-20 or week 2.", []),
        (
            {"retention": "on_day:0"},
            "retention",
            "No behaviour can end before this retention begins: choose a later day.",
            [("retention", "on_day:1", "D1")],
        ),
        (
            {"retention": "window:40-46", "days": "1"},
            "retention",
            "None of the 30 users who signed up has completed these days yet.",
            [("retention", "window:7-13", "Use days 7–13 (17 users)")],
        ),
        (
            {"first_date": "2030-01-01"},
            "first_date",
            "Nobody signed up between these dates: the events go from Mar 1, 2026 to Mar 23, 2026.",
            [("first_date", "", "Take all from the first day")],
        ),
        (
            {"days": "1 x"},
            "days",
            "Write whole numbers with blanks between them, for example 1 3 7.",
            [("days", "", "Choose them for me")],
        ),
        ({"days": "0"}, "days", "Whole numbers from 1 to 90, for example 1 3 7.", []),
        (
            {"first_date": "2026-03-09", "last_date": "2026-03-02"},
            "last_date",
            "The last date lies before the first.",
            [],
        ),
        ({"segment": "한국"}, "segment", "There is no segment “한국”.", [("segment", "", "Take all users")]),
        ({"max_times": "0"}, "max_times", "Ensure this value is greater than or equal to 1.", []),
    ],
)  # fmt: skip
def test_new_study__wrong_field__is_said_beside_it_with_its_mend(
    editor: Client, change: dict[str, str], field: str, sentence: str, mends: list[tuple[str, str, str]]
) -> None:
    answer = post(editor, **change)

    assert answer.status_code == 200
    found = said(answer)
    assert list(found) == [field]
    assert found[field][0].replace("\u00a0", " ") == sentence
    if field == "inert":
        assert set(found[field][1][0][1].split("\n")) == set(INERT)
    else:
        assert sorted(found[field][1]) == sorted(mends)
    assert "--" not in answer.content.decode().split("<main")[1].replace("<!--", "")
    assert not Study.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [({"days": "1 7 20"}, "days"), ({"behaviours": "friend_ad"}, "behaviours"), ({"inert": "mute"}, "inert")],
)
def test_new_study__wrong_field__is_said_in_korean(editor: Client, change: dict[str, str], field: str) -> None:
    korean, english = said(post(editor, "ko", **change)), said(post(editor, "en", **change))

    assert list(korean) == [field]
    assert any("가" <= letter <= "힣" for letter in korean[field][0])
    assert [mend[:2] for mend in korean[field][1]] == [mend[:2] for mend in english[field][1]]
    assert all(any("가" <= letter <= "힣" for letter in mend[2]) for mend in korean[field][1])


def test_mend__without_script__is_taken_over_and_starts_nothing(editor: Client) -> None:
    answer = post(editor, days="1 7 20", mend="days=1 7")

    assert answer.context["form"]["days"].value() == "1 7"
    assert not answer.context["form"].errors
    assert "What do users do in the first 7 days after signup" in answer.content.decode()
    assert not Study.objects.exists()


# ── What will happen ──────────────────────────────────────────────────────────
def test_preview__counts_on_fingers(editor: Client) -> None:
    text = post(editor, path="/aha/studies/preview/").content.decode().replace("\u00a0", " ")

    # 22.2 days of data: users 0 to 24 have ten whole days behind them; the 13 even ones came back on day 8.
    assert "What do users do in the first 7 days after signup that goes with retention on days 7–9?" in text
    for part in ("<strong>25</strong>", "<strong>5</strong>", "<strong>8</strong>", "<strong>560</strong>"):
        assert part in text, part
    assert "52.0% (33.5 to 70.0)" in text
    assert "no run has been measured on this machine yet" in text


def test_preview__users_without_the_start_event__are_counted(editor: Client) -> None:
    text = post(editor, path="/aha/studies/preview/", signup_event="battle").content.decode()

    assert '<strong>14</strong> <span class="soft">they never did the start event' in text  # 1 and the even ones did


def test_preview__after_a_study_that_was_measured__tells_its_time(editor: Client) -> None:
    size = {"users": 25, "sample": 25, "behaviours": 8}  # as the preview's own
    kept = Spent(50.0, 60.0, 500.0, 2, {"counting": 5.0, "evidence": 35.0}, size)
    Study.objects.create(status="done", finished_at=timezone.now(), inputs={}, payload={"spent": dump(kept)})

    text = post(editor, path="/aha/studies/preview/").content.decode()

    assert "about 40 seconds" in text
    assert "no run has been measured" not in text


def test_pace__of_a_study__has_usual_seconds_of_every_step_and_size() -> None:
    parts = study_size(1, 1)

    assert PACE.slopes.keys() == PACE.usual.keys()
    assert PACE.at.keys() == parts.keys()
    assert {part for slopes in PACE.slopes.values() for part in slopes} <= parts.keys()


@pytest.mark.parametrize(("users", "sample"), [(MOST_UNITS - 1, MOST_UNITS - 1), (MOST_UNITS + 1, MOST_UNITS)])
def test_study_size__sample__ends_where_a_study_takes_a_sample(users: int, sample: int) -> None:
    assert study_size(users, 4) == {"users": users, "sample": sample, "behaviours": 4}


def test_preview__of_a_wrong_form__says_what_would_refuse(editor: Client) -> None:
    text = post(editor, path="/aha/studies/preview/", days="1 7 20").content.decode()

    assert "This can&#x27;t start yet:" in text or "This can't start yet:" in text
    assert 'data-field="days" data-value="1 7"' in text


# ── What it starts ────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_new_study__three_fields__start_it_with_days_that_end_before_retention(editor: Client) -> None:
    answer = post(editor)

    study = Study.objects.get()
    assert answer.headers["Location"] == f"/aha/studies/{study.pk}/"
    assert load(Inputs, study.inputs) == Inputs("signup", (1, 2, 3, 4, 5, 6, 7), "window:7-9")
    assert (study.title, str(study), study.seed) == ("", "signup → retention on days 7–9", 5)


@pytest.mark.slow
def test_new_study__people_s_words__are_kept_as_a_specification(editor: Client) -> None:
    post(editor, retention="D7", days="1 3", behaviours="friend_add\nbattle[mode=pvp]", title="First")

    study = Study.objects.get()
    assert study.inputs["retention"] == "on_day:7"
    assert study.inputs["behaviours"] == ["friend_add", "battle[mode=pvp]"]
    assert str(study) == "First"


@pytest.mark.slow
@pytest.mark.parametrize("status", ["done", "failed", "cancelled"])
def test_again__of_any_ended_study__keeps_all_its_inputs(editor: Client, status: str) -> None:
    asked = Inputs("signup", (1, 3), "window:7-9", behaviours=("battle",), max_times=4, gap=2, first_date="2026-03-01")
    origin = Study.objects.create(title="First", status=status, inputs=dump(asked), seed=9)

    form = editor.get(f"{NEW}?again={origin.pk}").context["form"]
    values = {field.html_name: field.value() for field in form if field.value() is not None}
    lines = {"behaviours": "battle", "inert": ""}
    answer = editor.post(NEW, {**values, **lines, "retention": "on_day:7"})

    made = Study.objects.exclude(pk=origin.pk).get()
    assert load(Inputs, made.inputs) == Inputs(**{**vars(asked), "retention": "on_day:7"})
    assert (made.changed_from, made.seed, made.title) == (origin, 9, "First")
    text = editor.get(answer.headers["Location"]).content.decode()
    assert f'href="/aha/studies/{origin.pk}/"' in text
    assert "<del>retention on days 7–9</del> → <ins>retention on day 7</ins>" in text


def test_again__of_nonsense__begins_anew(editor: Client) -> None:
    assert editor.get(f"{NEW}?again=99999999999999999999999").context["origin"] is None
    assert editor.get(f"{NEW}?again=x").status_code == 200


def test_title__of_studies_of_other_dates__says_which() -> None:
    asked = Inputs("signup", (1,), "window:14-20", first_date="2026-08-30")

    assert str(Study(inputs=dump(asked))) == "signup → retention on days 14–20 · Aug 30, 2026 – …"


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("", "signup → retention on days 14–20"),
        ("signup → window:14-20", "signup → retention on days 14–20"),  # versions up to 0.4 wrote it so
        ("Mine", "Mine"),
    ],
)
def test_title__of_a_study__is_in_words(title: str, shown: str) -> None:
    assert str(Study(title=title, inputs=dump(Inputs("signup", (1,), "window:14-20")))) == shown
