"""Check a signed reading of the map of causes: its signature, and every number anew from the findings in it."""

from dataclasses import replace
from itertools import islice
from typing import Any

from experiments.analyse.across.kept_maps import latest_reading, signed_reading
from experiments.analyse.across.map_changes import KEPT_MAP
from experiments.analyse.across.map_readings import read_again
from insight_site.exports.check_final import (
    MOST,
    Mismatch,
    MismatchKind,
    State,
    Verification,
    differing,
    of_signature,
    other_software,
)
from reporting.document import dump
from runs.payloads import Unreadable
from runs.refusals import Refused

MAP = "map:"  # of what `verify` is asked for, before the outcome


def document_of_map(outcome: str) -> dict[str, Any]:
    """The signed document of the latest reading of an outcome's map.

    Raises:
        Refused: an outcome that can't be read, or none is kept.
    """
    row = latest_reading(outcome)
    document = None if row is None else signed_reading(row)
    if document is None:
        raise Refused("No reading of the map of causes is kept of '{outcome}'.", outcome=outcome)
    return document


def check_map(document: dict[str, Any], *, keys: dict[str, str] | None = None) -> Verification:
    """Verify a signed reading.

    It holds the moments of all findings that it was computed from, so that any site computes it again.

    Args:
        document: of `sign.read_document`, or of this site's own row.
        keys: further public keys, `x` by id, beside this site's own.
    """
    signed, signature = document["signed"], document["signature"]
    begun = Verification(
        State.EQUAL,
        f"{MAP}{signed['outcome']}",
        None,
        map_reading=signed["reading"],
        key_id=str(signature["kid"]) if isinstance(signature, dict) and "kid" in signature else "",
        software=other_software(signed),
    )
    if signature is None:
        return replace(begun, state=State.UNSIGNED)
    findings = [*of_signature(document, keys or {})]
    kept = KEPT_MAP.read(document["result"])
    if isinstance(kept, Unreadable):
        return replace(begun, state=State.DIFFERS, findings=(*findings, Mismatch(MismatchKind.UNREADABLE)))
    try:
        again = read_again(kept)
    except Exception as trouble:  # changed moments may be anything
        failed = Mismatch(MismatchKind.FAILED, now=str(trouble)[:300])
        return replace(begun, state=State.DIFFERS, findings=(*findings, failed))
    numbers = [
        Mismatch(MismatchKind.NUMBER, one.place, one.signed, one.now) for one in differing(dump(kept), dump(again))
    ]
    findings += islice(numbers, MOST)
    state = State.DIFFERS if findings else State.EQUAL
    return replace(begun, state=state, findings=tuple(findings), more=max(0, len(numbers) - MOST))
