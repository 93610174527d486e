"""The main pages with something on them, for tests that look at all of them."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.core.cache import cache

from aha.models import AhaMoment, Study
from events.records import dump
from insight_site import pictures
from insight_site.models import Picture
from segments.models import Segment, SegmentationRun, SegmentModel, SegmentVersion
from tests.aha.make_report import INPUTS
from tests.aha.make_report import report as study_report
from tests.segments.make_report import report as segment_report


@dataclass(frozen=True)
class World:
    """Rows behind the pages."""

    study: Study
    search: SegmentationRun


# Name and address; a later page is one line.
PAGES = {
    "home": "/",
    "segments": "/segments/",
    "new search": "/segments/runs/new",
    "new rule": "/segments/rules/new",
    "segmentation": "/segments/runs/{search}",
    "segment model": "/segments/models/style",
    "studies": "/aha/studies/",
    "new study": "/aha/studies/new/",
    "study": "/aha/studies/{study}/",
    "candidate": "/aha/studies/{study}/candidates/1/",
    "moments": "/aha/moments/",
    "moment": "/aha/moments/friends/",
    "glossary": "/glossary/",
}


def path(name: str, world: World) -> str:
    return PAGES[name].format(study=world.study.pk, search=world.search.pk)


_drawn: dict[str, list[dict[str, Any]]] = {}


def _draw(label: str, pk: int) -> None:
    """The pictures of a report are the same in every test, and rendering them takes many seconds: once is enough."""
    if label not in _drawn:
        pictures.draw_run(label, pk)
        _drawn[label] = [dict(row) for row in Picture.objects.filter(run_label=label, run_pk=pk).values()]
        return
    Picture.objects.bulk_create(Picture(**{**row, "id": None, "run_pk": pk}) for row in _drawn[label])


def make_world() -> World:
    cache.clear()
    study = Study.objects.create(title="Spring", status="done", inputs=dump(INPUTS), payload=dump(study_report()))
    Study.objects.create(title="Autumn", status="failed", reason="Nobody signed up.", inputs=dump(INPUTS))
    made = segment_report()
    search = SegmentationRun.objects.create(
        title="Groups", status="done", inputs=dump(made.inputs), payload=dump(made), share=1.0
    )
    _draw("aha.Study", study.pk)
    _draw("segments.SegmentationRun", search.pk)
    model = SegmentModel.objects.create(key="style", name="Style", kind="cluster")
    version = SegmentVersion.objects.create(model=model, number=1, run=search)
    for key, name in (("g1", "Fighters"), ("g2", "Builders")):
        Segment.objects.create(version=version, key=key, name=name, stability=0.9, size=1_234)
    AhaMoment.objects.create(
        key="friends", name="Three friends", behaviour="friend_add", times=3, days=7, signup_event="signup",
        retention="window:14-20", status="candidate",
    )  # fmt: skip
    return World(study, search)


@pytest.fixture
def world(transactional_db: None) -> World:
    return make_world()
