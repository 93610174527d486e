"""The nudges of a lab as rows of the step of the groups, and as lines in the administration."""

from datetime import date
from html import unescape
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.test import Client

from events.pickers.rows import row_values
from experiments.forms import NudgesField
from experiments.models import Experiment
from experiments.pages.plan_rows import nudge_changes
from experiments.plan import size
from experiments.plan.planned_power import Inflow
from tests.experiments.make import draft
from tests.experiments.plan.lab_plans import lab_draft, row
from tests.experiments.steps.test_steps import PLAN, outlook, step

pytestmark = pytest.mark.django_db


def sent(*rows: dict[str, str], **more: str) -> dict[str, Any]:
    return {"flag_key": "lab", "most_nudges": "", **row_values("nudges", rows), **more}


def typed(behaviour: str = "chat", **changes: str) -> dict[str, str]:
    empty = dict.fromkeys(("name", "key", "times", "share", "take_up", "spill", "words"), "")
    return {**empty, "behaviour": behaviour, **changes}


PALS = typed("friend_add", name="Friends banner", times="3", share="40", take_up="12.5 %", spill="2", words="A banner.")


def test_rows__typed__are_stored_and_make_the_groups(admin_client: Client) -> None:
    lab = lab_draft()

    admin_client.post(step(lab, "variants"), sent(PALS, typed(), typed("shop", key="buy")))

    lab = Experiment.objects.get()
    assert lab.nudges == [
        {"key": "friends-banner", "share": 4_000, "behaviour": "friend_add", "times": 3, "take_up": 0.125,
         "spill": 0.02, "name": "Friends banner", "words": "A banner."},
        {**row("chat", "chat"), "take_up": 0.1, "spill": 0.0, "name": "", "words": ""},
        {**row("buy", "shop"), "take_up": 0.1, "spill": 0.0, "name": "", "words": ""},
    ]  # fmt: skip
    assert lab.variants.count() == 8
    assert (lab.value_type, lab.default_value["buy"]) == ("json", False)


def test_rows__sent_as_they_were_shown__change_nothing(admin_client: Client) -> None:
    lab = lab_draft("lab", row("pals", "friend_add", 3, take_up=0.125, spill=0.0225, name="Pals"), row("chat", "chat"))
    page = admin_client.get(step(lab, "variants"))
    begun = page.context["form"]["nudges"].value()

    admin_client.post(step(lab, "variants"), {"flag_key": "lab", "most_nudges": "", **nudge_changes(begun)})

    after = Experiment.objects.get()
    assert (after.version, after.nudges) == (1, lab.nudges)


@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        (typed("", name="Friends"), "behaviour"),
        (typed("chat["), "behaviour"),
        (typed(key="a.b"), "key"),
        (typed(key="none"), "key"),
        (typed(key="a" * 16), "key"),
        (typed(times="0"), "times"),
        (typed(share="lots"), "share"),
        (typed(share="101"), "share"),
        (typed(take_up="101"), "take_up"),
        (typed(spill="101"), "spill"),
        (typed(key="friends-banner"), "key"),
    ],
)
def test_row__that_cant_be_meant__is_said_at_its_part(admin_client: Client, wrong: dict[str, str], at: str) -> None:
    lab = lab_draft()

    page = admin_client.post(step(lab, "variants"), sent(PALS, wrong))

    (_first, second) = page.context["form"]["nudges"].value()
    assert list(second.errors) == [at]
    assert Experiment.objects.get().version == 1


def test_key__that_is_none__has_a_button_with_one(admin_client: Client) -> None:
    page = admin_client.post(step(lab_draft(), "variants"), sent(PALS, typed(key="Invite a friend")))

    (_first, second) = page.context["form"]["nudges"].value()
    assert {mend["value"] for _bound, mends in second.cells for mend in mends} == {"nudges-1-key=invite-a-friend"}


def test_step__of_a_lab__has_no_groups_and_of_a_test_no_nudges(admin_client: Client) -> None:
    lab = admin_client.get(step(lab_draft(), "variants")).content.decode()
    test = admin_client.get(step(draft("test"), "variants")).content.decode()

    assert 'name="nudges-0-behaviour"' in lab
    assert 'name="most_nudges"' in lab
    assert "arms-0-key" not in lab
    assert 'name="value_type"' not in lab
    assert "nudges" not in test
    assert "arms-0-key" in test


def test_most__at_once__is_stored(admin_client: Client) -> None:
    lab = lab_draft()

    admin_client.post(step(lab, "variants"), sent(PALS, typed(), typed("shop"), most_nudges="1"))

    assert list(lab.variants.order_by("position").values_list("key", "weight")) == [
        ("none", 2_500), ("friends-banner", 2_500), ("chat", 2_500), ("shop", 2_500)
    ]  # fmt: skip


LINE = "pals | friend_add | 3 | 40 | 12.5 | 2"


def test_line__of_the_administration__is_a_nudge_and_back() -> None:
    field = NudgesField(required=False)
    text = f"{LINE}\n{LINE} | Friends banner | A banner | with a bar"

    first, second = field.clean(text)

    assert first == {"key": "pals", "share": 4_000, "behaviour": "friend_add", "times": 3, "take_up": 0.125,
                     "spill": 0.02, "name": "", "words": ""}  # fmt: skip
    assert (second["name"], second["words"]) == ("Friends banner", "A banner | with a bar")
    assert field.prepare_value([first, second]) == text
    assert not field.has_changed([first, second], text)
    assert field.has_changed([first], text)


@pytest.mark.parametrize("wrong", ["pals", "pals | a | x | 40 | 1 | 0", "pals | a | 1 | 101 | 1 | 0", "p | a | 1 | 40"])
def test_line__that_is_no_nudge__is_said(wrong: str) -> None:
    with pytest.raises(ValidationError, match="is no nudge"):
        NudgesField(required=False).clean(wrong)


def test_outlook__of_unsaved_nudges__says_what_is_wrong_with_the_form(admin_client: Client) -> None:
    lab = lab_draft()

    page = admin_client.post(outlook(lab, "variants"), {"step": "variants", **sent(typed(key="a.b"))})

    assert "Correct the form" in page.content.decode()


def test_outlook__of_a_lab__has_its_size_and_a_line_for_each_behaviour(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    known = Inflow(date(2026, 10, 1), date(2026, 10, 28), 11_200, 400.0, 0.4, None, 20, 0.3)
    monkeypatch.setattr(size, "base_rate_and_inflow", lambda *_args, **_options: known)
    lab = lab_draft("lab", row("pals", "friend_add", 3), row("chat", "chat"), planned_effect=0.15)

    page = admin_client.post(outlook(lab, "plan"), {"step": "plan", **PLAN, "planned_effect": "15"})
    text = unescape(page.content.decode())

    assert "Do “friend_add ≥ 3” without a nudge" in text
    assert "not known, so half is taken" in text
    assert "whichever behaviour has it" in text
    assert "read with little power" in text
    assert "Placebo and dose groups" not in text
    few = admin_client.post(outlook(lab, "variants"), {"step": "variants", **sent(PALS, typed(), most_nudges="1")})
    assert "Users needed" in few.content.decode() or "Planned users" in few.content.decode()
