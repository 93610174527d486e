"""An app whose tasks sleep, fail, and die: for workers that the tests start."""

from django.apps import AppConfig

from runs.queue.registry import QUICK, Task


class PretendConfig(AppConfig):
    name = "tests.runs.queue.pretend"
    label = "pretend"
    tasks = (
        Task("tests.runs.queue.pretend.tasks.sleep"),
        Task("tests.runs.queue.pretend.tasks.sleep_in_quick", QUICK),
        Task("tests.runs.queue.pretend.tasks.never_ends", QUICK, seconds=2),
        Task("tests.runs.queue.pretend.tasks.die", QUICK, tries=3),
        Task("tests.runs.queue.pretend.tasks.note", QUICK),
        Task("tests.runs.queue.pretend.tasks.note_down", QUICK),
    )
