"""A search for groups: its form in its own words, and whether the page says groups or styles."""

from dataclasses import replace
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.test import Client

from reporting.document import dump
from segments.forms import SegmentationForm
from segments.management.commands.segment_units import Command
from segments.models import SegmentationRun
from segments.report.document import document
from segments.search.gaps import Gap, Shape
from segments.search.profiles import Direction
from tests.segments.make_report import nothing_found, report
from tests.segments.test_views import published

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


@pytest.mark.parametrize(("language", "label"), [("en", "Last day of play to use"), ("ko", "마지막 날")])
def test_run_page__refused_by_option__names_the_field(analyst: Client, language: str, label: str) -> None:
    run = SegmentationRun.objects.create(status="failed", reason="--window: none of 50 users has completed it.")

    page = analyst.get(f"/segments/runs/{run.pk}/", headers={"accept-language": language}).content.decode()

    assert "--window" not in page
    assert label in page


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (Shape.STYLES, "2 playing styles, not separate groups"),
        (Shape.GROUPS, "Between all neighbours a gap was found"),
        (None, "2 stable groups of users"),
    ],
)
def test_run_page__groups_or_styles__the_word_is_on_the_page(pm: Client, shape: Shape | None, words: str) -> None:
    gaps = () if shape is None else (Gap(0, 1, 700, 0.01, 0.4, 0.4 if shape is Shape.STYLES else 0.001),)
    made = report(shape=shape, gaps=gaps)
    run = SegmentationRun.objects.create(status="done", payload=dump(made), inputs=dump(made.inputs), model={})

    page = pm.get(f"/segments/runs/{run.pk}/").content.decode()

    assert words in page or words in pm.get(f"/segments/runs/{run.pk}/?tab=evidence").content.decode()
    assert ("They may be published, and the segment carries that word." in page) is (shape is Shape.STYLES)
    evidence = pm.get(f"/segments/runs/{run.pk}/?tab=evidence").content.decode()
    assert ("g1 – g2" in evidence) is (shape is not None)


def test_model_page__styles__carry_the_word(pm: Client) -> None:
    segment = published()
    segment.version.shape = "styles"
    segment.version.save()

    assert "playing styles, not separate groups" in pm.get("/segments/models/style/").content.decode()


def test_list__failed_search__names_the_field(analyst: Client) -> None:
    SegmentationRun.objects.create(status="failed", reason="--window: none of 50 users has completed it.")

    assert "--window" not in analyst.get("/segments/").content.decode()


@pytest.mark.parametrize(
    ("shape", "words"), [(Shape.STYLES, "2 styles of play (no separate groups)."), (Shape.GROUPS, "2 stable groups.")]
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


@pytest.mark.parametrize(("seed", "opens"), [("", True), ("one", True), ("1", False)])
def test_form__error_under_advanced__opens_it(seed: str, opens: bool) -> None:
    form = SegmentationForm({"seed": seed})

    assert not form.is_valid()
    assert ("seed" in form.errors) is opens
    assert form.opens_advanced is opens
