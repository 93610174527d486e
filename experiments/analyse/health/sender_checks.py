"""Who reported the exposures: what was set aside, and units that nobody but a public key knows. Pure.

Source: METHODS 4.2, "Admitted exposures" and "Unverified share".
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from scipy import stats

from experiments.analyse.gather.admission import OTHER_SOURCE, WRONG_ARM, Unverified
from experiments.analyse.health.findings import Detail, Finding, FindingCode, Severity
from experiments.analyse.health.stored_context import StoredContext
from experiments.analyse.result import Readout, Without
from reporting.numbers import percent

# METHODS 4.2. Beside exposures of servers more than this is another way in; without any it is how the client works.
UNVERIFIED_SHARE = 0.05
UNVERIFIED_SILENT = 0.001
DOUBTFUL = ("unverified", "unverified_silent")
NOT_ADMITTED: Mapping[str, FindingCode] = {OTHER_SOURCE: "not_admitted_source", WRONG_ARM: "not_admitted_arm"}


def check_not_admitted(context: StoredContext) -> Iterator[Finding]:
    """Exposures that entered no count and no test, by sender."""
    for row in context.answers.not_admitted:
        details: dict[str, Detail] = {"sender": row.sender, "n": row.exposures, "units": row.units}
        yield Finding(NOT_ADMITTED[row.reason], Severity.WARNING, details)


def check_unverified(context: StoredContext) -> Iterator[Finding]:
    """Invented users with the right arm look like new ones, but they do nothing else."""
    found = context.answers.unverified
    if not found.units or not found.others:
        return
    share = found.units / (found.units + found.others)
    details: dict[str, Detail] = {"n": found.units, "share": share, "silent": found.silent}
    p_value = _more_silent(found)
    if p_value < UNVERIFIED_SILENT:
        shares: dict[str, Detail] = {
            "silent": percent(found.silent / found.followed),
            "others_silent": percent(found.others_silent / found.others_followed),
        }
        yield Finding("unverified_silent", Severity.WARNING, {**details, **shares, "p_value": p_value})
    elif share > UNVERIFIED_SHARE:
        yield Finding("unverified", Severity.WARNING, details)


def is_doubtful(findings: Iterable[Finding]) -> bool:
    """True when the analysis is to be shown without the unverified units, too."""
    return any(finding.check in DOUBTFUL for finding in findings)


def beside(whole: Readout, rest: Readout) -> Readout:
    """The analysis with what would come out without the units that only a client key has reported.

    Args:
        whole: all admitted units.
        rest: the same analysis of the others.
    """
    kept = sum(rest.flow.exposed.values())
    rows = () if rest.report is None else rest.report.outcomes[0].comparisons
    without = Without(
        left_out=sum(whole.flow.exposed.values()) - kept,
        exposed=rest.flow.exposed,
        sample_ratio=rest.sample_ratio,
        verdict=rest.verdict,
        differences=tuple((row.variant, row.difference) for row in rows),
        compared_with={row.variant: row.compared_with for row in rows if row.compared_with},
    )
    return replace(whole, without_unverified=without)


def _more_silent(found: Unverified) -> float:
    """One-sided p that more of the unverified units are silent (Fisher's exact test: hypergeometric upper tail)."""
    if not found.followed or not found.others_followed:
        return 1.0
    total, silent = found.followed + found.others_followed, found.silent + found.others_silent
    return float(stats.hypergeom.sf(found.silent - 1, total, silent, found.followed))
