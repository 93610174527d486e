"""The five moments of a comparison stored in findings: as measured for pools, and corrected for planned looks.

Pure.
"""

from dataclasses import replace
from datetime import date
from math import sqrt

from aha.evidence.findings import Definition, PastFinding
from aha.moments.claims import Promised, PromisedDifference
from experiments.analyse.corrected import best_difference, of_variant
from experiments.analyse.effects import Comparison, Encouragement, OutcomeReport
from experiments.analyse.result import Readout
from experiments.analyse.verdict import WHOLE_CLUSTERS
from stats.iv_moments import IvMoments
from stats.results import computable

Z = 1.959963984540054  # the evidence ladder's intervals have level .95
NO_ITT = 1e-9  # in standard errors: below it the Wald error doesn't determine the covariance


def findings_of(readout: Readout, promise: Promised) -> list[PastFinding]:
    """Finding of each arm that nudges, on the first outcome; empty without a moment under test.

    Args:
        readout: of the final analysis.
        promise: the effect promised by the moment's evidence.
    """
    plan, report = readout.plan, readout.report
    if report is None or plan.claim is None:
        return []
    claim, outcome = plan.claim, report.outcomes[0]
    definition = Definition(claim.behaviour, claim.times, claim.days, outcome.name)
    about_this = Definition(claim.behaviour, claim.times, claim.days, claim.retention).same == definition.same
    best = promise.adjusted
    found, place = [], 0
    for row in outcome.comparisons:
        if row.variant == plan.placebo:
            continue
        place += 1
        moments = measured_moments(readout, outcome, row)
        if moments is None:
            continue
        one = finding(outcome, row, definition, place, moments, plan.variants[0])
        found.append(
            replace(
                one,
                name=plan.name or plan.key,
                origin="experiment",
                source=plan.key,
                placebo=one.comparator == plan.placebo,
                caution="optimistic" if readout.plan.method == "always_valid" else "",
                started=plan.started,
                ended=date.fromisoformat(readout.data_end[:10]),
                promised=best.estimate if best is not None and about_this else None,
                promised_error=error_of(best) if best is not None and about_this else None,
                corrected=corrected_moments(readout, row, moments),
            )
        )
    return found


def finding(
    outcome: OutcomeReport, row: Comparison, definition: Definition, place: int, moments: IvMoments, control: str
) -> PastFinding:
    """The part of a finding that stored experiments and files share; the caller fills in the rest."""
    one = row.encouragement
    reach = None if one is None or not computable(one.take_up) else one.take_up.control
    return PastFinding(
        name="",
        origin="file",
        source="",
        variant=row.variant,
        comparator=(one.comparator if one is not None else "") or control,
        definition=definition,
        kind=str(outcome.kind),
        moments=moments,
        verdict=str(row.verdict.code),
        started=date.min,
        ended=date.min,
        place=place,
        reach=reach,
        shared=None if one is None or moments != one.moments else one.shared,
        whole_clusters=one is not None and WHOLE_CLUSTERS in one.warnings,
    )


def promised_by(promise: Promised) -> dict[str, float | None]:
    """The evidence ladder's headline with its standard error, as columns of a finding."""
    best = promise.adjusted
    return {} if best is None else {"promised": best.estimate, "promised_error": error_of(best)}


def error_of(best: PromisedDifference) -> float | None:
    """Standard error of a promised difference, from its interval of level .95."""
    return None if best.low is None or best.high is None else (best.high - best.low) / (2 * Z)


def measured_moments(readout: Readout, outcome: OutcomeReport, row: Comparison) -> IvMoments | None:
    """Moments of a comparison as measured, uncorrected for its stopping rule; None where they aren't known.

    Over all final analyses the information-weighted mean of plain effects is unbiased under any stopping rule (Wald's
    identity): an early stop has a large effect and a small weight. Corrected ones make a pool 4 to 9 % too small.

    Source: Schou and Marschner 2013.
    """
    one = row.encouragement
    if one is None:
        return None
    return one.moments if one.moments is not None else found_again(one, row, outcome, readout.plan.variants[0])


def corrected_moments(readout: Readout, row: Comparison, measured: IvMoments) -> IvMoments | None:
    """The moments with the effect corrected for the plan's looks; None for a plan with one look.

    The correction moves the effect on the outcome and widens its error; the correlation of both effects stays.
    """
    best = best_difference(readout, row)
    if of_variant(readout, row.variant) is None or not computable(best) or measured.v_r <= 0:
        return None
    scale = best.standard_error / sqrt(measured.v_r)
    return replace(measured, itt=best.estimate, v_r=best.standard_error**2, c_rd=measured.c_rd * scale)


def found_again(one: Encouragement, row: Comparison, outcome: OutcomeReport, control: str) -> IvMoments | None:
    """Moments recovered from a payload that doesn't store them.

    The Wald ratio b = ITT/FS has the variance (V_R - 2 b C + b^2 V_D)/FS^2 (docs/methods/encouragement.md, "Wald"):
    solved for C. Both other variances are the squared errors of ITT and first stage. With an ITT of 0 the ratio doesn't
    determine C.
    """
    itt = row.difference
    if not computable(itt) or not computable(one.take_up) or not computable(one.effect):
        return None
    b, stage = one.effect.estimate, one.take_up.difference
    v_r, v_d = itt.standard_error**2, one.take_up.standard_error**2
    if v_r <= 0 or v_d <= 0 or abs(itt.estimate) < NO_ITT * sqrt(v_r):
        return None
    c_rd = (v_r + b * b * v_d - (one.effect.standard_error * stage) ** 2) / (2 * b)
    most = sqrt(v_r * v_d)
    units = (outcome.values[one.comparator or control].n, outcome.values[row.variant].n)
    return IvMoments(itt.estimate, stage, v_r, v_d, max(-most, min(most, c_rd)), *units)
