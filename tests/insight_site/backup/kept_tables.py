"""`manage.py restore`, which makes the tables of a backup's migrations once: the next one copies the file.

`python -m tests.insight_site.backup.kept_tables FOLDER restore …`. To make them is most of a restore's time.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import django
from django.core.management import execute_from_command_line


def keep_in(folder: Path) -> None:
    """Let restores of this process copy the tables that are kept in the folder, or keep those that they make."""
    from django.db import connection

    from insight_site.operate import backup_database

    make = backup_database.migrate_to

    def copied(migrations: list[Any]) -> None:
        if connection.vendor != "sqlite":
            make(migrations)
            return
        kept = folder / f"{hashlib.sha256(repr(sorted(migrations)).encode()).hexdigest()[:16]}.sqlite3"
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
