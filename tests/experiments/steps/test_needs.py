"""What a step lacks is said in the step, beside its field, with a button that puts it right."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from experiments.models import Experiment
from experiments.plan import size
from experiments.plan.planned_power import Inflow
from experiments.plan_page import known_numbers
from tests.experiments.make import draft
from tests.experiments.steps.test_steps import AUDIENCE, FINE, NEW, PLAN, inflow, outlook, step

pytestmark = pytest.mark.django_db
__all__ = ["inflow"]
ARMS: dict[str, Any] = {
    "nudge": "A banner",
    "flag_key": "exp",
    "value_type": "string",
    "default_value": "none",
    "arms-TOTAL_FORMS": 2,
    "arms-INITIAL_FORMS": 2,
    "arms-0-key": "control",
    "arms-0-value": "none",
    "arms-0-weight": "50",
    "arms-1-key": "banner",
    "arms-1-value": "banner",
    "arms-1-weight": "50",
}
OUTCOMES = {"first": "window:14-20", "second": "", **FINE}
GUARDED = {"guardrail_metrics-rows": "1", "guardrail_metrics-0-metric": "on_day:1"}
FIRST = {"name": "A name", "moment": "", "hypothesis": "Friends keep people."}


def known(row: Experiment) -> None:
    """What the right column has asked while the form was filled."""
    known_numbers.recent_inflow(row)


def said(page: str) -> list[str]:
    """Sentences beside fields, in order."""
    found = re.findall(r'class="why">(.*?)</p>|<ul class="errorlist"[^>]*><li>(.*?)</li>', page, re.DOTALL)
    return [unescape(one or other) for one, other in found]


HANGUL = re.compile(r"[가-힣]")
# Three wrong inputs in each step: the field, what is typed, and the sentence.
WRONG: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("hypothesis", FIRST, {"hypothesis": ""}, "The plan needs a hypothesis."),
    ("hypothesis", FIRST, {"name": ""}, "This field is required."),
    ("hypothesis", FIRST, {"moment": "999"}, "Select a valid choice."),
    ("variants", ARMS, {"nudge": "", "arms-1-weight": "70"}, "Weights must be above 0 and add up to"),
    ("variants", ARMS, {"arms-1-key": "처치"}, "'처치' can't be the key of a group."),
    ("variants", ARMS, {"flag_key": "길드 초대"}, "'길드 초대' is no key"),
    ("variants", ARMS, {"arms-1-weight": "170"}, "Ensure this value is less than or equal to 100"),
    ("audience", AUDIENCE, {"everyone_coverage": "0"}, "With this coverage nobody is enrolled."),
    ("audience", AUDIENCE, {"everyone_coverage": "120"}, "Ensure this value is less than or equal to 100"),
    ("audience", AUDIENCE, {"everyone_coverage": "-5"}, "Ensure this value is greater than or equal to 0"),
    ("outcomes", OUTCOMES, {"first": ""}, "The plan needs one or two primary outcomes."),
    ("outcomes", OUTCOMES, GUARDED, "“on_day:1” has no margin"),
    (
        "outcomes",
        OUTCOMES,
        {"secondary_metrics-rows": "1", "secondary_metrics-0-metric": "happiness"},
        "“happiness” is no metric.",
    ),
    ("plan", PLAN, {"planned_end": "2020-01-01"}, "The plan needs an end that lies after today."),
    ("plan", PLAN, {"smallest_effect": "lots"}, "“lots” is no effect."),
    ("plan", PLAN, {"alpha": "90", "planned_units": "3068", "planned_end": "2099-01-01"}, "Alpha must lie"),
    ("plan", PLAN, {"planned_units": "9" * 30}, "more than can ever come"),
]


@pytest.mark.parametrize(("name", "sound", "wrong", "sentence"), WRONG)
def test_step__wrong_input__is_said_beside_its_field_with_a_mend(
    admin_client: Client, inflow: None, name: str, sound: dict[str, Any], wrong: dict[str, Any], sentence: str
) -> None:
    row = draft("exp", nudge="A banner")
    known(row)

    page = admin_client.post(step(row, name), {**sound, **wrong}, follow=True).content.decode()

    assert any(sentence in one for one in said(page)), said(page)
    assert 'name="mend"' in unescape(page).rpartition(sentence)[2][:1_500]


@pytest.mark.parametrize(("name", "sound", "wrong"), [row[:3] for row in WRONG])
def test_step__wrong_input__korean__is_said_in_korean_with_a_mend_in_korean(
    admin_client: Client, inflow: None, name: str, sound: dict[str, Any], wrong: dict[str, Any]
) -> None:
    row = draft("exp", nudge="A banner")
    known(row)
    given, korean = {**sound, **wrong}, {"accept-language": "ko"}

    page = admin_client.post(step(row, name), given, follow=True, headers=korean).content.decode()

    sentences = said(page)
    assert sentences
    assert all(HANGUL.search(without_typed(one, given)) for one in sentences), sentences
    mend = re.search(r'name="mend"[^>]*>(.*?)</button>', unescape(page).rpartition(sentences[0])[2][:1_500], re.DOTALL)
    assert mend
    assert HANGUL.search(mend[1]), mend[1]


def without_typed(sentence: str, given: dict[str, Any]) -> str:
    """A sentence without what the person typed, which may be Korean in any language."""
    for typed in filter(None, map(str, given.values())):
        sentence = sentence.replace(typed, "")
    return sentence


@pytest.mark.parametrize(
    ("name", "sound", "wrong", "code", "values"),
    [
        ("hypothesis", FIRST, {"hypothesis": ""}, "no_hypothesis", ["hypothesis"]),
        ("variants", ARMS, {"arms-1-weight": "70"}, "bad_weights", []),
        ("variants", ARMS, {"arms-1-key": "처치"}, "bad_variant_key", []),
        ("variants", ARMS, {"flag_key": "길드 초대"}, "bad_key", ["flag_key"]),
        ("variants", ARMS, {"arms-1-value": "none"}, "same_values", []),
        ("audience", AUDIENCE, {"everyone_coverage": "0"}, "nobody_enrolled", []),
        ("outcomes", OUTCOMES, {"first": ""}, "primary_count", ["primary_metrics"]),
        ("outcomes", OUTCOMES, GUARDED, "no_margin", ["guardrail_rules"]),
        ("plan", PLAN, {"planned_end": "2020-01-01"}, "no_planned_end", ["planned_end"]),
        ("plan", PLAN, {"planned_units": "100"}, "too_few_units", ["planned_units"]),
    ],
)
def test_mend__pressed__puts_it_right_and_stays(
    admin_client: Client,
    inflow: None,
    name: str,
    sound: dict[str, Any],
    wrong: dict[str, Any],
    code: str,
    values: list[str],
) -> None:
    row = draft("exp", nudge="A banner")
    known(row)
    page = admin_client.post(step(row, name), {**sound, **wrong}, follow=True)
    (need,) = (one for one in page.context["needs_here"] if one.code == code)

    pressed = admin_client.post(step(row, name), {**sound, **wrong, "mend": need.mends[0].value}, follow=True)

    row.refresh_from_db()
    assert pressed.redirect_chain == [(step(row, name), 302)]
    assert code not in [one.code for one in pressed.context["needs_here"]]
    assert all(getattr(row, one) for one in values)


def test_step__lacking_something__stays_once_and_goes_on_when_that_was_seen(admin_client: Client) -> None:
    row = draft("exp")
    given = {**ARMS, "nudge": ""}

    first = admin_client.post(step(row, "variants"), given)
    page = admin_client.get(first["Location"])
    second = admin_client.post(step(row, "variants"), {**given, "seen": page.context["seen"]})

    assert (first["Location"], second["Location"]) == (step(row, "variants"), step(row, "audience"))
    assert "Continue anyway" in page.content.decode()


def test_steps__of_a_new_draft__are_green_only_once_they_were_saved(admin_client: Client) -> None:
    row = draft("exp", nudge="A banner")

    before = admin_client.get(step(row, "variants")).context["steps"]
    admin_client.post(step(row, "variants"), ARMS)
    admin_client.post(step(row, "outcomes"), {**OUTCOMES, "first": ""})
    after = admin_client.get(step(row, "audience")).context["steps"]

    assert {one["state"] for one in before if one["slug"] != "review"} == {"untouched"}
    states = {one["slug"]: one["state"] for one in after}
    assert (states["variants"], states["outcomes"], states["plan"]) == ("done", "needs", "untouched")
    assert after[3]["reason"] == "The plan needs one or two primary outcomes."


def test_plan__of_13_years__is_amber_with_its_sentence_and_ends_within_a_year_after_the_mend(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    slow = Inflow(timezone.localdate(), timezone.localdate(), 1_512, 54.0, 0.4, None, 27, None)
    monkeypatch.setattr(size, "base_rate_and_inflow", lambda *_args, **_options: slow)
    row = draft("exp", nudge="A banner")
    given = {**PLAN, "smallest_effect": "0.55 points", "planned_units": "249318", "planned_end": "2039-08-13"}
    known(row)

    page = admin_client.post(step(row, "plan"), given, follow=True)
    needs = {one.code: one for one in page.context["needs_here"]}
    assert "At 54 users a day this takes 12.7 years." in needs["too_long"].sentence
    assert next(one for one in page.context["steps"] if one["slug"] == "plan")["state"] == "needs"
    admin_client.post(step(row, "plan"), {**given, "mend": needs["too_long"].mends[0].value})

    row.refresh_from_db()
    assert row.planned_end is not None
    assert row.planned_end <= timezone.localdate() + timedelta(days=365)
    assert row.planned_units == pytest.approx(54 * 337, rel=0.02)
    after = admin_client.get(step(row, "plan"))
    assert after.context["needs_here"] == []


@pytest.mark.slow
def test_outlook__row_of_weeks__is_taken_with_a_click(admin_client: Client, inflow: None) -> None:
    row = draft("exp", nudge="A banner")
    weeks = admin_client.get(outlook(row, "plan"), {"step": "plan", **PLAN}).context["weeks"]

    admin_client.post(step(row, "plan"), {**PLAN, "mend": weeks[2]["take"].value})

    row.refresh_from_db()
    assert (row.planned_units, row.planned_end) == (3_500, timezone.localdate() + timedelta(days=70))  # of 50 a day
    assert admin_client.get(step(row, "plan")).context["needs_here"] == []


def test_outlook__too_long__says_so_in_every_step(admin_client: Client, inflow: None) -> None:
    row = draft("exp", smallest_effect=0.005, planned_units=None)

    for name, given in (("variants", ARMS), ("audience", AUDIENCE), ("outcomes", OUTCOMES)):
        page = admin_client.get(outlook(row, name), {"step": name, **given}).content.decode()
        assert "A plan should end within a year." in page


@pytest.mark.slow
def test_outlook__asked_again__asks_neither_warehouse_nor_many_queries(
    admin_client: Client, inflow: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    row = draft("exp")
    admin_client.get(outlook(row, "plan"), {"step": "plan", **PLAN})

    with django_assert_max_num_queries(12):
        admin_client.get(outlook(row, "plan"), {"step": "plan", **PLAN})


@pytest.mark.parametrize(
    ("field", "value"), [("day_mode", "calendar"), ("covariates", ["country"]), ("primary_metrics", ["on_day:7"])]
)
def test_numbers__of_a_plan_that_asks_the_log_something_else__arent_remembered(
    inflow: None, field: str, value: Any
) -> None:
    row = draft("exp")
    known(row)
    assert known_numbers.remembered_inflow(row) is not None

    setattr(row, field, value)

    assert known_numbers.remembered_inflow(row) is None


@pytest.mark.parametrize("name", ["hypothesis", "variants", "audience", "outcomes", "plan", "review"])
def test_steps__without_the_permission__are_forbidden(client: Client, name: str) -> None:
    row = draft("exp")
    reader = User.objects.create_user("reader", password="x")
    client.force_login(reader)

    answers = [client.get(step(row, name)).status_code, client.post(step(row, name)).status_code]
    answers.append(client.get(outlook(row, "plan")).status_code)
    reader.user_permissions.add(Permission.objects.get(codename="change_experiment"))

    assert answers == [403, 403, 403]
    assert client.get(step(row, name)).status_code == 200


@pytest.mark.parametrize("old", ["new/?moment=k", "1/steps/plan/", "1/steps/plan/search/"])
def test_old_addresses__of_the_admin__lead_to_the_site(admin_client: Client, old: str) -> None:
    row = draft("exp")
    address = old.replace("1/", f"{row.pk}/")

    to = admin_client.get(f"/admin/experiments/experiment/{address}")["Location"]

    assert to in (f"{NEW}?moment=k", "/experiments/exp/plan/plan/", "/experiments/exp/plan/search/")


def test_new__with_a_segment_or_an_outcome__takes_it_over(admin_client: Client) -> None:
    admin_client.post(f"{NEW}?outcome=on_day:7", {"name": "Banner", "moment": "", "hypothesis": "", "key": ""})

    assert Experiment.objects.get().primary_metrics == ["on_day:7"]
