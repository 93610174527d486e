"""Who may erase and export, by which door, and what each door says."""

import json
import zipfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from events.models import Rejected, Source, UnitTraits
from events.outbox import flush
from events.people import tombstones
from insight_site.access import keys
from insight_site.models import Erasure
from insight_site.privacy import erasure, erasure_requests
from segments.models import SegmentationRun
from tests.events.test_flush import accept_some

pytestmark = pytest.mark.django_db(transaction=True)


def key(*scopes: str) -> dict[str, str]:
    source, _ = Source.objects.get_or_create(name="app")
    return {"X-API-Key": keys.issue_key(name="k", source=source, kind="admin", scopes=scopes)[1]}


def kept(user: str) -> None:
    """An event, traits, a refused event of theirs, and one of another who mentions them."""
    accept_some("a", user=user)
    accept_some("b", user="other")
    UnitTraits.objects.create(user_id=user, traits={"plan": "pro"})
    UnitTraits.objects.create(user_id="other", traits={"friend": user})
    Rejected.objects.create(received_at=timezone.now(), code="bad_text", message="m", payload=f'{{"userId": "{user}"}}')
    flush.flush_events()


@pytest.mark.parametrize(
    ("scopes", "asked", "read", "exported"),
    [
        (("privacy:write",), 202, 200, 403),
        (("privacy:read",), 403, 403, 200),
        (("admin:*", "reports:read", "segments:read"), 403, 403, 403),
    ],
)
def test_rest__each_scope__opens_its_own_door(
    client: Client, scopes: tuple[str, ...], asked: int, read: int, exported: int
) -> None:
    headers = key(*scopes)
    known = erasure_requests.request_erasure(ids=["u1"])

    found = [
        client.post("/api/v1/erasures", {"ids": ["u7"]}, content_type="application/json", headers=headers),
        client.get(f"/api/v1/erasures/{known.pk}", headers=headers),
        client.get("/api/v1/person", {"id": "u7"}, headers=headers),
    ]

    assert [answer.status_code for answer in found] == [asked, read, exported]


@pytest.mark.slow
def test_rest__a_request__answers_at_once_and_its_receipt_has_no_id(client: Client) -> None:
    kept("u7-secret")
    headers = {**key("privacy:write"), "Idempotency-Key": "once"}

    answer = client.post(
        "/api/v1/erasures", {"ids": ["u7-secret"], "reference": "ticket 7"}, "application/json", headers=headers
    )
    again = client.post(
        "/api/v1/erasures", {"ids": ["u7-secret"], "reference": "ticket 7"}, "application/json", headers=headers
    )
    waiting = client.get(f"/api/v1/erasures/{answer.json()['id']}", headers=headers).json()
    erasure.perform_erasure(answer.json()["id"])
    done = client.get(f"/api/v1/erasures/{answer.json()['id']}", headers=headers).json()

    assert (answer.status_code, again.json(), Erasure.objects.count()) == (202, answer.json(), 1)
    assert (waiting["state"], done["state"]) == ("waiting", "done")
    assert done["erased"]["store"] == 1
    assert done["digests"] == [str(tombstones.key_of("u7-secret"))]
    assert "u7-secret" not in json.dumps([answer.json(), done])


@pytest.mark.parametrize(
    "body", [{}, {"ids": []}, {"ids": "u7"}, {"ids": [7, None]}, {"ids": ["u7"], "reference": "of u7"}]
)
def test_rest__bad_input__is_refused_at_its_field(client: Client, body: dict[str, Any]) -> None:
    answer = client.post("/api/v1/erasures", body, content_type="application/json", headers=key("privacy:write"))

    assert answer.status_code in (400, 409)
    assert answer.json()["errors"][0]["pointer"].startswith(("/ids", "/reference"))
    assert not Erasure.objects.exists()


def test_admin__erasing__asks_for_a_confirmation(admin_client: Client) -> None:
    page = admin_client.post("/admin/insight_site/erasure/add/", {"ids": "u7-secret\nu8-secret"})
    assert not Erasure.objects.exists()
    assert "Confirm that this" in page.content.decode()

    done = admin_client.post(
        "/admin/insight_site/erasure/add/", {"ids": " u7-secret\nu8-secret\n\n", "confirmed": "on"}, follow=True
    )
    row = Erasure.objects.get()
    assert (row.ids, row.asked_by) == (["u7-secret", "u8-secret"], User.objects.get())
    assert "u7-secret" not in done.content.decode()
    assert admin_client.get("/admin/insight_site/erasure/").status_code == 200


def test_admin__exporting__gives_a_file(admin_client: Client) -> None:
    kept("u7")
    answer = admin_client.post("/admin/insight_site/erasure/export/", {"id": "u7"})

    assert answer["Content-Disposition"] == 'attachment; filename="person.json"'
    assert "no-store" in answer["Cache-Control"]
    assert answer.json()["ids"] == ["u7"]


def test_export__of_a_person__has_every_place_and_nothing_of_others(tmp_path: Path) -> None:
    kept("u7")

    call_command("export_user", "u7", "--out", str(tmp_path / "u7.zip"), stdout=StringIO())

    with zipfile.ZipFile(tmp_path / "u7.zip") as archive:
        assert sorted(archive.namelist()) == ["README.en.txt", "README.ko.txt", "events.csv", "person.json"]
        found = json.loads(archive.read("person.json"))["places"]
        assert len(archive.read("events.csv").splitlines()) == 3  # with the entry among the users
    assert sorted(row["event"] for row in found["store"]["rows"]) == ["$user", "e"]
    assert found["events.UnitTraits"]["rows"][0]["traits"] == {"plan": "pro"}
    assert found["events.UnitTraits"]["rows"][1] == {
        "row": UnitTraits.objects.get(user_id="other").pk,
        "mentioned_in": ["traits"],
    }
    assert found["events.Rejected"]["rows"][0]["payload"] == '{"userId": "u7"}'


@pytest.mark.slow
def test_commands__dry_run_then_erase__say_the_same_counts(tmp_path: Path) -> None:
    kept("u7")
    (tmp_path / "ids").write_text("u7\n\nu8\n")
    out = StringIO()
    call_command("forget_user", "--file", str(tmp_path / "ids"), "--dry-run", "--json", stdout=out)
    would = json.loads(out.getvalue())["would_erase"]
    assert not Erasure.objects.exists()

    out = StringIO()
    call_command("forget_user", "--file", str(tmp_path / "ids"), "--json", stdout=out)
    done = json.loads(out.getvalue())

    assert would == {name: count for name, count in done["erased"].items() if name not in ("files", "results")}
    assert (done["state"], done["ids_named"]) == ("done", 2)
    with pytest.raises(CommandError):
        call_command("forget_user", stdout=StringIO())


def test_pages_and_json__of_a_result_with_erased_units__say_how_many(admin_client: Client) -> None:
    from django.template.loader import render_to_string

    run = SegmentationRun(erased_units=3)

    assert "3 users whose data" in render_to_string("components/erased_since.html", {"run": run})
    assert render_to_string("components/erased_since.html", {"run": SegmentationRun()}).strip() == ""
    bodies = ("aha/study_body.html", "segments/run_body.html", "segments/churn.html", "segments/comparison.html")
    for body in (*bodies, "experiments/report_body.html"):
        text = (Path(__file__).resolve().parents[3] / "templates" / body).read_text()
        assert "components/erased_since.html" in text
