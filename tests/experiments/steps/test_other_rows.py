"""Other behaviours as rows of the first step: what a person types, what is proposed, and what becomes of it."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from aha.models import AhaMoment
from events.pickers.rows import row_values
from experiments.models import Experiment
from experiments.plan import amend
from experiments.plan.registration import text_of
from experiments.plan.stored import plan_of
from runs.refusals import Refused
from tests.experiments.make import do, draft
from tests.experiments.plan.others.test_proposal import moment, study
from tests.experiments.steps.test_steps import step

pytestmark = pytest.mark.django_db
CHAT = {"behaviour": "chat", "times": 2, "low": 0.0, "high": 0.1825, "origin": "promise", "consequence": ""}
HARM = {**CHAT, "behaviour": "report", "low": -0.05, "high": 0.01, "origin": "cohort", "consequence": "It follows."}


def given(row: Experiment, rows: list[dict[str, str]] | None = None, **more: Any) -> dict[str, Any]:
    fields = {"name": row.name, "hypothesis": "It helps.", "moment": row.moment_id or "", **more}
    return fields if rows is None else {**fields, **row_values("other_behaviours", rows)}


def shown(page: Any) -> list[dict[str, str]]:
    """What a browser would send of the rows of a page."""
    widget = page.context["form"]["other_behaviours"]
    rows = widget.field.widget.get_context(widget.html_name, widget.value(), {})["rows"]
    return [{name: str(row[name].value() or "") for name in row.fields} for row in rows]


@pytest.fixture
def row() -> Experiment:
    return draft("exp", moment=moment(days=3, retention="window:14-20"), other_behaviours=[CHAT, HARM])


def test_rows__sent_as_they_were_shown__change_nothing(admin_client: Client, row: Experiment) -> None:
    page = admin_client.get(step(row, "hypothesis"))
    rows = shown(page)
    admin_client.post(step(row, "hypothesis"), given(row, rows))

    assert [(one["high"], one["low"], one["follows"]) for one in rows] == [("18.25", "0", ""), ("1", "5", "True")]
    assert Experiment.objects.get().other_behaviours == [CHAT, HARM]
    assert "From the latest study" in page.content.decode()


@pytest.mark.parametrize("part", ["high", "low", "times", "behaviour"])
def test_limit__that_a_person_changed__comes_from_a_person(admin_client: Client, row: Experiment, part: str) -> None:
    first, second = shown(admin_client.get(step(row, "hypothesis")))
    first[part] = {"behaviour": "shop"}.get(part, "3")
    admin_client.post(step(row, "hypothesis"), given(row, [first, second]))

    changed, kept = Experiment.objects.get().other_behaviours
    assert (changed["origin"], kept["origin"]) == ("person", "cohort")
    assert changed[part] == {"behaviour": "shop", "high": 0.03, "low": -0.03, "times": 3}[part]


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"behaviour": ""}, "behaviour"),
        ({"high": ""}, "high"),
        ({"high": "lots"}, "high"),
        ({"high": "101"}, "high"),
        ({"times": "0"}, "times"),
        ({"follows": "on"}, "consequence"),
        ({"behaviour": "chat["}, "behaviour"),
    ],
)
def test_row__that_cant_be_meant__is_said_at_its_part(
    admin_client: Client, row: Experiment, changes: dict[str, str], at: str
) -> None:
    first, _second = shown(admin_client.get(step(row, "hypothesis")))
    page = admin_client.post(step(row, "hypothesis"), given(row, [{**first, **changes}]))

    (wrong,) = page.context["form"]["other_behaviours"].value()
    assert list(wrong.errors) == [at]
    assert Experiment.objects.get().other_behaviours == [CHAT, HARM]


def test_consequence__has_a_reason__and_an_unticked_one_none(admin_client: Client, row: Experiment) -> None:
    first, second = shown(admin_client.get(step(row, "hypothesis")))
    rows = [{**first, "follows": "on", "consequence": "Friends chat."}, {**second, "follows": ""}]
    admin_client.post(step(row, "hypothesis"), given(row, rows))

    chat, report = Experiment.objects.get().other_behaviours
    assert (chat["consequence"], report["consequence"]) == ("Friends chat.", "")
    assert chat["origin"] == "promise"  # its limits are the same


def test_page_without_rows__leaves_them(admin_client: Client, row: Experiment) -> None:
    admin_client.post(step(row, "hypothesis"), given(row))

    assert Experiment.objects.get().other_behaviours == [CHAT, HARM]


def test_button__proposes_the_list__and_saves_nothing_yet(admin_client: Client, row: Experiment) -> None:
    study("window:14-20")
    page = admin_client.post(
        step(row, "hypothesis"), given(row, shown(admin_client.get(step(row, "hypothesis"))), propose="others")
    )
    (proposed,) = shown(page)
    kept = Experiment.objects.get().other_behaviours
    admin_client.post(step(row, "hypothesis"), given(row, [proposed]))

    assert kept == [CHAT, HARM]
    assert proposed["behaviour"] == "chat"
    assert Experiment.objects.get().other_behaviours == [{**CHAT, "high": 0.11}]


def test_button__without_events__says_why(admin_client: Client, row: Experiment, settings: Any, tmp_path: Any) -> None:
    settings.EVENTS_URL = str(tmp_path / "empty")
    page = admin_client.post(step(row, "hypothesis"), given(row, [], propose="others"))

    assert page.context["form"].errors["other_behaviours"]


def test_another_moment__brings_its_own_list__and_no_moment_none(admin_client: Client, row: Experiment) -> None:
    study("window:14-20", name="shop")
    other = moment(key="b", behaviour="add", times=1, days=3, retention="window:14-20")
    rows = shown(admin_client.get(step(row, "hypothesis")))
    admin_client.post(step(row, "hypothesis"), given(row, rows, moment=other.pk))
    with_other = Experiment.objects.get().other_behaviours
    admin_client.post(step(row, "hypothesis"), given(row, moment=""))

    assert [one["behaviour"] for one in with_other] == ["shop"]
    assert Experiment.objects.get().other_behaviours == []


def test_problem__stands_at_the_rows_with_a_button_that_empties_them(admin_client: Client, row: Experiment) -> None:
    Experiment.objects.update(other_behaviours=[{**CHAT, "behaviour": "add"}])
    admin_client.post(step(row, "hypothesis"), given(row))
    page = admin_client.get(step(row, "hypothesis")).content.decode()

    assert "&#x27;add&#x27; is the behaviour under test" in page
    button = re.search(r'name="mend" value="(other_behaviours[^"]*)"', page)
    assert button is not None
    admin_client.post(step(row, "hypothesis"), {**given(row), "mend": unescape(button[1])})
    assert Experiment.objects.get().other_behaviours == []


def test_list__in_words__on_the_plan_and_in_its_registered_text(admin_client: Client, row: Experiment) -> None:
    page = admin_client.get(step(row, "review")).content.decode()

    assert "chat, 2 times or more" in page
    assert re.search(r"keeps at most 18\.[23] of 100 who do it \(from the latest study", page)
    assert "a consequence of the behaviour under test, because: It follows. It takes nothing off." in page
    assert '"behaviour":"chat"' in text_of(plan_of(row)).split("VARIABLES")[0]


def test_started__the_list_is_fixed_whatever_studies_say_later(row: Experiment) -> None:
    study("window:14-20", name="shop")
    do("exp", "start")

    assert Experiment.objects.get().other_behaviours == [CHAT, HARM]
    with pytest.raises(Refused, match="frozen"):
        amend.amend(key="exp", why="late", other_behaviours=[])
    assert AhaMoment.objects.count() == 1
