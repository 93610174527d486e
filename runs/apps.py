from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from runs import parallel
from runs.queue.registry import QUICK, Task


class RunsConfig(AppConfig):
    name = "runs"
    verbose_name = _("Background work")
    default_auto_field = "django.db.models.BigAutoField"
    tasks = (Task("runs.tasks.forget_old_jobs", QUICK),)

    def ready(self) -> None:
        parallel.use_workers(settings.COMPUTE_WORKERS or None)
