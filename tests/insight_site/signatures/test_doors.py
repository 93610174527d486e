"""Everybody finds the public keys; the signed document is where reports are read, and only of a final analysis."""

import base64
import hashlib
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation
from pytest_django import Settings

from experiments.models import Analysis, Registration
from insight_site.exports import sign
from insight_site.exports.sign import signed_document
from reporting.document import canonical
from runs.refusals import Refused
from tests.events.conftest import asked as rows_of
from tests.events.conftest import file_uris
from tests.experiments.make import running
from tests.insight_site.signatures.conftest import UNITS

pytestmark = pytest.mark.django_db
Make = Callable[..., Analysis]
KEYS = "/.well-known/insight-keys.json"


def verify(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("verify", *arguments, stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(str(end)), out.getvalue()
    return 0, out.getvalue()


@pytest.mark.slow
def test_site__with_a_final_analysis__lets_a_stranger_check_and_its_people_verify(
    final: Make, site: Path, admin_client: Client, client: Client
) -> None:
    row = final()
    page = admin_client.get("/experiments/aha-nudge/results/numbers/").content.decode()
    with translation.override("ko"):
        admin_client.cookies["django_language"] = "ko"
        korean = admin_client.get("/experiments/aha-nudge/results/numbers/").content.decode()
    download = admin_client.get(f"/takeaway/experiments.Analysis/{row.pk}.signed")
    rest = admin_client.get("/api/v1/experiments/aha-nudge/signed").json()
    keys = client.get(KEYS)

    document = json.loads(download.content)
    found = {one["kid"]: one for one in keys.json()["keys"]}
    key = found[document["signature"]["kid"]]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    public.verify(base64.urlsafe_b64decode(document["signature"]["value"] + "=="), canonical(document["signed"]))
    assert hashlib.sha256(canonical(document["result"])).hexdigest() == document["signed"]["result_sha256"]
    assert hashlib.sha256(document["plan"].encode()).hexdigest() == Registration.objects.get().sha256
    assert document["signed"]["plan"]["registered_sha256"] == Registration.objects.get().sha256
    assert rest == document
    assert f'filename="aha-nudge-{row.pk}.signed.json"' in download["Content-Disposition"]
    assert keys["Cache-Control"] == "public, max-age=3600"
    assert not keys.cookies
    for text in (page, korean):
        assert text.count('id="signature"') == 1
        assert key["kid"][:12] in text
    path = site / "downloaded.json"
    path.write_bytes(download.content)
    assert verify("aha-nudge") == (
        0,
        "equal: the signature holds, and every number comes out again from the same data.\n",
    )
    assert json.loads(verify(str(path), "--json")[1])["state"] == "equal"
    document["result"]["seed"] = 2
    path.write_text(json.dumps(document))
    code, said = verify(str(path))
    assert code == 1
    assert "seed: signed 2, computed 1." in said


@pytest.mark.slow
def test_older_final__without_a_proof__says_so_on_its_page_and_to_verify(final: Make, admin_client: Client) -> None:
    row = final()
    Analysis.objects.filter(pk=row.pk).update(proof=None)

    page = admin_client.get("/experiments/aha-nudge/results/numbers/").content.decode()

    assert "Not signed: an older version of Insight made this analysis." in page
    assert verify("aha-nudge")[0] == 1
    assert admin_client.get("/api/v1/experiments/aha-nudge/signed").status_code == 404


def test_experiment__without_a_final_analysis__has_no_document_for_anybody(admin_client: Client) -> None:
    running("exp")

    assert admin_client.get("/api/v1/experiments/exp/signed").status_code == 404
    with pytest.raises(CommandError, match="no final analysis yet") as refused:
        call_command("verify", "exp")
    assert refused.value.returncode == 2


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"signed": {}, "signature": {}, "result": {}, "plan": null}', "[" * 9_999]
)
def test_file__that_is_no_document__is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)

    with pytest.raises(CommandError, match="no signed document"):
        call_command("verify", str(path))


def test_keys_file__that_holds_none__is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("[]")

    with pytest.raises(CommandError, match="no public keys"):
        call_command("verify", "exp", "--keys", str(tmp_path / "keys.json"))


def test_preregistration__of_a_draft_and_after_the_start__is_answered(admin_client: Client) -> None:
    running("exp")

    found = admin_client.get("/api/v1/experiments/exp/preregistration").json()

    assert found["sha256"] == Registration.objects.get().sha256
    assert hashlib.sha256(found["text"].encode()).hexdigest() == found["sha256"]
    assert found["registered_at"]


@pytest.mark.slow
def test_key__made_at_first_need__is_a_file_of_its_owner_alone(site: Path) -> None:
    made = sign.private_key()

    path = site / "var" / sign.FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert sign.private_key().private_bytes_raw() == made.private_bytes_raw()
    assert [one.name for one in path.parent.iterdir()] == [sign.FILE]


def test_key__from_the_environment__goes_before_the_file(site: Path, settings: Settings) -> None:
    key = Ed25519PrivateKey.generate().private_bytes_raw()
    settings.SIGNING_KEY = base64.b64encode(key).decode()

    assert sign.private_key().private_bytes_raw() == key
    assert not (site / "var" / sign.FILE).exists()


@pytest.mark.parametrize("text", ["short", base64.b64encode(b"x" * 31).decode(), "ü" * 44])
def test_key__that_is_none__is_refused(settings: Settings, text: str) -> None:
    settings.SIGNING_KEY = text

    with pytest.raises(Refused, match="32 random bytes"):
        sign.private_key()


def test_key_id__of_the_standards_example__is_its_thumbprint() -> None:
    # RFC 8037, appendix A.3.
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

    assert sign.key_id_of(x) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.slow
def test_document__in_anybodys_hands__names_no_unit(final: Make) -> None:
    row = final()
    units = [unit for (unit,) in rows_of("SELECT DISTINCT user_id FROM read_parquet($files)", file_uris())]

    text = json.dumps(signed_document(row), ensure_ascii=False)

    assert len(units) == UNITS
    assert [unit for unit in units if f'"{unit}"' in text] == []
