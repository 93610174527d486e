"""A level of activity says the same at every door that stores an outcome, and counts the same users."""

from pathlib import Path
from typing import Any

import pytest

from aha.explore.answering import answer
from aha.explore.question import Question
from aha.moments.promote import create_moment
from events.catalogue.check_metric import check_metric
from events.metrics.facts import Facts
from events.simulation.level_worlds import LEVEL_WORLDS, write_levels
from events.warehouse.explore_session import Stop
from events.warehouse.session import questions
from experiments.models import Experiment
from experiments.plan.design import Kind, kind_of
from launches.answers import _metric_line
from runs.progress import silent
from stats.results import computable
from tests.aha.store import discover, load_file
from tests.events.metric_catalogue.make import metric
from tests.experiments.api.make import PLAN, Api
from tests.segments.levels import publish_levels

pytestmark = pytest.mark.django_db(transaction=True)
TYPED, WHOLE = "tier:loyal@1:high:14-20", "tier:loyal@1:high=5:14-20"
USERS = 500


@pytest.fixture
def log(tmp_path: Path, settings: Any) -> float:
    """A log, and the share of users at the high level on days 14 to 20, from the world itself."""
    settings.EVENTS_URL, settings.EXPLORE_DIR = str(tmp_path / "store"), str(tmp_path / "explore")
    write_levels(LEVEL_WORLDS["levels"], 7, USERS, tmp_path)
    load_file(tmp_path / "events.parquet", "--user", "user_id", "--event", "event", "--time", "time")
    active, _times = LEVEL_WORLDS["levels"].lives(7, USERS)
    return float((active[:, 14:21].sum(axis=1) >= 5).mean())


def test_plan__of_a_level__is_stored_with_its_cut_and_can_start() -> None:
    publish_levels()
    api = Api()

    made = api.ok("POST", "", PLAN | {"primary_metrics": [TYPED], "guardrail_metrics": [TYPED.replace("high", "mid")]})
    publish_levels(number=2)

    assert made["primary_metrics"] == [WHOLE]
    assert made["guardrail_metrics"] == ["tier:loyal@1:mid=3:14-20"]
    assert kind_of(made["primary_metrics"][0]) is Kind.PROPORTION
    assert not any("14-20" in str(problem) for problem in api.ok("GET", "guild").get("problems", ()))


def test_plan__of_a_version_that_is_not_there__is_refused_with_nothing_kept() -> None:
    refused = Api()("POST", "", PLAN | {"primary_metrics": ["tier:loyal@9:high:14-20"]})

    assert refused.status_code == 409
    assert b"no version 9" in refused.content
    assert not Experiment.objects.exists()


def test_catalogue_moment_and_launch__of_a_level__store_the_same_line() -> None:
    publish_levels()
    row = metric("high-later", TYPED)
    made = Api().ok("POST", "", PLAN | {"primary_metrics": ["metric:high-later"]})
    moment = create_moment(name="Quest", behaviour="quest", times=3, days=7, signup_event="signup", retention=TYPED)

    assert row.versions.get().facts.line == made["primary_metrics"][0] == moment.retention == WHOLE
    assert _metric_line(TYPED, "outcome") == WHOLE


def test_numbers__of_catalogue_explore_and_study__are_those_of_the_world(log: float) -> None:
    publish_levels()

    with questions() as store:
        report = check_metric(
            store, Facts(TYPED), weeks=6, splits=10, signup_event="signup", seed=1, progress=lambda *_part: None
        )
    question = Question("retention", "signup", retention=TYPED)
    found = answer(question, stop=Stop(), progress=silent)
    (curve,) = found["curves"].values()
    eligible, retained = next(cell for cell, column in zip(curve, found["columns"], strict=True) if column[3])
    printed = discover(
        "--signup-event", "signup", "--days", "7", "--retention", TYPED, "--behaviours", "quest", "--json"
    )

    weeks = [(week.units, week.value.estimate) for week in report.weeks if computable(week.value)]
    assert sum(n for n, _mean in weeks) == USERS
    assert sum(n * mean for n, mean in weeks) / sum(n for n, _mean in weeks) == pytest.approx(log, abs=1e-9)
    assert (eligible, retained / eligible) == (USERS, pytest.approx(log))
    assert f'"rate": {log}' in printed
