"""A final analysis is computed again from the version it read; whatever was changed meanwhile is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from django.utils import timezone
from pytest_django import Settings

from events import data_retention
from events.models import KeptVersion
from events.outbox import flush, reconcile_after_restore
from events.store import event_table, time_travel
from experiments.models import Analysis, Experiment, Registration
from insight_site.exports import check_final
from insight_site.exports.check_final import MOST, Mismatch, MismatchKind, State, Verification, check_document
from insight_site.exports.sign import as_text, read_document, signed_document
from insight_site.models import PublicKey
from insight_site.privacy import erasure, erasure_requests
from tests.events.conftest import asked as rows_of
from tests.events.conftest import file_uris
from tests.events.test_flush import accept_some

pytestmark = pytest.mark.django_db
Make = Callable[..., Analysis]


def document_of(row: Analysis) -> dict[str, Any]:
    """The signed document as somebody has it who downloaded it."""
    row.refresh_from_db()
    found = signed_document(row)
    assert found is not None
    return read_document(as_text(found).encode())


def check(row: Analysis) -> Verification:
    return check_document(document_of(row))


def estimate_of(payload: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = payload["report"]["outcomes"][0]["comparisons"][0]["difference"]
    return found


ESTIMATE = "report.outcomes.0.comparisons.0.difference.estimate"


def places(found: Verification, kind: MismatchKind) -> list[str]:
    return [one.place for one in found.findings if one.kind is kind]


@pytest.mark.slow
def test_final__after_a_hundred_flushes_a_compaction_and_a_vacuum__is_equal(
    final: Make, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = final(moment=True, covariates=["platform", "channel", "country"], expected_take_up=0.3)
    before = time_travel.files_of(KeptVersion.objects.get())
    for number in range(100):
        accept_some(f"late-{number}", user=f"late-{number}")
        flush.flush_events()
    joined = event_table.compact()
    # As if a week had gone by: what left the table is deleted now.
    DeltaTable(event_table.url()).alter.set_table_properties({"delta.deletedFileRetentionDuration": "interval 0 hours"})
    monkeypatch.setattr(event_table, "KEEP_REMOVED_HOURS", 0)
    deleted = event_table.vacuum(keep_hours=0, kept=time_travel.kept_paths())

    found = check(row)

    assert joined["removed"] > 100
    assert deleted >= 100
    left = {path.relative_to(site / "events").as_posix() for path in (site / "events").rglob("*.parquet")}
    assert left >= {*before.events, *before.dictionary}
    assert (found.state, found.findings, found.store_version) == (State.EQUAL, (), before.version)
    assert check_final.sentences(found)[0].startswith("equal")


@pytest.mark.slow
def test_tampered_number__in_a_file__is_named_with_both_values(final: Make) -> None:
    document = document_of(final())
    true = estimate_of(document["result"])["estimate"]
    estimate_of(document["result"])["estimate"] = 0.25

    found = check_document(document)

    assert found.state is State.DIFFERS
    assert found.findings == (
        Mismatch(MismatchKind.RESULT),
        Mismatch(MismatchKind.NUMBER, ESTIMATE, 0.25, pytest.approx(true)),
    )
    assert any(ESTIMATE in line for line in check_final.sentences(found))


@pytest.mark.slow
def test_tampered_number__in_the_database__is_named(final: Make) -> None:
    row = final()
    payload: dict[str, Any] = row.payload or {}
    estimate_of(payload)["estimate"] = 0.25
    Analysis.objects.filter(pk=row.pk).update(payload=payload)

    assert places(check(row), MismatchKind.NUMBER) == [ESTIMATE]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["seed", "verdict", "result_sha256"])
def test_signed_part__with_another_value__does_not_fit_its_signature(final: Make, name: str) -> None:
    document = document_of(final())
    document["signed"][name] = "2"

    assert places(check_document(document), MismatchKind.SIGNATURE) == [""]


@pytest.mark.slow
def test_plan__changed_past_the_doors__is_named(final: Make) -> None:
    row = final()
    Experiment.objects.filter(pk=row.experiment_id).update(alpha=0.2)

    found = check(row)

    assert [one for one in found.findings if one.kind is MismatchKind.PLAN] == [
        Mismatch(MismatchKind.PLAN, "alpha", 0.05, 0.2)
    ]
    assert places(found, MismatchKind.NUMBER) == []


@pytest.mark.slow
def test_registered_text__changed__is_named(final: Make) -> None:
    row = final()
    Registration.objects.update(text="something else", sha256="0" * 64)

    assert places(check(row), MismatchKind.PLAN_TEXT) == [""]


@pytest.mark.slow
def test_file_of_the_store__removed__is_named(final: Make, site: Path) -> None:
    row = final()
    gone = KeptVersion.objects.get().files["events"][3]
    (site / "events" / gone).unlink()

    found = check(row)

    assert (found.state, places(found, MismatchKind.FILE)) == (State.DIFFERS, [gone])
    assert gone in "\n".join(check_final.sentences(found))


@pytest.mark.slow
def test_file_of_the_store__replaced_by_another__changes_the_data_and_the_numbers(final: Make, site: Path) -> None:
    row = final()
    small, *_rest, large = sorted(
        (site / "events" / path for path in KeptVersion.objects.get().files["events"]),
        key=lambda path: path.stat().st_size,
    )
    shutil.copyfile(small, large)

    found = check(row)

    assert places(found, MismatchKind.DATA) == [""]
    assert places(found, MismatchKind.NUMBER)[0].startswith("report.")
    assert (len(places(found, MismatchKind.NUMBER)), found.more > 0) == (MOST - 1, True)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_erasure__of_a_unit__leaves_the_signature_and_counts_it(final: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    row = final()
    monkeypatch.setattr(erasure, "DOORS_SECONDS", 0.0)
    unit = rows_of("SELECT min(user_id) FROM read_parquet($files)", file_uris())[0][0]

    erasure.perform_erasure(erasure_requests.request_erasure(ids=[unit], later=False).pk)
    found = check(row)

    assert (found.state, found.reason, found.erased_units, found.findings) == (State.GONE, "erasure", 1, ())
    assert check_final.sentences(found) == [
        "signature holds, the data are gone: users were erased. 1 user of this analysis was erased."
    ]


@pytest.mark.slow
def test_erasure__of_a_version_whose_files_all_stay__lets_nothing_go(final: Make) -> None:
    row = final()

    assert time_travel.let_go_before_erasure() == 0
    assert check(row).state is State.EQUAL


@pytest.mark.slow
def test_retention__over__leaves_the_signature(final: Make, settings: Settings) -> None:
    row = final()
    do_not_need(row)
    newest = row.as_of
    assert newest is not None
    settings.RETENTION_DAYS = (timezone.now() - newest).days + 10
    flush_one_to_own_the_store()

    data_retention.retain()
    found = check(row)

    assert (found.state, found.reason) == (State.GONE, "retention")


@pytest.mark.slow
def test_retention__of_what_is_younger__keeps_the_version(final: Make, settings: Settings) -> None:
    row = final()
    do_not_need(row)
    settings.RETENTION_DAYS = 40_000
    flush_one_to_own_the_store()

    data_retention.retain()

    assert check(row).state is State.EQUAL


def do_not_need(row: Analysis) -> None:
    """Its experiment is over: retention spares what running plans need."""
    Experiment.objects.filter(pk=row.experiment_id).update(status="concluded")


def flush_one_to_own_the_store() -> None:
    accept_some("one", user="one")
    flush.flush_events()


@pytest.mark.slow
def test_another_store__after_a_restore__is_said(final: Make, site: Path) -> None:
    row = final()
    shutil.rmtree(site / "events")

    reconcile_after_restore.adopt_store(recognise=False)
    found = check(row)

    assert (found.state, found.reason) == (State.GONE, "other_store")


@pytest.mark.slow
def test_older_analysis__without_a_proof__says_so(final: Make) -> None:
    row = final()
    Analysis.objects.filter(pk=row.pk).update(proof=None)
    row.refresh_from_db()

    assert signed_document(row) is None


@pytest.mark.slow
def test_key__that_cannot_be_used__leaves_the_result_unsigned(final: Make, settings: Settings) -> None:
    settings.SIGNING_KEY = "no key"

    row = final()

    assert row.proof is not None
    assert row.proof["signature"] is None
    assert check(row).state is State.UNSIGNED


@pytest.mark.slow
def test_old_key__after_another_one_signs__still_checks_what_it_signed(final: Make, site: Path) -> None:
    from insight_site.exports import sign

    row = final()
    (site / "var" / "signing_key").unlink()
    sign.published(sign.private_key())

    assert PublicKey.objects.filter(retired_at=None).count() == 1
    assert PublicKey.objects.count() == 2
    assert check(row).state is State.EQUAL


@pytest.mark.slow
def test_document__of_a_key_nobody_knows__is_told_from_a_forged_one(final: Make) -> None:
    row = final()
    document = document_of(row)
    keys = dict(PublicKey.objects.values_list("key_id", "x"))
    PublicKey.objects.all().delete()

    assert places(check_document(document), MismatchKind.UNKNOWN_KEY) == [""]
    assert check_document(document, keys=keys).state is State.EQUAL


@pytest.mark.slow
def test_document__of_an_experiment_that_is_not_here__is_checked_as_far_as_it_goes(final: Make) -> None:
    row = final()
    document = document_of(row)
    Analysis.objects.filter(pk=row.pk).update(final=False)

    assert check_document(document).state is State.ELSEWHERE
    document["plan"] += " "
    assert places(check_document(document), MismatchKind.PLAN_TEXT) == [""]


@pytest.mark.slow
def test_json__of_a_difference__has_codes(final: Make) -> None:
    document = document_of(final())
    estimate_of(document["result"])["estimate"] = 0.25

    found = json.loads(json.dumps(check_final.as_json(check_document(document))))

    assert (found["state"], found["experiment"], found["further_differences"]) == ("differs", "aha-nudge", 0)
    assert found["differences"][1].keys() == {"kind", "place", "signed", "now"}


@pytest.mark.slow
def test_interim_analysis__before_the_last_look__has_no_proof(final: Make, site: Path, signed_world: Any) -> None:
    from experiments.analyse.analyses import create_analysis, run_analysis
    from tests.experiments.stored import stored_experiment

    row = create_analysis(experiment=stored_experiment(signed_world, stopped=False))
    assert run_analysis(row.pk)
    row.refresh_from_db()

    assert (row.final, row.proof, signed_document(row)) == (False, None, None)
    assert not (site / "var" / "signing_key").exists()
    assert KeptVersion.objects.count() == 0
