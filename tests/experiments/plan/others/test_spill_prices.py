"""What a plan's other behaviours cost, as the size's page and `power` say it; and that copies keep the list."""

from dataclasses import replace
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from experiments.models import Experiment
from experiments.pages.templates import lines
from experiments.plan import drafts, size, templates
from experiments.plan.planned_power import SPILLS, power_plan, spill_prices
from experiments.plan.record import Plan, PlannedOther
from stats.power.sample_size import sample_size
from stats.power.with_others import Spill, power_under_others, size_under_others
from stats.results import NotComputable, Reason, computable
from tests.experiments.make import a_plan, draft
from tests.experiments.plan.choices.test_costs import CLAIM, INFLOW
from tests.experiments.plan.others.test_proposal import moment
from tests.experiments.plan.test_power_command import document
from tests.experiments.steps.test_steps import outlook

EFFECT = 0.15
SHOP, CHAT = (PlannedOther(name, 1, 0.0, high, "promise") for name, high in (("shop", 0.05), ("chat", 0.18)))
FOLLOWS = PlannedOther("share", 1, 0.0, 0.9, "person", "It follows.")


def planned(*others: PlannedOther, **changes: Any) -> Plan:
    return a_plan(
        claim=CLAIM, expected_take_up=0.12, planned_effect=EFFECT, planned_units=30_000, others=others, **changes
    )


def prices(plan: Plan) -> list[tuple[str, float, Any, Any]]:
    sized = power_plan(plan, INFLOW)
    own = sample_size(sized, EFFECT)
    assert computable(own)
    return [(one.behaviour, one.take_up, one.more, one.power) for one in spill_prices(plan, sized, EFFECT, own.units)]


def test_prices__of_a_list__are_those_of_the_calculation_for_the_behaviour_with_the_widest_limits() -> None:
    plan = planned(SHOP, CHAT, FOLLOWS)
    sized = power_plan(plan, INFLOW)
    own = sample_size(sized, EFFECT)
    assert computable(own)

    found = prices(plan)

    assert [(name, spill) for name, spill, _more, _power in found] == [("", 0.0), ("chat", 0.02), ("chat", 0.05)]
    for (_name, spill, more, power), tried in zip(found, (0.0, *SPILLS), strict=True):
        listed = [Spill(0.0, 0.0, 0.05), Spill(tried, 0.0, 0.18)]
        needed = size_under_others(sized, EFFECT, listed)
        assert computable(needed)
        assert (spill, more) == (tried, needed.total - own.total)
        assert power == power_under_others(sized, EFFECT, (15_000, 15_000), listed)
    assert 0 < found[0][2] < found[1][2] < found[2][2]


@pytest.mark.parametrize("others", [(), (FOLLOWS,), (replace(CHAT, high=0.0),)])
def test_prices__without_anything_that_may_explain__are_none(others: tuple[PlannedOther, ...]) -> None:
    assert prices(planned(*others)) == []
    assert prices(replace(planned(CHAT), claim=None)) == []


def test_prices__where_no_number_of_users_would_do__say_so() -> None:
    found = prices(planned(replace(CHAT, high=0.4)))

    assert isinstance(found[1][2], int)
    assert found[2][2] == NotComputable(Reason.TOO_MANY_UNITS)  # .05 * .4 is more than .12 * .15


def test_command__with_others__adds_their_power_and_size() -> None:
    asked = ("--baseline", "0.4", "--effect", "0.15", "--take-up", "0.12")
    plain = document(*asked)
    found = document(*asked, "--other", "0.02", "0.18", "--other", "0", "0.05")
    listed = [Spill(0.02, 0.0, 0.18), Spill(0.0, 0.0, 0.05)]
    plan = power_plan(planned(), INFLOW)
    size = size_under_others(plan, EFFECT, listed)
    assert computable(size)

    assert {name: found[name] for name in plain} == plain
    assert found["total_under_others"] == size.total
    assert found["per_variant_under_others"] == size.units[0]
    assert found["power_under_others"] == power_under_others(plan, EFFECT, (plain["per_variant"],) * 2, listed)
    gained = document(*asked, "--other", "0.02", "0.18", "--other-effect", "0.15", "--other-share", "0.25")
    assert gained["power_under_others"] > found["power_under_others"]


@pytest.mark.django_db
def test_page_of_the_size__says_the_price_in_words(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setattr(size, "base_rate_and_inflow", lambda *_args, **_options: replace(INFLOW, reach=0.3))
    stored = [vars(CHAT), vars(SHOP)]
    row = draft(moment=moment(), other_behaviours=stored, expected_take_up=0.12, planned_effect=EFFECT)
    page = admin_client.get(outlook(row, "plan")).content.decode()
    Experiment.objects.update(other_behaviours=[])
    without = admin_client.get(outlook(row, "plan")).content.decode()

    assert "It also moves chat by 2.0 points" in page
    assert "The nudge moves none of them" in page
    assert "What the other behaviours cost" not in without


@pytest.mark.django_db
def test_copies_and_templates__keep_the_list() -> None:
    row = draft(moment=moment(), other_behaviours=[vars(CHAT)])
    template = templates.save_as_template(experiment=row, key="friends", name="Friends")
    copy = drafts.clone(experiment=row)

    assert copy.other_behaviours == row.other_behaviours == [vars(CHAT)]
    assert drafts.draft_from_template(template=template, name="Again").other_behaviours == [vars(CHAT)]
    said = {name: words for name, _label, words in lines(template.content)}
    assert said["other_behaviours"].replace("\xa0", " ") == "chat, once or more (0 to 0.18)"
