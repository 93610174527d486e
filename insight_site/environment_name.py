"""The environment's name (such as staging), shown on every page except in production."""

import re

from django.conf import settings
from django.core.checks import Error, register
from django.http import HttpRequest

PRODUCTION = "production"
NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


def other_than_production() -> str:
    """The name of the environment; "" in production."""
    return "" if settings.ENVIRONMENT == PRODUCTION else str(settings.ENVIRONMENT)


def admin_badge(request: HttpRequest) -> list[str] | None:
    """Badge for Unfold's header: text and colour."""
    name = other_than_production()
    return [name, "warning"] if name else None


@register()
def check_name(**_options: object) -> list[Error]:
    """Check that keys and documents can hold the name."""
    if NAME.fullmatch(settings.ENVIRONMENT):
        return []
    return [Error("ENVIRONMENT is a name of at most 20 lower-case letters, digits and hyphens.", id="insight.E040")]
