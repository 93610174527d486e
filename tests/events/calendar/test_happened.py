"""What happened: entries, experiments and rollouts between two dates, on the page, by the command and over REST."""

import json
import os
import subprocess
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from events.calendar import entries
from events.calendar.entries import Written
from events.calendar.happened import happened
from events.models import CalendarEntry
from experiments.serve import shipping
from experiments.serve.rollout_lifecycle import Move
from tests.experiments.api.make import Api
from tests.experiments.make import do, running

pytestmark = pytest.mark.django_db
ROOT = "/api/v1/calendar"
NEW = {"kind": "release", "title": "4.2", "starts": "2026-03-31", "reference": "app-4.2"}


def write(title: str, starts: str, ends: str | None = None, kind: str = "event", **more: str) -> CalendarEntry:
    last = None if ends is None else date.fromisoformat(ends)
    return entries.add(entry=Written(kind, title, date.fromisoformat(starts), last, **more), by=None)


def test_happened__between_two_dates__is_all_that_touches_them() -> None:
    write("before", "2026-03-01", "2026-03-09")
    write("into", "2026-03-01", "2026-03-10")
    write("first day", "2026-03-10")
    write("last day", "2026-03-20")
    write("out of", "2026-03-20", "2026-04-30")
    write("after", "2026-03-21")
    write("all over", "2026-01-01", "2026-12-31")

    found = happened(date(2026, 3, 10), date(2026, 3, 20))

    assert [one.title for one in found] == ["out of", "last day", "first day", "into", "all over"]


def test_experiments_and_rollouts__enter_by_themselves() -> None:
    running("going")
    running("over")
    do("over", "stop")
    everyone = [{"segment": None, "steps": [{"share": 100}]}]
    shipping.ship(key="over", arm="banner", rows=everyone, proved=True, asked=shipping.Asked())

    found = {(one.kind, one.link): one for one in happened()}
    rollout = ("rollout", "/experiments/over/rollout/")

    assert found.keys() == {("experiment", "/experiments/going/"), ("experiment", "/experiments/over/"), rollout}
    assert found["experiment", "/experiments/going/"].ends is None
    assert found["experiment", "/experiments/over/"].ends is not None
    assert (found[rollout].ends, found[rollout].note) == (None, "banner")

    shipping.move_rollout(key="over", move=Move.BACK, asked=shipping.Asked())

    assert [one.ends for one in happened() if one.kind == "rollout"] == [found[rollout].starts]


@pytest.fixture
def pm() -> Client:
    user = User.objects.create_user("pm")
    user.groups.add(Group.objects.get(name="PM"))
    client = Client()
    client.force_login(user)
    return client


def test_page__of_a_pm__takes_an_entry_changes_and_deletes_it(pm: Client) -> None:
    form = {"kind": "campaign", "title": "Spring", "starts": "2026-04-01", "ends": "2026-04-14", "owner": "growth"}
    pm.post("/data/calendar/new/", form)
    row = CalendarEntry.objects.get()
    listed = pm.get("/data/calendar/").content.decode()
    pm.post(f"/data/calendar/{row.pk}/", {**form, "title": "Spring sale"})
    changed = CalendarEntry.objects.get()
    refused = pm.post(f"/data/calendar/{row.pk}/", {**form, "ends": "2026-03-01"})
    pm.post(f"/data/calendar/{row.pk}/delete/")

    assert "2026-04-01" in listed
    assert "Spring" in listed
    assert (row.created_by, changed.title) == (User.objects.get(), "Spring sale")
    assert "It ends before it starts." in refused.content.decode()
    assert not CalendarEntry.objects.exists()


def test_page__searched_or_narrowed__shows_those_rows_alone(pm: Client) -> None:
    write("Spring sale", "2026-04-01", kind=CalendarEntry.Kind.CAMPAIGN, owner="growth")
    write("Database down", "2026-04-02", kind=CalendarEntry.Kind.OUTAGE, note="of the shop")

    def titles(query: str) -> set[str]:
        text = pm.get(f"/data/calendar/?{query}", headers={"HX-Request": "true"}).content.decode()
        return {title for title in ("Spring sale", "Database down") if title in text}

    assert titles("") == {"Spring sale", "Database down"}
    assert titles("q=GROWTH") == {"Spring sale"}
    assert titles("q=shop") == {"Database down"}
    assert titles("state=outage") == {"Database down"}
    assert titles("q=nothing") == set()


def test_page__of_a_file__writes_its_entries_or_says_what_is_wrong(pm: Client) -> None:
    def send(content: bytes) -> str:
        file = SimpleUploadedFile("c.csv", content)
        return pm.post("/data/calendar/import/", {"file": file}, follow=True).content.decode()

    wrong = send(b"kind,title,starts\nrelease,4.2,tomorrow\n")
    assert not CalendarEntry.objects.exists()
    right = send(b"kind,title,starts\nrelease,4.2,2026-03-31\n")

    assert "Line 2, starts" in wrong
    assert "1 entry is new; 0 were there." in right
    assert pm.post("/data/calendar/import/", follow=True).content.decode().count("Choose a file.") == 1


def test_api__release_that_is_sent_twice__is_one_entry() -> None:
    api = Api("server", "calendar:write", "reports:read")

    made = api.ok("POST", ROOT, NEW)
    again = api.ok("POST", ROOT, {**NEW, "title": "4.2.1"})
    changed = api.ok("PATCH", f"{ROOT}/{made['id']}", {"ends": "2026-04-01"})
    listed = api.ok("GET", ROOT)["results"]
    everything = api.ok("GET", f"{ROOT}/happened")

    assert made["id"] == again["id"]
    assert (changed["title"], changed["starts"], changed["ends"]) == ("4.2.1", "2026-03-31", "2026-04-01")
    assert listed == [changed]
    assert [(one["kind"], one["title"], one["reference"]) for one in everything] == [("release", "4.2.1", "app-4.2")]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_docs__step_of_a_pipeline__writes_the_release_once(live_server: Any) -> None:
    text = (settings.BASE_DIR / "docs" / "events.md").read_text()
    step = next(block for block in text.split("```sh\n")[1:] if block.startswith("curl --fail")).split("```")[0]
    key = Api("server", "calendar:write").key
    given = {"INSIGHT_URL": live_server.url, "INSIGHT_KEY": key, "VERSION": "4.2-rc.1", "PATH": os.environ["PATH"]}

    for _time in range(2):
        subprocess.run(["sh", "-ec", step], env=given, check=True, capture_output=True)
    refused = subprocess.run(["sh", "-ec", step], env={**given, "INSIGHT_KEY": "no"}, check=False, capture_output=True)

    row = CalendarEntry.objects.get()
    assert (row.kind, row.title, row.reference) == ("release", "4.2-rc.1", "app-4.2-rc.1")
    assert abs((row.starts - datetime.now(UTC).date()).days) <= 1
    assert refused.returncode


def test_command__of_a_file__imports_and_lists_it(tmp_path: Path) -> None:
    file, out = tmp_path / "c.csv", StringIO()
    file.write_text("kind,title,starts\nrelease,4.2,2026-03-31\noutage,Shop down,2026-05-01\n")

    call_command("calendar", "import", str(file), stdout=out)
    call_command("calendar", "list", "--since", "2026-04-01", "--json", stdout=(document := StringIO()))
    call_command("calendar", "list", stdout=(table := StringIO()))

    assert out.getvalue().strip() == "2 new, 0 known."
    found: list[dict[str, Any]] = json.loads(document.getvalue())
    assert [(one["title"], one["starts"], one["ends"]) for one in found] == [("Shop down", "2026-05-01", "2026-05-01")]
    assert "4.2" in table.getvalue()


def test_api__key_without_the_scope__may_read_and_not_write() -> None:
    api = Api("server", "reports:read")

    assert api("GET", ROOT).status_code == 200
    assert api("POST", ROOT, NEW).status_code == 403
    assert not CalendarEntry.objects.exists()
