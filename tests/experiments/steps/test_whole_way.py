"""All six steps with the browser's own values: whoever only continues ends on a review without a step that needs."""

from datetime import date
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from aha.moments import promote
from experiments.models import Experiment
from experiments.plan import drafts, size
from experiments.plan.planned_power import Inflow
from tests.experiments.steps.test_steps import NEW, step

pytestmark = pytest.mark.django_db


def filled(context: Any) -> dict[str, Any]:
    """What a browser would send of a page without a change."""
    found: dict[str, Any] = {"seen": context["seen"]}
    sets = [context[name] for name in ("arms", "segments") if context.get(name) is not None]
    for one in sets:
        found |= {f"{one.prefix}-TOTAL_FORMS": len(one.forms), f"{one.prefix}-INITIAL_FORMS": len(one.forms)}
    for form in [context["form"], *(form for one in sets for form in one.forms)]:
        found |= {bound.html_name: "" if bound.value() is None else bound.value() for bound in form}
    return found


@pytest.mark.slow
def test_steps__only_continued__are_all_done(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    known = Inflow(date(2026, 10, 1), date(2026, 10, 28), 11_200, 400.0, 0.4, None, 20, 0.375)
    for module in (size, drafts):
        monkeypatch.setattr(module, "base_rate_and_inflow", lambda *_args, **_options: known)
    moment = promote.create_moment(
        name="Three friends", behaviour="friend_add", times=3, days=7, signup_event="signup", retention="window:14-20"
    )
    first = filled(admin_client.get(f"{NEW}?moment={moment.key}").context)
    admin_client.post(NEW, first)
    row = Experiment.objects.get()

    for name in ("variants", "audience", "outcomes", "plan"):
        given = filled(admin_client.get(step(row, name)).context)
        if name == "variants":
            given["nudge"] = "A banner"
        if name == "plan":
            given |= {"smallest_effect": "5", "expected_take_up": "60"}
            given = filled(admin_client.post(step(row, name), {**given, "suggest": "1"}).context)
        admin_client.post(step(row, name), given)

    review = admin_client.get(step(row, "review"))
    states = {one["slug"]: (one["state"], one["reason"]) for one in review.context["steps"]}
    assert states == {
        **dict.fromkeys(("hypothesis", "variants", "audience", "outcomes", "plan"), ("done", "")),
        "review": ("", ""),
    }
