"""Who fell from high as an audience: users join when their activity falls, and leave when they are active again."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from insight_site.audiences import audience_services
from insight_site.models import Audience, AudienceMember
from runs.models import Job
from segments.models import SegmentVersion
from segments.published import publish, rule_members
from segments.rules.editor_templates import rule_templates
from tests.insight_site.audiences.make import audience
from tests.segments.published.small_store import Event, append, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def _store(settings: Any, tmp_path: Any) -> None:
    settings.EVENTS_URL, settings.EXPLORE_DIR = str(tmp_path / "store"), str(tmp_path / "explore")
    rule_members._rule_count_read.clear()


def active(user: str, days: range) -> list[Event]:
    return [(user, "play", at(day, 12), {}) for day in days]


def refreshed(row: Audience) -> list[tuple[str, bool]]:
    """Every segment that is due is refreshed, the audience counted: the changes since the last time."""
    before = Audience.objects.get(pk=row.pk).last_change
    SegmentVersion.objects.update(refreshed_at=timezone.now() - timedelta(days=1, minutes=1))
    assert publish.refresh_due() == 1
    assert audience_services.count(row.pk)
    changes = AudienceMember.objects.filter(audience=row, change__gt=before).order_by("change")
    return list(changes.values_list("unit", "is_in"))


@pytest.mark.usefixtures("_store")
def test_audience__of_who_fell__joins_at_a_refresh_and_leaves_when_active_again() -> None:
    (fell,) = (each.document for each in rule_templates() if each.key == "old-fell")
    signups: list[Event] = [(user, "signup", at(0), {}) for user in ("falls", "stays", "never")]
    # The data end on day 112: the last 28 dates are 84 to 111, those before 56 to 83.
    append([*signups, *active("falls", range(56, 66)), *active("stays", range(30, 113))], 1)
    version = publish.publish_rule(key="fell", name="Fell", signup_event="signup", rule=fell, refresh_days=1)
    row = audience(version.segments.get())
    Job.objects.all().delete()

    assert refreshed(row) == [("falls", True)]

    # Three days more change nothing: the limit is 3. With the fourth the user isn't one who fell.
    append([*active("falls", range(112, 114)), *active("stays", range(113, 115))], 2)
    assert refreshed(row) == []
    append([*active("falls", range(114, 116)), *active("stays", range(115, 117))], 3)
    assert refreshed(row) == [("falls", False)]

    # Time alone: the other user stops, and one newcomer's event moves the data's end.
    append([("new", "signup", at(116 + 26, 12), {})], 4)
    assert ("stays", True) in refreshed(row)


@pytest.mark.usefixtures("_store")
@pytest.mark.parametrize(("refresh_days", "refreshed_ones"), [(None, 0), (1, 1)])
def test_refresh_due__of_a_rule_on_the_last_days__goes_by_its_interval(
    refresh_days: int | None, refreshed_ones: int
) -> None:
    rule = {"all": [{"feature": "active_days", "last": 7, "at_most": 0}]}
    append([("a", "signup", at(0), {}), ("b", "signup", at(20), {})])
    version = publish.publish_rule(key="x", name="X", signup_event="signup", rule=rule, refresh_days=refresh_days)

    assert publish.refresh_due() == 0
    SegmentVersion.objects.filter(pk=version.pk).update(refreshed_at=timezone.now() - timedelta(days=1, seconds=1))
    assert publish.refresh_due() == refreshed_ones
