"""The weekly reach is counted by a worker and read by pages."""

from datetime import date

import pytest

from aha.models import AhaMoment, KeptReach
from aha.moments import promote, reach
from aha.moments.claims import ReachWeek, WeeklyReach
from aha.study.numbers import Interval
from runs.models import Job
from runs.refusals import Refused

pytestmark = pytest.mark.django_db
COUNTED = WeeklyReach((ReachWeek(date(2026, 1, 5), 9, 9, 3, Interval(0.3, 0.1, 0.6), complete=True),), "2026-02-01")


def moment() -> AhaMoment:
    return promote.create_moment(
        name="Guild", behaviour="chat", times=1, days=7, signup_event="signup", retention="window:14-20"
    )


def test_count__answer__is_kept_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "weekly_reach", lambda _moment: COUNTED)
    row = moment()

    assert reach.count(row.pk)

    found = reach.last_count(row)
    assert (found.weeks, found.reason) == (COUNTED, "")
    assert found.counted_at is not None


def test_count__refused_after_a_good_count__keeps_the_weeks_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    row = moment()
    monkeypatch.setattr(reach, "weekly_reach", lambda _moment: COUNTED)
    reach.count(row.pk)

    def refuse(_moment: AhaMoment) -> WeeklyReach:
        raise Refused("There are no events yet.")

    monkeypatch.setattr(reach, "weekly_reach", refuse)
    reach.count(row.pk)

    found = reach.last_count(row)
    assert (found.weeks, found.reason) == (COUNTED, "There are no events yet.")


def test_count__moment_is_gone__does_nothing() -> None:
    assert not reach.count(0)


def test_ask_for_count__twice__hands_one_task_to_a_worker() -> None:
    row = moment()
    KeptReach.objects.all().delete()
    Job.objects.all().delete()

    reach.ask_for_count(row)
    reach.ask_for_count(row)

    assert [job.arguments for job in Job.objects.filter(task=reach.TASK)] == [[row.pk]]
