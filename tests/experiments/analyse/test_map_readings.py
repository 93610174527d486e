"""Readings of the map of causes: kept when something changes, with what brought it, signed, and computed again."""

from dataclasses import replace
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from pytest_django import Settings

from aha.evidence.store_findings import keep_findings
from experiments import tasks
from experiments.analyse.across.kept_maps import changes_of
from experiments.analyse.across.map_changes import KEPT_MAP, ROUNDING, KeptMap, ReadPlace, brought, changed_places
from experiments.analyse.across.map_readings import note_readings, read_again
from experiments.models import MapReading
from stats.instrument.causes import State
from tests.aha.evidence.past.test_joint_findings import OUTCOME, nudge
from tests.experiments.analyse.test_site_map import keep_lab, mapped

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def signing_key(tmp_path: Any, settings: Settings) -> None:
    settings.VAR_DIR, settings.SIGNING_KEY = tmp_path, ""
    cache.clear()


def kept(*places: ReadPlace, share: bool = True, findings: tuple[Any, ...] = ()) -> KeptMap:
    return KeptMap(OUTCOME, share, 0.05, places, findings)


def place(state: State = State.CAUSES, low: float = 0.1, high: float = 0.3) -> ReadPlace:
    return ReadPlace("chat", state, 0.2, "interval", low, high)


def payloads() -> list[KeptMap]:
    return [KEPT_MAP.from_document(row.payload) for row in MapReading.objects.order_by("pk")]


@pytest.mark.parametrize(
    ("before", "now", "share", "differs"),
    [
        (place(), place(State.INCONCLUSIVE), True, True),
        (place(), place(low=0.1 + 0.9 * ROUNDING), True, False),
        (place(), place(low=0.1 + 1.1 * ROUNDING), True, True),
        (place(), place(high=0.3 - 1.1 * ROUNDING), True, True),
        (place(low=100, high=300), place(low=100, high=300 + 290 * ROUNDING), False, False),
        (place(low=100, high=300), place(low=100, high=300 + 310 * ROUNDING), False, True),
        (place(), ReadPlace("chat", State.CAUSES), True, True),
        (ReadPlace("chat", State.CONTRADICTED), ReadPlace("chat", State.CONTRADICTED), True, False),
    ],
)
def test_changed_places__state_or_set__by_more_than_rounding(
    before: ReadPlace, now: ReadPlace, share: bool, differs: bool
) -> None:
    assert changed_places(kept(before, share=share), kept(now, share=share)) == ([(before, now)] if differs else [])


def test_changed_places__a_behaviour_that_comes_or_goes__has_one_side_alone() -> None:
    assert changed_places(kept(), kept(place())) == [(None, place())]
    assert changed_places(kept(place()), kept()) == [(place(), None)]


def test_brought__names_the_experiments_that_are_new_or_were_asked_again() -> None:
    one, two = nudge("one", ("chat", 0.1)), nudge("two", ("chat", 0.1))
    again = nudge("one", ("chat", 0.1), ("shop", 0.02))

    assert brought(kept(findings=(one,)), kept(findings=(one, two))) == ("Two",)
    assert brought(kept(findings=(one, two)), kept(findings=(again, two))) == ("One",)
    assert brought(kept(findings=(one, two)), kept(findings=(one,))) == ()


def test_nightly__keeps_a_reading_when_something_changes_and_names_the_experiment() -> None:
    with time_machine.travel("2026-11-01T20:00Z", tick=False):
        keep_lab()
        tasks.ask_findings_again()
        assert note_readings() == 0
    with time_machine.travel("2026-11-09T20:00Z", tick=False):
        keep_findings([nudge("party", ("gift", 0.2), itt=0.06)])
        assert (note_readings(), note_readings()) == (1, 0)

    found = changes_of(OUTCOME)

    assert found.since is not None
    assert str(found.since.date()) == "2026-11-01"
    [gift] = [row for row in found.rows if row.behaviour == "gift"]
    assert gift.before is None
    assert gift.after is not None
    assert (gift.after.state, gift.brought, str(gift.at.date())) == (State.CAUSES, ("Party",), "2026-11-09")
    assert [row.behaviour for row in changes_of(OUTCOME, ["chat"]).rows if row.behaviour != "chat"] == []
    assert mapped("--behaviours", "gift")["changes"] == [
        {
            "at": gift.at.isoformat(),
            "behaviour": "gift",
            "before": None,
            "after": {
                "state": "causes",
                "estimate": gift.after.effect,
                "shape": "interval",
                "low": gift.after.low,
                "high": gift.after.high,
            },
            "experiments": ["Party"],
            "reading": MapReading.objects.latest("pk").pk,
            "signed": True,
        }
    ]


def test_nightly__an_experiment_that_contradicts_the_others__is_named_with_each_state_before_and_after() -> None:
    keep_lab((0.2, 0.2, 0.2))
    note_readings()
    # The one nudge without any take-up that lifts the outcome by six points.
    keep_findings([nudge("free", ("chat", 0.1), ("friend_add", 0.0), ("shop", 0.0), itt=0.1)])
    note_readings()

    rows = {row.behaviour: row for row in changes_of(OUTCOME).rows}

    chat = rows["chat"]
    assert chat.before is not None
    assert chat.after is not None
    assert (chat.before.state, chat.after.state) == (State.CAUSES, State.CONTRADICTED)
    assert chat.brought == ("Free",)


def test_nightly__each_outcome__has_readings_of_its_own() -> None:
    keep_lab()
    other = nudge("other", ("gift", 0.2), itt=0.1)
    moments = replace(other.outcomes[0], outcome="on_day:7")
    keep_findings([replace(other, definition=replace(other.definition, outcome="on_day:7"), outcomes=(moments,))])

    assert note_readings() == 2
    behaviours = [[place.behaviour for place in one.places] for one in payloads()]
    assert behaviours == [["chat", "friend_add", "shop"], ["gift"]]


def test_reading__computed_again_from_its_own_findings__is_the_same() -> None:
    keep_lab()
    keep_findings([nudge("old", ("gift", 0.2), itt=0.06)])
    note_readings()
    cache.clear()

    [one] = payloads()

    assert read_again(one) == one
    assert len(one.findings) == 7
    assert all(len(row.outcomes) == 1 for row in one.findings)
