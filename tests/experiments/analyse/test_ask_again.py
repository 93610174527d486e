"""Finished experiments asked again for a behaviour that only a later one was about, from their events."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import ibis
import pytest
from django.core.cache import cache

from aha.evidence.findings import Definition, PastFinding
from aha.evidence.joint_findings import sort_findings, together
from aha.evidence.store_findings import all_findings, keep_findings
from aha.models import Finding
from events.simulation import WORLDS, Simulation, draw_arms, events_table, simulate
from events.warehouse import arm_marks
from events.warehouse.arm_marks import LockedArms
from experiments import tasks
from experiments.analyse.across.ask_again import lacks
from experiments.files.analyze import analyze_file
from experiments.plan.design import Design, Other
from tests.aha.evidence.past.make_findings import finding
from tests.aha.store import store_of
from tests.experiments.analyse.test_analyses import chatted, done
from tests.experiments.stored import stored_experiment
from tests.simulated import experiment_table

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
UNITS = 6_000
CHAT = Definition("chat", 2, 7, "window:21-27")


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate(WORLDS["step"], UNITS, 3, draw_arms(WORLDS["step"], UNITS, 3))


@pytest.fixture(scope="module", autouse=True)
def _store(world: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with store_of(world, tmp_path_factory.mktemp("again")):
        yield


@pytest.fixture(autouse=True)
def _nothing_tried() -> None:
    cache.clear()


def about_chat(**changes: Any) -> PastFinding:
    """An experiment elsewhere, which was about chatting."""
    return finding("elsewhere", definition=replace(CHAT, **changes), origin="file")


def test_night__after_another_test_was_about_chat__measures_it_as_the_file_of_the_same_users_does(
    world: Simulation, tmp_path: Any
) -> None:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    table = experiment_table(world)
    table = table.append_column("chat", pa.array(chatted(world, table["unit"].to_pylist(), 2)))
    pa_csv.write_csv(table, tmp_path / "experiment.csv")
    design = Design("variant", "control", ("retained",), unit="unit", behaviour="reached", margin=0.05)
    file = analyze_file(tmp_path / "experiment.csv", replace(design, others=(Other("chat", 0.0, 0.1),)))
    expected = file.outcomes[0].comparisons[0].encouragement
    row = done(stored_experiment(world))
    before, verdict = Finding.objects.values("itt", "first_stage").get(), row.verdict
    keep_findings([about_chat()])
    assert together(sort_findings(all_findings(), CHAT.outcome)) is None

    assert (tasks.ask_findings_again(), tasks.ask_findings_again()) == (1, 0)

    [ours] = [one for one in all_findings() if one.origin == "experiment"]
    moments = ours.outcomes[0]
    assert (moments.behaviours, moments.times) == (("friend_add", "chat"), (3, 2))
    assert expected is not None
    assert expected.moments is not None
    assert expected.other_moments is not None
    assert moments.effects == pytest.approx(
        (expected.moments.itt, expected.moments.first_stage, expected.other_moments.first_stages[0]), abs=1e-12
    )
    assert moments.covariance[2] == pytest.approx(
        (
            expected.other_moments.with_itt[0],
            expected.other_moments.with_first_stage[0],
            expected.other_moments.covariance[0][0],
        ),
        rel=1e-9,
    )
    row.refresh_from_db()
    assert row.verdict == verdict
    assert Finding.objects.filter(origin="experiment").values("itt", "first_stage").get() == before


def test_night__where_users_counted_then_are_no_longer_there__keeps_what_it_has(world: Simulation) -> None:
    done(stored_experiment(world))
    keep_findings([about_chat()])
    Finding.objects.filter(origin="experiment").update(n_control=2 * UNITS)
    before = Finding.objects.get(origin="experiment").outcomes

    assert tasks.ask_findings_again() == 0

    assert Finding.objects.get(origin="experiment").outcomes == before


def test_night__where_users_of_one_arm_are_gone__leaves_the_other_arm_as_it_is(world: Simulation) -> None:
    done(stored_experiment(world))
    keep_findings([about_chat()])
    row = Finding.objects.get(origin="experiment")
    before = row.outcomes
    row.pk, row.variant = None, "gone"
    row.save()

    assert tasks.ask_findings_again() == 0
    assert [one.outcomes for one in Finding.objects.filter(origin="experiment")] == [before, before]


def test_night__of_a_behaviour_that_tells_the_arms_of_a_locked_experiment__asks_nothing(
    world: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(stored_experiment(world))
    keep_findings([about_chat()])
    everybody = sorted(set(events_table(world)["user_id"].to_pylist()))
    cells = dict(zip(everybody, chatted(world, everybody, 2), strict=True))

    @contextmanager
    def units(store: Any) -> Iterator[Any]:
        yield ibis.memtable({"user_id": list(cells), "cell": list(cells.values())})

    share = sum(cells.values()) / len(cells)
    locked = LockedArms("locked", 1, ((1 - share, share),), units)
    monkeypatch.setattr(arm_marks, "_locked", lambda: [locked])

    assert tasks.ask_findings_again() == 0
    cache.clear()
    monkeypatch.setattr(arm_marks, "_locked", list)
    assert tasks.ask_findings_again() == 1


@pytest.mark.parametrize("changes", [{"days": 3}, {"outcome": "on_day:7"}, {"behaviour": "friend_add"}])
def test_finding__on_other_days_or_another_outcome_or_of_itself__lacks_nothing(changes: dict[str, Any]) -> None:
    own = finding()

    assert lacks(own, [own, about_chat()]) == (("chat", 2),)
    assert lacks(own, [own, about_chat(**changes)]) == ()


def test_finding__of_a_file_or_of_whole_clusters__is_not_asked() -> None:
    others = [about_chat()]

    assert lacks(finding(origin="file"), others) == ()
    assert lacks(finding(whole_clusters=True), others) == ()
