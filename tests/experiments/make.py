"""Plain builders: a flag as it is served, and stored experiments."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from aha.models import AhaMoment
from experiments.draw.evaluation import Arm, Flag, Row
from experiments.models import Experiment
from experiments.plan import drafts, moves
from experiments.plan.lifecycle import Action
from experiments.plan.record import Plan, PlannedNudge, PlannedVariant
from experiments.plan.validation import Situation
from experiments.serve import assign, config
from reporting.document import dump

ARMS = ({"key": "control", "value": "none", "weight": 5_000}, {"key": "banner", "value": "banner", "weight": 5_000})
IOS = {"all": [{"trait": "platform", "is": "ios"}]}
MOMENT = datetime(2026, 11, 24, tzinfo=UTC)


def a_flag(**changes: Any) -> Flag:
    """A running flag with two equal arms for everyone."""
    given: dict[str, Any] = {
        "pk": 1,
        "flag": "guild-invite",
        "key": "guild-invite-2026q4",
        "name": "Guild invite",
        "version": 3,
        "state": "running",
        "default": "none",
        "seed": "9f2c41d07ab3",
        "arms": (Arm(11, "control", "Control", "none"), Arm(12, "banner", "Banner", "banner")),
        "rows": (Row(None, None, 1.0, (0.5, 0.5)),),
        **changes,
    }
    return Flag(**given)


def a_plan(**changes: Any) -> Plan:
    """A plan that may start."""
    given: dict[str, Any] = {
        "key": "guild-invite-2026q4",
        "flag": "guild-invite",
        "hypothesis": "An invitation keeps people.",
        "variants": (PlannedVariant("control", "none", 5_000), PlannedVariant("banner", "banner", 5_000)),
        "value_type": "string",
        "default": "none",
        "primary": ("window:14-20",),
        "planned_units": 20_000,
        "planned_end": date(2026, 12, 24),
        "smallest_effect": 0.02,
        **changes,
    }
    return Plan(**given)


def a_situation(**changes: Any) -> Situation:
    """The day on which it may start, with nobody in its way."""
    return Situation(**{"today": date(2026, 11, 24), **changes})


def draft(key: str = "exp", **fields: Any) -> Experiment:
    """A stored draft that may start."""
    given: dict[str, Any] = {
        "variants": ARMS,
        "hypothesis": "It helps.",
        "default_value": "none",
        "primary_metrics": ["window:14-20"],
        "smallest_effect": 0.02,
        "planned_units": 1_000,
        "planned_end": timezone.localdate() + timedelta(days=30),
        **fields,
    }
    return drafts.create_draft(key=key, **given)


def a_lab(key: str = "lab", *, most: int | None = None, **fields: Any) -> Experiment:
    """A stored draft of a lab that may start: three nudges, each to a behaviour of its own."""
    moment = AhaMoment.objects.create(
        key=f"{key}-moment", name="adds", behaviour="add", times=2, days=3, retention="window:14-20", evidence={}
    )
    nudges = (
        PlannedNudge("pals", 5_000, "add", times=2),
        PlannedNudge("chat", 3_000, "chat"),
        PlannedNudge("quest", 5_000, "quest"),
    )
    given: dict[str, Any] = {
        "kind": "lab",
        "moment": moment,
        "nudges": [dump(nudge) for nudge in nudges],
        "most_nudges": most,
        "variants": None,
        **fields,
    }
    return draft(key, **given)


def running(key: str = "exp", **fields: Any) -> Experiment:
    """A started experiment that this process serves."""
    draft(key, **fields)
    return do(key, "start")


def do(key: str, action: str) -> Experiment:
    """Move it, and forget what this process has read."""
    moved = moves.move(key=key, action=Action(action))
    config.forget()
    return moved


def cut_off(monkeypatch: pytest.MonkeyPatch, instead: Any) -> None:
    """Let every question for an assignment's row fail as `instead` does."""
    monkeypatch.setattr(assign, "stored_rows", instead)
    monkeypatch.setattr(assign, "keep_first", instead)
