"""Check a final analysis: signature, plan, files, data, and every number anew; what was found, in words and JSON."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from math import isclose
from typing import Any

import structlog
from django.utils.translation import gettext, ngettext

from events.models import KeptVersion
from events.store import time_travel
from events.store.snapshot import StoreFiles
from events.warehouse.iceberg import SnapshotGone, TableSnapshots
from experiments.analyse.analyses import recompute
from experiments.analyse.payload_versions import READOUT, RULES
from experiments.analyse.result import AnalysisResult
from experiments.models import Analysis
from experiments.plan.registration import changed_since, hash_of, registration_of
from experiments.plan.stored import analysed_of
from insight_site.exports.sign import holds, software
from insight_site.models import PublicKey
from reporting.document import canonical, sha256_of
from runs.payloads import Unreadable
from runs.progress import Progress, silent

# Where two JSON documents differ, leaf by leaf. Pure.

# Sums of floats depend on the order in which threads add them; smaller differences are never visible on a page.
RELATIVE, ABSOLUTE = 1e-9, 1e-12


@dataclass(frozen=True)
class Differing:
    """One differing value.

    Attributes:
        place: path to it, "report.outcomes.0.comparisons.0.difference.estimate".
        signed: the value that was signed or is stored; None where there was none.
        now: the value as it is found or computed now.
    """

    place: str
    signed: Any
    now: Any


def differing(signed: Any, now: Any, place: str = "") -> Iterator[Differing]:
    """Every path at which they differ: numbers by more than one part in 1e9, other values by any difference."""
    if isinstance(signed, dict) and isinstance(now, dict):
        for name in sorted({*signed, *now}):
            yield from differing(signed.get(name), now.get(name), f"{place}.{name}" if place else name)
    elif isinstance(signed, list) and isinstance(now, list) and len(signed) == len(now):
        for at, (one, other) in enumerate(zip(signed, now, strict=True)):
            yield from differing(one, other, f"{place}.{at}" if place else f"{at}")
    elif not _same(signed, now):
        yield Differing(place, signed, now)


def _same(one: Any, other: Any) -> bool:
    if _is_number(one) and _is_number(other):
        return isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# Result of verifying a final analysis: a state, and each difference with its code.

EXPIRED = "snapshot"  # reason: the snapshot of an Iceberg table isn't there any more
MOST = 20  # differing numbers that are listed; the rest are counted


class State(StrEnum):
    """Outcome of a verification."""

    EQUAL = "equal"
    OLDER_RULES = "older_rules"  # all is as signed; rules changed since then give other numbers
    DIFFERS = "differs"
    GONE = "gone"  # the signature is valid, but the data are no longer stored
    OUTSIDE = "outside"  # valid; the data are in the customer's warehouse, which keeps no versions
    ELSEWHERE = "elsewhere"  # valid; the experiment is another site's
    UNSIGNED = "unsigned"


class MismatchKind(StrEnum):
    """Kinds of differences."""

    SIGNATURE = "signature"
    UNKNOWN_KEY = "unknown_key"
    RESULT = "result"
    UNREADABLE = "unreadable"
    PLAN_TEXT = "plan_text"
    PLAN = "plan"
    VERSION = "version"
    FILE = "file"
    DATA = "data"
    NUMBER = "number"
    FAILED = "failed"


@dataclass(frozen=True)
class Mismatch:
    """One difference.

    Attributes:
        kind: which.
        place: field of the plan, path in the result, or path of a file; "" if the kind suffices.
        signed: the signed value.
        now: the current value.
    """

    kind: MismatchKind
    place: str = ""
    signed: Any = None
    now: Any = None


@dataclass(frozen=True)
class Verification:
    """Result of a verification.

    Attributes:
        state: the outcome.
        experiment: its key; `analysis` the number of its final analysis. Of a reading of the map of causes `map:` with
            its outcome, None, and `map_reading` is its number.
        findings: every difference; empty unless it differs.
        more: number of further differing numbers.
        reason: code of the reason why the data are gone.
        erased_units: units of this analysis that were erased since.
        key_id: of the signing key, "" without a signature.
        store_version: version of the event store; None without one.
        snapshots: of Iceberg tables, their ids by name; empty where none were read.
        software: libraries whose versions differ here, with both.
    """

    state: State
    experiment: str
    analysis: int | None
    findings: tuple[Mismatch, ...] = ()
    more: int = 0
    reason: str = ""
    erased_units: int = 0
    key_id: str = ""
    store_version: int | None = None
    snapshots: dict[str, str] = field(default_factory=dict)
    software: dict[str, tuple[str, str]] = field(default_factory=dict)
    map_reading: int | None = None


# Verify a final analysis: the signature, the plan, the files, the data, and every number recomputed.

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
        signed_part: dict[str, Any] = self.document["signed"]
        return signed_part


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
        snapshots=dict(signed["data"].get("snapshots") or {}),
        erased_units=0 if row is None else row.erased_units,
        software=other_software(signed),
    )
    if signature is None:
        return replace(begun, state=State.UNSIGNED)
    subject = _Asked(document, row)
    findings = [*of_signature(document, keys or {}), *_of_plan(subject)]
    return _with_data(begun, subject, findings, progress)


def unsigned(row: Analysis) -> Verification:
    """The result for a final analysis without a signature, from an older version of Insight."""
    return Verification(State.UNSIGNED, row.experiment.key, row.pk)


def of_signature(document: dict[str, Any], keys: dict[str, str]) -> Iterator[Mismatch]:
    """Whether the signature fits the document, and the result that which was signed.

    Args:
        document: with `signed`, `signature` and `result`.
        keys: further public keys, `x` by id, beside this site's own.
    """
    known = keys | dict(PublicKey.objects.values_list("key_id", "x"))
    signed, signature = document["signed"], document["signature"]
    good = holds(signed, signature if isinstance(signature, dict) else {}, known)
    if not good:
        yield Mismatch(MismatchKind.UNKNOWN_KEY if good is None else MismatchKind.SIGNATURE)
    if sha256_of(document["result"]) != signed.get("result_sha256"):
        yield Mismatch(MismatchKind.RESULT)


def _of_plan(subject: _Asked) -> Iterator[Mismatch]:
    """Compare the registered text with the plan's rows today."""
    text, registered = subject.document["plan"], subject.signed["plan"].get("registered_sha256")
    experiment = None if subject.row is None else subject.row.experiment
    registration = None if experiment is None else registration_of(experiment)
    texts = [text] if experiment is None else [text, None if registration is None else registration.text]
    good = [plan for plan in texts if (None if plan is None else hash_of(str(plan))) == registered]
    if len(good) < len(texts):
        yield Mismatch(MismatchKind.PLAN_TEXT)
    if experiment is None:
        return
    if registered is None:  # started by an older version
        if analysed_of(experiment).definition != subject.signed["plan"].get("definition"):
            yield Mismatch(MismatchKind.PLAN)
    elif good:
        for name, (before, now) in sorted(changed_since(experiment, str(good[0])).items()):
            yield Mismatch(MismatchKind.PLAN, name, before, now)


def _with_data(begun: Verification, subject: _Asked, findings: list[Mismatch], progress: Progress) -> Verification:
    """Verify the data and recompute the numbers."""
    if subject.row is None:
        return _ended(begun, findings, State.ELSEWHERE)
    if begun.snapshots:
        return _with_numbers(begun, subject, subject.row, findings, TableSnapshots(begun.snapshots), progress)
    if begun.store_version is None:
        return _ended(begun, findings, State.OUTSIDE)
    version = KeptVersion.objects.filter(pk=subject.signed["data"].get("kept"), version=begun.store_version).first()
    if version is None:
        return _ended(begun, [*findings, Mismatch(MismatchKind.VERSION)], State.DIFFERS)
    if version.gone:
        return replace(_ended(begun, findings, State.GONE), reason=version.gone)
    files = time_travel.files_of(version)
    if missing := time_travel.missing_in(files):
        return _ended(begun, [*findings, *(Mismatch(MismatchKind.FILE, path) for path in missing)], State.DIFFERS)
    return _with_numbers(begun, subject, subject.row, findings, files, progress)


def _with_numbers(
    begun: Verification,
    subject: _Asked,
    row: Analysis,
    findings: list[Mismatch],
    at: StoreFiles | TableSnapshots,
    progress: Progress,
) -> Verification:
    """Recompute the numbers from the data as they were then."""
    result = READOUT.read(subject.document["result"])
    if isinstance(result, Unreadable):
        return _ended(begun, [*findings, Mismatch(MismatchKind.UNREADABLE)], State.DIFFERS)
    try:
        numbers = list(_recomputed(subject, row, result, at, progress))
    except SnapshotGone:
        return replace(_ended(begun, findings, State.GONE), reason=EXPIRED)
    except Exception as trouble:  # a damaged file or a plan that can't be queried is a result, not an error
        log.warning("proof.not_recomputed", experiment=begun.experiment, trouble=repr(trouble)[:500])
        return _ended(begun, [*findings, Mismatch(MismatchKind.FAILED, now=str(trouble)[:300])], State.DIFFERS)
    shown = [*findings, *islice(numbers, MOST)]
    verification = replace(_ended(begun, shown, State.EQUAL), more=max(0, len(numbers) - MOST))
    same_data = all(mismatch.kind is MismatchKind.NUMBER for mismatch in shown)
    if verification.state is State.DIFFERS and same_data and result.rules < RULES:
        return replace(verification, state=State.OLDER_RULES)
    return verification


def _recomputed(
    subject: _Asked, row: Analysis, result: AnalysisResult, at: StoreFiles | TableSnapshots, progress: Progress
) -> Iterator[Mismatch]:
    """Recompute with the plan's own rows if they are still as signed, else with the signed plan; yield differences."""
    now = analysed_of(row.experiment)
    judged = now if now.definition == subject.signed["plan"].get("definition") else result.analysed
    computed, digest = recompute(
        row.experiment, subject.signed, replace(result, analysed=judged), at, progress=progress
    )
    data = subject.signed["data"]
    if digest is None or digest.sha256 != data.get("sha256"):
        signed_rows, rows = data.get("rows"), None if digest is None else digest.rows
        yield Mismatch(MismatchKind.DATA, "", signed_rows, rows)
    stored = subject.document["result"]
    differences = (
        difference for difference in differing(_compared(result), _compared(computed)) if _was_said(stored, difference)
    )
    yield from sorted(map(_number, differences), key=_is_beside)


def _was_said(stored: dict[str, Any], difference: Differing) -> bool:
    """False for a field that a newer version has added and the signed result lacks: that is no contradiction."""
    if difference.signed is not None:
        return True
    *way, last = difference.place.split(".")
    here: Any = stored
    for name in way:
        here = here[int(name)] if isinstance(here, list) else here.get(name, {})
    return last in here if isinstance(here, dict) else True


def _compared(readout: AnalysisResult) -> dict[str, Any]:
    document = READOUT.to_document(readout)
    plan = {name: value for name, value in document["plan"].items() if name not in WORDS_OF_PLAN}
    return {**document, "plan": plan, EDITION: None}


def _number(difference: Differing) -> Mismatch:
    return Mismatch(MismatchKind.NUMBER, difference.place, difference.signed, difference.now)


def _is_beside(mismatch: Mismatch) -> bool:
    """Sort key: verdict and effects come first."""
    return not mismatch.place.startswith(("verdict", "report."))


def _ended(begun: Verification, findings: list[Mismatch], otherwise: State) -> Verification:
    return replace(begun, findings=tuple(findings), state=State.DIFFERS if findings else otherwise)


def other_software(signed: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Libraries whose versions differ here from those that signed, with both."""
    here, then = software(), signed.get("software")
    then = then if isinstance(then, dict) else {}
    return {name: (str(then[name]), here[name]) for name in here if name in then and then[name] != here[name]}


# Result of a verification, as sentences for people and as JSON for programs.

LONGEST = 80


def as_json(verification: Verification) -> dict[str, Any]:
    """For `--json`: codes, never sentences."""
    return {
        "state": str(verification.state),
        "experiment": verification.experiment,
        "analysis": verification.analysis,
        "map_reading": verification.map_reading,
        "key_id": verification.key_id or None,
        "store_version": verification.store_version,
        "snapshots": verification.snapshots or None,
        "reason": verification.reason or None,
        "erased_units": verification.erased_units,
        "differences": [
            {
                "kind": str(mismatch.kind),
                "place": mismatch.place or None,
                "signed": mismatch.signed,
                "now": mismatch.now,
            }
            for mismatch in verification.findings
        ],
        "further_differences": verification.more,
        "software": {name: {"signed": then, "now": now} for name, (then, now) in verification.software.items()},
    }


def sentences(verification: Verification) -> list[str]:
    """One line for the state, then one for each difference."""
    lines = [state_sentence(verification), *(finding_sentence(mismatch) for mismatch in verification.findings)]
    if verification.more:
        text = ngettext("%(n)s further number differs.", "%(n)s further numbers differ.", verification.more)
        lines.append(text % {"n": f"{verification.more:,}"})
    if verification.software and verification.state in (State.EQUAL, State.OLDER_RULES, State.DIFFERS):
        named = ", ".join(f"{name} {then} → {now}" for name, (then, now) in verification.software.items())
        lines.append(gettext("Computed with other versions than at the time: %(names)s.") % {"names": named})
    return lines


def state_sentence(verification: Verification) -> str:
    """The outcome."""
    if verification.state is State.GONE:
        return _gone(verification)
    if verification.state is State.UNSIGNED and verification.map_reading is not None:
        return gettext("not signed: the site's key could not be used.")
    texts = {
        State.EQUAL: gettext("equal: the signature holds, and every number comes out again from the same data."),
        State.OLDER_RULES: gettext(
            "signature holds, plan and data are unchanged. The rules of analysis have changed since, so some numbers "
            "come out differently today; the result stays as it was signed."
        ),
        State.DIFFERS: gettext("different: not everything is as it was signed."),
        State.OUTSIDE: gettext(
            "signature holds. The data lie in a warehouse outside Insight, which keeps no versions: nothing is "
            "computed again, so whether the numbers follow from the data can't be proved."
        ),
        State.ELSEWHERE: gettext("signature holds. The experiment isn't on this site, so nothing is computed again."),
        State.UNSIGNED: gettext(
            "not signed: this final analysis was made before Insight signed them, or the site's key could not be used."
        ),
    }
    return texts[verification.state]


def _gone(verification: Verification) -> str:
    if verification.reason == EXPIRED:
        return gettext(
            "signature holds, the data are gone: a snapshot of the warehouse's table has expired, or the warehouse is "
            "another one."
        )
    texts = {
        KeptVersion.Gone.RETENTION: gettext("signature holds, the data are gone: their retention period is over."),
        KeptVersion.Gone.ERASURE: gettext("signature holds, the data are gone: users were erased."),
        KeptVersion.Gone.OTHER_STORE: gettext(
            "signature holds, the data are gone: the event store was restored or begun anew."
        ),
    }
    text = texts[KeptVersion.Gone(verification.reason)]
    if not verification.erased_units:
        return text
    units = ngettext(
        "%(n)s user of this analysis was erased.",
        "%(n)s users of this analysis were erased.",
        verification.erased_units,
    )
    return f"{text} {units % {'n': f'{verification.erased_units:,}'}}"


def finding_sentence(mismatch: Mismatch) -> str:
    """One difference."""
    texts = {
        MismatchKind.SIGNATURE: gettext("The signature doesn't fit the document: what it says was changed."),
        MismatchKind.UNKNOWN_KEY: gettext(
            "The key that signed it is unknown here; name a file with public keys by --keys."
        ),
        MismatchKind.RESULT: gettext("The result isn't the one that was signed."),
        MismatchKind.UNREADABLE: gettext("The result can't be read."),
        MismatchKind.PLAN_TEXT: gettext("The registered text of the plan isn't the one that was signed."),
        MismatchKind.VERSION: gettext("The version of the event store that it names is not known here."),
        MismatchKind.FILE: gettext("A file of the event store is missing: %(place)s."),
        MismatchKind.DATA: gettext("The events aren't those that were read: %(signed)s rows then, %(now)s now."),
        MismatchKind.NUMBER: gettext("%(place)s: signed %(signed)s, computed %(now)s."),
        MismatchKind.FAILED: gettext("It can't be computed again: %(now)s"),
        MismatchKind.PLAN: gettext("The plan was changed without an amendment: %(place)s was %(signed)s, is %(now)s.")
        if mismatch.place
        else gettext("The plan isn't the one that was signed."),
    }
    return texts[mismatch.kind] % {
        "place": mismatch.place,
        "signed": _said(mismatch.signed),
        "now": _said(mismatch.now),
    }


def _said(value: Any) -> str:
    text = value if isinstance(value, str) else "–" if value is None else canonical(value).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
