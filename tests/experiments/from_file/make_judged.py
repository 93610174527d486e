"""Finished tests as pages make them: a file sent in pieces, its columns confirmed, judged by the task, and read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from events.importing import uploads
from events.importing.text_reading import Reading
from events.models import Upload
from experiments.files import judge
from experiments.files.judge import COLUMNS
from experiments.models import FinishedTest
from experiments.plan.design import Design
from experiments.tasks import run_finished_test


def client_of(role: str) -> Client:
    """Somebody of this role, logged in."""
    client = Client()
    user = User.objects.create_user(role)
    user.groups.set([Group.objects.get(name=role)])
    client.force_login(user)
    return client


def sent(client: Client, path: Path) -> Upload:
    """A file uploaded as upload.js does it."""
    data = path.read_bytes()
    begun = client.post(reverse("experiments:judge"), {"name": path.name, "size": len(data)}).json()
    at, answer = 0, {}
    while at < len(data):
        piece = data[at : at + begun["bytes"]]
        address = f"{begun['pieces']}?at={at}"
        answer = client.post(address, piece, content_type="application/octet-stream").json()
        assert "error" not in answer, answer
        at = answer["received"]
    upload = Upload.objects.get(page=COLUMNS)
    assert answer["next"] == reverse(COLUMNS, args=[upload.key])
    return upload


def chosen(client: Client, upload: Upload, change: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The form as the page shows it, with some choices changed; columns by their names."""
    form = client.get(reverse(COLUMNS, args=[upload.key])).context["form"]
    places = {name: str(place) for place, name in enumerate(form.sample.columns)}
    values = {name: form[name].value() for name in form.fields}
    for name, value in (change or {}).items():
        if isinstance(value, list):
            values[name] = [places[one] for one in value]
        else:
            values[name] = value if name in ("control", "placebo", "ratio") else places.get(value, value)
    return {name: value for name, value in values.items() if value not in (None, "", [], False)}


def judged(client: Client, path: Path, **change: Any) -> FinishedTest:
    """The test after its task ran."""
    upload = sent(client, path)
    answer = client.post(reverse(COLUMNS, args=[upload.key]), chosen(client, upload, change))
    assert answer.status_code == 302, answer.context["form"].errors
    run = FinishedTest.objects.get()
    assert answer["Location"] == reverse("experiments:judged", args=[run.pk])
    run_finished_test(run.pk)
    run.refresh_from_db()
    return run


def made_judged(path: Path, design: Design) -> FinishedTest:
    """A judged test without its journey, for pages."""
    size = path.stat().st_size
    upload = uploads.begin_upload(name=path.name, size=size, by=None, page=COLUMNS)
    with path.open("rb") as file:
        uploads.receive_piece(upload, at=0, stream=file, length=size)
    uploads.finish_upload(upload)
    run = judge.start_judging(upload=upload, design=design, reading=Reading("csv", "utf-8", ","))
    run_finished_test(run.pk)
    run.refresh_from_db()
    assert run.status == "done", run.reason
    return run
