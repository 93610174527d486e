"""Lists of many rows ask few questions and read no result; one result that can't be read costs its own page only."""

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from aha.models import AhaMoment, Study
from experiments.analyse.analyses import for_lists
from experiments.analyse.payload_versions import READOUT
from experiments.models import Analysis, Experiment
from segments.models import ChurnRun, ComparisonRun, Membership, Segment, SegmentationRun, SegmentModel, SegmentVersion
from tests.experiments.make_readout import make_readout

pytestmark = pytest.mark.django_db
AT = "2026-03-01T00:00:00Z"
# An overview asks each of its tables: the twelve kinds of runs, what waits for this person, what changed in a week, and
# whether a zone is still to be chosen.
MOST, OVERVIEWS = 12, {"/": 43, "/admin/": 16}
NEWER: dict[str, Any] = {"schema": 99}  # of a version to come: whoever reads it can't go on
HEAVY = re.compile(r'"(payload|early|fitted|baseline|drift|evidence|profile)"|run"\."model"')
LISTS = (
    "/",
    "/aha/studies/",
    "/aha/moments/",
    "/experiments/",
    "/experiments/-/calibration/",
    "/segments/",
    "/admin/",
    "/admin/aha/study/",
    "/admin/aha/ahamoment/",
    "/admin/experiments/experiment/",
    "/admin/segments/segment/",
    "/admin/segments/segmentmodel/",
    "/admin/segments/segmentversion/",
    "/admin/segments/segmentationrun/",
    "/admin/segments/churnrun/",
    "/admin/segments/membership/",
    "/api/v1/studies?page_size=500",
    "/api/v1/moments?page_size=500",
    "/api/v1/experiments?page_size=500",
    "/api/v1/experiments/e7/analyses",
    "/api/v1/segmentations?page_size=500",
    "/api/v1/segment-models?page_size=500",
    "/api/v1/segments?page_size=500",
    "/api/v1/segments/{segment}/members",
    "/api/v1/units/u1/segments",
)
# Their answers hold these columns by contract, or are made of them and kept until the next analysis.
SHOWS = {
    "/api/v1/moments?page_size=500": "evidence",
    "/api/v1/segments?page_size=500": "profile",
    "/api/v1/units/u1/segments": "profile",
    "/experiments/-/calibration/": "payload",
}


def site(runs: int, others: int) -> None:
    """So many runs of each kind, and so many models, moments and experiments; no stored result can be read."""
    done: dict[str, Any] = {"status": "done", "payload": NEWER}
    studies = Study.objects.bulk_create(Study(title=f"s{n}", **done) for n in range(runs))
    AhaMoment.objects.bulk_create(
        AhaMoment(
            key=f"m{n}",
            name=f"M{n}",
            behaviour="a",
            times=1,
            days=1,
            signup_event="signup",
            retention="window:1-2",
            study=studies[n],
            evidence=NEWER,
            evidence_hash="0",
            finding=NEWER,
        )
        for n in range(others)
    )
    searches = SegmentationRun.objects.bulk_create(SegmentationRun(model=NEWER, **done) for n in range(runs))
    models = SegmentModel.objects.bulk_create(
        SegmentModel(key=f"k{n}", name=f"K{n}", kind="cluster") for n in range(others)
    )
    heavy = {"fitted": NEWER, "baseline": NEWER, "drift": NEWER, "drift_code": "watch"}
    versions = SegmentVersion.objects.bulk_create(
        SegmentVersion(model=model, number=1, run=searches[0], refreshed_at=AT, **heavy) for model in models
    )
    segments = Segment.objects.bulk_create(
        Segment(version=version, key=f"g{n}", number=n, profile=NEWER) for version in versions for n in (1, 2)
    )
    Membership.objects.bulk_create(
        Membership(version=one.version, unit=f"u{one.number}", segment=one) for one in segments
    )
    ChurnRun.objects.bulk_create(
        ChurnRun(segment=segments[n % len(segments)], model=NEWER, **done) for n in range(runs)
    )
    ComparisonRun.objects.bulk_create(ComparisonRun(first=segments[0], second=segments[1]) for n in range(others))
    experiments(others)


def experiments(number: int, payload: dict[str, Any] = NEWER, **columns: Any) -> None:
    """Running experiments of the moments, each with one stored analysis of this payload and one that waits."""
    moments = list(AhaMoment.objects.order_by("pk"))
    rows = Experiment.objects.bulk_create(
        Experiment(key=f"e{n}", flag_key=f"e{n}", name=f"E{n}", status="running", started_at=AT, moment=moments[n])
        for n in range(number)
    )
    Analysis.objects.bulk_create(
        Analysis(experiment=row, status=status, payload=payload if status == "done" else None, **columns)
        for row in rows
        for status in ("done", "queued")
    )


@pytest.fixture
def boss(admin_client: Client) -> Client:
    cache.clear()
    admin_client.get("/")  # what is asked once a process: content types, the site's own settings
    return admin_client


@pytest.mark.slow
def test_lists__five_hundred_runs__few_questions_and_no_result(boss: Client) -> None:
    site(runs=500, others=60)
    segment = Segment.objects.latest("pk").pk
    found = {}
    for path in LISTS:
        with CaptureQueriesContext(connection) as asked:
            answer = boss.get(path.format(segment=segment))
        heavy = {name for row in asked for name in HEAVY.findall(row["sql"]) if name != SHOWS.get(path)}
        if answer.status_code != 200 or len(asked) > OVERVIEWS.get(path, MOST) or heavy:
            found[path] = (answer.status_code, len(asked), heavy)

    assert found == {}


@pytest.mark.slow
def test_reports__one_of_a_hundred_can_not_be_read__costs_its_own_page(boss: Client) -> None:
    readout = make_readout()
    AhaMoment.objects.bulk_create(
        AhaMoment(key=f"m{n}", name=f"M{n}", behaviour="a", times=1, days=1, signup_event="s", retention="window:1-2")
        for n in range(100)
    )
    experiments(100, READOUT.store(readout), verdict=str(readout.verdict.code), **for_lists(readout))
    Analysis.objects.filter(experiment__key="e7", status="done").update(payload={"plan": "of no known shape"})

    own = boss.get("/experiments/e7/")
    with CaptureQueriesContext(connection) as asked:
        other = boss.get("/experiments/e8/")
    calibration = boss.get("/experiments/-/calibration/").content.decode()
    api = boss.get(f"/api/v1/experiments/e7/analyses/{Analysis.objects.get(experiment__key='e7', status='done').pk}")

    assert (own.status_code, other.status_code) == (200, 200)
    assert "can&#x27;t be read" in own.content.decode()
    assert "can&#x27;t be read" not in other.content.decode()
    assert len(asked) <= 2 * MOST
    assert "E7" in calibration
    assert "what is stored of its analysis can&#x27;t be read" in calibration
    assert list(api.json()["document"]) == ["unreadable"]


@pytest.mark.parametrize("kind", ["html", "csv", "json"])
def test_takeaway__result_that_can_not_be_read__says_so(boss: Client, kind: str) -> None:
    site(runs=1, others=1)
    runs = (Study.objects.get(), SegmentationRun.objects.get(), Analysis.objects.get(status="done"))

    for run in runs:
        answer = boss.get(f"/takeaway/{run._meta.label}/{run.pk}.{kind}")

        assert answer.status_code == 200
        assert "A newer version of Insight stored this result" in answer.content.decode()


def test_own_pages__results_that_can_not_be_read__say_so(boss: Client) -> None:
    site(runs=1, others=1)
    study, search, churn = Study.objects.get(), SegmentationRun.objects.get(), ChurnRun.objects.get()
    ComparisonRun.objects.update(status="done", payload=NEWER)
    paths = (
        f"/aha/studies/{study.pk}/",
        f"/segments/runs/{search.pk}/",
        f"/segments/churn/{churn.pk}/",
        f"/segments/comparisons/{ComparisonRun.objects.get().pk}/",
        "/experiments/e0/",
        "/aha/moments/m0/",
        "/segments/models/k0/",
    )

    for path in paths:
        answer = boss.get(path)

        assert (path, answer.status_code) == (path, 200)
        assert "A newer version of Insight stored this result" in answer.content.decode(), path
    assert boss.get(f"/aha/studies/{study.pk}/candidates/1/").status_code == 404
    assert "unreadable" in boss.get(f"/api/v1/studies/{study.pk}").json()["report"]
