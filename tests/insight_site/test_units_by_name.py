"""Who reads units by name: roles that were given them, by every door; and addresses that no database can hold."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from tests.experiments.make_readout import started

pytestmark = pytest.mark.django_db


def person(role: str) -> Client:
    user = User.objects.create_user("ann", is_staff=True)
    if role:
        user.groups.add(Group.objects.get(name=role))
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


@pytest.mark.parametrize(("role", "status"), [("", 403), ("Analyst", 403), ("PM", 200), ("Service owner", 200)])
def test_assignments__by_session__need_the_role_that_holds_them(role: str, status: int) -> None:
    started("guild")

    assert person(role).get("/api/v1/experiments/guild/assignments").status_code == status


@pytest.mark.parametrize(("role", "status"), [("", 403), ("Service owner", 403), ("Analyst", 200), ("PM", 200)])
@pytest.mark.parametrize(
    "path", ["/api/v1/segments/{}/members", "/api/v1/units/u1/segments", "/segments/{}/members.csv"]
)
def test_members__by_session__need_the_role_that_holds_them(path: str, role: str, status: int) -> None:
    version = SegmentVersion.objects.create(
        refreshed_at="2026-03-01T00:00:00Z", model=SegmentModel.objects.create(key="m", name="M"), number=1
    )
    row = Segment.objects.create(version=version, key="g1", name="Fighters")
    Membership.objects.create(version=version, unit="u1", segment=row)

    assert person(role).get(path.format(row.pk)).status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/experiments/%00/",
        "/experiments/%00/1/",
        "/experiments/%00/peek/",
        "/experiments/%00/1/progress/",
        "/admin/experiments/experiment/%00/change/",
        "/admin/experiments/experiment/1/steps/change/",
    ],
)
def test_pages__with_nul_in_their_address__are_unknown(path: str) -> None:
    client = person("")
    User.objects.update(is_superuser=True)

    assert client.get(path).status_code == 404
    assert client.get("/admin/experiments/experiment/new/?moment=%00", follow=True).status_code == 200
