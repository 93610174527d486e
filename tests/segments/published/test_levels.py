"""Levels of published segmentations as metrics: the line, its cut, and that it counts what the segmentation counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from events.metrics import MinDays, Tier, parse_metric, parse_retention, window_of, with_window
from events.metrics.sentences import metric_words, sentence
from events.simulation.level_worlds import LEVEL_WORLDS, write_levels
from events.warehouse import queries
from events.warehouse.session import questions
from events.windows import Window
from runs.refusals import Refused
from segments.published import levels
from segments.search.gather import read_units
from segments.search.question import Inputs
from segments.search.tiers import HIGH, MID, Cuts, assign_tiers
from stats.results import NotComputable, Reason
from tests.aha.store import load_file
from tests.segments.levels import publish_levels

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("text", "line", "days"),
    [
        ("tier:loyal@1:high:14-20", "tier:loyal@1:high=5:14-20", 5),
        ("tier:loyal@1:mid:14-20", "tier:loyal@1:mid=3:14-20", 3),
        ("tier:loyal@1:low:0-6", "tier:loyal@1:low=1:0-6", 1),
    ],
)
def test_line__without_its_cut__gets_that_of_the_version(text: str, line: str, days: int) -> None:
    publish_levels()

    definition = parse_retention(text)

    assert str(definition) == line
    assert isinstance(definition, Tier)
    assert definition.days == days
    assert parse_metric(line) == definition


def test_line__of_an_older_version__keeps_its_cut() -> None:
    publish_levels()
    publish_levels(number=2, cuts=Cuts(1, 3))

    assert str(parse_retention("tier:loyal@1:high:14-20")) == "tier:loyal@1:high=5:14-20"
    assert str(parse_retention("tier:loyal@2:high:14-20")) == "tier:loyal@2:high=4:14-20"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tier:loyal@1:high:14-21", "the levels of 'loyal' hold for 7 days, and these are 8"),
        ("tier:loyal@1:top:14-20", "needs one of the levels low, mid, high"),
        ("tier:loyal@1:high=4:14-20", "this level begins at 5 active days"),
        ("tier:loyal@2:high:14-20", "There is no version 2 of a published segmentation 'loyal'"),
        ("tier:whales@1:high:14-20", "There is no version 1 of a published segmentation 'whales'"),
        ("tier:loyal:high:14-20", "needs the version of the segmentation, such as loyal@1"),
        ("tier:loyal@0:high:14-20", "a version of 1 or more behind the @"),
        ("tier:loyal@1:high", "is no retention definition"),
    ],
)
def test_line__that_means_nothing__is_refused(text: str, why: str) -> None:
    publish_levels()

    with pytest.raises(Refused, match=why):
        parse_retention(text)


def test_line__of_a_version_that_is_not_here__means_what_it_says() -> None:
    assert str(parse_retention("tier:elsewhere@3:high=5:14-20")) == "tier:elsewhere@3:high=5:14-20"


@pytest.mark.parametrize("kind", ["uncut", "rule"])
def test_model__without_levels__says_so(kind: str) -> None:
    version = publish_levels(cuts=NotComputable(Reason.TOO_FEW_VALUES, {"n": 2, "needed": 3}))
    if kind == "rule":
        version.run = None
        version.save()

    with pytest.raises(Refused, match="'loyal' has no levels of activity"):
        parse_retention("tier:loyal@1:high:14-20")


def test_window__of_another_length__is_refused_and_an_equally_long_one_keeps_the_level() -> None:
    publish_levels()
    definition = parse_metric("tier:loyal@1:high:14-20")

    assert str(with_window(definition, Window(7, 13))) == "tier:loyal@1:high=5:7-13"
    assert window_of(definition) == Window(14, 20)
    with pytest.raises(Refused, match="A level holds for 7 days"):
        with_window(definition, Window(7, 14))


def test_words__name_level_model_version_and_days() -> None:
    publish_levels()

    assert metric_words("tier:loyal@1:mid:14-20") == "level middle of loyal on days 14–20"
    assert sentence(parse_metric("tier:loyal@1:mid:14-20")) == (
        "At level middle of loyal (version 1) or above from day 14 to day 20: active on at least 3 days."
    )


def test_models_with_levels__are_those_that_may_be_chosen() -> None:
    publish_levels()
    publish_levels(number=2)
    archived = publish_levels("old").model
    archived.archived_at = "2026-03-02T00:00:00Z"
    archived.save()

    assert levels.models_with_levels() == [("loyal", "Loyal", 2)]


@pytest.mark.parametrize("mode", ["rolling", "calendar"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
def test_users_at_a_level__are_those_whom_the_segmentation_puts_there(
    mode: str, zone: str, tmp_path: Path, settings: Any
) -> None:
    settings.EVENTS_URL, settings.TIME_ZONE = str(tmp_path / "store"), zone
    write_levels(LEVEL_WORLDS["levels"], 1, 400, tmp_path)
    load_file(tmp_path / "events.parquet", "--user", "user_id", "--event", "event", "--time", "time")
    publish_levels(day_mode=mode)
    with questions(day_mode=mode) as store:
        table = read_units(store, Inputs("signup", 0, 6, day_mode=mode), None)
        users = store.cohort("signup")
        found = {}
        for level in ("mid", "high"):
            asked = parse_retention(f"tier:loyal@1:{level}:0-6")
            rows = store.units(queries.retention(store.log, users, store.basis, asked))
            found[level] = set(rows.user_id[rows.retained == 1])
    tiers = assign_tiers(np.asarray(table.active_days, dtype=np.int64), Cuts(2, 4))
    ids = np.asarray(table.unit_ids, dtype=str)

    assert found["high"] == set(ids[tiers == HIGH])
    assert found["mid"] == set(ids[tiers >= MID])
    assert 50 < len(found["high"]) < len(found["mid"]) < 400


def test_level__is_a_share_of_users_wherever_min_days_is() -> None:
    publish_levels()

    assert isinstance(parse_metric("tier:loyal@1:high:14-20"), MinDays)
