"""The job queue in the admin: waiting, running, finished and failed jobs, and schedules. Rows can't be added or edited.

If tasks or schedules could be typed in, a guessed password would be enough to call any function of the worker.
"""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import display

from runs.models import Job, Schedule
from runs.queue import leases

COLOURS = {"waiting": "info", "running": "warning", "done": "success", "failed": "danger"}
TIMES = ("asked_at", "started_at", "ended_at")


class ReadOnly(ModelAdmin):
    """A read-only admin page."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ("id", "task", "arguments_shown", "state_shown", "attempts", *TIMES, "error")
    list_filter = ("state", "queue", "task")
    search_fields = ("task", "schedule", "error")
    exclude = ("owned_until",)
    actions = ("run_again",)

    @display(description=_("state"), label=COLOURS, ordering="state")  # type: ignore[untyped-decorator]
    def state_shown(self, job: Job) -> tuple[str, str]:
        return job.state, job.get_state_display()

    @admin.display(description=_("arguments"))
    def arguments_shown(self, job: Job) -> str:
        return ", ".join(map(str, job.arguments))

    @admin.action(description=_("Run failed ones again"), permissions=("run",))
    def run_again(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        number = leases.run_again(queryset)
        text = ngettext("{n} task waits again.", "{n} tasks wait again.", number).format(n=number)
        self.message_user(request, text, messages.SUCCESS if number else messages.WARNING)

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Running a task needs more than the view permission."""
        return bool(request.user.has_perm("runs.change_job"))


@admin.register(Schedule)
class ScheduleAdmin(ReadOnly):
    list_display = ("name", "task", "often_shown", "next_run", "last_started_at", "last_success_at", "failures")
    list_filter = ("every",)
    search_fields = ("name", "task")

    @admin.display(description=_("how often"))
    def often_shown(self, row: Schedule) -> str:
        """The interval in words."""
        if row.every != Schedule.Every.MINUTES:
            return str(row.get_every_display())
        minutes = row.minutes or 1
        return ngettext("each minute", "every {n} minutes", minutes).format(n=minutes)
