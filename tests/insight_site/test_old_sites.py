"""Sites of older versions open with today's code: every page, their own numbers, and new work on their data."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from insight_site.access import roles
from tests.insight_site.test_schedules import ROWS

pytestmark = pytest.mark.slow

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
# Kinds of report that 0.3 let nobody share have a link in the fixture all the same; it says that the report is gone.
NOT_SHARED = ("segments.ChurnRun 1", "segments.ComparisonRun 1")


def opened(version: str, folder: Path) -> dict[str, Any]:
    """What `visit.py` saw on a fresh copy of that version's site."""
    kept = FIXTURES / version
    with tarfile.open(kept / "site.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    own = {
        "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}",
        "EVENTS_URL": str(folder / "events"),
        "SECRET_KEY": "fixture-of-0.3",
    }
    done = subprocess.run(
        [sys.executable, str(FIXTURES / "visit.py"), str(kept / "tokens.json")],
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return opened("v0_3", tmp_path_factory.mktemp("v0_3"))


def test_site_of_0_3__opened_today__every_page_answers(site: dict[str, Any]) -> None:
    tokens = json.loads((FIXTURES / "v0_3" / "tokens.json").read_text(encoding="utf-8"))
    expected = {f"shared {tokens[name][:6]}": 410 for name in NOT_SHARED} | {"shared, an unknown token": 404}

    assert len(site["pages"]) > 100
    assert {page: status for page, status in site["pages"].items() if status != 200} == expected


def test_site_of_0_3__opened_today__shows_its_own_numbers(site: dict[str, Any]) -> None:
    shown = json.loads((FIXTURES / "v0_3" / "shown.json").read_text(encoding="utf-8"))

    assert numbers(site["shown"]) == shown


def test_site_of_0_3__migrated__all_its_payloads_are_read_and_its_columns_say_the_same(site: dict[str, Any]) -> None:
    assert site["unlike"] == []


def test_store_of_0_3__flushed_today__takes_the_events_that_waited(site: dict[str, Any]) -> None:
    assert site["events"] == {"before": 193_840, "moved": 5, "after": 193_845}


def test_site_of_0_3__used_today__analyses_and_refreshes(site: dict[str, Any]) -> None:
    assert site["later"]["analysis"] == [True, ""]
    assert site["later"]["assignments"] == 60
    assert site["later"]["segments"] == {"korea": [2_792, 2_792], "style": [2_732, 2_733]}


def test_site_of_0_3__migrated_today__has_the_schedules_of_a_fresh_one(site: dict[str, Any]) -> None:
    assert {tuple(row) for row in site["schedules"]} == ROWS
    assert len(site["schedules"]) == len(ROWS)


def test_site_of_0_3__opened_today__its_groups_hold_what_the_table_says(site: dict[str, Any]) -> None:
    # Nothing asks any more for those of the former queue, whose tables stay a release longer.
    held = {role: [row for row in rows if row[0] != "django_q"] for role, rows in site["roles"].items()}

    assert held == {role: sorted(map(list, roles.permissions(role))) for role in roles.ROLES}


def numbers(shown: dict[str, Any]) -> dict[str, Any]:
    """The figures of each report that a reader would compare."""
    found: dict[str, Any] = {}
    for name, report in shown.items():
        if "candidates" in report:
            wanted = ("behaviour", "days", "times", "j", "hold_out_j", "later_cohort_j", "step", "ladder", "e_value")
            rows = report["candidates"]  # a list, or why there is none
            known = [{key: one[key] for key in wanted} for one in rows] if isinstance(rows, list) else rows
            found[name] = {"units": report["units"], "candidates": known}
        else:
            document = report["document"]
            found[name] = {
                "verdict": report["verdict"],
                "contrasts": [[row["estimate"], row["low"], row["high"]] for row in document.get("contrasts") or []],
            }
    return found
