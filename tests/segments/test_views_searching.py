"""A search for groups: its form in its own words, and whether the page says groups or styles."""

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from reporting.document import dump
from runs.refusals import Refused
from segments.management.commands.segment_units import Command
from segments.models import SegmentationRun
from segments.report.document import document
from segments.search import segmentations
from segments.search.gaps import Gap, Shape
from segments.search.profiles import Direction
from tests.segments.make_report import nothing_found, report
from tests.segments.test_views import QUESTION, published

pytestmark = pytest.mark.django_db


@pytest.fixture
def analyst(client: Client) -> Client:
    """Logged in, without any permission."""
    client.force_login(User.objects.create_user("ann"))
    return client


@pytest.fixture
def pm() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("pm"))
    return client


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"retention": "window:10-20"}, "inside the days of play"),
        ({"retention": "unbounded:20"}, "grows as the data age"),
        ({"retention": "nothing"}, "no retention"),
        ({"last_day": "-1"}, "greater than or equal to 0"),
        ({"first_day": "9", "last_day": "3"}, "The last day of play lies before the first."),
        ({"last_day": "400"}, "At most 366 days of play, not 401."),
        ({"first_date": "2026-02-01", "last_date": "2026-01-01"}, "The last date lies before the first."),
        ({"signup_event": " "}, "required"),
    ],
)
def test_new_run__nonsense__a_sentence_and_no_run(pm: Client, change: dict[str, str], words: str) -> None:
    answer = pm.post("/segments/runs/new/", QUESTION | change)

    assert words in answer.content.decode()
    assert not SegmentationRun.objects.exists()


def test_new_run__option_of_the_command__is_shown_at_its_field(pm: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(**_: Any) -> SegmentationRun:
        raise Refused("there is no event {event!r} in the log.", at="behaviours", event="nope")

    monkeypatch.setattr(segmentations, "start_segmentation", start)

    page = pm.post("/segments/runs/new/", QUESTION).content.decode()

    assert "There is no event &#x27;nope&#x27; in the log." in page
    assert "--behaviours" not in page


@pytest.mark.parametrize(("language", "label"), [("en", "Last day of play to look at"), ("ko", "마지막 날")])
def test_run_page__refused_by_option__names_the_field(analyst: Client, language: str, label: str) -> None:
    run = SegmentationRun.objects.create(status="failed", reason="--window: none of 50 users has completed it.")

    page = analyst.get(f"/segments/runs/{run.pk}/", headers={"accept-language": language}).content.decode()

    assert "--window" not in page
    assert label in page


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (Shape.STYLES, "2 styles of a continuum (corners, not groups)"),
        (Shape.GROUPS, "Between all neighbours a gap was found"),
        (None, "2 stable groups of users"),
    ],
)
def test_run_page__groups_or_styles__the_word_is_on_the_page(pm: Client, shape: Shape | None, words: str) -> None:
    gaps = () if shape is None else (Gap(0, 1, 700, 0.01, 0.4, 0.4 if shape is Shape.STYLES else 0.001),)
    made = report(shape=shape, gaps=gaps)
    run = SegmentationRun.objects.create(status="done", payload=dump(made), inputs=dump(made.inputs), model={})

    page = pm.get(f"/segments/runs/{run.pk}/").content.decode()

    assert words in page
    assert ("They may be published, and the segment carries that word." in page) is (shape is Shape.STYLES)
    assert ("g1 – g2" in page) is (shape is not None)


def test_model_page__styles__carry_the_word(pm: Client) -> None:
    segment = published()
    segment.version.shape = "styles"
    segment.version.save()

    assert "styles of a continuum (corners, not groups)" in pm.get("/segments/models/style/").content.decode()


def test_list__failed_search__names_the_field(analyst: Client) -> None:
    SegmentationRun.objects.create(status="failed", reason="--window: none of 50 users has completed it.")

    assert "--window" not in analyst.get("/segments/").content.decode()


@pytest.mark.parametrize(
    ("shape", "words"),
    [(Shape.STYLES, "2 styles of a continuum (corners, not groups)."), (Shape.GROUPS, "2 stable groups.")],
)
def test_command__table__keeps_brackets_and_says_what_they_are(shape: Shape, words: str) -> None:
    """Rich reads what stands in brackets as its markup, unless told otherwise."""
    made = report(shape=shape)
    profile = replace(made.clusters[0].profile, name=(("level_up[mode=hard]", Direction.MORE),))
    made = replace(made, clusters=(replace(made.clusters[0], profile=profile), *made.clusters[1:]))
    run = SegmentationRun.objects.create(status="done", payload=dump(made), inputs=dump(made.inputs), model={})
    out = StringIO()

    Command(stdout=out)._show(run, as_json=False)

    assert "+level_up[mode=hard]" in out.getvalue()
    assert words in out.getvalue()


@pytest.mark.parametrize(
    ("shape", "wanted"), [(Shape.STYLES, "styles"), (Shape.GROUPS, "groups"), (Shape.NONE, "none"), (None, None)]
)
def test_document__shape__is_there_and_null_for_untested_runs(shape: Shape | None, wanted: str | None) -> None:
    found = document(report(shape=shape, gaps=(Gap(0, 1, 700, 0.05, 0.001, 0.001),)))

    assert found["shape"] == wanted
    assert found["gaps"][0]["between"] == ["g1", "g2"]
    assert found["gaps"][0]["gap"] is True
    assert document(nothing_found())["shape"] == "none"
