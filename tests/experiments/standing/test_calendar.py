"""The calendar of tests: days of a bar on the screen, and where two experiments need the same users."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from experiments.models import AudienceRow, Experiment, Layer
from experiments.status import calendar
from tests.experiments.make import do, draft, running

pytestmark = pytest.mark.django_db
TODAY = timezone.localdate


def ends(days: int) -> date:
    return TODAY() + timedelta(days=days)


def sentences(daily: dict[str, float] | None = None) -> list[str]:
    return [found.sentence for found in calendar.collisions(calendar.bars(TODAY()), TODAY(), daily or {}, {})]


def in_layer(row: Experiment, layer: Layer, low: int, high: int) -> None:
    Experiment.objects.filter(pk=row.pk).update(layer=layer, layer_low=low, layer_high=high)


def only(row: Experiment, *segments: str | None, coverage: int = 10_000) -> None:
    row.audience.all().delete()
    for position, key in enumerate(segments):
        AudienceRow.objects.create(experiment=row, position=position, segment_key=key, coverage=coverage)


def test_bars__of_every_state__have_their_days() -> None:
    running("now", planned_end=ends(10), primary_metrics=["window:14-20"])
    draft("idea", planned_end=ends(20), primary_metrics=["window:14-20"])
    running("late", planned_end=ends(5))
    Experiment.objects.filter(key="late").update(planned_end=ends(-3))
    running("over", planned_end=ends(10))
    do("over", "stop")
    running("closed")
    Experiment.objects.filter(key="closed").update(status="concluded")

    found = {bar.experiment.key: bar for bar in calendar.bars(TODAY())}

    assert set(found) == {"now", "idea", "late", "over"}
    assert (found["now"].ends, found["now"].result) == (ends(10), ends(31))
    assert (found["idea"].starts, found["idea"].ends, found["idea"].open) == (TODAY(), ends(20), True)
    assert found["late"].ends == TODAY()
    assert (found["over"].ends, found["over"].open) == (TODAY(), False)


def test_collision__same_population_and_days__is_one_sentence_and_without_either_none() -> None:
    one, other = running("one", planned_end=ends(10)), running("other", planned_end=ends(20))
    (sentence,) = sentences()
    assert "100% of the first one's users meet the other" in sentence

    only(other, None, coverage=2_500)
    assert "25% of the first one's users" in sentences()[0]

    Experiment.objects.filter(pk=other.pk).update(planned_end=ends(-1), enrolment_closed_at=timezone.now())
    assert sentences() == []
    assert one.pk != other.pk


def test_collision__other_segments__dont_meet_and_everybody_meets_each() -> None:
    one, other = running("one", planned_end=ends(10)), running("other", planned_end=ends(10))
    only(one, "korea.v1")
    only(other, "japan.v1")
    assert sentences() == []

    only(other, "japan.v1", None)
    assert "(korea.v1)" in sentences()[0]


def test_collision__of_new_users_of_two_signups__is_none_but_all_users_are_among_them() -> None:
    one, other = running("one", planned_end=ends(10)), running("other", planned_end=ends(10))
    Experiment.objects.filter(pk=one.pk).update(enrolment="new_units", signup_event="signup")
    Experiment.objects.filter(pk=other.pk).update(enrolment="new_units", signup_event="install")
    assert sentences() == []

    Experiment.objects.filter(pk=other.pk).update(enrolment="all")
    assert len(sentences()) == 1


def test_collision__in_a_common_layer__is_none_unless_slices_overlap() -> None:
    layer = Layer.objects.create(key="lobby")
    one, other = running("one", planned_end=ends(10)), running("other", planned_end=ends(10))
    in_layer(one, layer, 0, 5_000)
    in_layer(other, layer, 5_000, 10_000)
    assert sentences() == []

    in_layer(other, layer, 4_000, 10_000)
    assert "take the same 10% of users" in sentences()[0]


def test_layer__with_too_few_users__says_how_many_come() -> None:
    layer = Layer.objects.create(key="lobby")
    row = running("one", planned_end=ends(9), planned_units=1_000)
    in_layer(row, layer, 0, 5_000)

    (sentence,) = sentences({"*": 100.0})

    # Ten days of a hundred users, half of them in its slice.
    assert "needs 1,000 more users" in sentence
    assert "About 500 will come" in sentence
    assert sentences({"*": 200.0}) == []
    assert sentences() == []


def test_collision__of_two_drafts__can_still_be_moved() -> None:
    draft("one", planned_end=ends(10))
    draft("other", planned_end=ends(10))

    assert sentences() == []


def test_stripe__on_both_sides_of_the_edge() -> None:
    first = date(2026, 10, 5)

    assert calendar.stripe(first, first + timedelta(days=6), first) == calendar.Stripe(0, calendar.UNIT)
    assert calendar.stripe(first - timedelta(days=9), first - timedelta(days=1), first) is None
    assert calendar.stripe(first, None, first) is None
    whole = calendar.stripe(first - timedelta(days=9), first + timedelta(days=999), first)
    assert whole == calendar.Stripe(0, calendar.width())


def test_page__fifty_experiments__as_many_queries_as_two(client: Client) -> None:
    client.force_login(User.objects.create_user("ann"))
    running("one", planned_end=ends(10))
    client.get("/experiments/-/calendar/")
    with CaptureQueriesContext(connection) as few:
        assert "collide" in client.get("/experiments/-/calendar/").content.decode()
    for n in range(50):
        draft(f"d{n}", planned_end=ends(10))
    with CaptureQueriesContext(connection) as more:
        client.get("/experiments/-/calendar/")

    assert len(more) == len(few)


def test_page__rows__say_days_and_users_beside_the_drawing(client: Client) -> None:
    client.force_login(User.objects.create_user("ann"))
    running("one", planned_end=ends(10), planned_units=400)

    text = client.get("/experiments/-/calendar/").content.decode()

    assert "0 / 400" in text
    assert "No two experiments need the same users at the same time." in text


def test_six_weeks__page__loads_its_rows_and_keeps_the_choice(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))

    page: Any = client.get("/experiments/-/six-weeks/?weeks=13").content.decode()
    assert 'hx-get="/experiments/-/six-weeks/rows/?weeks=13"' in page
    assert "rows/?weeks=6" in client.get("/experiments/-/six-weeks/?weeks=5").content.decode()
    rows = client.get("/experiments/-/six-weeks/rows/?weeks=13").content.decode()
    assert "<html" not in rows
    assert "There is no AHA moment and no metric to test yet." in rows
