"""`manage.py restore`, which makes the tables of a backup's migrations once: the next one copies the file.

`python -m tests.insight_site.backup.kept_tables FOLDER restore …`. To make them is most of a restore's time. Those of
today are made already, see `today_kept`; those of 0.3 are made by the first restore of its backup.
"""

import hashlib
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import django
from django.core.management import execute_from_command_line


def today_kept(folder: Path, migrated: Path) -> None:
    """Keep the tables of a new site's database; whatever rows they hold, a restore empties them first."""
    with closing(sqlite3.connect(migrated)) as own:
        ran = own.execute("SELECT app, name FROM django_migrations").fetchall()
    shutil.copyfile(migrated, _place(folder, ran))


def _place(folder: Path, migrations: list[Any]) -> Path:
    """The same for a site that ran what today's migrations replace: an empty database gets the same tables."""
    from insight_site.operate import backup_database

    _, nodes = backup_database._known(migrations)
    return folder / f"{hashlib.sha256(repr(nodes).encode()).hexdigest()[:16]}.sqlite3"


def keep_in(folder: Path) -> None:
    """Let restores of this process copy the tables that are kept in the folder, or keep those that they make."""
    from django.db import connection

    from insight_site.operate import backup_database

    make = backup_database.migrate_to

    def copied(migrations: list[Any]) -> None:
        if connection.vendor != "sqlite":
            make(migrations)
            return
        kept = _place(folder, migrations)
        database = str(connection.settings_dict["NAME"])
        if kept.exists():
            connection.close()
            shutil.copyfile(kept, database)
            return
        make(migrations)
        connection.close()  # which writes what is in the log
        unfinished = kept.with_suffix(f".{os.getpid()}")
        shutil.copyfile(database, unfinished)
        unfinished.rename(kept)

    backup_database.migrate_to = copied


if __name__ == "__main__":
    django.setup()
    keep_in(Path(sys.argv[1]))
    execute_from_command_line(["manage.py", *sys.argv[2:]])
