"""Assignments have a scope of their own: keys that read reports keep them, but those that may have things computed."""

from typing import Any

import structlog
from django.db import migrations

log = structlog.get_logger()


def keep_assignments(apps: Any, schema_editor: Any) -> None:
    """Give `assignments:read` to live keys with `reports:read`; name those that must not have it."""
    without = []
    for row in apps.get_model("insight_site", "ApiKey").objects.filter(revoked_at=None).order_by("pk"):
        if "reports:read" not in row.scopes or "assignments:read" in row.scopes:
            continue
        if {"plans:draft", "studies:start"} & set(row.scopes):
            without.append(f"{row.name} ({row.prefix}…)")
            continue
        row.scopes = sorted([*row.scopes, "assignments:read"])
        row.save(update_fields=["scopes"])
    if without:
        log.warning("keys.assignments_not_kept", keys=without, why="they may draft plans or start studies")


class Migration(migrations.Migration):
    dependencies = [("insight_site", "0002_version_0_4")]
    operations = [migrations.RunPython(keep_assignments, migrations.RunPython.noop)]
