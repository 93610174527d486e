"""Keep a dated, signed reading of the map of causes each time that it says something else, and compute one again."""

from collections.abc import Sequence
from typing import Any

import structlog
from django.db import transaction

from aha.evidence.findings import PastFinding
from aha.evidence.joint_findings import sort_findings
from aha.evidence.store_findings import all_findings
from experiments.analyse.across.kept_maps import key_of, latest_reading
from experiments.analyse.across.map_changes import KEPT_MAP, KeptMap, changed_places, kept_map, read_place
from experiments.analyse.across.site_map import places_of
from experiments.analyse.proof import signer
from experiments.models import MapReading
from experiments.plan.design import Kind, kind_of
from reporting.document import sha256_of
from runs.payloads import Unreadable

ALPHA = 0.05
log = structlog.get_logger()


def note_readings() -> int:
    """Nightly: keep a reading of each outcome whose map says something else than the last one kept; returns how many.

    Findings are of final analyses alone, so that nothing of a locked plan is in them.
    """
    findings = all_findings()
    outcomes = {key_of(row.definition.outcome): row.definition.outcome for row in findings}
    count = 0
    for outcome in outcomes.values():
        try:
            count += _note(outcome, findings)
        except Exception:  # one broken outcome must not stop the others
            log.exception("map.not_read", outcome=outcome)
    return count


def _note(outcome: str, findings: Sequence[PastFinding]) -> bool:
    found = sort_findings(findings, outcome)
    if not found.nudges:
        return False
    places = places_of(found, ALPHA)
    now = kept_map(found, places, outcome, share=kind_of(outcome) is Kind.PROPORTION, alpha=ALPHA)
    last = latest_reading(outcome)
    before = None if last is None else KEPT_MAP.read(last.payload)
    if before is not None and not isinstance(before, Unreadable) and not changed_places(before, now):
        return False
    payload = KEPT_MAP.store(now)
    with transaction.atomic():
        row = MapReading.objects.create(outcome=key_of(outcome), payload=payload)
        row.proof = _prove(row, payload, last)
        row.save(update_fields=["proof"])
    return True


def _prove(row: MapReading, payload: dict[str, Any], before: MapReading | None) -> dict[str, Any]:
    """The signed part: the reading by its digest, and the one before it, so that none can be taken out unseen."""
    signed: dict[str, Any] = signer()(
        {
            "format": MapReading.FORMAT,
            "outcome": payload["outcome"],
            "reading": row.pk,
            "read_at": row.read_at.isoformat(),
            "before_sha256": None if before is None else sha256_of(before.payload),
            "result_sha256": sha256_of(payload),
        }
    )
    return signed


def read_again(kept: KeptMap) -> KeptMap:
    """The same reading, computed again from its own findings."""
    found = sort_findings(kept.findings, kept.outcome)
    places = tuple(read_place(place) for place in places_of(found, kept.alpha))
    return KeptMap(kept.outcome, kept.share, kept.alpha, places, kept.findings)
