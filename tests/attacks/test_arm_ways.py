"""A locked outcome can't be read past its experiment: the event log itself is turned from one world to the other."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aha.explore import these_users
from aha.explore.answering import answer
from aha.explore.question import Question
from events.warehouse import arm_marks
from events.warehouse.explore_session import Stop
from experiments.analyse.gather import admitting
from experiments.models import Experiment
from runs.progress import silent
from runs.refusals import Refused
from tests.attacks import arm_doors
from tests.attacks.arm_ways import DRAFTS, HONEST, WAYS, Way, table
from tests.attacks.arm_world import CONTROL_AND_NUDGE, KEY, two_logs
from tests.experiments.make import do, draft
from tests.experiments.make_readout import RUNNING, make_result, stored
from tests.experiments.stored import backdate

pytestmark = pytest.mark.django_db


def _turning(folder: Path, monkeypatch: pytest.MonkeyPatch, *, lab: bool) -> Iterator[Any]:
    for door in ("aha.study.studies.enqueue", "runs.perform.enqueue", "aha.moments.promote.ask_for_count"):
        monkeypatch.setattr(door, lambda row: row)
    monkeypatch.setattr("aha.explore.answering.ask", arm_doors.answered_at_once)
    with two_logs(folder, lab=lab) as (turned, _begin):
        for key, metric in DRAFTS.items():
            draft(key, primary_metrics=[metric], signup_event="signup", enrolment="new_units")
        yield turned


@pytest.fixture
def turned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Turns the log to a world; drafts whose outcomes tell arms apart lie there, as somebody else left them."""
    yield from _turning(tmp_path, monkeypatch, lab=False)


@pytest.fixture
def turned_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The same, of a lab of two nudges whose app notes one of them."""
    yield from _turning(tmp_path, monkeypatch, lab=True)


def asked(way: Way) -> Any:
    ask, given = way.ask
    return ask(**given)


def in_world(turned: Any, world: int, way: Way) -> Any:
    with turned(world):
        return asked(way)


def both(turned: Any, way: Way) -> list[Any]:
    return [in_world(turned, world, way) for world in (0, 1)]


def assert_refused(found: Any, way: Way) -> None:
    """By the gate, with a sentence that names the experiment and no arm."""
    assert isinstance(found, dict), way
    assert "refused" in found, way
    _condition, _, why = found["refused"].partition(" can't be asked about while ")
    assert why == f"the outcome of the experiment “{KEY}” is locked: it would show who is in which group.", (way, found)


@pytest.mark.proof
def test_ways__to_a_locked_outcome__are_refused_alike_in_both_worlds(turned: Any) -> None:
    for way in WAYS:
        first, second = both(turned, way)

        assert first == second, way
        assert_refused(first, way)


def test_ways__to_a_locked_outcome__are_refused(turned: Any) -> None:
    for number, way in enumerate(WAYS):
        assert_refused(in_world(turned, number % 2, way), way)


@pytest.mark.parametrize("some", [slice(0, None, 4), pytest.param(slice(0, None), marks=pytest.mark.proof)])
def test_ways__to_a_locked_outcome_of_one_nudge_of_a_lab__are_refused(turned_lab: Any, some: slice) -> None:
    for number, way in enumerate(list(WAYS)[some]):
        assert_refused(in_world(turned_lab, number % 2, way), way)


@pytest.mark.parametrize("some", [slice(0, 43, 4), pytest.param(slice(0, 43), marks=pytest.mark.proof)])
def test_questions__of_what_the_nudge_moves_or_leaves_alone__are_answered(turned: Any, some: slice) -> None:
    assert len(HONEST) == 44
    with turned(0):
        for way in HONEST[some]:
            found = asked(way)

            assert not (isinstance(found, dict) and "refused" in found), (way, found)


@pytest.mark.proof
@pytest.mark.parametrize("at", [0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18])
def test_ways__without_the_gate__tell_the_worlds_apart(turned: Any, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    monkeypatch.setattr(arm_marks, "_locked", list)

    first, second = both(turned, WAYS[at])

    assert first != second


def test_groups__by_a_trait_that_says_nothing_of_the_arm__are_counted(turned: Any) -> None:
    with turned(0):
        found = arm_doors.page("retention", retention="window:14-20", group="trait:platform")

    assert [(row["name"], row["users"]) for row in found["segments"]] == [("ios", 266), ("web", 134)]


@pytest.mark.parametrize("gate", ["of the question", "of the list alone"])
def test_list__of_the_users_of_one_arm__is_refused(turned: Any, monkeypatch: pytest.MonkeyPatch, gate: str) -> None:
    if gate == "of the list alone":
        monkeypatch.setattr("aha.explore.answering.refuse_marks", lambda _question: None)
    question = Question("times", "signup", behaviour="shown_nudge", days=30, times=1)

    with turned(0), pytest.raises(Refused, match=f"the outcome of the experiment “{KEY}” is locked"):
        these_users.find(question, {"column": "1", "kind": "least"})


STATES = {
    "running": ("running", None),
    "paused": ("paused", None),
    "stopped": ("stopped", None),
    "locked": ("stopped", {**RUNNING}),
    "peeked": ("stopped", {"peek": True, **RUNNING}),
    "concluded without a final result": ("concluded", {**RUNNING}),
    "final and running": ("running", {}),
}


@pytest.mark.parametrize(("status", "given"), STATES.values(), ids=STATES)
def test_groups__of_an_experiment_whose_result_is_not_final__are_neither_offered_nor_taken(
    turned: Any, status: str, given: dict[str, Any] | None
) -> None:
    if given is not None:
        stored(KEY, make_result(**given))
    Experiment.objects.filter(key=KEY).update(status=status)
    asked_for = f"experiment:{KEY}"

    with turned(0):
        page = arm_doors._person().get(
            f"/explore/retention/?signup_event=signup&retention=window:14-20&day_mode=rolling&group={asked_for}",
            headers={"Accept-Language": "en"},
        )
        with pytest.raises(Refused, match="only once its final result is there"):
            answer(
                Question("retention", "signup", retention="window:14-20", group=asked_for), stop=Stop(), progress=silent
            )

    text = page.content.decode()
    assert f'value="{asked_for}"' not in text.partition('<form class="card asking"')[2]
    assert "see the marked fields" in text
    assert "outcome" not in page.context


def test_groups__of_a_finished_experiment__are_its_arms_and_their_outcomes(turned: Any) -> None:
    stored(KEY)
    Experiment.objects.filter(key=KEY).update(status="stopped")

    with turned(0):
        found = arm_doors.page("retention", retention="window:14-20", group=f"experiment:{KEY}")
    at = next(place for place, column in enumerate(found["columns"]) if column[3])

    assert [(row["name"], row["users"]) for row in found["segments"]] == [("control", 200), ("nudge", 200)]
    control, nudge = (found["curves"][key][at] for key in ("0", "1"))
    assert control[0] == nudge[0] > 150
    assert control[1] / control[0] > 0.5 > 0.4 > nudge[1] / nudge[0]


def test_groups__of_a_finished_experiment__whose_arms_are_those_of_a_locked_one__are_refused(turned: Any) -> None:
    stored(KEY)
    Experiment.objects.filter(key=KEY).update(status="stopped")
    with turned(0):
        again = draft("again", variants=CONTROL_AND_NUDGE)
        backdate(do("again", "start"), again.created_at - timedelta(days=61))
        marks = arm_marks._locked()
        twin = replace(marks[0], units=partial(_twin, KEY))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(arm_marks, "_locked", lambda: [twin])
            found = arm_doors.page("retention", retention="window:14-20", group=f"experiment:{KEY}")

    assert "can't be asked about while the outcome of the experiment “again” is locked" in found["refused"]


def _twin(key: str, store: Any) -> Any:
    return admitting._units(Experiment.objects.get(key=key), store)


def test_table__in_the_documentation__is_that_of_the_lists() -> None:
    assert table() in Path("docs/security.md").read_text()
