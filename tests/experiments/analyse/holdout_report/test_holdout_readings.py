"""A stored plan from its day to its report: frozen, read on its days, with what was shipped beside it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from experiments import tasks
from experiments.analyse.across import holdout_readings
from experiments.analyse.across.holdout_question import HELD, REST
from experiments.analyse.across.holdout_readings import plan_holdout, request_reading, run_reading, single_findings
from experiments.analyse.across.holdout_result import HOLDOUT, HoldoutReport
from experiments.draw.bucketing import unit_hash
from experiments.models import Experiment, Holdout, HoldoutPlan, HoldoutReading, Rollout
from experiments.plan.audience import create_holdout
from experiments.status.ending import needed_readings
from runs.refusals import Refused
from stats.results import Estimate, computable
from tests.experiments.analyse.holdout_report.test_side_moments import asked
from tests.experiments.log_store import stored_log
from tests.experiments.make import do
from tests.experiments.make_answers import draw_units
from tests.experiments.make_readout import make_readout, make_result, stored

pytestmark = pytest.mark.django_db
SINCE = date(2026, 3, 2)
UNITS = 600
OUTCOME = "window:2-3"


def rows(days: int) -> list[tuple[Any, ...]]:
    """Ten signups a day; of the holdout a quarter comes back, of the rest half. The log ends after so many days."""
    start = datetime(2026, 3, 2)  # noqa: DTZ001 - the store's times are naive UTC
    found: list[tuple[Any, ...]] = []
    rng = np.random.default_rng(7)
    for number, come in enumerate(rng.uniform(size=UNITS)):
        unit, signup = f"u{number}", start + timedelta(days=number * 40 / UNITS, minutes=5)
        held = unit_hash("holdout:h", unit) < 0.3
        found.append((unit, "signup", signup, "{}"))
        if come < (0.25 if held else 0.5):
            found.append((unit, "play", signup + timedelta(days=2, hours=5), "{}"))
    end = start + timedelta(days=days)
    return [row for row in found if row[2] < end] + [("u0", "play", end, "{}")]


@pytest.fixture
def holdout() -> Holdout:
    return create_holdout(key="h", share=3_000)


@pytest.fixture
def whole_log(tmp_path: Path) -> Iterator[None]:
    with stored_log(rows(50), tmp_path):
        yield


def plan(holdout: Holdout, *readings: date, **fields: Any) -> HoldoutPlan:
    """A plan whose days have come: it was made before them."""
    given: dict[str, Any] = {
        "holdout": holdout,
        "since": SINCE,
        "signup_event": "signup",
        "outcome": OUTCOME,
        "readings": [day + timedelta(days=3_650) for day in readings],
        **fields,
    }
    made = plan_holdout(**given)
    HoldoutPlan.objects.filter(pk=made.pk).update(readings=[day.isoformat() for day in readings])
    return HoldoutPlan.objects.select_related("holdout").get(pk=made.pk)


def read(row: HoldoutPlan) -> tuple[HoldoutReading, HoldoutReport]:
    run = request_reading(plan=row)
    done = run_reading(run.pk)
    run = HoldoutReading.objects.get(pk=run.pk)
    assert done, run.reason
    found = HOLDOUT.of(run)
    assert isinstance(found, HoldoutReport)
    return run, found


@pytest.mark.slow
@pytest.mark.usefixtures("whole_log")
def test_final_reading__finds_the_planted_difference_and_freezes(holdout: Holdout) -> None:
    row = plan(holdout, date(2026, 4, 20))

    run, report = read(row)

    assert isinstance(report.difference, Estimate)
    assert report.difference.low < 0.25 < report.difference.high
    assert report.difference.low > 0
    held = sum(unit_hash("holdout:h", f"u{number}") < 0.3 for number in range(UNITS))
    assert report.units == {HELD: held, REST: UNITS - held}
    assert not report.broken
    assert (run.opened, run.final, run.read_on, run.broken) == (True, True, date(2026, 4, 20), False)
    assert run.as_of == datetime(2026, 4, 20, tzinfo=UTC)
    with pytest.raises(Refused, match="stays as it is"):
        request_reading(plan=row)


@pytest.mark.slow
@pytest.mark.usefixtures("whole_log")
def test_before_its_day__counts_alone_are_stored(holdout: Holdout) -> None:
    row = plan(holdout, date(2026, 4, 22))

    run, report = read(row)

    assert (report.state, report.why, report.next_on) == ("waiting", "before", date(2026, 4, 22))
    assert report.mature[HELD] > 0
    assert "estimate" not in str({name: value for name, value in (run.payload or {}).items() if name != "sums"})
    assert (run.opened, run.final, run.read_on) == (False, False, None)
    assert holdout_readings.latest_reading(row) == run


@pytest.mark.slow
@pytest.mark.usefixtures("whole_log")
def test_planned_readings__each_is_taken_once(holdout: Holdout) -> None:
    row = plan(holdout, date(2026, 4, 1), date(2026, 5, 20), method="group_sequential", planned_units=UNITS)

    first, opened = read(row)
    second, locked = read(row)

    assert (opened.reading, opened.final) == (date(2026, 4, 1), False)
    assert (locked.state, locked.why, locked.difference) == ("waiting", "between", None)
    assert locked.looks == opened.looks  # what was read stays known
    assert [first.opened, second.opened] == [True, False]
    assert holdout_readings.latest_reading(row) == first


@pytest.mark.slow
@pytest.mark.usefixtures("whole_log")
def test_other_plans__that_read_the_same_holdout__are_counted(holdout: Holdout) -> None:
    read(plan(holdout, date(2026, 4, 20)))

    _run, report = read(plan(holdout, date(2026, 4, 20), since=date(2026, 3, 3)))

    assert report.earlier_readings == 1


@pytest.mark.slow
@pytest.mark.usefixtures("whole_log")
def test_retention__leaves_the_log_until_the_last_reading_is_there(holdout: Holdout) -> None:
    row = plan(holdout, date(2026, 4, 20))
    (hold,) = needed_readings()
    assert (hold.since, hold.until) == (None, date(2026, 4, 20))

    read(row)

    assert list(needed_readings()) == []


def test_plan__for_today__is_refused(holdout: Holdout) -> None:
    with pytest.raises(Refused, match="too early"):
        plan_holdout(
            holdout=holdout, since=SINCE, signup_event="signup", outcome=OUTCOME, readings=[timezone.localdate()]
        )


def test_plan__of_the_same_question__is_refused(holdout: Holdout) -> None:
    plan(holdout, date(2026, 4, 20))

    with pytest.raises(Refused, match="second try"):
        plan(holdout, date(2026, 4, 27))
    plan(holdout, date(2026, 4, 27), outcome="window:2-4")  # another question


@pytest.mark.parametrize("changes", [{"population": "friends"}, {"day_mode": "lunar"}, {"signup_event": "x" * 300}])
def test_plan__of_nonsense__names_its_field(holdout: Holdout, changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        plan(holdout, date(2026, 4, 20), **changes)

    assert refused.value.at == next(iter(changes))


def test_night__asks_for_what_has_no_last_reading(holdout: Holdout) -> None:
    plan(holdout, date(2026, 4, 20))

    assert tasks.request_together() == 1
    assert tasks.request_together() == 0  # it waits already
    assert run_reading(0) is False


# ── What was shipped ──────────────────────────────────────────────────────────
def ended(key: str, on: date, *, holdout: Holdout | None, **plan_fields: Any) -> Experiment:
    """An experiment whose final analysis says to ship it, stopped on a day."""
    row = stored(key, make_result(key=key, **plan_fields)).experiment
    do(key, "stop")
    moment = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    Experiment.objects.filter(pk=row.pk).update(stopped_at=moment, holdout=holdout)
    return Experiment.objects.get(pk=row.pk)


@pytest.mark.slow
@pytest.mark.usefixtures("whole_log")
def test_shipped__are_listed_and_summed_by_rule(holdout: Holdout) -> None:
    ended("one", date(2026, 3, 5), holdout=holdout)
    ended("two", date(2026, 3, 10), holdout=holdout)
    ended("open-to-all", date(2026, 3, 11), holdout=None)
    ended("other-days", date(2026, 3, 12), holdout=holdout, day_mode="calendar")
    ended("too-early", date(2026, 3, 1), holdout=holdout)
    ended("too-late", date(2026, 4, 21), holdout=holdout)

    _run, report = read(plan(holdout, date(2026, 4, 20), outcome="window:21-27"))

    assert [(one.experiment, one.why) for one in report.shipped] == [
        ("one", ""),
        ("two", ""),
        ("open-to-all", "reaches_both"),
        ("other-days", "other_outcome"),
    ]
    assert computable(report.sums)
    single = report.shipped[0].effect
    assert single is not None
    assert report.sums.naive.estimate == pytest.approx(2 * single.estimate)
    assert report.sums.selected == 2
    assert report.sums.experiments == 4  # too-early and open-to-all tell of the spread too


@pytest.mark.slow
@pytest.mark.usefixtures("whole_log")
def test_shipped__that_the_table_refuses__isnt() -> None:
    row = create_holdout(key="h", share=3_000)
    ended("one", date(2026, 3, 5), holdout=row)
    stored("not", make_readout(key="not", units=draw_units(4_000, effect=0.0), otherwise="dont"))
    do("not", "stop")
    Experiment.objects.filter(key="not").update(stopped_at=datetime(2026, 3, 6, tzinfo=UTC), holdout=row)

    _run, report = read(plan(row, date(2026, 4, 20), outcome="window:21-27"))

    assert [one.experiment for one in report.shipped] == ["one"]


def rolled_out(key: str, on: date, state: str = "rolling") -> None:
    """Its nudge was rolled out here on a day."""
    row, at = Experiment.objects.get(key=key), datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    arm = row.variants.order_by("position")[1]
    steps = [{"at": at.isoformat(), "share": 10_000}]
    Rollout.objects.create(
        experiment=row, variant=arm, flag_key=row.flag_key, state=state, noted_at=at, first_at=at,
        rows=[{"segment": None, "rule": None, "steps": steps}],
    )  # fmt: skip


@pytest.mark.slow
def test_shipped__by_the_service_itself__counts_from_its_first_step_unless_it_was_taken_back(holdout: Holdout) -> None:
    for key in ("later", "back", "never-here"):
        ended(key, date(2026, 3, 5), holdout=holdout)
    stored("refused", make_readout(key="refused", units=draw_units(4_000, effect=0.0), otherwise="dont"))
    do("refused", "stop")
    Experiment.objects.filter(key="refused").update(stopped_at=datetime(2026, 3, 5, tzinfo=UTC))
    rolled_out("later", date(2026, 3, 20))
    rolled_out("back", date(2026, 3, 20), state="back")
    rolled_out("refused", date(2026, 3, 21))

    found, _sums = single_findings(asked(since=date(2026, 3, 2)), date(2026, 4, 1))
    early, _sums = single_findings(asked(since=date(2026, 3, 2)), date(2026, 3, 20))

    arm = Experiment.objects.get(key="later").variants.order_by("position")[1].key
    assert [(one.experiment, one.on) for one in found] == [
        ("never-here", date(2026, 3, 5)),
        ("later", date(2026, 3, 20)),
        ("refused", date(2026, 3, 21)),
    ]
    assert [one.variant for one in found[1:]] == [arm, arm]
    assert [one.experiment for one in early] == ["never-here"]
