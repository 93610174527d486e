"""Our own Django in this process, over a database and a store in a folder of their own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

KEPT = ("DATABASE_URL", "EVENTS_URL", "EXPLORE_DIR")


@contextmanager
def own_django() -> Iterator[Path]:
    """A folder for stores; Django is set up once in a process, with a database that was never migrated."""
    with TemporaryDirectory(prefix="insight-bench-") as name:
        folder = Path(name)
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "insight_site.settings",
            "DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite3'}",
            "EVENTS_URL": str(folder / "store"),
        }
        import django
        from django.conf import settings

        django.setup()
        before = settings.EVENTS_URL
        settings.EVENTS_URL = str(folder / "store")
        try:
            yield folder
        finally:
            settings.EVENTS_URL = before
