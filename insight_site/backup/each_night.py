"""The nightly backup in BACKUP_DIR; the newest BACKUP_KEEP stay. `manage.py backup` without a file runs it now."""

import structlog
from django.conf import settings

from insight_site.backup import backup_place, last_backup
from insight_site.backup.back_up import BackUp, Show, back_up
from runs.refusals import Refused

log = structlog.get_logger()


def back_up_tonight() -> str:
    """Back up if BACKUP_DIR is set; returns the backup's address, or ""."""
    return back_up_and_keep().place if settings.BACKUP_DIR else ""


def back_up_and_keep(show: Show = lambda stage, share: None) -> BackUp:
    """Make a backup in BACKUP_DIR, record it, and delete the oldest beyond BACKUP_KEEP.

    Raises:
        Refused: when BACKUP_DIR isn't set, or as `back_up` does; then none is deleted.
    """
    folder = str(settings.BACKUP_DIR).rstrip("/")
    if not folder:
        raise Refused("Name a file for the backup, or set BACKUP_DIR.")
    done = back_up(f"{folder}/", show)
    last_backup.note({name: value for name, value in done.as_json().items() if name in ("bytes", "seconds", "events")})
    gone = backup_place.remove_oldest(folder, max(settings.BACKUP_KEEP, 1))
    log.info("backup.made", file=done.place.rpartition("/")[2], bytes=done.bytes, removed=len(gone))
    return done
