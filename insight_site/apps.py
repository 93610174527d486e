from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from insight_site import schedules
from insight_site.access import roles
from reporting import words
from runs.queue.registry import QUICK, Task


class InsightSiteConfig(AppConfig):
    name = "insight_site"
    verbose_name = _("Access")
    tasks = (
        Task("insight_site.tasks.draw_pictures"),
        Task("insight_site.tasks.forget_pictures", QUICK),
        Task("insight_site.tasks.close_lost_runs", QUICK),
        Task("insight_site.tasks.forget_old_calls", QUICK),
        Task("insight_site.tasks.count_home_figures"),
        Task("insight_site.tasks.write_sample"),
    )

    def ready(self) -> None:
        from insight_site import checks  # noqa: F401, PLC0415 - registers the system checks, which need loaded apps

        words.bind(gettext)
        post_migrate.connect(schedules.synchronise, sender=self)
        post_migrate.connect(roles.grant, dispatch_uid="insight_site.access.roles")
