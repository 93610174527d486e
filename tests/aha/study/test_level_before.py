"""Studies among the users of one level of activity: who counts, what is refused, and the behaviour that lifts them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import override_settings

from aha.models import Study
from aha.report.cohort import asked_sentences, flow
from aha.study import studies
from aha.study.level_before import parse_level
from aha.study.payload_versions import STUDY
from aha.study.question import Inputs
from events.simulation.level_worlds import LEVEL_WORLDS, MOVER, write_levels
from events.windows import Window
from reporting.document import load
from runs.refusals import Refused
from segments.search.tiers import Cuts
from tests.aha.store import discover, load_file
from tests.segments.levels import publish_levels

pytestmark = pytest.mark.django_db
UNITS, LATER = 6_000, Window(14, 20)
IMPORT = ("--user", "user_id", "--event", "event", "--time", "time")
ASKED = ("--signup-event", "signup", "--days", "7", "14", "--retention", "tier:loyal@1:high:14-20")


def log_of(name: str, seed: int, folder: Path, users: int = UNITS) -> str:
    write_levels(LEVEL_WORLDS[name], seed, users, folder)
    with override_settings(EVENTS_URL=str(folder / "store")):
        load_file(folder / "events.parquet", *IMPORT)
    return str(folder / "store")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> str:
    return log_of("levels", 1, tmp_path_factory.mktemp("levels"))


@pytest.fixture(autouse=True)
def _store(log: str, settings: Any) -> None:
    settings.EVENTS_URL = log
    publish_levels()


@pytest.mark.parametrize("text", ["loyal:mid", "loyal@1:mid", "loyal@1:mid=3-4:7-13"])
def test_level__however_it_is_written__is_the_days_before_retention(text: str) -> None:
    found = parse_level(text, LATER)

    assert str(found) == "loyal@1:mid=3-4:7-13"
    assert (found.least, found.most, found.window) == (3, 4, Window(7, 13))


@pytest.mark.parametrize(
    ("text", "later", "why"),
    [
        ("loyal", LATER, "write MODEL:LEVEL"),
        ("loyal:top", LATER, "levels are low, mid, high"),
        ("loyal@1:mid=2-4:7-13", LATER, "isn't what was published; that is loyal@1:mid=3-4:7-13"),
        ("loyal:mid", Window(6, 12), "retention has to begin on day 7 or later"),
        ("whales:mid", LATER, "There is no published segmentation 'whales'"),
    ],
)
def test_level__that_means_nothing__is_refused(text: str, later: Window, why: str) -> None:
    with pytest.raises(Refused, match=why):
        parse_level(text, later)


def test_level__on_the_first_day_that_it_can_have__is_taken() -> None:
    assert parse_level("loyal:high", Window(7, 13)).window == Window(0, 6)


def test_study__among_a_level__counts_exactly_its_users() -> None:
    inputs = Inputs("signup", (7, 14), "tier:loyal@1:high:14-20", behaviours=(MOVER, "chat"), level="loyal:mid")
    study = studies.create_study(inputs=inputs)
    stored = load(Inputs, study.inputs)
    assert (stored.retention, stored.level) == ("tier:loyal@1:high=5:14-20", "loyal@1:mid=3-4:7-13")

    report = studies._compute(study, lambda *_part: None, lambda *_early: None)

    active, _times = LEVEL_WORLDS["levels"].lives(1, UNITS)
    before, after = active[:, 7:14].sum(axis=1), active[:, 14:21].sum(axis=1)
    mid = (before >= 3) & (before <= 4)
    found = report.population
    assert found.eligible == mid.sum()
    assert found.excluded == {"too_young": 0, "other_level": int((~mid).sum())}
    assert found.eligible + sum(found.excluded.values()) == found.signups == UNITS
    assert found.retained == (mid & (after >= 5)).sum()
    assert "Only users at level middle of loyal (version 1) on days 7–13: active on 3 to 4 of them." in asked_sentences(
        report.asked
    )
    assert "another level" in str(flow(report).rows)


def test_study__of_a_level_that_nobody_has__is_refused_with_nothing_kept() -> None:
    publish_levels(number=2, last_day=6, cuts=Cuts(2, 7))
    inputs = Inputs("signup", (7,), "window:14-20", level="loyal@2:high")

    with pytest.raises(Refused, match="nobody with a complete retention window was at this level"):
        studies.create_study(inputs=inputs)
    assert not Study.objects.exists()


def movers_of(name: str, seed: int, folder: Path) -> tuple[list[str], str]:
    """The behaviours of the study's candidates, best first, and all that its page says."""
    with override_settings(EVENTS_URL=log_of(name, seed, folder)):
        printed = discover(*ASKED, "--level", "loyal:mid", "--json")
    document = json.loads(printed)
    study = STUDY.of(Study.objects.latest("pk"))
    assert study is not None
    return [row["behaviour"] for row in document["candidates"]], printed


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_planted_mover__is_found_and_never_called_a_cause(seed: int, tmp_path: Path) -> None:
    best, printed = movers_of("levels", seed, tmp_path)

    assert best[0] == MOVER
    assert "cause" not in printed.lower()


@pytest.mark.proof
def test_planted_mover__over_twenty_worlds__is_found_in_eighteen(tmp_path: Path) -> None:
    found = [movers_of("levels", seed, tmp_path / str(seed)) for seed in range(1, 21)]

    assert sum(best[:1] == [MOVER] for best, _printed in found) >= 18
    assert not any("cause" in printed.lower() for _best, printed in found)


@pytest.mark.proof
def test_still_world__without_a_mover__among_equally_active_users_it_does_nothing(tmp_path: Path) -> None:
    """Whoever is active more often does everything more often: only the rung among equally active users is asked."""
    above = []
    for seed in range(1, 21):
        document = json.loads(movers_of("levels_still", seed, tmp_path / str(seed))[1])
        rows = [row for row in document["candidates"] if row["behaviour"] == MOVER]
        rungs = [rung for row in rows for rung in row["ladder"] if rung["rung"] == "mantel_haenszel"]
        above.append(any(rung["low"] > 0 for rung in rungs))

    assert np.mean(above) <= 0.2
