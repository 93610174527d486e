"""Sites of older versions open with today's code: every page, their own numbers, and new work on their data.

One test for each version: its site is migrated and walked through in a process of its own, which takes half a minute,
and workers that share tests would each do it again.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from insight_site.access import roles
from tests.insight_site.test_schedules import ROWS
from tests.marks import first_in_ci
from tests.migrated import older_site

pytestmark = pytest.mark.slow

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
EQUAL = "equal: the signature holds, and every number comes out again from the same data."
OLDER_RULES = "exit 1 signature holds, plan and data are unchanged. The rules of analysis have changed since, so some "
OLDER_RULES += "numbers come out differently today; the result stays as it was signed."
UNSIGNED = "exit 1 not signed: this final analysis was made before Insight signed them, "
UNSIGNED += "or the site's key could not be used."


@dataclass(frozen=True)
class Old:
    """What is expected of one version's site.

    Attributes:
        folder: of the fixture.
        fewest_pages: that are opened, a guard against a walk that finds nothing.
        events: rows of the store; five more wait.
        read: number of stored documents of each kind that it has.
        assignments: by running experiment, units that were assigned.
        segments: by model, users when it was made and after a refresh.
        arms: by experiment that is served, known units that ask again: all get the same.
        verified: what `verify` says of each final analysis.
        not_shared: kinds of report that nobody could share then have a link all the same: it says that it is gone.
        former_apps: whose permissions stay for a release, although nothing asks for them any more.
    """

    folder: str
    fewest_pages: int
    events: int
    read: dict[str, int]
    assignments: dict[str, int]
    segments: dict[str, list[int]]
    arms: dict[str, int]
    verified: dict[str, str]
    not_shared: tuple[str, ...] = ()
    former_apps: frozenset[str] = field(default_factory=frozenset)

    @property
    def secret(self) -> str:
        return f"fixture-of-{self.folder.removeprefix('v').replace('_', '.')}"

    def kept(self, name: str) -> Any:
        return json.loads((FIXTURES / self.folder / name).read_text(encoding="utf-8"))


V0_3 = Old(
    folder="v0_3",
    fewest_pages=300,
    events=193_840,
    read={
        "payload of aha.Study": 2,
        "headline of aha.Study": 2,
        "evidence of aha.AhaMoment": 2,
        "headline of aha.AhaMoment": 2,
        "finding of aha.AhaMoment": 1,
        "payload of experiments.Analysis": 2,
        "payload of segments.ChurnRun": 1,
        "payload of segments.ComparisonRun": 1,
        "profile of segments.Segment": 4,
        "payload of segments.SegmentationRun": 1,
        "model of segments.SegmentationRun": 1,
        "fitted of segments.SegmentVersion": 1,
        "baseline of segments.SegmentVersion": 1,
        "drift of segments.SegmentVersion": 1,
    },
    assignments={"demo-invite-banner": 60},
    segments={"korea": [2_792, 2_792], "style": [2_732, 2_733]},
    arms={"demo-invite-banner": 20},
    verified={"friend_add-3-in-7-test": UNSIGNED},
    not_shared=("segments.ChurnRun 1", "segments.ComparisonRun 1"),
    former_apps=frozenset({"django_q"}),
)
V0_4 = Old(
    folder="v0_4",
    fewest_pages=600,
    events=200_232,
    read={
        "payload of aha.Study": 3,
        "headline of aha.Study": 3,
        "evidence of aha.AhaMoment": 2,
        "headline of aha.AhaMoment": 2,
        "finding of aha.AhaMoment": 1,
        "weeks of aha.KeptReach": 3,
        "payload of events.FileImport": 1,
        "payload of events.MetricCheck": 3,
        "payload of experiments.Analysis": 4,
        "payload of experiments.HoldoutReading": 2,
        "payload of experiments.OverlapReport": 1,
        "record of insight_site.Digest": 1,
        "payload of insight_site.SelfTest": 1,
        "value of insight_site.Snapshot": 1,
        "payload of segments.ChurnRun": 2,
        "payload of segments.ComparisonRun": 1,
        "profile of segments.Segment": 4,
        "payload of segments.SegmentationRun": 1,
        "model of segments.SegmentationRun": 1,
        "fitted of segments.SegmentVersion": 1,
        "baseline of segments.SegmentVersion": 1,
        "drift of segments.SegmentVersion": 1,
    },
    assignments={"demo-invite-banner": 60, "trial-sequential": 197},
    segments={"korea": [4_280, 4_280], "style": [4_219, 4_219]},
    arms={"demo-invite-banner": 20, "trial-sequential": 20, "trial-predicted": 0},
    # The first one's effect on everybody has the error of the mix of segments today.
    verified={"friend_add-3-in-7-test": OLDER_RULES, "trial-clustered": EQUAL},
)


@pytest.mark.parametrize("old", first_in_ci([V0_4, V0_3]), ids=lambda old: old.folder)
def test_site_of_an_older_version__opened_today__is_whole_and_goes_on(old: Old, tmp_path: Path) -> None:
    site = opened(old, tmp_path)

    every_page_answers(old, site["pages"])
    all_documents_are_read(old, site)
    if old is V0_3:
        kept = worded_alike(old.kept("shown.json"))
        assert worded_alike(numbers(site["shown"])) == kept, "another number than the one that was stored"
    else:
        assert changed(old.kept("shown.json"), site["figures"]) == {}, "another number than the one that was stored"
    assert site["events"] == {"before": old.events, "moved": 5, "after": old.events + 5}, "events that waited"
    known_units_keep_their_arm_and_work_goes_on(old, site)
    said = {key: text.partition("\n")[0] for key, text in site["verified"].items()}
    assert said == old.verified, f"final analyses, after the store was compacted: {site['verified']}"
    assert {tuple(row) for row in site["schedules"]} == ROWS, "schedules other than those of a fresh site"
    assert len(site["schedules"]) == len(ROWS)
    held = {role: [row for row in rows if row[0] not in old.former_apps] for role, rows in site["roles"].items()}
    assert held == {role: sorted(map(list, roles.permissions(role))) for role in roles.ROLES}, "what groups hold"


def opened(old: Old, folder: Path) -> dict[str, Any]:
    """What `visit.py` saw on a fresh copy of that version's site."""
    kept = FIXTURES / old.folder
    shutil.copytree(older_site(old.folder), folder, dirs_exist_ok=True)
    own = {
        "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}",
        "EVENTS_URL": str(folder / "events"),
        "EXPLORE_DIR": str(folder / "explore"),
        "UPLOADS_DIR": str(folder / "var" / "uploads"),
        "SECRET_KEY": old.secret,
    }
    done = subprocess.run(
        [sys.executable, str(FIXTURES / "visit.py"), str(kept / "tokens.json")],
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def every_page_answers(old: Old, pages: dict[str, int]) -> None:
    tokens = old.kept("tokens.json")
    expected = {f"shared {tokens[name][:6]}": 410 for name in old.not_shared} | {"shared, an unknown token": 404}

    assert len(pages) > old.fewest_pages, "the walk through the pages finds too few of them"
    assert {page: status for page, status in pages.items() if status != 200} == expected, "pages that don't answer"


def all_documents_are_read(old: Old, site: dict[str, Any]) -> None:
    assert site["unlike"] == [], "documents that can't be read, or columns that say anything else than theirs"
    assert {name: number for name, number in site["read"].items() if number} == old.read, "stored documents"
    assert site["unknown"] == [], "kinds that tests/fixtures/stored.py doesn't read: add them to its places"


def known_units_keep_their_arm_and_work_goes_on(old: Old, site: dict[str, Any]) -> None:
    later = site["later"]

    assert site["arms"] == {key: [number, number] for key, number in old.arms.items()}, "asked again, and the same arm"
    assert later["analysis"] == {key: [True, ""] for key in old.assignments}, "fresh analyses of what runs"
    assert later["assignments"] == old.assignments
    assert later["segments"] == old.segments


def changed(stored: dict[str, dict[str, Any]], shown: dict[str, dict[str, Any]]) -> dict[str, list[Any]]:
    """Each number or code that is another one today, with both; today's documents may say more."""
    found = {}
    for report, figures in stored.items():
        for place, figure in figures.items():
            now = shown.get(report, {}).get(place)
            if now != (pytest.approx(figure, rel=1e-9) if isinstance(figure, float) else figure):
                found[f"{report}: {place}"] = [figure, now]
    return found


def worded_alike(node: Any) -> Any:
    """The same with one word for each reason why there is no number: pages may say it better than they did."""
    if isinstance(node, dict):
        return {key: "said" if key == "not_computable" else worded_alike(value) for key, value in node.items()}
    return [worded_alike(value) for value in node] if isinstance(node, list) else node


def numbers(shown: dict[str, Any]) -> dict[str, Any]:
    """The figures of each report that a reader would compare, as they were kept of 0.3."""
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
