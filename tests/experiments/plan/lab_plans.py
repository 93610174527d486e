"""Plain builders: plans of labs, as records and as stored drafts."""

from typing import Any

from aha.models import AhaMoment
from experiments.models import Experiment
from experiments.plan.lab import can_be_drawn, variants_of
from experiments.plan.record import Claim, Plan, PlannedNudge
from tests.experiments.make import a_plan, draft
from tests.experiments.stored import MOMENT

CLAIM = Claim("friends", "3 friends", "friend_add", 3, 7, "window:14-20")


def nudge(key: str = "pals", behaviour: str = "friend_add", times: int = 3, **changes: Any) -> PlannedNudge:
    """A nudge to the behaviour of `CLAIM`, shown to half of the users."""
    return PlannedNudge(key, changes.pop("share", 5_000), behaviour, times, **changes)


def lab_plan(*nudges: PlannedNudge, most: int | None = None, **changes: Any) -> Plan:
    """A lab that may start: of these nudges, else of two."""
    planned = nudges or (nudge(), nudge("chat", "chat", 1))
    given = {
        "kind": "lab",
        "claim": CLAIM,
        "nudges": planned,
        "most_nudges": most,
        "variants": variants_of(planned, most) if can_be_drawn(planned, most) else (),
        "value_type": "json",
        "default": {},
        **changes,
    }
    return a_plan(**given)


def row(key: str, behaviour: str, times: int = 1, **changes: Any) -> dict[str, Any]:
    """A nudge as a door gives it."""
    return {"key": key, "share": 5_000, "behaviour": behaviour, "times": times, **changes}


def lab_draft(key: str = "lab", *nudges: dict[str, Any], **fields: Any) -> Experiment:
    """A stored lab that may start: of these nudges, else of two, for a moment that is made."""
    moment = fields.pop("moment", None) or AhaMoment.objects.get_or_create(key="friends", defaults=MOMENT)[0]
    given: dict[str, Any] = {
        "variants": None,
        "kind": "lab",
        "moment": moment,
        "nudges": list(nudges) or [row("pals", "friend_add", 3), row("chat", "chat")],
        "primary_metrics": ["window:14-20"],
        "default_value": None,
        **fields,
    }
    return draft(key, **given)
