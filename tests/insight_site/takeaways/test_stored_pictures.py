"""Charts of a run: rendered once, kept, and handed out in each form."""

from dataclasses import replace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.template import Context, Template
from django.test import Client
from django.utils import translation

from insight_site.exports import pictures
from insight_site.models import Picture
from reporting import charts
from reporting.words import gettext
from runs.kinds import kind_of
from runs.payloads import Schema
from segments.models import SegmentationRun

pytestmark = pytest.mark.django_db
LABEL = "segments.SegmentationRun"
AS_STORED: Schema[dict[str, Any]] = Schema(dict)


def draw(report: dict[str, Any], slug: str = "") -> tuple[charts.Drawing, ...]:
    import altair as alt
    import pandas as pd

    def chart(rows: int, title: str) -> Any:
        frame = pd.DataFrame({"x": range(rows), "y": range(rows)})
        return alt.Chart(frame, title=title).mark_point().encode(x="x", y="y")

    label = gettext("Segments")
    drawn = (
        charts.drawing("few", label, chart(report["few"], label), marks=report["few"]),
        charts.drawing("many", label, chart(501, label), marks=501),
    )
    return tuple(one for one in drawn if slug in ("", one.slug))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> SegmentationRun:
    here = "tests.insight_site.takeaways.test_stored_pictures"
    kind = replace(kind_of(SegmentationRun()), schema=f"{here}.AS_STORED", draw=f"{here}.draw")
    monkeypatch.setattr(apps.get_app_config("segments"), "run_kinds", (kind,))
    return SegmentationRun.objects.create(status="done", payload={"few": 5})


@pytest.mark.slow
def test_draw_run__both_languages__svg_for_few_marks_png_for_many(run: SegmentationRun) -> None:
    assert pictures.draw_run(LABEL, run.pk) == 4

    stored = {(row.slug, row.language): bytes(row.content) for row in Picture.objects.all()}
    assert "세그먼트" in stored["few", "ko"].decode()
    assert stored["few", "en"].startswith(b"<svg")
    assert stored["many", "ko"].startswith(b"\x89PNG")


@pytest.mark.slow
def test_draw_run__twice__keeps_one_picture_of_a_kind(run: SegmentationRun) -> None:
    pictures.draw_run(LABEL, run.pk)
    pictures.draw_run(LABEL, run.pk)

    assert Picture.objects.count() == 4


@pytest.mark.parametrize("status", ["queued", "running", "failed"])
def test_draw_run__not_done__draws_nothing(run: SegmentationRun, status: str) -> None:
    SegmentationRun.objects.filter(pk=run.pk).update(status=status)

    assert pictures.draw_run(LABEL, run.pk) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slug", "kind", "content_type", "start"),
    [
        ("few", "image", "image/svg+xml", b"<svg"),
        ("few", "png", "image/png", b"\x89PNG"),
        ("few", "svg", "image/svg+xml", b"<svg"),
        ("few", "json", "application/json", b"{"),
        ("few", "csv", "text/csv; charset=utf-8", b"\xef\xbb\xbfx,y\r\n0,0\r\n1,1\r\n"),
        ("many", "dark", "image/png", b"\x89PNG"),
        ("many", "image", "image/png", b"\x89PNG"),
        ("many", "svg", "image/svg+xml", b"<svg"),
    ],
)
def test_picture__not_drawn_yet__is_drawn_on_request(
    client: Client, run: SegmentationRun, slug: str, kind: str, content_type: str, start: bytes
) -> None:
    client.force_login(User.objects.create_user("ann"))

    answer = client.get(f"/pictures/{LABEL}/{run.pk}/ko/{slug}.{kind}")

    assert (answer.status_code, answer["Content-Type"]) == (200, content_type)
    assert answer.content.startswith(start)
    assert Picture.objects.count() == 1


@pytest.mark.parametrize("path", ["xx/few.png", "en/none.png", "en/few.exe"])
def test_picture__that_is_not_there__404(client: Client, run: SegmentationRun, path: str) -> None:
    client.force_login(User.objects.create_user("ann"))

    assert client.get(f"/pictures/{LABEL}/{run.pk}/{path}").status_code == 404
    assert client.get(f"/pictures/auth.User/1/{path}").status_code == 404


@pytest.mark.slow
def test_picture__dark__is_another_one_than_the_light(client: Client, run: SegmentationRun) -> None:
    client.force_login(User.objects.create_user("ann"))

    light, dark = (client.get(f"/pictures/{LABEL}/{run.pk}/en/many.{kind}").content for kind in ("image", "dark"))

    assert light != dark


@pytest.mark.slow
def test_tag__stored_svg__is_inline_with_its_label(run: SegmentationRun) -> None:
    pictures.draw_run(LABEL, run.pk)
    template = Template('{% load reports %}{% picture run "few" %}{% picture run "many" %}')

    with translation.override("ko"):
        text = template.render(Context({"run": run}))

    assert '<div class="drawn fit-4" role="img" aria-label="세그먼트" tabindex="0"><svg' in text
    assert f'src="/pictures/{LABEL}/{run.pk}/ko/many.image"' in text
