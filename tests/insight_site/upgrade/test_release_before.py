"""An upgrade without a pause: the release before on the tables of today, and today's code before they are there."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.clients.server import migrated_file
from tests.insight_site.test_migrations import before, database, today
from tests.insight_site.upgrade import release_before
from tests.insight_site.upgrade.release_before import ROOT
from tests.marks import first_in_ci

pytestmark = pytest.mark.slow
# Run in the tree of the release before, with its own modules.
USE = """
import json, os
from django.test import Client
from django.contrib.auth.models import User
from events.models import Source
from events.outbox import flush
from insight_site.access.keys import issue_key
from tests.experiments.make import running

found = {}
running("exp")
boss = User.objects.create_superuser("boss", password="pass")
source, _ = Source.objects.get_or_create(name="app")
_, token = issue_key(name="k", source=source, kind="server", scopes=["events:write", "assign:read"])
machine = Client(headers={"authorization": f"Bearer {token}"})
person = Client()
person.force_login(boss)
from experiments.models import Experiment
flag = Experiment.objects.get(key="exp").flag_key


def post(path, body):
    return machine.post(path, json.dumps(body), content_type="application/json")


for name in ("first", "again"):
    answer = post("/v1/batch", {"batch": [{"type": "track", "event": "e", "userId": "u", "messageId": "m"}]})
    found[f"ingest {name}"] = [answer.status_code, answer.json().get("accepted")]
for name in ("first", "again"):
    answer = post(f"/ofrep/v1/evaluate/flags/{flag}", {"context": {"targetingKey": "u1"}})
    found[f"assignment {name}"] = [answer.status_code, bool(answer.json().get("variant"))]
found["flush"] = flush.flush_events()
pages = ["/", "/experiments/", "/experiments/exp/", "/aha/studies/", "/segments/", "/data/", "/admin/", "/readyz",
         "/admin/events/rejected/", "/admin/auth/user/", "/admin/insight_site/apikey/"]
for page in pages:
    found[page] = person.get(page, follow=True).status_code
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def tree() -> Path:
    return release_before.tree()


each_database = pytest.mark.parametrize("vendor", first_in_ci(["postgresql", "sqlite"]))


@contextmanager
def site_of(template: Callable[[], str], vendor: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a site that nobody has used, with the tables of this template of PostgreSQL."""
    lite = nullcontext(f"sqlite:///{tmp_path / 'site.sqlite3'}")
    with database("upgrade", template) if vendor == "postgresql" else lite as address:
        yield os.environ | {
            "DATABASE_URL": address,
            "EVENTS_URL": str(tmp_path / "events"),
            "UPLOADS_DIR": str(tmp_path / "uploads"),
            "EXPLORE_DIR": str(tmp_path / "explore"),
            "SECRET_KEY": "a-key-of-the-site-that-both-releases-share-0123456789",
            "ALLOWED_HOSTS": "testserver",
            "DJANGO_SETTINGS_MODULE": "insight_site.settings",
            "LOG_LEVEL": "ERROR",
        }


def run(tree: Path, own: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=tree, env=own, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def used(tree: Path, own: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(tree, own, "-c", f"import django; django.setup()\n{USE}").splitlines()[-1])
    return found


def right(found: dict[str, Any]) -> None:
    said = {name: found.pop(name) for name in list(found) if not name.startswith("/")}
    # The event, and the exposure that the first assignment says.
    assert said == {
        "ingest first": [200, 1],
        "ingest again": [200, 0],
        "assignment first": [200, True],
        "assignment again": [200, True],
        "flush": 2,
    }
    assert len(found) > 10
    assert {page: status for page, status in found.items() if status != 200} == {}


@each_database
def test_release_before__on_the_tables_of_today__takes_events_assigns_flushes_and_shows_its_pages(
    vendor: str, tree: Path, tmp_path: Path
) -> None:
    with site_of(today, vendor, tmp_path) as own:
        if vendor == "sqlite":
            shutil.copyfile(migrated_file(), tmp_path / "site.sqlite3")

        right(used(tree, own))


@each_database
def test_site_of_the_release_before__migrated_while_it_is_used__works_for_both(
    vendor: str, tree: Path, tmp_path: Path
) -> None:
    with site_of(before, vendor, tmp_path) as own:
        if vendor == "sqlite":
            run(tree, own, "manage.py", "migrate", "-v0")
        right(used(tree, own))

        ready = "from django.test import Client; a = Client().get('/readyz'); "
        ready += "print(a.status_code, a.json()['migrations'])"
        unmigrated = run(ROOT, own, "-c", f"import django; django.setup()\n{UNAPPLY}\n{ready}").strip()
        after = run(ROOT, own, "-c", f"import django; django.setup()\n{MIGRATE}\n{ready}").strip()

        assert unmigrated.startswith("503 failed: ")
        assert unmigrated.endswith(" migrations are not applied")
        assert after == "200 ok"
        again = run(tree, own, "manage.py", "check")
        assert "no issues" in again


MIGRATE = """
from django.core.management import call_command
call_command("migrate", verbosity=0, fake_initial=True)
"""
# Where today has no migration of its own yet, the last one counts as one.
UNAPPLY = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
executor = MigrationExecutor(connection)
if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
    executor.migrate([("aha", "0002_version_0_4")])
"""
