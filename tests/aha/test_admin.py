"""The admin of studies and AHA moments: to be read, but for a moment's name and note."""

import pytest
from django.test import Client

from aha.models import AhaMoment, Study
from aha.moments import promote
from reporting.document import dump
from tests.aha.make_report import INPUTS, report

pytestmark = pytest.mark.django_db


def study() -> Study:
    return Study.objects.create(title="First", status="done", inputs=dump(INPUTS), payload=dump(report()))


def moment() -> AhaMoment:
    return promote.promote_candidate(study=study(), behaviour="friend_add", times=2, days=3)


def test_admin__claim_and_evidence__cannot_be_edited(admin_client: Client) -> None:
    row = moment()
    path = f"/admin/aha/ahamoment/{row.pk}/change/"

    assert admin_client.get(path).status_code == 200
    admin_client.post(path, {"name": "New name", "note": "why", "times": "9", "status": "confirmed"})

    row.refresh_from_db()
    assert (row.name, row.note, row.times, row.status) == ("New name", "why", 2, "candidate")
    assert admin_client.get("/admin/aha/ahamoment/add/").status_code == 403
    assert admin_client.get(f"/admin/aha/ahamoment/{row.pk}/delete/").status_code == 403
    assert row.history.count() == 2


def test_admin__study__is_read_only(admin_client: Client) -> None:
    row = study()

    assert admin_client.get(f"/admin/aha/study/{row.pk}/change/").status_code == 200
    assert admin_client.get("/admin/aha/study/add/").status_code == 403
    admin_client.post(f"/admin/aha/study/{row.pk}/change/", {"title": "Other"})
    row.refresh_from_db()
    assert row.title == "First"
