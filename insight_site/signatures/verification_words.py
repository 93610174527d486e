"""Result of a verification, as sentences for people and as JSON for programs."""

from typing import Any

from django.utils.translation import gettext, ngettext

from events.models import KeptVersion
from insight_site.signatures.verification import Mismatch, MismatchKind, State, Verification
from reporting.canonical import canonical

LONGEST = 80


def as_json(found: Verification) -> dict[str, Any]:
    """For `--json`: codes, never sentences."""
    return {
        "state": str(found.state),
        "experiment": found.experiment,
        "analysis": found.analysis,
        "key_id": found.key_id or None,
        "store_version": found.store_version,
        "reason": found.reason or None,
        "erased_units": found.erased_units,
        "differences": [
            {"kind": str(one.kind), "place": one.place or None, "signed": one.signed, "now": one.now}
            for one in found.findings
        ],
        "further_differences": found.more,
        "software": {name: {"signed": then, "now": now} for name, (then, now) in found.software.items()},
    }


def sentences(found: Verification) -> list[str]:
    """One line for the state, then one for each difference."""
    lines = [state_sentence(found), *(finding_sentence(one) for one in found.findings)]
    if found.more:
        text = ngettext("%(n)s further number differs.", "%(n)s further numbers differ.", found.more)
        lines.append(text % {"n": f"{found.more:,}"})
    if found.software and found.state in (State.EQUAL, State.OLDER_RULES, State.DIFFERS):
        named = ", ".join(f"{name} {then} → {now}" for name, (then, now) in found.software.items())
        lines.append(gettext("Computed with other versions than at the time: %(names)s.") % {"names": named})
    return lines


def state_sentence(found: Verification) -> str:
    """The outcome."""
    if found.state is State.GONE:
        return _gone(found)
    texts = {
        State.EQUAL: gettext("equal: the signature holds, and every number comes out again from the same data."),
        State.OLDER_RULES: gettext(
            "signature holds, plan and data are unchanged. The rules of analysis have changed since, so some numbers "
            "come out differently today; the result stays as it was signed."
        ),
        State.DIFFERS: gettext("different: not everything is as it was signed."),
        State.OUTSIDE: gettext(
            "signature holds. The data lie in a warehouse outside Insight, which keeps no versions: nothing is "
            "computed again."
        ),
        State.ELSEWHERE: gettext("signature holds. The experiment isn't on this site, so nothing is computed again."),
        State.UNSIGNED: gettext(
            "not signed: this final analysis was made before Insight signed them, or the site's key could not be used."
        ),
    }
    return texts[found.state]


def _gone(found: Verification) -> str:
    texts = {
        KeptVersion.Gone.RETENTION: gettext("signature holds, the data are gone: their retention period is over."),
        KeptVersion.Gone.ERASURE: gettext("signature holds, the data are gone: users were erased."),
        KeptVersion.Gone.OTHER_STORE: gettext(
            "signature holds, the data are gone: the event store was restored or begun anew."
        ),
    }
    text = texts[KeptVersion.Gone(found.reason)]
    if not found.erased_units:
        return text
    units = ngettext(
        "%(n)s unit of this analysis was erased.", "%(n)s units of this analysis were erased.", found.erased_units
    )
    return f"{text} {units % {'n': f'{found.erased_units:,}'}}"


def finding_sentence(one: Mismatch) -> str:
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
        if one.place
        else gettext("The plan isn't the one that was signed."),
    }
    return texts[one.kind] % {"place": one.place, "signed": _said(one.signed), "now": _said(one.now)}


def _said(value: Any) -> str:
    text = value if isinstance(value, str) else "–" if value is None else canonical(value).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
