"""A chart that isn't drawn yet keeps its place, has its title, and asks for itself; nobody's writing waits for it."""

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections
from django.template import Context, Template
from django.test import Client
from django.utils import timezone, translation

from aha.models import Study
from insight_site.exports import pictures
from insight_site.models import Picture
from reporting.charts import expected_size
from reporting.document import dump
from runs.models import Job
from runs.queue import status
from tests.aha.make_report import INPUTS, result

pytestmark = pytest.mark.django_db
LABEL = "aha.Study"
PAGE = Template('{% load reports %}{% picture run "curve" %}')
SAID = "This chart is being drawn."


@pytest.fixture
def study() -> Study:
    return Study.objects.create(title="First", status="done", inputs=dump(INPUTS), **result())


def shown(study: Study, language: str = "en") -> str:
    with translation.override(language):
        return PAGE.render(Context({"run": study}))


@pytest.mark.slow
def test_tag__not_drawn__keeps_its_place_under_its_title_and_asks_a_worker_once(study: Study) -> None:
    status.sign("a", timezone.now())

    first, again = shown(study), shown(study)

    (drawing,) = pictures.drawings(study, "en", "curve")
    assert f'aria-label="{drawing.label} {SAID}"' in first
    assert f'hx-get="/pictures/{LABEL}/{study.pk}/en/curve.figure"' in first
    width, height = expected_size(drawing.spec)
    assert f'width="{width}" height="{height}"' in first
    assert "skeleton" not in first
    assert first == again
    assert [job.arguments for job in Job.objects.all()] == [[LABEL, study.pk]]
    assert not Picture.objects.exclude(content=b"").exists()


@pytest.mark.slow
def test_tag__of_a_page_that_was_shown_before__plans_no_chart_again(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    status.sign("a", timezone.now())
    first = shown(study)
    monkeypatch.setattr(pictures, "drawings", None)

    assert shown(study) == first


@pytest.mark.slow
def test_tag__that_a_worker_could_not_draw__says_so_and_asks_no_more(study: Study) -> None:
    status.sign("a", timezone.now())
    shown(study)
    Job.objects.update(state=Job.State.FAILED, ended_at=timezone.now())

    text = shown(Study.objects.get())  # the next page

    assert "This chart could not be drawn." in text
    assert "hx-get" not in text
    assert Job.objects.count() == 1


@pytest.mark.slow
def test_figure__while_a_worker_lives__is_never_drawn_by_a_request(
    client: Client, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(User.objects.create_user("ann"))
    status.sign("a", timezone.now())
    monkeypatch.setattr(pictures, "svg", None)
    address = f"/pictures/{LABEL}/{study.pk}/ko/curve.figure"

    assert f'hx-get="{address}"' in client.get(address).content.decode()

    monkeypatch.undo()
    pictures.draw_run(LABEL, study.pk)
    text = client.get(address).content.decode()
    assert "<svg xmlns" in text
    assert "hx-get" not in text


@pytest.mark.slow
def test_figure__without_a_worker__is_drawn_at_once(client: Client, study: Study) -> None:
    client.force_login(User.objects.create_user("ann"))

    text = client.get(f"/pictures/{LABEL}/{study.pk}/en/curve.figure").content.decode()

    assert "<svg xmlns" in text
    assert Picture.objects.count() == 1


@pytest.mark.slow
def test_draw_run__the_first_alone__plans_the_others(study: Study) -> None:
    assert pictures.draw_run(LABEL, study.pk, first=1) == 2

    assert set(Picture.objects.exclude(content=b"").values_list("slug", "language")) == {
        ("curve", "en"),
        ("curve", "ko"),
    }
    assert Picture.objects.filter(content=b"", language="ko").exclude(label="").count() > 2


READERS, HELD = 12, 0.25  # seconds for which one rendering holds the interpreter
WRITER = """
import sqlite3, sys, threading, time
database = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
told = threading.Thread(target=sys.stdin.read)
told.start()
worst = 0.0
while told.is_alive():
    began = time.monotonic()
    database.execute("UPDATE auth_group SET name = name")
    worst = max(worst, time.monotonic() - began)
    time.sleep(0.02)
print(worst)
"""


@contextmanager
def writer(waited: list[float]) -> Iterator[None]:
    """Another process that writes again and again, as a worker does; how long it waited at most comes at the end."""
    path = connection.settings_dict["NAME"]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield
        waited.append(float(process.communicate("")[0]))


def hold_the_interpreter(*_chart: object) -> str:
    """As Vega does while it renders: no other thread goes on."""
    ctypes.PyDLL(None).usleep(int(HELD * 1e6))
    return "<svg></svg>"


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.skipif(connection.vendor != "sqlite", reason="one lock for the whole database is SQLite's")
@pytest.mark.django_db(transaction=True)
def test_pictures__drawn_for_many_readers_at_once__let_another_process_write(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vl_convert.vegalite_to_svg", lambda *_chart, **_options: hold_the_interpreter())
    charts = {drawing.slug: drawing for drawing in pictures.drawings(study, "en") if drawing.marks < 500}
    monkeypatch.setattr(pictures, "drawings", lambda _run, _language, slug: (charts[slug],))
    wanted = [(language, slug) for language in ("en", "ko") for slug in charts][: 2 * READERS]

    def read(one: tuple[str, str]) -> None:
        pictures.picture(study, *one)
        connections.close_all()

    waited: list[float] = []
    with writer(waited), ThreadPoolExecutor(READERS) as readers:
        list(readers.map(read, wanted))

    assert Picture.objects.count() == len(wanted)
    assert waited[0] < 8 * HELD  # one statement waits for one rendering, never for those of all readers
