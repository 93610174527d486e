"""A kept reading of the map of causes is checked as a final analysis is: signed, and every number computed again."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from aha.evidence.store_findings import keep_findings
from experiments.analyse.across.map_readings import note_readings
from experiments.models import MapReading
from insight_site.exports import sign
from insight_site.models import PublicKey
from reporting.document import sha256_of
from tests.aha.evidence.past.test_joint_findings import OUTCOME, nudge
from tests.experiments.analyse.test_site_map import keep_lab

pytestmark = pytest.mark.django_db
EQUAL = "equal: the signature holds, and every number comes out again from the same data.\n"


@pytest.fixture
def kept(tmp_path: Path, settings: Settings) -> MapReading:
    settings.VAR_DIR, settings.SIGNING_KEY = tmp_path, ""
    cache.clear()
    keep_lab()
    note_readings()
    return MapReading.objects.get()


@pytest.fixture
def document(kept: MapReading, admin_client: Client) -> dict[str, Any]:
    answer = admin_client.get(f"/experiments/-/map/json/?reading={kept.pk}")
    assert f'filename="map-{kept.pk}.signed.json"' in answer["Content-Disposition"]
    found: dict[str, Any] = answer.json()
    return found


def verify(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("verify", *arguments, stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(str(end)), out.getvalue()
    return 0, out.getvalue()


def of_file(document: dict[str, Any], folder: Path, *more: str) -> tuple[int, str]:
    path = folder / "map.signed.json"
    path.write_text(json.dumps(document))
    return verify(str(path), *more)


def test_reading__as_it_was_signed__is_equal_from_the_site_and_from_its_file(
    document: dict[str, Any], tmp_path: Path
) -> None:
    assert verify(f"map:{OUTCOME}") == (0, EQUAL)
    assert of_file(document, tmp_path) == (0, EQUAL)
    said = json.loads(of_file(document, tmp_path, "--json")[1])
    assert (said["state"], said["experiment"], said["analysis"]) == ("equal", f"map:{OUTCOME}", None)
    assert said["map_reading"] == document["signed"]["reading"]
    assert document["signed"]["before_sha256"] is None


def test_reading__with_a_state_that_was_changed__names_it(document: dict[str, Any], tmp_path: Path) -> None:
    document["result"]["places"][1]["state"] = "causes"

    code, said = of_file(document, tmp_path)

    assert code == 1
    assert "The result isn't the one that was signed." in said
    assert "places.1.state: signed causes, computed inconclusive." in said


def test_reading__with_other_moments__names_the_numbers_that_no_longer_follow(
    document: dict[str, Any], tmp_path: Path
) -> None:
    document["result"]["findings"][0]["outcomes"][0]["effects"][0] += 0.01

    code, said = of_file(document, tmp_path)

    assert code == 1
    assert "places.0.effect: signed" in said


def test_reading__with_a_signed_part_that_was_changed__has_no_good_signature(
    document: dict[str, Any], tmp_path: Path
) -> None:
    document["signed"]["read_at"] = "2020-01-01T00:00:00+00:00"

    code, said = of_file(document, tmp_path)

    assert code == 1
    assert "The signature doesn't fit the document" in said


def test_reading__of_another_site__needs_its_public_keys(document: dict[str, Any], tmp_path: Path) -> None:
    keys = tmp_path / "insight-keys.json"
    keys.write_text(json.dumps(sign.keys_document()))
    PublicKey.objects.all().delete()
    MapReading.objects.all().delete()

    assert "The key that signed it is unknown here" in of_file(document, tmp_path)[1]
    assert of_file(document, tmp_path, "--keys", str(keys)) == (0, EQUAL)


@pytest.mark.parametrize("broken", [{}, {"places": 1}, {"findings": []}])
def test_reading__that_cannot_be_read__says_so(document: dict[str, Any], tmp_path: Path, broken: Any) -> None:
    document["result"] = {**document["result"], **broken} if broken else {"schema": 1}

    code, said = of_file(document, tmp_path)

    assert code == 1
    assert "different: not everything is as it was signed." in said


def test_reading__where_the_key_cannot_be_used__is_kept_without_a_signature(
    tmp_path: Path, settings: Settings, admin_client: Client
) -> None:
    settings.VAR_DIR, settings.SIGNING_KEY = tmp_path, "no key"
    cache.clear()
    keep_lab()
    note_readings()

    assert verify(f"map:{OUTCOME}") == (1, "not signed: the site's key could not be used.\n")


def test_readings__each_names_the_one_before_by_its_digest(kept: MapReading) -> None:
    keep_findings([nudge("old", ("gift", 0.2), itt=0.06)])
    note_readings()

    last = MapReading.objects.order_by("-pk")[0]
    assert last.proof is not None
    assert last.proof["signed"]["before_sha256"] == sha256_of(kept.payload)
    assert verify(f"map:{OUTCOME}") == (0, EQUAL)


def test_verify__of_an_outcome_without_a_reading_or_none__is_one_sentence() -> None:
    for outcome in (OUTCOME, "nonsense", ""):
        with pytest.raises(CommandError) as refused:
            call_command("verify", f"map:{outcome}")
        assert refused.value.returncode == 2


@pytest.mark.parametrize("number", ["0", "x", "9" * 40, "²", "-1"])
def test_file__of_a_reading_that_is_not_there__is_not_found(admin_client: Client, number: str) -> None:
    assert admin_client.get(f"/experiments/-/map/json/?reading={number}").status_code == 404
