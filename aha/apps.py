from django.apps import AppConfig


class AhaConfig(AppConfig):
    name = "aha"
    default_auto_field = "django.db.models.BigAutoField"
