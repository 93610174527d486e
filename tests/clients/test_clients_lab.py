"""A lab by published clients: each nudge is a flag, and all doors give one user one set, kept and exposed once."""

import random
import time
from dataclasses import asdict
from typing import Any

import pytest

from experiments.draw.bucketing import bucket_ranges, choose, unit_hash
from experiments.plan.lab import nudges_in, variants_of
from experiments.plan.record import WHOLE, PlannedNudge
from tests.clients.flags import create, evaluate, issue
from tests.clients.server import Site

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
SEED = "1abf00d1ab"
NUDGES = (
    PlannedNudge("pals", 5_000, "add", times=2),
    PlannedNudge("chat", 3_000, "chat"),
    PlannedNudge("quest", 4_000, "quest"),
)
ARMS = variants_of(NUDGES)
NAMES = [nudge.key for nudge in NUDGES]
FLAGS = [f"lab.{name}" for name in NAMES]
UNITS = [f"한글-{n}" if n % 5 == 0 else f"unit-{n}" for n in range(120)]
KEPT = """
import json
from experiments.models import Assignment
rows = Assignment.objects.filter(experiment__key="lab").values_list("unit", "variant__key", "exposed_at")
print(json.dumps([[unit, arm, at is not None] for unit, arm, at in rows]))
"""


@pytest.fixture(scope="module")
def keys(site: Site) -> list[str]:
    lab = {
        "key": "lab",
        "kind": "lab",
        "seed": SEED,
        "moment": "two-adds",
        "nudges": [asdict(nudge) for nudge in NUDGES],
    }
    create(site, lab)
    time.sleep(2)  # what another process writes is seen within two seconds
    return issue(site, ("client", 1_000_000, []), ("server", 1_000_000, []))


def by_our_own_draw() -> dict[str, frozenset[str]]:
    """The set of each unit, told the lab by this file and not by the site."""
    ranges = bucket_ranges(len(ARMS), 1.0, [arm.weight / WHOLE for arm in ARMS])
    return {unit: nudges_in(ARMS[choose(unit_hash(SEED, unit), ranges) or 0].key) for unit in UNITS}


def test_lab__by_openfeature_and_growthbook__gives_each_user_one_set(site: Site, keys: list[str]) -> None:
    ours = by_our_own_draw()
    chance = random.Random(3)
    calls: list[dict[str, Any]] = []
    for unit in UNITS:  # whichever flag comes first
        calls += [{"flag": flag, "type": "boolean", "unit": unit} for flag in chance.sample(FLAGS, len(FLAGS))]
    half = len(calls) // 2

    answers = [
        *evaluate("python", "ofrep", site, keys[1], calls=calls[:half]),
        *evaluate("node", "ofrep", site, keys[1], calls=calls[half:]),
    ]
    units = [{"id": unit} for unit in UNITS]
    python, tracked = evaluate("python", "values", site, keys[0], units=units, flags=FLAGS)
    node, tracked_by_node = evaluate("node", "values", site, keys[0], units=units, flags=FLAGS)
    far = evaluate("python", "remote", site, keys[0], units=units[:20], flags=FLAGS)

    for call, answer in zip(calls, answers, strict=True):
        assert answer["reason"] == "SPLIT", answer
        assert answer["value"] is (call["flag"].removeprefix("lab.") in ours[call["unit"]]), call
    expected = [[name in ours[unit] for name in NAMES] for unit in UNITS]
    assert python == node == expected
    assert [answer["values"] for answer in far] == expected[:20]
    # One exposure of the lab for a user who was shown three flags, and no more.
    assert (tracked, tracked_by_node) == (len(UNITS), len(UNITS))
    assert all({key for key, _arm in answer["tracked"]} == {"lab"} for answer in far)
    assert all(len({arm for _key, arm in answer["tracked"]}) == 1 for answer in far)
    kept = site.run(KEPT)
    assert {unit: nudges_in(arm) for unit, arm, _at in kept} == ours
    assert all(exposed for _unit, _arm, exposed in kept)
