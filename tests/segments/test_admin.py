"""The admin of segments: everything can be read, a name can be changed, nothing else."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from reporting.document import dump
from segments.models import ChurnRun, Membership, Segment, SegmentationRun, SegmentModel, SegmentVersion
from tests.segments.make_report import report

pytestmark = pytest.mark.django_db


@pytest.fixture
def pm(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("pm"))
    return client


def segment(stability: float) -> Segment:
    run = SegmentationRun.objects.create(title="November", status="done", payload=dump(report()))
    model = SegmentModel.objects.create(key="style", name="Style", kind="cluster")
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, run=run)
    row = Segment.objects.create(version=version, key="g1", name="Fighters", stability=stability)
    Membership.objects.create(version=version, unit="u1", segment=row)
    Membership.objects.create(version=version, unit="u10", segment=row)
    ChurnRun.objects.create(segment=row)
    return row


@pytest.mark.parametrize(
    "name", ["segmentmodel", "segmentversion", "segment", "segmentationrun", "churnrun", "membership"]
)
def test_admin__list_and_row__open(pm: Client, name: str) -> None:
    segment(0.9)
    base = f"/admin/segments/{name}/"

    page = pm.get(base)
    pk = page.context["cl"].result_list[0].pk

    assert page.status_code == 200
    assert pm.get(f"{base}{pk}/change/").status_code == 200
    assert pm.get(f"{base}add/").status_code == 403


@pytest.mark.parametrize("name", ["segmentmodel", "segment"])
def test_admin__history__opens(pm: Client, name: str) -> None:
    row = segment(0.9)
    pk = row.pk if name == "segment" else row.version.model.pk

    assert pm.get(f"/admin/segments/{name}/{pk}/history/").status_code == 200


@pytest.mark.parametrize(("stability", "name"), [(0.9, "Brawlers"), (0.5, "Fighters")])
def test_segment__renamed__through_the_service(pm: Client, stability: float, name: str) -> None:
    row = segment(stability)

    page = pm.post(f"/admin/segments/segment/{row.pk}/change/", {"name": "Brawlers"}, follow=True).content.decode()

    row.refresh_from_db()
    assert row.name == name
    assert ("too unstable to be named" in page) is (name == "Fighters")
    assert ("was changed successfully" in page) is (name == "Brawlers")


def test_membership__search__exact_unit(pm: Client) -> None:
    segment(0.9)

    page = pm.get("/admin/segments/membership/?q=u1")

    assert [row.unit for row in page.context["cl"].result_list] == ["u1"]
