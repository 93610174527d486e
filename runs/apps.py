from django.apps import AppConfig
from django.conf import settings

from runs import parallel


class RunsConfig(AppConfig):
    name = "runs"

    def ready(self) -> None:
        parallel.use_workers(settings.COMPUTE_WORKERS or None)
