"""The report as a file, and as a link for people without an account."""

import logging
import shutil
import subprocess
from pathlib import Path
from urllib.request import OpenerDirector

import pytest
from django.test import Client

from experiments.models import ReviewAnswer
from experiments.report import calibration_page
from insight_site.exports import takeaway
from tests.conftest import missing
from tests.experiments.make_readout import stored
from tests.experiments.report.test_views import page, viewer

__all__ = ["viewer"]
pytestmark = pytest.mark.django_db


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "start"), [("html", "<!doctype html>"), ("csv", "\ufeff"), ("json", "{")])
def test_takeaway__of_an_analysis__is_a_file(viewer: Client, kind: str, start: str) -> None:
    row = stored()

    answer = viewer.get(f"/takeaway/experiments.Analysis/{row.pk}.{kind}")

    assert answer.status_code == 200
    assert answer.content.decode().startswith(start)


def test_takeaway__as_csv__has_the_tables_of_every_section(viewer: Client) -> None:
    row = stored()

    text = viewer.get(f"/takeaway/experiments.Analysis/{row.pk}.csv").content.decode()

    for title in ("The plan", "Flow of users", "Time to churn", "Bayesian companion", "Level of each outcome"):
        assert f"\n{title}," in text, title


@pytest.mark.slow
def test_shared__report_of_one_experiment__says_nothing_of_the_others(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = stored()
    monkeypatch.setattr(calibration_page, "share_left", lambda *_said: "Over 7 experiments 12% was left.")
    _, token = takeaway.create_link(run=row, days=7, by=None)

    assert "Over 7 experiments" in page(viewer, "exp/results/numbers/")
    assert "Over 7 experiments" in viewer.get(f"/takeaway/experiments.Analysis/{row.pk}.html").content.decode()
    assert "Over 7 experiments" not in Client().get(f"/shared/{token}/?whole").content.decode()


def test_shared__link__is_the_summary_with_a_way_to_the_rest_in_both_languages(viewer: Client) -> None:
    row = stored()
    _, token = takeaway.create_link(run=row, days=7, by=None)

    def text(asked: str) -> str:
        return Client().get(f"/shared/{token}/{asked}").content.decode()

    assert "Ship it." in text("?language=en")
    assert "Bayesian companion" not in text("?language=en")
    assert "Bayesian companion" in text("?language=en&whole")
    assert 'href="?language=en&amp;whole"' in text("?language=en")
    assert 'lang="ko"' in text("?language=ko")
    assert "Ship it." not in text("?language=ko")
    assert "Ship it." in text("?language=no-such-language")


@pytest.mark.slow
def test_report__of_an_experiment_that_started_without_a_review__says_so_wherever_it_is_read(viewer: Client) -> None:
    row = stored()
    _, token = takeaway.create_link(run=row, days=7, by=None)
    places = [(viewer, "/experiments/exp/"), (viewer, f"/takeaway/experiments.Analysis/{row.pk}.html")]
    places.append((Client(), f"/shared/{token}/"))
    said = "Started without a review."
    assert [said in reader.get(path).content.decode() for reader, path in places] == [False, False, False]

    ReviewAnswer.objects.create(
        experiment=row.experiment, kind="skipped", text="The shop is down.", fingerprint="x", version=1
    )

    for reader, path in places:
        text = reader.get(path).content.decode()
        assert text.count(said) == 1, path
        assert "The shop is down." in text, path


@pytest.mark.slow
@pytest.mark.parametrize(("language", "said"), [("en", "Ship it."), ("ko", "출시하세요.")])
def test_pdf__read_by_another_program__is_the_summary_on_one_page(
    viewer: Client, tmp_path: Path, language: str, said: str
) -> None:
    row = stored()
    viewer.cookies["django_language"] = language
    answer = viewer.get(f"/takeaway/experiments.Analysis/{row.pk}.pdf")
    file = tmp_path / "summary.pdf"
    file.write_bytes(answer.content)

    text = pdftotext(file)

    assert answer.headers["Content-Type"] == "application/pdf"
    assert said in text.replace("\n", " ")
    assert "31.1%" in text
    assert text.count("\f") == 1  # one page
    assert "Bayesian" not in text


@pytest.mark.slow
def test_pdf__of_a_page_with_a_foreign_picture__asks_no_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    row = stored()
    asked: list[str] = []
    monkeypatch.setattr(OpenerDirector, "open", lambda _self, wanted, *_more, **_options: asked.append(str(wanted)))
    monkeypatch.setattr(takeaway, "as_html", lambda *_given, **_more: '<img src="http://127.0.0.1:9/x.png">Text')
    monkeypatch.setattr(logging.getLogger("weasyprint"), "propagate", True)

    assert takeaway.as_pdf(row).startswith(b"%PDF-")
    assert asked == []
    assert "127.0.0.1:9" in caplog.text


def pdftotext(file: Path) -> str:
    program = shutil.which("pdftotext")
    if program is None:
        missing("pdftotext (poppler-utils)")
    return subprocess.run([program, "-layout", file, "-"], capture_output=True, text=True, check=True).stdout
