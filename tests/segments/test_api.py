"""Segments over HTTP: start, cancel, rename, and who belongs where, each with its own right."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from events.models import Source
from insight_site.access import keys
from reporting.document import dump
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentationRun, SegmentModel, SegmentVersion
from segments.published import publish
from segments.search import segmentations
from tests.segments.make_report import report

pytestmark = pytest.mark.django_db
API = "/api/v1"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    keys.forget_cached_keys()
    yield
    keys.forget_cached_keys()


def key(kind: str, *scopes: str) -> dict[str, str]:
    source, _ = Source.objects.get_or_create(name="app")
    return {"authorization": f"Bearer {keys.issue_key(name='k', source=source, kind=kind, scopes=scopes)[1]}"}


def segment(stability: float = 0.9) -> Segment:
    model = SegmentModel.objects.create(key="style", name="Style", kind="cluster")
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, units=2)
    profile = dump(report().clusters[0].profile)
    return Segment.objects.create(version=version, key="g1", name="Fighters", stability=stability, profile=profile)


def post(client: Client, path: str, body: Any, headers: dict[str, str]) -> Any:
    return client.post(f"{API}{path}", body, content_type="application/json", headers=headers)


def test_segmentations__started__202_and_the_inputs(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def start(**kwargs: Any) -> SegmentationRun:
        asked.append(kwargs)
        return SegmentationRun.objects.create(inputs=dump(kwargs["inputs"]))

    monkeypatch.setattr(segmentations, "start_segmentation", start)

    answer = post(
        client, "/segmentations", {"signup_event": "signup", "first_date": "2026-01-01"}, key("admin", "admin:*")
    )

    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert asked[0]["inputs"].first_date == "2026-01-01"
    assert (asked[0]["inputs"].last_day, asked[0]["by"]) == (13, None)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"signup_event": "signup", "retention": "window:5-9"}, 400),
        ({"signup_event": "s", "clusters": 1}, 400),
    ],
)
def test_segmentations__nonsense__a_problem_and_no_run(client: Client, body: dict[str, Any], status: int) -> None:
    answer = post(client, "/segmentations", body, key("admin", "admin:*"))

    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert not SegmentationRun.objects.exists()


def test_segmentations__refused__409(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> Any:
        raise Refused("No, because.")

    monkeypatch.setattr(segmentations, "start_segmentation", refuse)

    answer = post(client, "/segmentations", {"signup_event": "signup"}, key("admin", "admin:*"))

    assert (answer.status_code, answer.json()["detail"]) == (409, "No, because.")


def test_segmentations__refused_for_an_option__names_the_field(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> Any:
        raise Refused("there is no event {event!r} in the log.", at="behaviours", event="nope")

    monkeypatch.setattr(segmentations, "start_segmentation", refuse)
    whole = key("admin", "admin:*")

    late = post(client, "/segmentations", {"signup_event": "signup"}, whole).json()
    early = post(client, "/segmentations", {"signup_event": "signup", "last_day": 400}, whole).json()

    assert late["detail"] == "--behaviours: there is no event 'nope' in the log."
    assert late["errors"] == [
        {"pointer": "/behaviours", "code": "refused", "detail": "There is no event 'nope' in the log."}
    ]
    assert (early["status"], early["errors"][0]["pointer"]) == (400, "/last_day")
    assert early["detail"].startswith("--window: at most ")


def test_segmentation__done__missing_numbers_in_words(client: Client) -> None:
    run = SegmentationRun.objects.create(status="done", payload=dump(report()), versions={"numpy": "2"})

    answer = client.get(f"{API}/segmentations/{run.pk}", headers=key("server", "reports:read")).json()

    assert answer["result"]["found"] is True
    assert "no values" in answer["result"]["clusters"][0]["profile"]["survival"]["not_computable"]
    assert (
        "result" not in client.get(f"{API}/segmentations", headers=key("server", "reports:read")).json()["results"][0]
    )


@pytest.mark.slow
def test_segmentation__cancelled_twice__202_then_409(client: Client) -> None:
    run = SegmentationRun.objects.create()
    headers = key("admin", "admin:*")

    first, second = (post(client, f"/segmentations/{run.pk}/cancel", {}, headers) for _ in range(2))

    assert (first.status_code, first.json()["status"]) == (202, "cancelled")
    assert second.status_code == 409


@pytest.mark.parametrize(("stability", "status", "name"), [(0.9, 200, "Brawlers"), (0.5, 409, "Fighters")])
def test_segment__renamed__unless_unstable(client: Client, stability: float, status: int, name: str) -> None:
    row = segment(stability)

    answer = client.patch(
        f"{API}/segments/{row.pk}",
        {"name": "Brawlers", "key": "other", "size": 9},
        content_type="application/json",
        headers=key("admin", "admin:*"),
    )

    row.refresh_from_db()
    assert answer.status_code == status
    assert (row.name, row.key, row.size) == (name, "g1", 0)


@pytest.mark.parametrize(
    ("kind", "scope", "status"),
    [("server", "segments:read", 200), ("server", "reports:read", 403), ("client", "config:read", 403)],
)
@pytest.mark.parametrize("path", ["/segments/{pk}/members", "/units/u1/segments"])
def test_members__by_scope(client: Client, path: str, kind: str, scope: str, status: int) -> None:
    row = segment()

    answer = client.get(API + path.format(pk=row.pk), headers=key(kind, scope))

    assert answer.status_code == status


def test_members__many__by_cursor_each_once(client: Client) -> None:
    row, headers = segment(), key("server", "segments:read")
    Membership.objects.bulk_create(
        Membership(version=row.version, unit=f"u{number:03}", segment=row) for number in reversed(range(25))
    )
    Membership.objects.create(version=row.version, unit="outside", place="outside")

    path, units = f"{API}/segments/{row.pk}/members?page_size=10", list[str]()
    while path:
        page = client.get(path, headers=headers).json()
        units += [member["unit"] for member in page["results"]]
        path = page["next"]

    assert units == [f"u{number:03}" for number in range(25)]


def test_unit_segments__current_version_only(client: Client) -> None:
    row = segment()
    newer = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=row.version.model, number=2)
    now = Segment.objects.create(version=newer, key="g1", name="Brawlers")
    for version, place in ((row.version, row), (newer, now)):
        Membership.objects.create(version=version, unit="u1", segment=place)

    answer = client.get(f"{API}/units/u1/segments", headers=key("server", "segments:read"))

    assert [found["name"] for found in answer.json()] == ["Brawlers"]


def test_rename__patch_without_name__changes_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "rename", None)

    answer = client.patch(
        f"{API}/segments/{segment().pk}", {}, content_type="application/json", headers=key("admin", "admin:*")
    )

    assert answer.status_code == 200
