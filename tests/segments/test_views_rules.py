"""The page on which a segment is written as a rule: its rows, the count beside them, publishing."""

import json
import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from events.models import UnitTraits
from segments.models import SegmentModel, SegmentVersion
from segments.published import rule_members
from segments.rules import grows_old, parse_rule, to_document
from segments.rules.editor_state import read_state
from tests.segments.published.small_store import append, at
from tests.segments.rules.builder.make import posted
from tests.segments.test_views import HTMX, empty_store, pm

pytestmark = pytest.mark.django_db
__all__ = ["empty_store", "pm"]  # fixtures
RULE = {"signup_event": "*", "as": "text", "text": '{"all": [{"trait": "platform", "is": "ios"}]}'}
ROWS = {
    "signup_event": "*",
    "node": ["r g", "r-0 c"],
    "r-0.subject": "trait",
    "r-0.before": "trait",
    "r-0.name": "platform",
    "r-0.operator": "is",
    "r-0.typed": "ios",
}


def platforms(*values: str) -> None:
    """Users with these platforms, and forms that know of them."""
    cache.clear()
    rule_members._rule_count_read.clear()
    UnitTraits.objects.bulk_create(
        UnitTraits(user_id=f"u{place}", traits={"platform": value}) for place, value in enumerate(values)
    )


@pytest.mark.parametrize("fields", [RULE, ROWS])
def test_preview_rule__rows_or_text__a_fragment_with_counts(pm: Client, fields: dict[str, Any]) -> None:
    platforms("ios", "web", "web", "web")

    page = pm.post("/segments/rules/preview/", fields, headers=HTMX).content.decode()

    assert "1 of 4 users" in page
    assert "25.0%" in page
    assert "Answered live" in page
    assert "<html" not in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (RULE | {"text": "{"}, "This is no JSON"),
        (RULE | {"text": '{"all": [{"trait": "a", "is": 1}, {"trait": "a", "like": 2}]}'}, "Condition 2: &#x27;l"),
        (ROWS | {"r-0.typed": ""}, "Condition 1: Pick or write a value."),
        (ROWS | {"r-0.name": ""}, "Condition 1: Pick a trait."),
        (ROWS | {"node": ["r g"]}, "The rule has no condition yet."),
    ],
)  # fmt: skip
def test_preview_rule__not_whole__says_what_is_missing_where(pm: Client, fields: dict[str, Any], words: str) -> None:
    page = pm.post("/segments/rules/preview/", fields, headers=HTMX).content.decode()

    assert words in page
    assert "all[" not in page


def test_preview_rule__nothing_picked_yet__says_what_to_do_and_calls_nothing_wrong(pm: Client) -> None:
    fresh = posted(pm.get("/segments/rules/new/").content.decode())

    page = pm.post("/segments/rules/preview/", fresh, headers=HTMX).content.decode()

    assert "the number of users appears here" in page
    assert "errorlist" not in page


def test_preview_rule__without_htmx__the_page_keeps_what_was_picked(pm: Client) -> None:
    platforms("ios", "web")

    page = pm.post("/segments/rules/preview/", ROWS | {"name": "iOS"}).content.decode()

    assert "<html" in page
    assert "1 of 2 users" in page
    assert 'value="iOS"' in page
    assert '<option value="&quot;ios&quot;" selected>ios</option>' in page


def test_builder__buttons__rows_change_and_the_count_is_asked_anew(pm: Client) -> None:
    answer = pm.post("/segments/rules/builder/", ROWS | {"do": "add r"}, headers=HTMX)

    page = answer.content.decode()
    assert answer.headers["HX-Trigger-After-Settle"] == "rows-changed"
    assert 'value="r-1 c"' in page
    assert "A condition was added." in page
    assert "<html" not in page
    assert "<html" in pm.post("/segments/rules/builder/", ROWS | {"do": "add r"}).content.decode()


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '" onfocus=x', "a'b&amp;", "{{ 31|add:31 }}", "가입🎮"])
def test_builder__hostile_names__escaped_everywhere(pm: Client, name: str) -> None:
    platforms(name, "web")
    UnitTraits.objects.create(user_id="x", traits={name: name})

    fields = ROWS | {"r-0.name": name, "r-0.typed": name}
    pages = [
        pm.post("/segments/rules/builder/", fields, headers=HTMX).content.decode(),
        pm.post("/segments/rules/preview/", fields, headers=HTMX).content.decode(),
        pm.post("/segments/rules/builder/", fields | {"do": "as text"}, headers=HTMX).content.decode(),
    ]

    assert all("<script>alert" not in page and '" onfocus' not in page and "62" not in page for page in pages)
    assert posted(pages[0])["r-0.pick"] == [json.dumps(name, ensure_ascii=False)]


def test_builder__three_hundred_traits_and_a_hundred_conditions__one_list_for_all(
    pm: Client, django_assert_max_num_queries: Any
) -> None:
    cache.clear()
    UnitTraits.objects.create(user_id="u", traits={f"trait {number}": number for number in range(300)})
    conditions = [{"trait": f"trait {number}", "is": number} for number in range(100)]
    text = json.dumps({"all": conditions})

    with django_assert_max_num_queries(14):
        page = pm.get("/segments/rules/new/", {"rule": text}).content.decode()

    assert page.count('<option value="trait 7">') == 1
    assert len(page) < 600_000
    assert "A rule holds 100 conditions at most." in page
    state = read_state(posted(page))
    assert state.rule == parse_rule({"all": conditions})


def test_new_rule__published__to_its_model(pm: Client) -> None:
    platforms("ios", "web")

    answer = pm.post("/segments/rules/new/", ROWS | {"key": "", "name": "아이폰 사용자", "refresh_days": "7"})

    version = SegmentVersion.objects.get()
    assert answer.headers["Location"] == "/segments/models/aipon-sayongja/"
    assert version.rule == {"all": [{"trait": "platform", "is": "ios"}]}
    assert (version.model.refresh_days, version.segments.get().size) == (7, 1)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"key": "친구 많은"}, "Use Latin letters, digits, hyphens and underscores only, for example chingu-manheun."),
        ({"r-0.typed": ""}, "Pick or write a value."),
        ({"r-0.operator": "at_least", "r-0.typed": "many"}, "‘many’ is no number."),
        ({"node": ["r g", "r-0 g"]}, "This group has no condition."),
        ({"refresh_days": "0"}, "greater than or equal to 1"),
    ],
)
def test_new_rule__wrong_input__a_sentence_at_its_field_and_nothing_published(
    pm: Client, wrong: dict[str, Any], words: str
) -> None:
    platforms("ios")

    answer = pm.post("/segments/rules/new/", ROWS | {"name": "iOS", "key": "ios", "refresh_days": "1"} | wrong)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not SegmentModel.objects.exists()


def test_new_rule__link_of_an_experiment__brings_its_fields(pm: Client) -> None:
    page = pm.get("/segments/rules/new/", {"rule": RULE["text"], "name": "Draft", "key": "draft"}).content.decode()

    assert 'value="Draft"' in page
    assert posted(page)["r-0.name"] == ["platform"]


LATELY = '{"all": [{"feature": "active_days", "last": 28, "at_most": 3}]}'
FIRST_DAYS = '{"all": [{"feature": "active_days", "at_most": 3}]}'


@pytest.mark.parametrize(
    ("text", "refresh_days", "told"), [(LATELY, "", True), (LATELY, "1", False), (FIRST_DAYS, "", False)]
)
def test_preview__of_a_rule_that_time_alone_changes__warns_without_a_refresh(
    pm: Client, settings: Any, tmp_path: Any, text: str, refresh_days: str, told: bool
) -> None:
    rule_members._rule_count_read.clear()
    settings.EVENTS_URL, settings.EXPLORE_DIR = str(tmp_path / "log"), str(tmp_path / "explore")
    append([("a", "signup", at(0), {}), ("b", "signup", at(40), {})])

    fields = {"signup_event": "signup", "as": "text", "text": text, "refresh_days": refresh_days}
    page = pm.post("/segments/rules/preview/", fields, headers=HTMX).content.decode()

    assert "2 of 2 users" in page
    assert ("grows old" in page) is told
    assert "Answered from the membership of the last refresh" in page


FELL = {
    "all": [
        {"feature": "tenure", "at_least": 90},
        {"feature": "active_days", "last": 28, "before": 28, "at_least": 8},
        {"feature": "active_days", "last": 28, "at_most": 3},
    ]
}


@pytest.mark.parametrize("before", [ROWS, RULE | {"text": "{"}])
def test_template__one_click__fills_rows_that_can_be_published_with_other_numbers(
    pm: Client, before: dict[str, Any]
) -> None:
    page = pm.post("/segments/rules/builder/", before | {"do": "start old-fell"}, headers=HTMX).content.decode()

    fields = posted(page)
    assert "The template filled the conditions." in page
    assert to_document(read_state(fields).rule) == FELL  # type: ignore[arg-type]
    changed = read_state(fields | {"r-1.typed": ["5"], "r-1.later": ["14"]})
    assert to_document(changed.rule)["all"][1] == FELL["all"][1] | {"before": 14, "at_least": 5}  # type: ignore[arg-type]


def test_templates__each_of_the_page__is_a_rule_that_time_alone_changes(pm: Client) -> None:
    page = pm.get("/segments/rules/new/").content.decode()

    keys = re.findall('value="start ([a-z-]+)"', page)
    assert keys == ["new", "old-fell", "old-grew", "young-fell", "young-grew"]
    rules = [read_state({"do": [f"start {key}"]}).rule for key in keys]
    assert all(rule is not None and grows_old(rule) for rule in rules)
    assert len(set(rules)) == len(keys)
    assert read_state({"do": ["start nothing"]}).rule is None


def test_row__other_days_picked__shows_the_fields_of_these_days(pm: Client) -> None:
    rule = json.dumps({"all": [{"behaviour": "play", "days": 7, "at_least": 3}]})
    fields = posted(pm.get("/segments/rules/new/", {"rule": rule}).content.decode())
    assert "r-0.later" not in fields

    page = pm.post("/segments/rules/builder/", fields | {"r-0.when": ["earlier"]}, headers=HTMX).content.decode()

    found = read_state(posted(page)).rule
    assert to_document(found) == {"all": [{"behaviour": "play", "last": 7, "before": 28, "at_least": 3}]}  # type: ignore[arg-type]
