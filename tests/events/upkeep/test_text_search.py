"""Search: parts of words, two languages, Jamo, pages without gaps, and never an outcome."""

import time
import unicodedata
from typing import Any

import pytest
from django.utils import translation

from aha.models import Study
from events.catalogue import labels
from events.models import EventLabel
from events.upkeep import tags_and_owners
from events.upkeep.text_search import LONGEST, MOST_WORDS, Answer, Snippet, search, snippet, words_of
from events.upkeep.thing_kinds import thing_kinds
from experiments.models import Analysis
from tests.events.upkeep.make import account, moment, segment, study
from tests.experiments.make import draft, running

pytestmark = pytest.mark.django_db


def ask(typed: str, limit: int = 100, after: str = "") -> Answer:
    return search(thing_kinds(), words_of(typed), limit=limit, after=after)


def titles(typed: str) -> list[str]:
    return [hit.title for hit in ask(typed).hits]


def test_words_of__nonsense__is_bounded() -> None:
    assert words_of("  ") == words_of("\x00") == ()
    assert words_of("a a b") == ("a", "b")
    assert len(words_of(" ".join(str(n) for n in range(100)))) == MOST_WORDS
    assert len(words_of("x" * 10_000)[0]) == LONGEST


def test_search__without_words__finds_nothing() -> None:
    study()
    assert ask("") == Answer((), "")


def test_search__of_every_kind__finds_by_name_key_tag_and_text() -> None:
    plan = draft("invite-2026", name="Banner on day 1", hypothesis="If we invite, more stay.", nudge="A blue ribbon")
    claim, asked, model = moment(), study("Spring cohort"), segment()
    for thing in (plan, claim, asked, model):
        tags_and_owners.set_tags(thing=thing, names=["onboarding"])

    assert [(hit.kind.slug, hit.title) for hit in ask("onboard").hits] == [
        ("experiment", "Banner on day 1"),
        ("moment", "Three friends"),
        ("study", "Spring cohort"),
        ("segment", "Style"),
    ]
    assert titles("BANNER") == titles("invite-2026") == titles("more stay") == titles("ribbon") == ["Banner on day 1"]
    assert titles("friend_add") == ["Three friends", "Spring cohort"]  # a behaviour, of a claim and of a question
    assert titles("spring window:14") == ["Spring cohort"]
    assert titles("fighters") == ["Style"]  # the name of one of its groups
    assert titles("spring banner") == titles("100%") == titles("_____") == []  # each word; and no signs of LIKE


def test_search__hit__says_how_it_stands_whose_it_is_and_where_the_word_is() -> None:
    draft(
        "exp", name="Banner", hypothesis="If we invite new users on their first day, more of them stay for two weeks."
    )
    experiment = ask("first").hits[0]

    assert (experiment.state, experiment.owner, experiment.url) == ("draft", "", "/experiments/exp/")
    assert experiment.snippet is not None
    assert experiment.snippet.word == "first"
    assert experiment.snippet.text.startswith("If we invite new users on their first day")
    study("Hers", created_by=account("ann"))
    assert ask("hers").hits[0].owner == "ann"
    assert ask("hers").hits[0].snippet is None  # it is the title itself


def test_search__korean__by_a_part_and_in_jamo() -> None:
    stored = {
        "nfc": unicodedata.normalize("NFC", "친구초대 실험"),
        "nfd": unicodedata.normalize("NFD", "친구초대 실험"),
    }
    for key, name in stored.items():
        draft(key, name=name)
    assert stored["nfc"] != stored["nfd"]

    for typed in ("초대", unicodedata.normalize("NFD", "초대"), "친구 실험"):
        assert {hit.pk for hit in ask(typed).hits} == {hit.pk for hit in ask("실험").hits}, typed
        assert len(ask(typed).hits) == 2
    assert titles("초등") == []


def test_search__what_people_call_an_event__in_either_language() -> None:
    EventLabel.objects.create(event="friend_add", name_en="Befriend", name_ko="친구 추가")
    claim, asked, plan = moment(), study(), draft("exp", name="Nudge", primary_metrics=["count:friend_add:0-6"])

    for typed in ("befriend", "추가"):
        assert {hit.title for hit in ask(typed).hits} == {str(claim), str(asked), plan.title}, typed
    with translation.override("ko"):
        assert {hit.pk for hit in ask("Befriend").hits} == {claim.pk, asked.pk, plan.pk}


def test_search__events_with_korean_names__in_lists_of_a_question() -> None:
    asked = study("A", inputs={"signup_event": "가입", "retention": "window:1-2", "behaviours": ["길드 가입", "초대"]})

    assert [hit.pk for hit in ask("길드").hits] == [asked.pk]
    assert ask("초대").hits[0].snippet == Snippet("", "초대", "")


def test_search__titles_that_insight_made__as_each_reader_is_shown_them() -> None:
    EventLabel.objects.create(event="friend_add", name_en="Befriend", name_ko="친구 추가")
    from aha.made_names import new_moment_name

    claim = moment(name="x")
    claim.name = new_moment_name(claim)
    claim.save()

    for language in ("en", "ko"):
        with translation.override(language), labels.shown_here():
            title = str(claim)
            assert ("Befriend" in title) is (language == "en")
        for reader in ("en", "ko"):  # whoever asks
            with translation.override(reader):
                assert [hit.pk for hit in ask(title).hits] == [claim.pk], title


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_search__page_by_page__shows_each_hit_once(limit: int) -> None:
    for number in range(3):
        draft(f"same-{number}", name="same")
        study(f"same {number}")
        moment(f"same-{number}")
    whole = [(hit.kind.slug, hit.pk) for hit in ask("same").hits]
    assert len(whole) == 9

    found: list[tuple[str, int]] = []
    after, pages = "", 0
    while pages == 0 or after:
        page = ask("same", limit, after)
        assert len(page.hits) <= limit
        found += [(hit.kind.slug, hit.pk) for hit in page.hits]
        after, pages = page.more, pages + 1
    assert found == whole
    assert pages <= -(-9 // limit) + 1


@pytest.mark.parametrize(
    "after", ["x", "!!!", "한글", "Zm9vOjE", "c3R1ZHk6", "c3R1ZHk6OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk"]
)
def test_search__with_a_cursor_that_is_nonsense__begins_anew(after: str) -> None:
    study("same")
    assert len(ask("same", after=after).hits) == 1


def test_search__what_an_experiment_found__is_nowhere_asked_or_shown() -> None:
    experiment = running("hint", name="Hint")
    Analysis.objects.create(
        experiment=experiment,
        status="done",
        payload={"verdict": "CAUSES", "secret": "sesame"},
        figures={"effect": "sesame"},
        verdict="CAUSES",
        checks=[{"check": "sesame"}],
    )
    claim = moment(
        finding={"verdict": "CAUSES", "text": "sesame"}, evidence={"said": "sesame"}, headline={"x": "sesame"}
    )

    for typed in ("CAUSES", "sesame", "effect"):
        assert ask(typed).hits == (), typed
    shown = repr([ask("hint").hits, ask("friends").hits])
    assert "CAUSES" not in shown
    assert "sesame" not in shown
    assert claim.pk
    for kind in thing_kinds():
        held = (*kind.text_in, *kind.lists_in, *kind.behaviours_in)
        assert not [name for name in held if any(word in name for word in ("analys", "verdict", "finding", "evidence"))]
        assert not [name for name in held if any(word in name for word in ("payload", "headline", "figures", "checks"))]


def test_snippet__of_a_long_text__is_short_and_keeps_the_word_as_it_is_written() -> None:
    text = "a" * 200 + " Needle " + "b" * 200
    found = snippet([text], ["needle"])
    assert found is not None
    assert found.word == "Needle"
    assert found.before.startswith("…a")
    assert found.after.endswith("b…")
    assert len(found.text) < 150
    assert snippet(["nothing"], ["needle"]) is None
    assert snippet(["İstanbul needle"], ["needle"]) == Snippet("İstanbul ", "needle", "")


@pytest.mark.slow
def test_search__ten_thousand_rows__is_answered_from_few_questions(django_assert_max_num_queries: Any) -> None:
    Study.objects.bulk_create(
        Study(title=f"study {n}", status="done", inputs={"signup_event": "signup", "retention": "window:1-2"})
        for n in range(10_000)
    )
    began = time.perf_counter()
    with django_assert_max_num_queries(12):
        assert [hit.title for hit in ask("9999").hits] == ["study 9999"]
    print(f"search in 10,000 rows: {time.perf_counter() - began:.3f} s")
