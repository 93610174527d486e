"""A site whose app logs its own arm in every way that there is, in two worlds that differ in the outcomes of arms.

Both worlds have the same users, arms and behaviour. A user of one arm comes back in the one world when its twin of the
other arm does in the other world, so that nothing of all users together tells the worlds apart.
"""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.test import override_settings
from django.utils import timezone

from aha.models import AhaMoment
from events.models import UnitTraits
from events.outbox.rows import to_table
from events.store import event_table
from events.warehouse import arm_marks
from experiments.models import Experiment
from experiments.plan.record import PlannedNudge
from reporting.document import dump
from segments.published.publish import publish_rule
from tests.experiments.make import do, draft
from tests.experiments.stored import backdate

KEY, PAIRS, ARMS = "nudged", 200, ("control", "nudge")
STAY = (0.6, 0.3)  # the shares that come back, of the arms; the other way round in the other world
EITHER = {"any": [{"trait": "variant", "is": "nudge"}, {"trait": "platform", "is": "ios"}]}
CONTROL_AND_NUDGE = [{"key": arm, "value": arm, "weight": 5_000} for arm in ARMS]


# A lab whose app notes the first nudge alone: of each arm's users every other one also drew the second.
SETS = {"control": ("none", "chatty"), "nudge": ("pals", "pals.chatty")}
NUDGES = (PlannedNudge("pals", 5_000, "invite"), PlannedNudge("chatty", 5_000, "chat"))


@contextmanager
def two_logs(folder: Path, *, lab: bool = False) -> Iterator[tuple[Any, Any]]:
    """The site with its locked experiment, a test or a lab; gives what turns the log to either world.

    A world is written when it is asked for.
    """
    begin = (timezone.now() - timedelta(days=60)).replace(hour=0, minute=0, second=0, microsecond=0)
    places = [str(folder / f"world-{world}") for world in (0, 1)]
    received = datetime.now(UTC)  # of both worlds
    UnitTraits.objects.bulk_create(
        UnitTraits(user_id=f"{arm}{pair}", traits={"variant": arm, "platform": "ios" if pair % 3 else "web"})
        for arm in ARMS
        for pair in range(PAIRS)
    )

    def turned(world: int) -> Any:
        if not Path(places[world]).exists():
            with override_settings(EVENTS_URL=places[world]):
                assert event_table.append(to_table(_rows(begin, received, world, lab=lab)), app_id="test", version=1)
        arm_marks._known.clear()
        return override_settings(EVENTS_URL=places[world], EXPLORE_DIR=str(folder / f"explore-{world}"))

    with turned(0):
        # Published while nothing was locked: who uses it later must be refused all the same.
        publish_rule(key="either", name="Either", signup_event="signup", rule=EITHER)
        _draft_lab() if lab else draft(KEY, variants=CONTROL_AND_NUDGE)
        backdate(do(KEY, "start"), begin - timedelta(days=1))
        assert Experiment.objects.get(key=KEY).status == "running"
    yield turned, begin


def _draft_lab() -> None:
    given = {"key": "invites", "name": "invites", "behaviour": "invite", "times": 1, "days": 7, "evidence": {}}
    moment = AhaMoment.objects.create(**given, retention="window:14-20")
    draft(KEY, kind="lab", moment=moment, nudges=[dump(nudge) for nudge in NUDGES], variants=None)


def _rows(begin: datetime, received: datetime, world: int, *, lab: bool) -> list[tuple[Any, ...]]:
    draw = random.Random(7)
    rows: list[tuple[Any, ...]] = []
    for pair in range(PAIRS):
        first = begin + timedelta(days=pair % 28, hours=pair % 11)
        both = [draw.random() < share for share in STAY]
        for place, arm in enumerate(ARMS):
            stays = both[place if world == 0 else 1 - place]
            variant = SETS[arm][pair % 2] if lab else arm
            rows += _of_user(f"{arm}{pair}", arm, variant, first, stays, random.Random(f"{arm} {pair}"), pair)
    return [
        (user, event, time, json.dumps(said), f"m{number}", received)
        for number, (user, event, time, said) in enumerate(sorted(rows, key=lambda row: row[2]))
    ]


def _of_user(
    user: str, arm: str, variant: str, first: datetime, stays: bool, draw: random.Random, pair: int
) -> Iterator[tuple[str, str, datetime, dict[str, Any]]]:
    nudged = arm == "nudge"

    marked = {"variant": f"v:{arm}:{pair}", "code": 2 if nudged else 1, "arm": arm}

    def on(day: float, event: str, **said: Any) -> tuple[str, str, datetime, dict[str, Any]]:
        return user, event, first + timedelta(days=day), said

    yield on(0, "signup", platform="ios" if pair % 3 else "web", channel=f"c{pair % 4}")
    yield on(0.001, "Experiment Viewed", experiment_id=KEY, variation_id=variant)
    # What the app itself logs of the arm: an event, a text, a number, how often, and when.
    yield on(0.002, f"shown_{arm}")
    yield on(0.003, "open", **marked, platform="ios")
    yield from (on(0.01 + 0.01 * n, "drawn") for n in range(2 if nudged else 1))
    yield on(0.1 if nudged else 9, "welcome")
    # What the nudge moves, what it spills on, and what it leaves alone.
    for event, shares in {"invite": (0.15, 0.4), "share": (0.1, 0.2), "chat": (0.5, 0.5)}.items():
        if draw.random() < shares[nudged]:
            yield from (on(0.5 + draw.random() * 5, event, to=f"friend{n}") for n in range(draw.choice([1, 1, 2, 4])))
    if draw.random() < 0.3:
        yield on(2 + draw.random() * 3, "buy", price=draw.choice([5, 10, 20]), item=draw.choice(["hat", "coat"]))
    if stays:
        yield on(15 + pair % 4, "open", **marked, platform="web")
        yield on(15 + pair % 4, "return")
        yield on(15.5, f"back_{arm}")
