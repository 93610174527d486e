"""What changed in an audience: numbered, complete, and never an empty list by mistake."""

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from insight_site.audiences import audience_services
from insight_site.models import Audience, AudienceMember
from runs.models import Job
from runs.refusals import Refused
from tests.insight_site.audiences.make import audience, place, segment

pytestmark = pytest.mark.django_db


def members(of: Audience) -> set[str]:
    return set(AudienceMember.objects.filter(audience=of, is_in=True).values_list("unit", flat=True))


def refusal(of: Audience) -> str:
    return Refused.from_record(of.refusal).sentence if of.refusal else ""


class TestWhoFollowsTheChanges(TestCase):
    """Whatever happens between two looks, who applies the changes in order has the list."""

    @pytest.mark.slow
    @given(st.lists(st.tuples(st.sets(st.sampled_from("abcdef")), st.booleans()), max_size=6))
    @settings(max_examples=60, deadline=None)
    def test_changes__fetched_now_and_then__give_the_list(self, rounds: list[tuple[set[str], bool]]) -> None:
        group, known, last = segment(), set[str](), 0
        row = audience(group)
        for units, looks in [*rounds, (set("ab"), True)]:
            place(group, units)
            assert audience_services.count(row.pk)
            if not looks:
                continue
            for change in AudienceMember.objects.filter(audience=row, change__gt=last).order_by("change"):
                assert change.change > last
                last = change.change
                known = known | {change.unit} if change.is_in else known - {change.unit}
            assert known == units == members(row)
        row.refresh_from_db()
        assert (row.members, row.last_change >= last) == (2, True)


def test_count__twice_without_a_change__writes_nothing() -> None:
    group = segment()
    row = audience(group)
    place(group, "abc")
    audience_services.count(row.pk)
    row.refresh_from_db()

    audience_services.count(row.pk)

    before = row.last_change
    row.refresh_from_db()
    assert (before, row.last_change, row.members) == (3, 3, 3)


def test_count__who_went__is_numbered_before_who_came() -> None:
    group = segment()
    row = audience(group)
    place(group, "abc")
    audience_services.count(row.pk)
    place(group, "bcz")

    audience_services.count(row.pk)

    rows = AudienceMember.objects.filter(audience=row, change__gt=3).order_by("change")
    assert list(rows.values_list("unit", "is_in", "change")) == [("a", False, 4), ("z", True, 5)]


@pytest.mark.parametrize(("before", "left", "held"), [(100, 0, False), (102, 51, False), (102, 50, True)])
def test_count__that_would_empty_the_list__waits_for_a_person(before: int, left: int, held: bool) -> None:
    group = segment()
    row = audience(group)
    place(group, [f"u{n}" for n in range(before)])
    audience_services.count(row.pk)
    place(group, [f"u{n}" for n in range(left)])

    assert audience_services.count(row.pk) is not held

    row.refresh_from_db()
    assert len(members(row)) == (before if held else left)
    assert ("would go" in refusal(row)) is held
    assert audience_services.count(row.pk, although_it_shrinks=True)
    assert len(members(row)) == left


def test_count__after_a_new_version__follows_it_and_without_the_group_stays_as_it_was() -> None:
    group = segment()
    row = audience(group)
    place(group, "abc")
    audience_services.count(row.pk)
    newer = segment(2)
    place(newer, "bcd")

    audience_services.count(row.pk)
    assert members(row) == set("bcd")

    newer.key = "g9"
    newer.save()
    assert not audience_services.count(row.pk)
    row.refresh_from_db()
    assert members(row) == set("bcd")
    assert refusal(row).startswith("Version 2 of Style has no group g1")


def test_who_left_long_ago__is_forgotten_once_everybody_was_told() -> None:
    group = segment()
    row = audience(group)
    place(group, "ab")
    audience_services.count(row.pk)
    place(group, "a")
    audience_services.count(row.pk)
    AudienceMember.objects.update(changed_at=timezone.now() - audience_services.KEPT - timedelta(hours=1))
    Audience.objects.update(way="webhook", sent_change=2)

    audience_services.count(row.pk)
    assert AudienceMember.objects.count() == 2
    Audience.objects.update(sent_change=3)
    audience_services.count(row.pk)
    assert list(AudienceMember.objects.values_list("unit", flat=True)) == ["a"]


def test_due__by_the_hours__and_never_when_off() -> None:
    row = audience(segment(), hours=6)
    Job.objects.all().delete()

    assert audience_services.ask_all_due() == 1
    Audience.objects.update(counted_at=timezone.now() - timedelta(hours=5, minutes=59))
    assert audience_services.ask_all_due() == 0
    Audience.objects.update(counted_at=timezone.now() - timedelta(hours=6, minutes=1))
    assert audience_services.ask_all_due() == 1
    Audience.objects.update(enabled=False)
    assert audience_services.ask_all_due() == 0
    assert not audience_services.count(row.pk)
