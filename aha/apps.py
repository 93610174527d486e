from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AhaConfig(AppConfig):
    name = "aha"
    verbose_name = _("AHA discovery")
    default_auto_field = "django.db.models.BigAutoField"
