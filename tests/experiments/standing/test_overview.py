"""Where everything stands: progress, health at and beyond its thresholds."""

from datetime import timedelta

import pytest
from django.utils import timezone

from aha.models import AhaMoment
from aha.moments import promote
from experiments.models import Analysis, Assignment, Experiment
from experiments.status import overview
from experiments.status.overview import Light, concern_words
from tests.experiments.make import do, draft, running

pytestmark = pytest.mark.django_db


def assign(row: Experiment, control: int, treated: int, *, exposed: bool = True) -> None:
    now = timezone.now()
    arms = list(row.variants.order_by("position"))
    Assignment.objects.bulk_create(
        Assignment(
            unit=f"{arm.key}-{one}",
            experiment=row,
            variant=arm,
            bucket=1,
            assigned_at=now,
            exposed_at=now if exposed else None,
        )
        for arm, count in zip(arms, (control, treated), strict=True)
        for one in range(count)
    )


def codes(row: Experiment) -> list[str]:
    return [one.code for one in overview.standing(row).concerns]


def test_standing__half_exposed__counts_the_exposed_towards_the_plan() -> None:
    row = running("exp", planned_units=400)
    assign(row, 60, 60)
    Assignment.objects.filter(unit__endswith="-1").update(exposed_at=None)

    at = overview.standing(row)

    assert (at.assigned, at.exposed, at.planned, at.percent) == (120, 118, 400, 29)
    assert (at.light, at.verdict) == (Light.GOOD, "")


def test_standing__exposures_among_the_events_alone__are_those_of_the_last_analysis() -> None:
    row = running("exp", planned_units=400)
    Experiment.objects.filter(pk=row.pk).update(started_at=timezone.now() - timedelta(days=3))
    row.refresh_from_db()
    assign(row, 60, 60, exposed=False)
    assert codes(row) == ["nobody_exposed"]
    for met in ({"control": 1, "banner": 2}, {"control": 45, "banner": 55}):
        Analysis.objects.create(experiment=row, status="done", exposed=met)

    at = overview.standing(row)

    assert (at.assigned, at.exposed, at.percent, at.concerns) == (120, 100, 25, ())


def test_standing__lopsided_exposures_of_the_analysis__alarm() -> None:
    row = running("exp", planned_units=400)
    Analysis.objects.create(experiment=row, status="done", exposed={"control": 150, "banner": 50})

    assert codes(row) == ["sample_ratio"]


def test_standing__more_exposures_at_the_door_than_in_the_analysis__the_door_counts() -> None:
    row = running("exp", planned_units=400)
    assign(row, 50, 50)
    Analysis.objects.create(experiment=row, status="done", exposed={"control": 9})

    assert overview.standing(row).exposed == 100


def test_standing__evaluated_with_a_client_key_since_the_analysis__counts_when_an_analysis_admits_it() -> None:
    row = running("exp", planned_units=400)
    assign(row, 20, 0)
    Assignment.objects.update(visit="00c0ffee")
    before = overview.standing(row)
    Analysis.objects.create(experiment=row, status="done", exposed={"control": 4, "banner": 5})

    assert (before.exposed, codes(row)) == (20, [])
    assert overview.standing(row).exposed == 9


def test_standing__more_than_planned__is_whole() -> None:
    row = running("exp", planned_units=50)
    assign(row, 50, 50)

    assert overview.standing(row).share == 1.0


def test_standing__draft__has_no_days_and_no_light() -> None:
    at = overview.standing(draft("exp"))

    assert (at.days, at.light, at.concerns) == (None, Light.NONE, ())


# Pearson's chi-square with one degree of freedom for 200 units: 118:82 has 6.48 (p .011), 119:81 7.22 (p .0072),
# 123:77 10.58 (p .0011), 124:76 11.52 (p .00069): tables of the distribution put .01 at 6.635 and .001 at 10.828.
@pytest.mark.parametrize(
    ("control", "light"), [(118, Light.GOOD), (119, Light.WATCH), (123, Light.WATCH), (124, Light.BAD)]
)
def test_sample_ratio__on_both_sides_of_its_thresholds(control: int, light: Light) -> None:
    row = running("exp")
    assign(row, control, 200 - control)

    assert overview.standing(row).light is light


@pytest.mark.parametrize(("units", "found"), [(99, []), (100, ["sample_ratio"])])
def test_sample_ratio__below_a_hundred_units__is_not_asked(units: int, found: list[str]) -> None:
    row = running("exp")
    assign(row, units, 0)

    assert codes(row) == found


# 4 of 400 are planned, too few for a chi-square (p .00044 at 11). The binomial test of both arms has p .0017 at 12 and
# .0005 at 13.
@pytest.mark.parametrize(("banner", "found"), [(12, []), (13, ["sample_ratio"])])
def test_sample_ratio__arm_planned_tiny__is_tested_exactly_as_in_an_analysis(banner: int, found: list[str]) -> None:
    arms = ({"key": "control", "value": "none", "weight": 9_900}, {"key": "banner", "value": "banner", "weight": 100})
    row = running("exp", variants=arms)
    assign(row, 400 - banner, banner)

    assert codes(row) == found


def test_sample_ratio__row_with_weights_of_its_own__is_left_to_the_analysis() -> None:
    row = running("exp", audience=[{"coverage": 10_000, "weights": [9_000, 1_000]}])
    assign(row, 180, 20)

    assert codes(row) == []


@pytest.mark.parametrize(("hours", "found"), [(23, []), (25, ["nobody_exposed"])])
def test_nobody_exposed__after_a_day__is_said(hours: int, found: list[str]) -> None:
    row = running("exp")
    assign(row, 10, 10, exposed=False)
    row.started_at = timezone.now() - timedelta(hours=hours)

    assert codes(row) == found


def test_planned_end__today_is_in_time_and_yesterday_is_past() -> None:
    row = running("exp")

    row.planned_end = timezone.localdate()
    assert codes(row) == []
    row.planned_end -= timedelta(days=1)
    assert codes(row) == ["past_end"]


def test_concerns__several__the_worst_gives_the_light() -> None:
    row = running("exp")
    assign(row, 180, 20)
    row = do("exp", "pause")

    assert codes(row) == ["sample_ratio", "paused"]
    assert overview.standing(row).light is Light.BAD


def test_lists__each_experiment_stands_where_it_belongs() -> None:
    running("late", planned_end=timezone.localdate() + timedelta(days=30))
    running("soon", planned_end=timezone.localdate() + timedelta(days=3))
    draft("idea")
    running("over")
    do("over", "stop")

    assert [one.experiment.key for one in overview.live()] == ["soon", "late"]


def test_moments__tested_first_then_open_then_decided() -> None:
    for name, status in (("a", "confirmed"), ("b", "candidate"), ("c", "testing")):
        row = promote.create_moment(
            name=name, behaviour=name, times=1, days=1, signup_event="signup", retention="window:14-20"
        )
        AhaMoment.objects.filter(pk=row.pk).update(status=status)

    assert [row.name for row in overview.moments()] == ["c", "b", "a"]


def test_standing__analyses__the_last_finished_one_gives_the_verdict() -> None:
    row = running("exp")
    Analysis.objects.create(experiment=row, status="done", verdict="INCONCLUSIVE")
    Analysis.objects.create(experiment=row, status="done", verdict="CAUSES", final=True)
    Analysis.objects.create(experiment=row, status="failed", verdict="")

    at = overview.standing(row)

    assert (at.verdict, at.final) == ("CAUSES", True)


def test_standing__exposures_without_a_stamp__are_those_of_the_analysis() -> None:
    row = running("exp", planned_units=1_000)
    health = [
        {"check": "late_events", "severity": "warning", "details": {"n": 9, "share": 0.02}, "invalid": None},
        {"check": "amended", "severity": "info", "details": {"n": 1}, "invalid": None},
        {"check": "plan_changed", "severity": "error", "details": {}, "invalid": "plan_changed"},
    ]
    met = {"control": 120, "banner": 130}
    Analysis.objects.create(experiment=row, status=Analysis.Status.DONE, exposed=met, checks=health)

    at = overview.standing(row)

    assert (at.exposed, at.percent, at.light) == (250, 25, overview.Light.BAD)
    sentences = [concern_words(one) for one in at.concerns]
    assert sentences[0].startswith("The plan differs from the one at the start")
    assert "2.0%" in sentences[1]
    assert len(sentences) == 2
