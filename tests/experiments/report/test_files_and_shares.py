"""The report as a file, and as a link for people without an account."""

import pytest
from django.test import Client

from experiments.models import ReviewAnswer
from experiments.report.across import calibration_page
from insight_site.takeaways import sharing
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

    for title in ("The plan", "Flow of units", "Time to churn", "Bayesian companion", "Level of each outcome"):
        assert f"\n{title}," in text, title


@pytest.mark.slow
def test_shared__report_of_one_experiment__says_nothing_of_the_others(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = stored()
    monkeypatch.setattr(calibration_page, "share_left", lambda *_said: "Over 7 experiments 12% was left.")
    _, token = sharing.create_link(run=row, days=7, by=None)

    assert "Over 7 experiments" in page(viewer, "exp/")
    assert "Over 7 experiments" in viewer.get(f"/takeaway/experiments.Analysis/{row.pk}.html").content.decode()
    assert "Over 7 experiments" not in Client().get(f"/shared/{token}/").content.decode()


@pytest.mark.slow
def test_report__of_an_experiment_that_started_without_a_review__says_so_wherever_it_is_read(viewer: Client) -> None:
    row = stored()
    _, token = sharing.create_link(run=row, days=7, by=None)
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
