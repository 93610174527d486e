"Placebo and dose groups in the steps: proposed on the page of the arms, what they could tell on that of the plan."

from datetime import date
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from aha.models import AhaMoment
from aha.moments import promote
from experiments.pages import step_preview
from experiments.plan import size
from experiments.plan.baseline_frequency import Before
from experiments.plan.planned_power import Inflow
from stats.instrument.dose_power import placebo_power
from tests.experiments.make import draft
from tests.experiments.steps.test_steps import PLAN, outlook, step
from tests.stats.instrument.test_dose_power import ACTS
from tests.stats.make import computed

pytestmark = pytest.mark.django_db


def moment() -> AhaMoment:
    return promote.create_moment(
        name="Three friends", behaviour="friend_add", times=3, days=7, signup_event="signup", retention="window:14-20"
    )


def test_variants__proposed_arms__stand_in_the_form_and_nothing_is_stored(admin_client: Client) -> None:
    row = draft("exp", moment=moment())
    given: dict[str, Any] = {"flag_key": "f", "value_type": "string", "default_value": "none", "propose": "doses"}
    given |= {"arms-TOTAL_FORMS": 2, "arms-INITIAL_FORMS": 2}
    given |= {"arms-0-key": "control", "arms-0-weight": "50", "arms-1-key": "nudge", "arms-1-weight": "50"}

    page = admin_client.post(step(row, "variants"), given)
    again = admin_client.post(step(row, "variants"), {**page.context["arms"].data.dict(), "propose": "placebo"})

    rows = [tuple(form[name].value() for name in ("key", "role", "dose", "weight")) for form in again.context["arms"]]
    assert [one[:3] for one in rows[2:]] == [
        ("dose-2", "dose", "2"),
        ("dose-5", "dose", "5"),
        ("placebo", "placebo", ""),
    ]
    assert sum(float(one[3]) for one in rows) == 100
    assert [one[3] for one in rows] == ["20"] * 5
    assert row.variants.count() == 2
    # Asked twice, nothing is added.
    same = admin_client.post(step(row, "variants"), {**again.context["arms"].data.dict(), "propose": "doses"})
    assert len(same.context["arms"].forms) == 5


def test_curve__of_a_moment__says_what_its_arms_could_tell(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    known = Inflow(date(2026, 10, 1), date(2026, 10, 28), 1_400, 50.0, 0.2, None, 20, 0.35)
    monkeypatch.setattr(size, "base_rate_and_inflow", lambda *_args, **_options: known)
    before = Before(known.first, known.last, 1_400, 50.0, ACTS, None, 20)
    monkeypatch.setattr(step_preview, "baseline_acts", lambda _subject: {"": before})
    row = draft("exp", moment=moment())
    given = {**PLAN, "smallest_effect": "0.2", "expected_take_up": "0.2", "planned_units": "10000"}

    page = admin_client.get(outlook(row, "plan"), {"step": "plan", "arms": "1", **given})

    shown = dict(page.context["arms"])
    placebo = placebo_power(1 - ACTS.below(3), 0.2, (5_000, 5_000))
    assert (
        f"{100 * computed(placebo):.0f}"
        in shown["A placebo of 5,000 users would show that it leaves the behaviour alone with a chance of"]
    )
    assert any(label.startswith("Groups nudged to 2, 3, 5 times would show") for label in shown)
