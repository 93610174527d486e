from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from runs import parallel
from runs.personal_data import PLAIN, UnitTexts
from runs.queue.registry import QUICK, Task


class RunsConfig(AppConfig):
    name = "runs"
    verbose_name = _("Background work")
    default_auto_field = "django.db.models.BigAutoField"
    tasks = (Task("runs.tasks.forget_old_jobs", QUICK),)
    personal_data = (
        UnitTexts("runs.Job", ("arguments",), _("arguments of background tasks")),
        UnitTexts("runs.Job", ("error",), _("errors of background tasks"), PLAIN),
        UnitTexts("runs.Spending", ("name",), _("what runs read"), PLAIN),
    )
    without_units = {
        "runs.Job": "names of tasks, queues and processes",
        "runs.OutcomeCount": "names of tasks and kinds of runs",
        "runs.Schedule": "names of tasks",
        "runs.Spending.kind": "names of kinds of runs",
        "runs.SiteZone": "the name of a time zone",
        "runs.WorkerPulse": "hosts and processes",
    }

    def ready(self) -> None:
        parallel.use_workers(settings.COMPUTE_WORKERS or None)
