"""Old events go by source, on both sides of the limit, and never what a plan needs."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from events import data_retention
from events.data_retention import Hold
from events.erasure import known_users
from events.models import Source, UnitTraits
from events.store import event_table
from tests.events.conftest import asked, file_uris

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("event_store")]
ROOT = Path(__file__).resolve().parents[3]
STAMP = pa.timestamp("us", tz="UTC")


def put(version: int, *events: tuple[str, str, int]) -> None:
    """Events of (user, message id, days ago)."""
    now = datetime.combine(timezone.now().date(), datetime.min.time(), UTC) + timedelta(hours=12)
    moments = pa.array([now - timedelta(days=ago) for *_, ago in events], STAMP)
    table = {
        "user_id": [user for user, *_ in events],
        "event": ["e"] * len(events),
        "time": moments,
        "properties": ["{}"] * len(events),
        "message_id": [name for _, name, _ in events],
        "received_at": moments,
    }
    event_table.append(pa.table(table), app_id="w", version=version)


def left() -> set[str]:
    return {row[0] for row in asked("SELECT message_id FROM read_parquet($files)", file_uris())}


@pytest.mark.slow
def test_retain__by_source__deletes_what_is_older_than_its_days_and_nothing_else(settings: Settings) -> None:
    short, site, endless = (
        Source.objects.create(name=name, retention_days=days) for name, days in (("a", 10), ("b", None), ("c", 0))
    )
    settings.RETENTION_DAYS = 30
    put(
        1,
        *[("u", f"{short.pk}:s:{ago}", ago) for ago in (10, 11)],
        *[("u", f"{site.pk}:c:{ago}", ago) for ago in (11, 30, 31)],
        *[("u", f"{endless.pk}:s:{ago}", ago) for ago in (400,)],
        *[("u", f"row-{ago}", ago) for ago in (30, 31)],
    )

    would = data_retention.retain(dry_run=True)
    done = data_retention.retain()

    assert would == {"events": 3, "traits": 0}
    assert done == {"events": 3, "users": 0, "traits": 0}
    assert left() == {
        f"{short.pk}:s:10", f"{site.pk}:c:11", f"{site.pk}:c:30", f"{endless.pk}:s:400", "row-30"
    }  # fmt: skip
    assert data_retention.retain() == {"events": 0, "users": 0, "traits": 0}


@pytest.mark.slow
def test_retain__users_without_an_event__leave_the_dictionary_and_no_number_is_given_again(settings: Settings) -> None:
    settings.RETENTION_DAYS = 30
    put(1, ("old", "m1", 40), ("both", "m2", 40), ("both", "m3", 1))
    put(2, ("young", "m4", 1))

    done = data_retention.retain()
    put(3, ("old", "m5", 0))

    assert done == {"events": 2, "users": 1, "traits": 0}
    assert sorted(known_users()) == ["both", "old", "young"]
    assert asked("SELECT \"user\" FROM read_parquet($files) WHERE message_id = 'm5'", file_uris()) == [(4,)]


def test_retain__a_flush_gives_an_event_to_a_user_that_is_about_to_go__the_user_stays(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RETENTION_DAYS = 30
    put(1, ("old", "m1", 40), ("young", "m2", 1))
    begin, calls = data_retention._Unused.begin, []

    def overtaken(unused: data_retention._Unused, at: object) -> None:
        begin(unused, at)  # type: ignore[arg-type]
        calls.append(1)
        if len(calls) == 1:
            put(2, ("old", "m3", 1))

    monkeypatch.setattr(data_retention._Unused, "begin", overtaken)

    assert data_retention.retain() == {"events": 1, "users": 0, "traits": 0}
    assert len(calls) == 2
    assert sorted(known_users()) == ["old", "young"]


def test_retain__without_any_limit__leaves_everything() -> None:
    put(1, ("u", "m", 4_000))
    before = event_table.look("w")

    assert data_retention.retain() == {"events": 0, "users": 0, "traits": 0}
    after = event_table.look("w")
    assert before is not None
    assert after is not None
    assert before.handle.version() == after.handle.version()


@pytest.mark.parametrize(("since", "kept"), [(35, {"m35"}), (None, {"m35", "m36"}), (5, set())])
def test_retain__a_plan_needs_older_events__they_stay_until_it_is_judged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, since: int | None, kept: set[str]
) -> None:
    settings.RETENTION_DAYS = 30
    today = timezone.now().date()
    needed = Hold("plan", "/p/", today - timedelta(days=since) if since else None, today)
    monkeypatch.setattr(data_retention, "all_holds", lambda: iter([needed]))
    monkeypatch.setattr(data_retention, "all_holds", lambda: iter([needed]))
    put(1, ("u", "m1", 1), ("u", "m35", 35), ("u", "m36", 36))

    data_retention.retain()

    assert left() == {"m1", *kept}
    assert bool(data_retention.limits_now().holds) == (since != 5)


@pytest.mark.parametrize(("age", "kept"), [(timedelta(days=30, minutes=-1), 1), (timedelta(days=30, minutes=1), 0)])
def test_retain__traits__go_when_nobody_said_any_for_so_long(settings: Settings, age: timedelta, kept: int) -> None:
    settings.TRAITS_DAYS = 30
    UnitTraits.objects.create(user_id="u")
    UnitTraits.objects.update(updated_at=timezone.now() - age)

    assert data_retention.retain()["traits"] == 1 - kept
    assert UnitTraits.objects.count() == kept


@pytest.mark.slow
def test_retain__killed_at_any_moment__the_next_night_mends_it(settings: Settings) -> None:
    for day in range(20):
        put(day + 1, (f"u{day}", f"old-{day}", 40 + day), (f"u{day}", f"new-{day}", day))
    connections.close_all()
    script = (
        "import django; django.setup()\nfrom events import data_retention; print('ready', flush=True)\n"
        "from django.conf import settings; settings.RETENTION_DAYS = 30; data_retention.retain()"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "insight_site.settings", "EVENTS_URL": event_table.url()}
    for wait in (0.02, 0.1, 0.25):
        process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    settings.RETENTION_DAYS = 30

    data_retention.retain()

    assert sorted(left()) == sorted(f"new-{day}" for day in range(20))


def test_page_and_command__say_what_is_kept_and_which_plan_holds_it_back(
    admin_client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RETENTION_DAYS = 30
    Source.objects.create(name="shop", retention_days=10)
    needed = Hold("Guild invite", "/experiments/x/", date(2026, 1, 2), date(2026, 12, 31))
    monkeypatch.setattr(data_retention, "all_holds", lambda: iter([needed]))

    page = admin_client.get("/data/").content.decode()
    out = StringIO()
    call_command("retain", "--dry-run", "--json", stdout=out)

    assert "shop: events from Jan 2, 2026 on" in page
    assert "Guild invite" in page
    assert "(until Dec 31, 2026)" in page
    found = json.loads(out.getvalue())
    assert found["held_back_by"] == [{"plan": "Guild invite", "needs_from": "2026-01-02", "until": "2026-12-31"}]
