"""Who is told what, and how often: the states of a thing, the choices of people, and what they may see."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from aha.models import AhaMoment, KeptReach
from aha.moments.claims import ReachWeek, WeeklyReach
from aha.moments.reach import WEEKS
from aha.study.report_columns import wilson_interval
from experiments.models import Amendment, PlanComment
from experiments.plan.lifecycle import Action
from experiments.plan.moves import move
from insight_site import tasks
from insight_site.models import Notice, NoticeChannel, Timing, ToldState
from insight_site.notify.dispatch import hear, look_at_parts
from insight_site.notify.notice_kinds import BY_KEY, KINDS
from insight_site.notify.preferences import next_daily
from insight_site.operate import component_health
from runs.models import Job
from runs.queue.jobs import OVER, TASK, tell
from runs.refusals import Refused
from tests.experiments.make import draft
from tests.experiments.make_readout import RUNNING, broken, make_readout, make_result, started, stored
from tests.insight_site.notices.make import everything, reader, work

pytestmark = pytest.mark.django_db
EXPERIMENT = "experiments.Experiment"


def told() -> list[tuple[str, str]]:
    """Kind and reader of every notice, oldest first."""
    rows = Notice.objects.order_by("pk").values_list("kind", "user__username", "channel__name")
    return [(kind, user or channel) for kind, user, channel in rows]


def test_start__owner_and_who_worked_on_it_hear_of_it__who_did_it_does_not() -> None:
    owner, commenter, amender, starter, _other = (reader(name) for name in ("own", "com", "ame", "sta", "oth"))
    row = draft(created_by=owner)
    PlanComment.objects.create(experiment=row, text="Why?", by=commenter)
    Amendment.objects.create(experiment=row, at=timezone.now(), by=amender, why="w", changes={})

    move(key="exp", action=Action.START, by=starter)
    work()

    assert sorted(told()) == [("started", "ame"), ("started", "com"), ("started", "own")]
    assert Notice.objects.get(user=owner).row == str(row.pk)

    move(key="exp", action=Action.STOP, by=owner)
    work()
    assert ("stopped", "own") not in told()
    assert ("stopped", "com") in told()


def test_a_start_that_is_refused__tells_nobody() -> None:
    draft(planned_units=None)
    everything()

    with pytest.raises(Refused):
        move(key="exp", action=Action.START)

    assert not Job.objects.filter(task=TASK).exists()


@pytest.mark.slow
def test_sample_ratio__told_once_until_it_changes() -> None:
    everything()
    fine = make_result(**RUNNING)
    states = [fine, broken(), broken(), fine, fine, broken()]
    seen = []
    for readout in states:
        hear("analysed", "experiments.Analysis", str(stored("exp", readout).pk), "done")
        seen.append(Notice.objects.filter(kind="sample_ratio").count())

    assert seen == [0, 1, 1, 1, 1, 2]


def test_the_same_task_twice__tells_once() -> None:
    everything()
    row = started()
    for _again in range(2):
        for job in Job.objects.filter(task=TASK):
            tasks.tell(*job.arguments)

    assert told() == [("started", "all")]
    assert ToldState.objects.get(kind="started").subject == f"{EXPERIMENT}:{row.pk}"


def test_an_open_analysis__tells_the_look_and_the_verdict_once() -> None:
    everything()
    analysis = stored("exp", make_readout())
    for _night in range(2):
        hear("analysed", "experiments.Analysis", str(analysis.pk), "done")

    assert sorted(told()) == [("look_due", "all"), ("verdict", "all")]
    assert Notice.objects.get(kind="verdict").code == "CAUSES:final"


def test_reviewers__those_who_were_asked__else_all_who_may_review() -> None:
    author, asked, pm, _analyst = reader("aut"), reader("ask"), reader("pm"), reader("ana", role="Analyst")
    row = draft(created_by=author)

    hear("review_requested", EXPERIMENT, str(row.pk), "1", by=author.pk, to=[asked.pk])
    assert told() == [("review_requested", "ask")]

    hear("review_requested", EXPERIMENT, str(row.pk), "2", by=author.pk)
    assert {name for _kind, name in told()} == {"ask", pm.username}


def test_choices__daily_never_and_everything() -> None:
    reader("daily", everything=True, timings={"started": Timing.DAILY})
    reader("never", everything=True, timings={"started": Timing.NEVER})
    reader("once", everything=True)
    reader("mine")
    started()
    work()

    assert sorted(told()) == [("started", "daily"), ("started", "once")]
    late = Notice.objects.get(user__username="daily")
    assert late.daily
    assert late.next_try_at == next_daily(late.happened_at)
    assert not Notice.objects.get(user__username="once").daily


def test_who_may_not_see_it__or_has_no_address__is_not_told() -> None:
    reader("norole", role="", everything=True)
    gone = reader("gone", everything=True)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    silent = reader("silent", everything=True)
    User.objects.filter(pk=silent.pk).update(email="")
    started()
    work()

    assert told() == []


def test_places__a_persons_own_beside_their_mail__a_teams_by_its_kinds() -> None:
    user = everything()
    own: dict[str, Any] = {"service": "Slack", "secret_address": "slack://x"}
    NoticeChannel.objects.create(owner=user, name="mine", **own)
    NoticeChannel.objects.create(owner=user, name="off", enabled=False, **own)
    NoticeChannel.objects.create(name="team", kinds=["started"], **own)
    NoticeChannel.objects.create(name="deaf", kinds=["stopped"], **own)
    started()
    work()

    rows = Notice.objects.values_list("user__username", "channel__name")
    assert sorted(rows, key=str) == sorted([("all", None), ("all", "mine"), (None, "team")], key=str)


def test_a_run_that_fails__its_maker_hears__and_of_nights_only_once() -> None:
    owner, asker = reader("own"), reader("ask")
    row = started(created_by=owner)
    for night in range(2):
        analysis = stored("exp", make_result(**RUNNING), status="failed")
        hear("run_failed", "experiments.Analysis", str(analysis.pk), "failed")
        assert told() == [("run_failed", "own")], night

    hear("analysed", "experiments.Analysis", str(stored("exp", make_result(**RUNNING)).pk), "done")
    mine = stored("exp", make_result(**RUNNING), status="failed", created_by=asker)
    hear("run_failed", "experiments.Analysis", str(mine.pk), "failed")
    assert told()[1:] == [("run_failed", "ask")]
    assert row.created_by == owner


def weeks(shares: list[float]) -> WeeklyReach:
    """Complete weeks of 1,000 users."""
    rows = [
        ReachWeek(
            date(2026, 1, 5) + timedelta(weeks=n), 1_000, 1_000, reached, wilson_interval(reached, 1_000), complete=True
        )
        for n, reached in enumerate(round(p * 1_000) for p in shares)
    ]
    return WeeklyReach(tuple(rows), "2026-06-01T00:00:00")


def test_share_falling__told_when_it_falls__again_after_it_has_recovered() -> None:
    owner = reader("own")
    moment = AhaMoment.objects.create(key="m", name="Three friends", behaviour="f", times=3, days=7, created_by=owner)
    seen = []
    for last in ([0.3], [0.3, 0.2], [0.3, 0.2, 0.19], [0.3] * 9, [0.3] * 9 + [0.2]):
        kept = {"weeks": WEEKS.store(weeks([0.3] * 9 + last)), "counted_at": timezone.now()}
        KeptReach.objects.update_or_create(moment=moment, defaults=kept)
        hear("reach_counted", "aha.AhaMoment", str(moment.pk), "counted")
        seen.append(len(told()))

    assert seen == [0, 1, 1, 1, 2]
    assert all(row.daily for row in Notice.objects.all())


def test_share_falling__fewer_than_eight_weeks_before__says_nothing() -> None:
    everything()
    moment = AhaMoment.objects.create(key="m", name="Three friends", behaviour="f", times=3, days=7)
    KeptReach.objects.create(moment=moment, weeks=WEEKS.store(weeks([0.3] * 7 + [0.01])), counted_at=timezone.now())

    assert hear("reach_counted", "aha.AhaMoment", str(moment.pk), "counted") == 0


def test_parts__administrators_hear_of_the_second_bad_look__once(monkeypatch: pytest.MonkeyPatch) -> None:
    reader("adm", role="Admin")
    reader("pm", everything=True)
    well = {"disk": True}
    monkeypatch.setattr(component_health, "look", lambda name: component_health.Sign(well.get(name, True), ""))
    seen = []
    for is_well in (True, False, True, False, False, False, True, False, False):
        well["disk"] = is_well
        look_at_parts()
        seen.append(len(told()))

    assert seen == [0, 0, 0, 0, 1, 1, 1, 1, 2]
    assert set(told()) == {("part_unwell", "adm")}
    assert set(Notice.objects.values_list("code", flat=True)) == {"disk"}


def test_a_kind_of_another_release__is_logged_and_no_error() -> None:
    assert hear("hologram", EXPERIMENT, "1", "x") == 0


def test_kinds__are_each_once_and_fit_their_column() -> None:
    assert len(BY_KEY) == len(KINDS)
    assert all(len(kind.key) <= 30 and len(code) <= 40 for kind in KINDS for code in kind.codes)
    assert OVER not in BY_KEY


def test_without_a_state__it_is_news_each_time__for_who_is_named_and_who_worked_on_it() -> None:
    owner, named = reader("own"), reader("nam")
    row = draft(created_by=owner)
    for _comment in range(2):
        tell("comment", EXPERIMENT, row.pk, by=owner.pk, to=[named.pk, None])
    work()

    assert told() == [("comment", "nam")] * 2
    assert not ToldState.objects.exists()
