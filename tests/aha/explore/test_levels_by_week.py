"""Levels by week: users at each level and their moves, on a log for fingers and against a count by hand."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client

from aha.explore import answering, report_pages, these_users
from aha.explore.answering import answer
from aha.explore.levels_by_week import FELL, UP
from aha.explore.question import Question
from events.simulation.level_worlds import LEVEL_WORLDS, SIGNUP_DATES, START, write_levels
from events.warehouse.explore_session import Stop
from runs.progress import silent
from runs.refusals import Refused
from segments.search.tiers import Cuts
from tests.aha.store import load_file
from tests.segments.levels import publish_levels

pytestmark = pytest.mark.django_db(transaction=True)
USERS = 250


def ask(**more: Any) -> tuple[Question, dict[str, Any]]:
    question = Question("levels", **{"signup": "signup", "levels": "loyal", **more})
    return question, answer(question, stop=Stop(), progress=silent)


@pytest.mark.usefixtures("fingers")
def test_levels__of_a_log_on_fingers__are_those_of_the_weeks_that_are_over() -> None:
    publish_levels(cuts=Cuts(1, 2))

    question, found = ask()

    rows = {(row["week"], row["before"], row["now"]): row["users"] for row in found["rows"]}
    assert rows == {
        ("2024-03-04", "new", "new"): 3,
        ("2024-03-11", "new", "low"): 2,
        ("2024-03-11", "new", "none"): 1,
        ("2024-03-11", "new", "new"): 1,
    }
    shown = report_pages.show(question, found)
    assert "Week of Mar 11, 2024: 0 users at the high level, 0 at the middle, 2 at the low." in shown.finding
    assert shown.tables[1].rows[0] == ("Week of Mar 11, 2024", "1", "0", "0", "2", "1", "0", "0")
    assert len(shown.rows) == 4


def by_hand(days: int, cuts: Cuts) -> dict[str, Counter[tuple[str, str]]]:
    """The moves by period, from the world itself."""
    active, _times = LEVEL_WORLDS["levels"].lives(5, USERS)
    began = np.random.default_rng((5, 4)).integers(0, SIGNUP_DATES, USERS)
    monday = START.date()
    last = monday + timedelta(days=int(SIGNUP_DATES + active.shape[1]))  # the log's last date
    firsts, first = [], last - timedelta(days=last.weekday() + days)
    while first >= monday:
        firsts.append(first)
        first -= timedelta(days=days)

    def level(user: int, start: date) -> str:
        begins = monday + timedelta(days=int(began[user]))
        if begins >= start:
            return "new"
        offset = (start - begins).days
        n = int(active[user, offset : offset + days].sum())
        return "none" if n == 0 else "low" if n <= cuts.low else "mid" if n <= cuts.mid else "high"

    found = {}
    for start in firsts:
        moves: Counter[tuple[str, str]] = Counter()
        for user in range(1, USERS):  # the first user's last event stands apart from the world
            if monday + timedelta(days=int(began[user])) < start + timedelta(days=days):
                moves[level(user, start - timedelta(days=days)), level(user, start)] += 1
        found[start.isoformat()] = moves
    return found


@pytest.fixture
def world(tmp_path: Path, settings: Any) -> None:
    settings.EVENTS_URL, settings.EXPLORE_DIR = str(tmp_path / "store"), str(tmp_path / "explore")
    settings.TIME_ZONE = "UTC"
    write_levels(LEVEL_WORLDS["levels"], 5, USERS, tmp_path)
    load_file(tmp_path / "events.parquet", "--user", "user_id", "--event", "event", "--time", "time")


@pytest.mark.slow
@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("last_day", [6, 13])
def test_moves__of_every_period__equal_a_count_by_hand(last_day: int) -> None:
    cuts = Cuts(2, 4) if last_day == 6 else Cuts(3, 7)
    publish_levels(cuts=cuts, last_day=last_day)

    _question, found = ask()

    counted: dict[str, Counter[tuple[str, str]]] = {first: Counter() for first in found["periods"]}
    for row in found["rows"]:
        counted[row["week"]][row["before"], row["now"]] += row["users"]
    expected = by_hand(last_day + 1, cuts)
    assert set(found["periods"]) == set(expected)
    for first, moves in expected.items():
        assert (counted[first] - moves).total() <= 1, first  # the first user
        assert not moves - counted[first]


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_users__who_fell_or_rose__are_as_many_as_the_table_says() -> None:
    publish_levels()
    question, found = ask()
    first = found["periods"][-2]
    rows = [row for row in found["rows"] if row["week"] == first]
    order = ["none", "low", "mid", "high"]

    def users(kind: str) -> int:
        return len(these_users.find(question, {"at": first, "kind": kind}).ids)

    assert users(FELL) == sum(row["users"] for row in rows if row["before"] == "high" and row["now"] != "high") > 0
    known = [row for row in rows if row["before"] in order and row["now"] in order]
    assert users(UP) == sum(row["users"] for row in known if order.index(row["now"]) > order.index(row["before"])) > 0
    assert users("mid") == sum(row["users"] for row in rows if row["now"] == "mid")


@pytest.mark.usefixtures("fingers")
@pytest.mark.parametrize(
    ("last_day", "levels", "why"),
    [
        (9, "loyal", "those of 10 days: here they have to be of whole weeks"),
        (6, "whales", "no published segmentation 'whales'"),
        (6, "loyal@0", "a version of 1 or more behind the @"),
        (6, "loyal@4", "no version 4"),
    ],
)
def test_levels__that_cannot_be_shown__are_refused_at_their_field(last_day: int, levels: str, why: str) -> None:
    publish_levels(last_day=last_day)

    with pytest.raises(Refused, match=why) as refused:
        ask(levels=levels)
    assert refused.value.at == "levels"


@pytest.mark.usefixtures("fingers")
def test_page__takes_the_first_segmentation_and_says_what_is_wrong_with_another(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering.ask, "__kwdefaults__", {"patience": 60.0})
    client.force_login(User.objects.create_superuser("ann"))
    publish_levels(cuts=Cuts(1, 2))

    page = client.get("/explore/levels/").content.decode()
    wrong = client.get("/explore/levels/?signup_event=signup&levels=whales&day_mode=rolling").content.decode()

    assert 'value="loyal@1"' in page
    assert "Users by level" in page
    assert "no published segmentation" in wrong
