"""A finished study shows the display names that people gave later; its JSON keeps what was sent."""

import pytest
from django.test import Client

from aha.models import Study
from aha.study.payload_versions import STUDY
from events.models import EventLabel
from reporting.document import dump
from tests.aha.make_report import INPUTS, result
from tests.aha.make_report import report as made

pytestmark = pytest.mark.django_db


def test_study__of_renamed_events__shows_display_names_and_keeps_raw_ones_in_json(admin_client: Client) -> None:
    study = Study.objects.create(title="Spring", status="done", inputs=dump(INPUTS), **result(made()))
    report = STUDY.of(study)
    behaviour = report.candidates[0].behaviour  # type: ignore[union-attr]
    EventLabel.objects.create(event=behaviour, name_en="Made a friend", name_ko="친구 추가")

    page = admin_client.get(f"/aha/studies/{study.pk}/").content.decode()
    korean = admin_client.get(f"/aha/studies/{study.pk}/", headers={"Accept-Language": "ko"}).content.decode()
    document = admin_client.get(f"/takeaway/aha.Study/{study.pk}.json").content.decode()
    answer = admin_client.get(f"/api/v1/studies/{study.pk}")

    assert "Made a friend" in page
    assert "친구 추가" in korean
    assert behaviour in document
    assert "Made a friend" not in document
    assert answer.status_code == 200
    assert "Made a friend" not in answer.content.decode()
