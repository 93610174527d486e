"""The site's time zone: none chosen, chosen, noticed by another process; the hours of night jobs; the field for it."""

import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django import forms
from django.utils import timezone
from pytest_django import Settings

from runs import site_zone as module
from runs.models import Schedule, SiteZone
from runs.refusals import Refused
from runs.site_zone import choose_site_zone, held, here, midnight, same_hour, shown_in, site_date, site_zone
from runs.zone_field import ZoneField
from tests.migrated import older_site

LATE = datetime(2024, 3, 4, 16, tzinfo=UTC)  # in Seoul the 5th at 01:00


@pytest.mark.django_db
def test_site__where_nobody_chose__has_the_zone_of_the_settings(settings: Settings) -> None:
    settings.TIME_ZONE = "Europe/Paris"

    assert site_zone() == "Europe/Paris"
    assert not SiteZone.objects.exists()


@pytest.mark.django_db
def test_choice__counts_dates_in_it__and_replaces_the_one_before() -> None:
    assert choose_site_zone("Asia/Seoul") == "UTC"

    assert (site_zone(), site_date(LATE), here(LATE).hour) == ("Asia/Seoul", date(2024, 3, 5), 1)
    assert midnight(date(2024, 3, 5)).astimezone(UTC) == datetime(2024, 3, 4, 15, tzinfo=UTC)
    assert site_date(LATE, "UTC") == date(2024, 3, 4)
    assert choose_site_zone("UTC") == "Asia/Seoul"
    assert SiteZone.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Asia/seoul\x00"])
def test_choice__of_no_zone__is_refused(name: str) -> None:
    with pytest.raises(Refused):
        choose_site_zone(name)

    assert not SiteZone.objects.exists()


@pytest.mark.django_db
def test_stored_name__that_this_machine_lacks__leaves_the_zone_of_the_settings() -> None:
    SiteZone.objects.create(pk=module.ONE_ROW, name="Mars/Olympus")
    module.forget()

    assert site_zone() == "UTC"


@pytest.mark.django_db
def test_block__begun_in_one_zone__ends_in_it_although_another_was_chosen() -> None:
    with held():
        choose_site_zone("Asia/Seoul")
        assert site_zone() == "UTC"

    assert site_zone() == "Asia/Seoul"


@pytest.mark.django_db
def test_times__within_a_job__are_shown_in_the_zone_of_the_site_or_in_ones_own() -> None:
    choose_site_zone("Asia/Seoul")

    with shown_in():
        assert timezone.localtime(LATE).hour == 1
    with shown_in("America/New_York"):
        assert timezone.localtime(LATE).hour == 11
        assert site_date(LATE) == date(2024, 3, 5), "days stay those of the site"


@pytest.mark.django_db
def test_night_job__in_another_zone__keeps_its_hour_and_is_due_within_a_day() -> None:
    tonight = timezone.now().replace(hour=2, minute=30, second=0, microsecond=0) + timedelta(days=1)
    for name, every in (("night", "D"), ("minutes", "I")):
        Schedule.objects.create(name=name, task="x", every=every, next_run=tonight)

    choose_site_zone("Asia/Seoul")

    night = Schedule.objects.get(name="night").next_run
    assert (here(night).hour, here(night).minute) == (2, 30)
    assert timedelta(0) < night - timezone.now() <= timedelta(days=1)
    later = Schedule.objects.get(name="night").after(night)
    assert here(later).hour == 2
    assert later - night == timedelta(days=1)
    assert Schedule.objects.get(name="minutes").next_run == tonight


def test_same_hour__is_never_in_the_past() -> None:
    for hours in range(24):
        due = same_hour(datetime(2024, 3, 4, hours, 15, tzinfo=UTC), "UTC", "Asia/Seoul")
        assert due.strftime("%H:%M") == f"{hours:02}:15"
        assert timedelta(0) < due - timezone.now() <= timedelta(days=1)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Asia/Seoul", "Asia/Seoul"),
        (" asia/seoul ", "Asia/Seoul"),
        ("Seoul", "Asia/Seoul"),
        ("new york", "America/New_York"),
        ("utc", "UTC"),
        ("Asia/Calcutta", "Asia/Calcutta"),  # what browsers still say
    ],
)
def test_field__takes_a_name_as_people_and_browsers_write_it(typed: str, name: str) -> None:
    assert ZoneField().clean(typed) == name


@pytest.mark.parametrize("typed", ["Mars", "Asia/", "+09:00", "/"])
def test_field__refuses_what_is_no_zone(typed: str) -> None:
    with pytest.raises(forms.ValidationError):
        ZoneField().clean(typed)


PROCESS = """
import django, sys, time
django.setup()
from runs.site_zone import choose_site_zone, site_zone
if len(sys.argv) > 1:
    choose_site_zone(sys.argv[1])
print(site_zone(), flush=True)
while len(sys.argv) == 1 and site_zone() == "UTC":
    time.sleep(0.05)
print(site_zone(), time.time(), flush=True)
"""


@pytest.mark.slow
def test_site_of_0_4__is_utc__until_another_process_chooses(tmp_path: Path) -> None:
    shutil.copytree(older_site("v0_4"), tmp_path, dirs_exist_ok=True)
    own = {
        "DJANGO_SETTINGS_MODULE": "insight_site.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'site.sqlite3'}",
        "SECRET_KEY": "fixture-of-0.4",
    }

    def process(*zone: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", PROCESS, *zone], env=os.environ | own, stdout=subprocess.PIPE, text=True
        )

    reader = process()
    assert reader.stdout is not None
    try:
        assert reader.stdout.readline().strip() == "UTC"
        writer = process("Asia/Seoul")
        assert writer.communicate(timeout=60)[0].startswith("Asia/Seoul")
        written = time.time()
        name, seen = reader.communicate(timeout=30)[0].split()
    finally:
        reader.kill()
    assert name == "Asia/Seoul"
    assert float(seen) - written < 2.0  # asked once a second
