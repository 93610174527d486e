"""`demo` as a person runs it, on a small world in a database of its own: loop, contract, and agreement of its parts."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.clients.server import ROOT, Site, migrated_database

# `.ci/run` makes the demo as the README does, goes on from it in the tutorials, and makes another in the container.
pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.proof]
UNITS = 3_000
LOOK = """
import json
from aha.models import AhaMoment, Study
from events.outbox.flush import outbox_state
from events.store.event_table import look
from experiments.models import Assignment, Experiment
from experiments.analyse.analyses import latest_analysis
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import Locked
from events.models import Metric
from experiments.models import Rollout
from insight_site.models import ApiKey, Snapshot
from insight_site.pages.landing import tiles
from segments.models import SegmentVersion
first = Experiment.objects.exclude(moment=None).get(status="stopped", kind="test")
second = Experiment.objects.get(status="running")
analysis, pending = latest_analysis(first), latest_analysis(second)
readout, waiting = READOUT.of(analysis), READOUT.of(pending)
effect = readout.report.outcomes[0].comparisons[0].encouragement
moment = first.moment
print(json.dumps({
    "files": look("").files(), "waiting_rows": outbox_state().rows, "keys": ApiKey.objects.count(),
    "arms": dict(Assignment.objects.filter(experiment=first).values_list("unit", "variant__key")),
    "segments": sorted({row.segment_key or "" for row in Assignment.objects.filter(experiment=first)}),
    "exposed_at": Assignment.objects.exclude(exposed_at=None).count(),
    "started": first.started_at.timestamp(), "stopped": first.stopped_at.timestamp(),
    "planned_end": first.planned_end.isoformat(), "intact": readout.analysed.history.intact, "final": analysis.final,
    "verdict": analysis.verdict, "estimate": effect.effect.estimate, "promised": readout.plan.claim.promised,
    "exposed": readout.maturity.exposed, "health": [row.check for row in readout.health],
    "status": moment.status, "finding": moment.finding, "study": Study.objects.get().payload["candidates"][0],
    "second_health": [row.check for row in waiting.health], "home": [tile.value for tile in tiles(
        Snapshot.objects.get(name="retention"))],
    "second": [waiting.maturity.state, isinstance(waiting, Locked), waiting.maturity.exposed],
    "drafts": Experiment.objects.filter(status="draft").count(), "moments": AhaMoment.objects.count(),
    "metrics": list(Metric.objects.values_list("key", "status")),
    "rollout": list(Rollout.objects.values_list("variant__key", "state")),
    "decision": [arm.variant for arm in readout.decision.arms if arm.ruling == "ship"],
    "versions": list(SegmentVersion.objects.values_list("model__key", flat=True)),
}))
"""


FINAL = "print(json.dumps(Analysis.objects.get(final=True, experiment__kind='test').experiment.key))"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("demo")
    with migrated_database(folder) as url:
        yield Site(folder, url)


@pytest.fixture(scope="module")
def told(site: Site) -> "subprocess.CompletedProcess[str]":
    return demo(site, "--units", str(UNITS), "--json")


@pytest.fixture(scope="module")
def left(site: Site, told: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """What the demo left, read through the site's own code."""
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = site.run(LOOK)
    return found


def demo(site: Site, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", "demo", *options]
    return subprocess.run(command, cwd=ROOT, env=site.environment, capture_output=True, text=True, check=False)


def test_demo__json__is_one_document_of_the_promised_shape(told: Any, left: dict[str, Any]) -> None:
    found = json.loads(told.stdout)

    assert set(found) == {"moment", "truth", "found", "verdict", "pages"}
    study = {name: left["study"][name] for name in ("behaviour", "times", "days")}
    assert found["moment"] == study
    assert found["truth"]["moment"] == {"behaviour": "friend_add", "times": 3, "days": 7}
    assert 0.05 < found["truth"]["effect"] < 0.3
    assert found["found"]["effect"]["estimate"] == pytest.approx(left["estimate"], rel=1e-12)
    assert found["found"]["naive"] == pytest.approx(left["promised"], rel=1e-12)
    assert found["found"]["naive"] > 2 * found["truth"]["effect"]
    assert found["verdict"]["code"] == left["verdict"]
    assert all(page.startswith("http://127.0.0.1:") for page in found["pages"])


@pytest.mark.usefixtures("left")
def test_demo__its_verdict__computed_again_is_equal(site: Site) -> None:
    key = site.run("import json; from experiments.models import Analysis\n" + FINAL)
    command = [sys.executable, "manage.py", "verify", key]

    done = subprocess.run(command, cwd=ROOT, env=site.environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "equal"), done.stdout


def test_demo__effect__the_set_covers_the_truth(told: Any) -> None:
    found = json.loads(told.stdout)

    limits = found["found"]["effect"]["anderson_rubin"]
    assert limits["shape"] == "interval"
    assert limits["low"] < found["truth"]["effect"] < limits["high"]
    itt = found["found"]["itt"]
    assert itt["low"] < found["truth"]["itt"] < itt["high"]


def test_demo__assignments__are_the_arms_of_the_exposures_and_of_the_analysis(left: dict[str, Any]) -> None:
    query = (
        "SELECT user_id, json_extract_string(properties, '$.variation_id'), count(*), epoch(min(time)) FROM "
        "read_parquet($files) WHERE event = 'Experiment Viewed' AND user_id LIKE 'demo-new-%' GROUP BY 1, 2"
    )

    rows = duckdb.sql(query, params={"files": left["files"]}).fetchall()

    assert len(left["arms"]) == UNITS
    assert {user: arm for user, arm, _, _ in rows} == left["arms"]
    assert {number for _, _, number, _ in rows} == {1}  # what was sent twice is there once
    assert left["exposed_at"] == 0  # the app logs its exposures itself
    assert left["segments"] == ["", "korea.v1"]
    counted = {arm: list(left["arms"].values()).count(arm) for arm in ("control", "nudge")}
    assert left["exposed"] == counted
    first, last = min(row[3] for row in rows), max(row[3] for row in rows)
    assert left["started"] <= first < last <= left["stopped"]


def test_demo__site_afterwards__holds_the_whole_loop(left: dict[str, Any]) -> None:
    assert (left["waiting_rows"], left["keys"]) == (0, 0)
    assert left["final"]
    assert left["intact"]
    assert left["finding"]["code"] == left["verdict"]
    expected = {"CAUSES": "confirmed", "NO_MATERIAL_EFFECT": "refuted", "HARMS": "refuted"}
    assert left["status"] == expected.get(left["verdict"], "inconclusive")
    assert "late_events" not in left["health"]
    assert left["second"][:2] == ["pending", True]
    assert min(left["second"][2].values()) > 0
    assert "late_events" not in left["second_health"]  # receipt times are those of the made-up users
    assert len(left["home"]) == 3
    assert any(left["home"])
    assert (left["drafts"], left["moments"]) == (1, 2)
    assert "korea" in left["versions"]
    assert left["metrics"] == [["demo-week-four", "certified"]]
    assert left["rollout"] == [[arm, "rolling"] for arm in left["decision"]]


def test_demo__a_second_time__refuses_and_changes_nothing(site: Site, left: dict[str, Any]) -> None:
    again = demo(site, "--units", str(UNITS), "--json")

    assert again.returncode == 2
    assert again.stdout == ""
    assert "--fresh" in again.stderr
    assert site.run(LOOK) == left


def test_demo__report__lies_beside_the_events_in_both_languages(site: Site, left: dict[str, Any]) -> None:
    for name in ("report.html", "report.ko.html"):
        assert Path(site.folder, "demo", name).read_text(encoding="utf-8").startswith("<!doctype html>")
