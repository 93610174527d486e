"""Keys of one environment at another's door; definitions by command, page and REST."""

import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from events.models import OutboxEvent, Source
from experiments.models import Experiment
from insight_site.access import keys
from insight_site.access.keys import check_name
from tests.experiments.api.make import Api
from tests.experiments.make import draft
from tests.insight_site.environments.test_promoting import taken

pytestmark = pytest.mark.django_db
BATCH = {"batch": [{"type": "track", "event": "chat", "userId": "u", "messageId": "m"}]}


def key_of(settings: Any, environment: str, kind: str = "server") -> str:
    settings.ENVIRONMENT = environment
    source, _ = Source.objects.get_or_create(name="app")
    keys.forget_cached_keys()
    return keys.issue_key(name="k", source=source, kind=kind, scopes=["events:write"])[1]


def send(client: Client, key: str) -> Any:
    return client.post("/v1/batch", BATCH, content_type="application/json", headers={"authorization": f"Bearer {key}"})


def test_key__says_its_environment__and_works_there(client: Client, settings: Any) -> None:
    key = key_of(settings, "staging")

    assert key.startswith("sk_staging_")
    assert send(client, key).status_code == 200
    caller = keys.find_caller(key)
    assert caller is not None
    assert (caller.key_prefix[:3], caller.key_prefix[3:]) == ("sk_", key.removeprefix("sk_staging_")[:5])


@pytest.mark.parametrize(("of", "at"), [("staging", "production"), ("qa-2", "staging")])
def test_key__of_another_environment__never_reaches_the_data_and_says_why(
    of: str, at: str, client: Client, settings: Any
) -> None:
    key = key_of(settings, of)
    from insight_site.models import ApiKey

    ApiKey.objects.all().delete()  # each environment has a database of its own
    keys.forget_cached_keys()
    settings.ENVIRONMENT = at

    answer = send(client, key)

    assert (answer.status_code, answer.json()["message"]) == (401, f"the key is one of {of}; this is {at}")
    assert not OutboxEvent.objects.exists()


def test_key__of_production__has_no_mark_and_keys_of_before_go_on(client: Client, settings: Any) -> None:
    key = key_of(settings, "production")

    assert (len(key), keys.environment_of(key)) == (keys.KEY_CHARS, "")
    assert send(client, key).status_code == 200


@pytest.mark.parametrize(("name", "good"), [("production", True), ("qa-2", True), ("Staging", False), ("", False)])
def test_name__that_no_key_can_hold__is_an_error_of_the_settings(name: str, good: bool, settings: Any) -> None:
    settings.ENVIRONMENT = name

    assert (check_name() == []) is good


def test_command__prints_a_definition_and_takes_it_in(settings: Any, tmp_path: Any) -> None:
    settings.ENVIRONMENT = "staging"
    draft("guild")
    out = io.StringIO()
    call_command("promote", "guild", stdout=out)
    Experiment.objects.all().delete()
    settings.ENVIRONMENT = "production"
    (tmp_path / "guild.json").write_text(out.getvalue())
    said = io.StringIO()

    call_command("promote", "--from", str(tmp_path / "guild.json"), "--json", stdout=said)

    assert json.loads(said.getvalue()) == {"key": "guild", "status": "draft", "version": 1}


@pytest.mark.parametrize(
    "arguments", [[], ["nothing"], ["--from", "/nonexistent"], ["guild", "--from", "x"], ["--from", "/dev/null"]]
)
def test_command__that_can_not__ends_with_2_and_a_sentence(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("promote", *arguments, stdout=io.StringIO())

    assert caught.value.returncode == 2


@pytest.mark.parametrize("text", ["[NaN]", '{"format": 1e999}', '["\\u0000"]', "\xff", "[" * 100_000])
def test_command__of_json_that_no_database_holds__is_one_sentence(text: str, tmp_path: Any) -> None:
    (tmp_path / "g.json").write_bytes(text.encode("latin-1"))

    with pytest.raises(CommandError, match="is no JSON"):
        call_command("promote", "--from", str(tmp_path / "g.json"), stdout=io.StringIO())


def test_rest__taken_and_brought__needs_the_scope_that_plans(settings: Any) -> None:
    document = taken(settings)
    admin, reader = Api("admin", "admin:*", "reports:read"), Api("server", "reports:read")

    assert reader("POST", "/api/v1/promotions", document).status_code == 403
    made = admin("POST", "/api/v1/promotions", document)
    refused = admin("POST", "/api/v1/promotions", {**document, "version": 7})

    assert (made.status_code, made.json()["status"]) == (201, "draft"), made.content
    assert (refused.status_code, refused.json()["code"]) == (409, "refused")
    assert reader("GET", "/api/v1/experiments/guild/definition").json()["plan"] == document["plan"]
    assert reader("GET", "/api/v1/experiments/none/definition").status_code == 404


def test_page__brings_a_file_and_says_what_is_wrong_with_it(settings: Any, admin_client: Client) -> None:
    document = taken(settings)
    good = SimpleUploadedFile("g.json", json.dumps(document).encode())
    bad = SimpleUploadedFile("b.json", b"[1]")

    wrong = admin_client.post("/environments/", {"file": bad})
    made = admin_client.post("/environments/", {"file": good})
    page = admin_client.get("/environments/").content.decode()
    file = admin_client.get("/environments/guild/definition/")

    assert "This is no definition of an experiment." in wrong.content.decode()
    assert made.headers["Location"] == "/experiments/guild/"
    assert "staging" in page
    assert file["Content-Disposition"] == 'attachment; filename="guild.production.json"'
    assert file.json()["plan"] == document["plan"]


@pytest.mark.parametrize(("name", "shown"), [("production", False), ("staging", True)])
def test_pages__of_another_environment__say_so(name: str, shown: bool, settings: Any, admin_client: Client) -> None:
    settings.ENVIRONMENT = name

    for page in ("/", "/admin/"):
        assert (">staging<" in admin_client.get(page).content.decode().replace("\n", "").replace(" ", "")) is shown
