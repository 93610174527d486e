from django.apps import AppConfig


class InsightSiteConfig(AppConfig):
    name = "insight_site"
    verbose_name = "Access"

    def ready(self) -> None:
        from insight_site import checks  # noqa: F401, PLC0415 - registers the system checks, which need loaded apps
