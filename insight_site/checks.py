"""System checks of our settings: `manage.py check` names those that would lose events or let keys in."""

import importlib.util
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from events import object_store

PEPPER_CHARS = 32


@register()
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """All checks, each with its own id."""
    found: list[CheckMessage] = []
    database = settings.DATABASES["default"]
    if settings.WORKERS < 1:
        found.append(Error("WORKERS must be at least 1: studies and analyses would wait for ever.", id="insight.E001"))
    if database["ENGINE"].endswith("sqlite3") and database.get("OPTIONS", {}).get("transaction_mode") != "IMMEDIATE":
        text = "DATABASES: SQLite needs transaction_mode IMMEDIATE, since select_for_update does nothing there."
        found.append(Error(text, id="insight.E002"))
    if not settings.API_KEY_PEPPERS or any(len(pepper) < PEPPER_CHARS for pepper in settings.API_KEY_PEPPERS):
        text = f"API_KEY_PEPPERS: each pepper needs at least {PEPPER_CHARS} characters."
        found.append(Error(text, id="insight.E003"))
    if settings.EVENT_ID_DAYS < 7:
        text = "EVENT_ID_DAYS must be at least 7: senders are promised that repeats are recognised for a week."
        found.append(Error(text, id="insight.E004"))
    if settings.REDIS_URL and importlib.util.find_spec("redis") is None:
        found.append(Error("REDIS_URL is set, but the package redis is not installed.", id="insight.E005"))
    if object_store.is_remote(str(settings.EVENTS_URL)) and not object_store.is_readable():
        text = "EVENTS_URL is in S3, and the package duckdb-extension-httpfs is not installed: see docs/events.md."
        found.append(Error(text, id="insight.E007"))
    if any(rate < 1 for rate in settings.RATES.values()):
        found.append(Error("RATE_… settings must be 1 or more calls a minute.", id="insight.E006"))
    return found
