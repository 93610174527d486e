"""One process has a job; what becomes of it when the process, the job or the clock fails."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from runs.models import Job, Schedule
from runs.queue import jobs, worker
from runs.queue.jobs import put
from runs.queue.registry import LONG, QUICK, Task, UnknownTaskError, all_tasks, find_task
from segments.models import SegmentationRun

pytestmark = pytest.mark.django_db
SAMPLE, FLUSH = "insight_site.tasks.write_sample", "events.tasks.flush_events"
RUN = "segments.tasks.run_segmentation"


def test_all_tasks__each__is_a_function_of_its_own_app() -> None:
    from django.utils.module_loading import import_string

    names = [task.name for task in all_tasks()]

    assert len(names) == len(set(names))
    assert all(callable(import_string(name)) for name in names)


@pytest.mark.parametrize(
    "name", ["os.system", "django.core.management.call_command", "aha.tasks.studies.run_study", ""]
)
def test_put__a_function_that_no_app_lists__is_refused(name: str) -> None:
    with pytest.raises(UnknownTaskError):
        put(name, "id > /tmp/x")

    assert not Job.objects.exists()


def test_perform__a_row_that_somebody_wrote_with_another_function__runs_nothing() -> None:
    job = Job.objects.create(task="os.getpid", queue=QUICK)

    assert worker.perform(job) == "This version of Insight knows no such task."


def test_take__two_processes__one_of_them_gets_it() -> None:
    put(SAMPLE, "aha.Study", 1)

    first, second = jobs.take(LONG, "a"), jobs.take(LONG, "b")

    assert first is not None
    assert (first.owner, first.attempts, first.arguments) == ("a", 1, ["aha.Study", 1])
    assert second is None


def test_take__a_late_task_that_waits_longer__comes_after_the_others() -> None:
    put("insight_site.tasks.draw_pictures", "aha.Study", 1)
    put("insight_site.tasks.look_at_parts")

    taken = [jobs.take(QUICK, "a"), jobs.take(QUICK, "a")]

    assert [job.task.rpartition(".")[2] for job in taken if job] == ["look_at_parts", "draw_pictures"]


def test_take__another_queue__has_nothing() -> None:
    put(SAMPLE, "aha.Study", 1)

    assert jobs.take(QUICK, "a") is None


def test_finish__by_one_who_has_lost_it__changes_nothing() -> None:
    put(SAMPLE, "aha.Study", 1)
    job = jobs.take(LONG, "a")
    assert job is not None
    jobs.free("a")
    again = jobs.take(LONG, "b")

    assert not jobs.finish(job)
    assert not jobs.prolong(job)
    assert again is not None
    assert jobs.prolong(again)
    assert Job.objects.get().owner == "b"


def test_fail__three_times__is_given_up_with_pauses_between() -> None:
    put(SAMPLE, "aha.Study", 1)
    seen = []
    for _ in range(3):
        Job.objects.update(due_at=None)
        job = jobs.take(LONG, "a")
        assert job is not None
        jobs.fail(job, "ValueError")
        now = Job.objects.get()
        seen.append((now.state, now.due_at and round((now.due_at - timezone.now()).total_seconds() / 60)))

    assert [state for state, _ in seen] == ["waiting", "waiting", "failed"]
    assert [minutes for _, minutes in seen[:2]] == [1, 5]
    assert jobs.take(LONG, "a") is None


def test_fail__of_a_scheduled_one__is_counted_and_not_tried_again() -> None:
    for _ in range(2):
        put(FLUSH, schedule="events: flush")
        job = jobs.take("store", "a")
        assert job is not None
        jobs.fail(job, "OSError")

    row = Schedule.objects.get(name="events: flush")
    assert (row.failures, row.last_success_at) == (2, None)
    put(FLUSH, schedule="events: flush")
    job = jobs.take("store", "a")
    assert job is not None
    assert jobs.finish(job)
    row.refresh_from_db()
    assert row.failures == 0
    assert row.last_success_at is not None


def running(**fields: Any) -> SegmentationRun:
    run = SegmentationRun.objects.create(status="running", heard_at=timezone.now(), **fields)
    put(RUN, run.pk)
    return run


def test_free__a_process_that_was_killed__begins_its_run_anew_and_gives_it_up_after_the_third() -> None:
    run, states = running(stage="clusters", share=0.9), []
    for _ in range(3):
        SegmentationRun.objects.update(status="running")
        assert jobs.take(LONG, "a") is not None
        assert jobs.free("a") == 1
        run.refresh_from_db()
        states.append((Job.objects.get(task=RUN).state, run.status, run.share if run.status == "queued" else None))

    assert states == [("waiting", "queued", 0.0), ("waiting", "queued", 0.0), ("failed", "failed", None)]
    assert "stopped in the middle" in run.reason


def test_free__whose_process_dies_before_it_begins_its_run__fails_the_run_with_the_task() -> None:
    """Found by `make hard`: nobody would have asked for it any more, and its page said "queued" for ever."""
    run = SegmentationRun.objects.create()
    put(RUN, run.pk)
    for _ in range(3):
        assert jobs.take(LONG, "a") is not None
        jobs.free("a")

    run.refresh_from_db()
    assert (Job.objects.get(task=RUN).state, run.status) == ("failed", "failed")
    assert run.finished_at is not None
    assert "stopped in the middle" in run.reason


def test_fail__that_left_its_run_open__begins_it_anew_and_fails_it_in_the_end() -> None:
    """As when the database was away just when the run was to be closed: the next try would have found it taken."""
    run, states = running(stage="clusters", share=0.9), []
    for _ in range(3):
        SegmentationRun.objects.update(status="running")
        Job.objects.update(due_at=None)
        job = jobs.take(LONG, "a")
        assert job is not None
        assert jobs.fail(job, "OperationalError")
        run.refresh_from_db()
        states.append(run.status)

    assert states == ["queued", "queued", "failed"]


def test_free_and_fail__of_a_row_whose_argument_is_no_id__do_not_end_the_worker() -> None:
    Job.objects.create(task=RUN, queue=LONG, arguments=["no number"])
    assert jobs.take(LONG, "a") is not None
    assert jobs.free("a") == 1
    job = jobs.take(LONG, "b")
    assert job is not None

    assert jobs.fail(job, "ValueError")


def test_fail__by_one_who_has_lost_the_job__leaves_the_run_alone() -> None:
    run = running()
    job = jobs.take(LONG, "a")
    assert job is not None
    Job.objects.update(owner="b")

    assert not jobs.fail(job, "OperationalError")

    run.refresh_from_db()
    assert run.status == "running"


def test_end__of_a_run_that_takes_too_long__is_given_up_at_the_first_try() -> None:
    run = running()
    job = jobs.take(LONG, "a")
    assert job is not None

    assert jobs.end(job, "It took longer than 3600 seconds.")

    run.refresh_from_db()
    assert (Job.objects.get(task=RUN).state, run.status) == ("failed", "failed")
    assert not jobs.end(job, "again")


def test_free__of_a_run_that_a_person_cancelled__ends_it() -> None:
    run = running(cancel_requested=True)
    jobs.take(LONG, "a")

    jobs.free("a")

    run.refresh_from_db()
    assert run.status == "cancelled"


def test_free__stopped_by_ourselves__is_no_try() -> None:
    running()
    for _ in range(5):
        assert jobs.take(LONG, "a") is not None
        assert jobs.free("a", counted=False) == 1

    job = Job.objects.get()
    assert (job.state, job.attempts) == ("waiting", 0)


def watched(monkeypatch: pytest.MonkeyPatch, *times: float) -> Iterator[int]:
    """How many jobs a worker frees at each of these seconds of its own clock."""
    watch = jobs.Watch()
    for now in times:
        monkeypatch.setattr("runs.queue.jobs.time.monotonic", lambda now=now: now)
        yield watch.free_silent()


@pytest.mark.parametrize("ends", [timedelta(days=-2), timedelta(), timedelta(days=2)], ids=["slow", "right", "fast"])
def test_free_silent__while_somebody_watches_long_enough__frees_it_whatever_the_clocks_say(
    ends: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(SAMPLE, "aha.Study", 1)
    jobs.take(LONG, "another machine")
    Job.objects.update(owned_until=timezone.now() + ends)

    assert list(watched(monkeypatch, 100, 129, 158, 187, 189, 191)) == [0, 0, 0, 0, 0, 1]
    assert Job.objects.get().state == "waiting"


@pytest.mark.parametrize("ends", [timedelta(days=-2), timedelta(days=2)], ids=["slow", "fast"])
def test_free_silent__prolonged_by_a_machine_whose_clock_is_wrong__stays(
    ends: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(SAMPLE, "aha.Study", 1)
    jobs.take(LONG, "another machine")
    for number, freed in enumerate(watched(monkeypatch, *range(100, 400, 20))):
        Job.objects.update(owned_until=timezone.now() + ends + timedelta(seconds=number))
        assert freed == 0

    assert Job.objects.get().state == "running"


def test_free_silent__after_a_time_without_a_look__watches_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    put(SAMPLE, "aha.Study", 1)
    jobs.take(LONG, "a")

    assert list(watched(monkeypatch, 100, 120, 300, 320, 340, 360, 380, 391)) == [0, 0, 0, 0, 0, 0, 0, 1]


def test_forget_old__beyond_two_days_and_a_month__go() -> None:
    now = timezone.now()
    for state, days in (("done", 1.9), ("done", 2.1), ("failed", 29), ("failed", 31), ("waiting", 99)):
        Job.objects.create(task=SAMPLE, queue=LONG, state=state, ended_at=now - timedelta(days=days))

    assert jobs.forget_old() == 2
    assert sorted(Job.objects.values_list("state", flat=True)) == ["done", "failed", "waiting"]


def test_run_again__a_failed_one__waits_with_all_its_tries() -> None:
    job = Job.objects.create(task=SAMPLE, queue=LONG, state="failed", attempts=3, ended_at=timezone.now())
    done = Job.objects.create(task=SAMPLE, queue=LONG, state="done", attempts=1)

    assert jobs.run_again([job, done]) == 1
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("waiting", 0)


def test_find_task__of_the_flush__has_a_queue_of_its_own() -> None:
    alone = [task.name for task in all_tasks() if task.queue == find_task(FLUSH).queue]

    assert alone == [FLUSH]
    assert isinstance(find_task(FLUSH), Task)
