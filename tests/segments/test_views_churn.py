"""Pages of churn models."""

import pytest
from django.test import Client

from segments.models import ChurnRun
from segments.published import predict_churn
from tests.segments.test_views import HTMX, analyst, pm, published, refuse

pytestmark = pytest.mark.django_db
__all__ = ["analyst", "pm"]  # fixtures


def test_start_churn__refused__a_sentence(pm: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict_churn, "start_churn", refuse)

    page = pm.post(f"/segments/{published().pk}/churn/", {"retention": "window:21-27"}, follow=True).content.decode()

    assert "No, because." in page


def test_churn_page__no_skill__the_reason_and_no_picture(analyst: Client) -> None:
    missing = {"reason": "no_skill", "details": {}}
    payload = {"units": 900, "known": 800, "definition": "window:21-27", "quality": missing}
    run = ChurnRun.objects.create(segment=published(), status="done", payload=payload)

    page = analyst.get(f"/segments/churn/{run.pk}/").content.decode()

    assert "does not beat the base rate" in page
    assert "active on at least one day from day 21 to day 27" in page
    assert "<figure" not in page


def test_churn_progress__ended__refresh(analyst: Client) -> None:
    run = ChurnRun.objects.create(segment=published(), status="done", payload={})

    assert analyst.get(f"/segments/churn/{run.pk}/progress/", headers=HTMX).headers["HX-Refresh"] == "true"
