"""Verify a final analysis: the signature, the plan, the files, the data, and every number recomputed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import structlog

from events.models import KeptVersion
from events.time_travel import kept_versions
from experiments.analyse import payload_versions
from experiments.analyse.differing_values import Differing, differing
from experiments.analyse.older_rules import RULES
from experiments.analyse.recompute import recompute
from experiments.analyse.result import Readout
from experiments.models import Analysis
from experiments.plan.register import changed_since, registration_of
from experiments.plan.registration_text import hash_of
from experiments.plan.stored import planned_of
from insight_site.models import PublicKey
from insight_site.signatures.sign import holds, software
from insight_site.signatures.verification import MOST, Mismatch, MismatchKind, State, Verification
from reporting.canonical import sha256_of
from reporting.document import dump
from runs.payloads import Unreadable
from runs.progress import Progress, silent

log = structlog.get_logger()
# Not compared: the edition of the rules explains why numbers differ.
EDITION = "rules"
WORDS_OF_PLAN = ("name", "hypothesis", "nudge", "amendments", "intact")  # fields of the plan that decide no number


@dataclass(frozen=True)
class _Asked:
    """A signed document, and the row of this site that it is about; None if the experiment is another site's."""

    document: dict[str, Any]
    row: Analysis | None

    @property
    def signed(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["signed"]
        return found


def check_document(
    document: dict[str, Any], *, keys: dict[str, str] | None = None, progress: Progress = silent
) -> Verification:
    """Verify a signed document, from a file or from this site's own row.

    Args:
        document: `signed_document.signed_document`.
        keys: further public keys, `x` by id, beside this site's own.
        progress: progress callback.
    """
    signed, signature = document["signed"], document["signature"]
    row = Analysis.objects.filter(
        pk=signed["analysis"], experiment__key=signed["experiment"], status=Analysis.Status.DONE, final=True
    ).first()
    begun = Verification(
        State.EQUAL,
        signed["experiment"],
        signed["analysis"],
        key_id=str(signature["kid"]) if isinstance(signature, dict) and "kid" in signature else "",
        store_version=signed["data"].get("store_version"),
        erased_units=0 if row is None else row.erased_units,
        software=_other_software(signed),
    )
    if signature is None:
        return replace(begun, state=State.UNSIGNED)
    asked = _Asked(document, row)
    findings = [*_of_signature(asked, keys or {}), *_of_plan(asked)]
    return _with_data(begun, asked, findings, progress)


def unsigned(row: Analysis) -> Verification:
    """The result for a final analysis without a signature, from an older version of Insight."""
    return Verification(State.UNSIGNED, row.experiment.key, row.pk)


def _of_signature(asked: _Asked, keys: dict[str, str]) -> Iterator[Mismatch]:
    known = keys | dict(PublicKey.objects.values_list("key_id", "x"))
    signature = asked.document["signature"]
    good = holds(asked.signed, signature if isinstance(signature, dict) else {}, known)
    if not good:
        yield Mismatch(MismatchKind.UNKNOWN_KEY if good is None else MismatchKind.SIGNATURE)
    if sha256_of(asked.document["result"]) != asked.signed.get("result_sha256"):
        yield Mismatch(MismatchKind.RESULT)


def _of_plan(asked: _Asked) -> Iterator[Mismatch]:
    """Compare the registered text with the plan's rows today."""
    text, registered = asked.document["plan"], asked.signed["plan"].get("registered_sha256")
    experiment = None if asked.row is None else asked.row.experiment
    kept = None if experiment is None else registration_of(experiment)
    texts = [text] if experiment is None else [text, None if kept is None else kept.text]
    good = [one for one in texts if (None if one is None else hash_of(str(one))) == registered]
    if len(good) < len(texts):
        yield Mismatch(MismatchKind.PLAN_TEXT)
    if experiment is None:
        return
    if registered is None:  # started by an older version
        if planned_of(experiment).definition != asked.signed["plan"].get("definition"):
            yield Mismatch(MismatchKind.PLAN)
    elif good:
        for name, (before, now) in sorted(changed_since(experiment, str(good[0])).items()):
            yield Mismatch(MismatchKind.PLAN, name, before, now)


def _with_data(begun: Verification, asked: _Asked, findings: list[Mismatch], progress: Progress) -> Verification:
    """Verify the data and recompute the numbers."""
    if asked.row is None:
        return _ended(begun, findings, State.ELSEWHERE)
    if begun.store_version is None:
        return _ended(begun, findings, State.OUTSIDE)
    kept = KeptVersion.objects.filter(pk=asked.signed["data"].get("kept"), version=begun.store_version).first()
    if kept is None:
        return _ended(begun, [*findings, Mismatch(MismatchKind.VERSION)], State.DIFFERS)
    if kept.gone:
        return replace(_ended(begun, findings, State.GONE), reason=kept.gone)
    files = kept_versions.files_of(kept)
    if missing := kept_versions.missing_in(files):
        return _ended(begun, [*findings, *(Mismatch(MismatchKind.FILE, path) for path in missing)], State.DIFFERS)
    result = payload_versions.read(asked.document["result"])
    if isinstance(result, Unreadable):
        return _ended(begun, [*findings, Mismatch(MismatchKind.UNREADABLE)], State.DIFFERS)
    try:
        numbers = list(_recomputed(asked, asked.row, result, files, progress))
    except Exception as trouble:  # a damaged file or a plan that can't be queried is a result, not an error
        log.warning("proof.not_recomputed", experiment=begun.experiment, trouble=repr(trouble)[:500])
        return _ended(begun, [*findings, Mismatch(MismatchKind.FAILED, now=str(trouble)[:300])], State.DIFFERS)
    shown = [*findings, *islice(numbers, MOST)]
    found = replace(_ended(begun, shown, State.EQUAL), more=max(0, len(numbers) - MOST))
    same_data = all(one.kind is MismatchKind.NUMBER for one in shown)
    if found.state is State.DIFFERS and same_data and result.rules < RULES:
        return replace(found, state=State.OLDER_RULES)
    return found


def _recomputed(asked: _Asked, row: Analysis, result: Readout, files: Any, progress: Progress) -> Iterator[Mismatch]:
    """Recompute with the plan's own rows if they are still as signed, else with the signed plan; yield differences."""
    now = planned_of(row.experiment)
    judged = now if now.definition == asked.signed["plan"].get("definition") else result.plan
    found, digest = recompute(row.experiment, asked.signed, replace(result, plan=judged), files, progress=progress)
    data = asked.signed["data"]
    if digest is None or digest.sha256 != data.get("sha256"):
        signed_rows, rows = data.get("rows"), None if digest is None else digest.rows
        yield Mismatch(MismatchKind.DATA, "", signed_rows, rows)
    stored = asked.document["result"]
    differences = (one for one in differing(_compared(result), _compared(found)) if _was_said(stored, one))
    yield from sorted(map(_number, differences), key=_is_beside)


def _was_said(stored: dict[str, Any], one: Differing) -> bool:
    """False for a field that a newer version has added and the signed result lacks: that is no contradiction."""
    if one.signed is not None:
        return True
    *way, last = one.place.split(".")
    here: Any = stored
    for name in way:
        here = here[int(name)] if isinstance(here, list) else here.get(name, {})
    return last in here if isinstance(here, dict) else True


def _compared(readout: Readout) -> dict[str, Any]:
    document = dump(readout)
    plan = {name: value for name, value in document["plan"].items() if name not in WORDS_OF_PLAN}
    return {**document, "plan": plan, EDITION: None}


def _number(one: Differing) -> Mismatch:
    return Mismatch(MismatchKind.NUMBER, one.place, one.signed, one.now)


def _is_beside(one: Mismatch) -> bool:
    """Sort key: verdict and effects come first."""
    return not one.place.startswith(("verdict", "report."))


def _ended(begun: Verification, findings: list[Mismatch], otherwise: State) -> Verification:
    return replace(begun, findings=tuple(findings), state=State.DIFFERS if findings else otherwise)


def _other_software(signed: dict[str, Any]) -> dict[str, tuple[str, str]]:
    here, then = software(), signed.get("software")
    then = then if isinstance(then, dict) else {}
    return {name: (str(then[name]), here[name]) for name in here if name in then and then[name] != here[name]}
