"""Reports as files: nothing outside is needed, nothing dangerous gets in, and only who may read the page gets them."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation

from aha.models import Study
from insight_site.exports import takeaway
from reporting.document import dump
from reporting.table import Table
from runs.kinds import kind_of
from segments.models import SegmentationRun
from tests.aha.make_report import INPUTS
from tests.aha.make_report import report as study_report
from tests.segments.make_report import report as segment_report

pytestmark = pytest.mark.django_db
OUTSIDE = re.compile(
    r"""(?:src|href|srcset|action)\s*=\s*["'](?!#|data:)|url\((?!#|['"]?#)|@import|<script""", re.IGNORECASE
)


@pytest.fixture
def study() -> Study:
    return Study.objects.create(title="Spring", status="done", inputs=dump(INPUTS), payload=dump(study_report()))


@pytest.fixture
def search() -> SegmentationRun:
    made = segment_report()
    return SegmentationRun.objects.create(title="Groups", status="done", inputs=dump(made.inputs), payload=dump(made))


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(User.objects.create_user("ann"))
    return client


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


@pytest.mark.slow
@pytest.mark.parametrize(("language", "words"), [("en", "Who counts"), ("ko", "집계 대상")])
def test_html__of_a_study__holds_its_pictures_and_asks_for_nothing(study: Study, language: str, words: str) -> None:
    with translation.override(language):
        text = takeaway.as_html(study)

    assert f'<html lang="{language}">' in text
    assert words in text
    assert text.count('class="drawn fit-') == 5
    assert [found.group() for found in OUTSIDE.finditer(text)] == []
    assert "<form" not in text


@pytest.mark.slow
def test_html__of_a_segmentation__holds_big_pictures_as_data(
    search: SegmentationRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from insight_site.exports import pictures

    monkeypatch.setattr(pictures, "MANY_MARKS", 20)  # the small report has no picture of 500 marks
    marks = {drawing.slug: drawing.marks for drawing in pictures.drawings(search, "en")}
    text = takeaway.as_html(search)

    assert text.count('<figure class="picture"') == len(marks)
    many = sum(n > 20 for n in marks.values())
    assert 0 < many < len(marks)
    assert text.count("data:image/png;base64,") == many
    assert [found.group() for found in OUTSIDE.finditer(text)] == []
    assert "Publish" not in text


@pytest.mark.slow
def test_html__title_with_markup__is_escaped(study: Study) -> None:
    study.title = "<script>alert(1)</script>"
    study.save()

    assert "<script" not in takeaway.as_html(study)


def test_csv__of_a_study__has_every_cell_of_its_tables(study: Study) -> None:
    found = rows(takeaway.as_csv(study))

    assert found[0] == ["table", "row", "column", "value", "low", "high", "unit", "n", "text"]
    assert {len(row) for row in found} == {9}
    counted = next(row for row in found if row[1] == "eligible")
    assert counted[0] == "Who counts"
    assert float(counted[3]) > 0  # a number, without the commas of the page
    numbers = [cell for row in found[1:] for cell in row[3:6] + row[7:8] if cell]
    assert numbers
    assert all(float(cell) == float(cell) for cell in numbers)


def test_tables__nested_in_a_context__come_in_order() -> None:
    first, second, third = (Table(name, (), ()) for name in "abc")

    class Part:
        table = second

    found = takeaway.tables({"x": first, "sections": [("t", (Part(),))], "y": {"z": third}, "n": 1})

    assert [table.title for table in found] == ["a", "b", "c"]


def test_json__of_a_korean_reader__is_what_the_command_prints(study: Study) -> None:

    from aha.report.document import document

    with translation.override("ko"):
        found = json.loads(takeaway.as_json(study))

    with translation.override("en"):
        assert found == json.loads(json.dumps(document(study_report())))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "content_type"),
    [("html", "text/html; charset=utf-8"), ("csv", "text/csv; charset=utf-8"), ("json", "application/json")],
)
def test_file__for_a_reader__is_an_attachment(reader: Client, study: Study, kind: str, content_type: str) -> None:
    answer = reader.get(f"/takeaway/aha.Study/{study.pk}.{kind}")

    assert (answer.status_code, answer["Content-Type"]) == (200, content_type)
    assert answer["Content-Disposition"] == f'attachment; filename="insight-study-{study.pk}.en.{kind}"'
    assert "script-src" not in answer["Content-Security-Policy"]
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", ["aha.Study/1.exe", "aha.Study/999.html", "auth.User/1.html", "aha.AhaMoment/1.html"])
def test_file__that_is_not_there__404(reader: Client, path: str) -> None:
    assert reader.get(f"/takeaway/{path}").status_code == 404


def test_file__of_an_unfinished_run__404(reader: Client) -> None:
    run = Study.objects.create(title="open", status="running", inputs=dump(INPUTS))

    assert reader.get(f"/takeaway/aha.Study/{run.pk}.html").status_code == 404


def test_file__of_a_kind_with_a_permission__403_without_it(
    reader: Client, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = replace(kind_of(study), may_read="aha.view_study")
    monkeypatch.setattr(apps.get_app_config("aha"), "run_kinds", (kind,))

    assert reader.get(f"/takeaway/aha.Study/{study.pk}.json").status_code == 403
