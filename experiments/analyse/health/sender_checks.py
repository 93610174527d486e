"""Checks of exposure senders: excluded exposures, and units that only a public client key reported. Pure.

Source: docs/methods/integrity.md, "Admitted exposures"; docs/security.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from scipy import stats

from experiments.analyse.findings import Detail, Finding, FindingCode, Severity
from experiments.analyse.gather.admission import (
    MANY_NEW_IDS,
    NO_CLUSTER,
    OTHER_SOURCE,
    UNKNOWN_BEFORE,
    WRONG_ARM,
    Unverified,
)
from experiments.analyse.health.stored_context import StoredContext
from experiments.analyse.result import Beside, Readout
from reporting.numbers import percent

# docs/methods/integrity.md, "Admitted exposures". Beside exposures of servers, more than this is a second route;
# without any, all exposures come from client keys by design.
UNVERIFIED_SHARE = 0.05
UNVERIFIED_SILENT = 0.001
DOUBTFUL = ("unverified", "unverified_silent")
NOT_ADMITTED: Mapping[str, FindingCode] = {
    OTHER_SOURCE: "not_admitted_source",
    WRONG_ARM: "not_admitted_arm",
    NO_CLUSTER: "not_admitted_cluster",
    UNKNOWN_BEFORE: "not_admitted_unknown",
    MANY_NEW_IDS: "not_admitted_address",
}


def check_not_admitted(context: StoredContext) -> Iterator[Finding]:
    """Report exposures that were excluded from every count and test, by sender."""
    for row in context.answers.not_admitted:
        details: dict[str, Detail] = {"sender": row.sender, "n": row.exposures, "units": row.units}
        yield Finding(NOT_ADMITTED[row.reason], Severity.WARNING, details)


def check_unverified(context: StoredContext) -> Iterator[Finding]:
    """Report many or unusually silent unverified units: invented users send no other events.

    Where servers named enough units these decide nothing, and where servers named hardly any, no comparison is
    possible.
    """
    found, apart = context.answers.unverified, context.answers.apart
    if not found.units or not found.others or apart is False:
        return
    share = found.units / (found.units + found.others)
    details: dict[str, Detail] = {"n": found.units, "share": share, "silent": found.silent}
    p_value = _more_silent(found)
    if p_value < UNVERIFIED_SILENT:
        shares: dict[str, Detail] = {
            "silent": percent(found.silent / found.followed),
            "others_silent": percent(found.others_silent / found.others_followed),
        }
        code: FindingCode = "unverified_apart_silent" if apart else "unverified_silent"
        yield Finding(code, Severity.WARNING, {**details, **shares, "p_value": p_value})
    elif apart:
        many = share > UNVERIFIED_SHARE
        yield Finding("unverified_apart", Severity.WARNING if many else Severity.INFO, details)
    elif share > UNVERIFIED_SHARE:
        yield Finding("unverified", Severity.WARNING, details)


def is_doubtful(findings: Iterable[Finding]) -> bool:
    """True when the analysis should also be shown without the unverified units."""
    return any(finding.check in DOUBTFUL for finding in findings)


def with_all(deciding: Readout, whole: Readout) -> Readout:
    """The deciding analysis, with the result that includes the units that only a client key reported."""
    return replace(deciding, with_unverified=_beside(deciding, whole))


def without_some(whole: Readout, rest: Readout) -> Readout:
    """The analysis of all admitted units, with the result that excludes unverified units, as in 0.4."""
    return replace(whole, without_unverified=_beside(whole, rest))


def _beside(shown: Readout, other: Readout) -> Beside:
    rows = () if other.report is None else other.report.outcomes[0].comparisons
    return Beside(
        left_out=abs(sum(shown.flow.exposed.values()) - sum(other.flow.exposed.values())),
        exposed=other.flow.exposed,
        sample_ratio=other.sample_ratio,
        verdict=other.verdict,
        differences=tuple((row.variant, row.difference) for row in rows),
        compared_with={row.variant: row.compared_with for row in rows if row.compared_with},
    )


def _more_silent(found: Unverified) -> float:
    """One-sided p that more of the unverified units are silent (Fisher's exact test: hypergeometric upper tail)."""
    if not found.followed or not found.others_followed:
        return 1.0
    total, silent = found.followed + found.others_followed, found.silent + found.others_silent
    return float(stats.hypergeom.sf(found.silent - 1, total, silent, found.followed))
