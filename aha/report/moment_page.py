"""The page of an AHA moment: its evidence as frozen, and what an experiment found. Pure."""

from dataclasses import replace
from math import floor
from typing import Any

from aha.moments.claims import ExperimentFinding, read_finding
from aha.report import adjusted, cells, honesty, subgroups
from aha.study.payload_versions import FINDING
from aha.study.result import Candidate
from reporting.numbers import between, decimal, percent, points
from reporting.table import Table
from reporting.words import gettext
from runs.payloads import Unreadable

# Colour of a moment by its experimental verdict; none before a test.
LIGHTS = {"confirmed": "good", "refuted": "bad", "inconclusive": "warn"}


def tables(candidate: Candidate, result: ExperimentFinding | None = None) -> tuple[Table, ...]:
    """The evidence as frozen at promotion, and the experiment's effect once there is one."""
    parts = (
        cells.counts_table(candidate),
        adjusted.ladder_table(candidate),
        honesty.table(candidate),
        promised(candidate, result),
    )
    return (*parts, subgroups.by_segment_table(candidate)) if candidate.by_segment else parts


def promised(candidate: Candidate, result: ExperimentFinding | None = None) -> Table:
    """What moving more users across would be worth; with the experiment's effect once there is one."""
    table = adjusted.promise_table(candidate)
    if result is not None and result.is_share and not result.cluster and (effect := _effect(result)) is not None:
        estimate, low, high = (points(candidate.promise.moved * value) for value in effect)
        rows = (*table.rows[:-1], (table.rows[-1][0], f"{estimate} ({between(low, high)})"))
        return replace(table, rows=rows)
    return table


def finding(stored: dict[str, Any] | None) -> str:
    """The verdict of the experiment in a sentence, with its effect where it has one; "" before there is any."""
    if not stored:
        return ""
    document = FINDING.upgraded(stored)
    if isinstance(document, Unreadable):
        return document.sentence()
    result = read_finding(document)
    sentences = {
        "CAUSES": gettext("An experiment found that it causes retention."),
        "HARMS": gettext("An experiment found that it harms retention."),
        "NO_MATERIAL_EFFECT": gettext("An experiment found no effect that matters."),
    }
    if result.cluster:
        return _of_whole_clusters(result)
    sentence = _unless(result) or sentences.get(result.code, gettext("An experiment could not decide."))
    if (effect := _effect(result)) is not None:
        if not result.is_share:
            estimate, low, high = (decimal(value) for value in effect)
            text = gettext("Effect of the behaviour on users who did it because of the nudge: {estimate} ({limits}).")
            return sentence + " " + text.format(estimate=estimate, limits=between(low, high)) + _caution(result)
        estimate, low, high = (points(value) for value in effect)
        text = gettext(
            "Effect of the behaviour on users who did it because of the nudge: {estimate} points ({limits})."
        )
        sentence += " " + text.format(estimate=estimate, limits=between(low, high)) + _caution(result)
    return sentence


def _of_whole_clusters(result: ExperimentFinding) -> str:
    """The effect of nudging whole clusters, worded as theirs and never as that of a member's own behaviour."""
    sentences = {
        "CAUSES": gettext("An experiment found that nudging whole clusters to it causes a gain."),
        "HARMS": gettext("An experiment found that nudging whole clusters to it does harm."),
        "NO_MATERIAL_EFFECT": gettext("An experiment that nudged whole clusters to it found no effect that matters."),
    }
    parts = [sentences.get(result.code, gettext("An experiment could not decide."))]
    if (effect := _effect(result)) is not None:
        estimate, low, high = (points(value) if result.is_share else decimal(value) for value in effect)
        text = gettext(
            "Effect per user who did it because of the nudge, including the friends in the {cluster}: {estimate} "
            "({limits})."
        )
        if result.is_share:
            text = gettext(
                "Effect per user who did it because of the nudge, including the friends in the {cluster}: {estimate} "
                "points ({limits})."
            )
        parts.append(
            text.format(cluster=result.cluster, estimate=estimate, limits=between(low, high)) + _caution(result)
        )
    parts.append(gettext("What a member's own behaviour does isn't known from it."))
    return " ".join(parts)


def _caution(result: ExperimentFinding) -> str:
    """How the plan's interim looks affect the estimate (docs/methods/comparison.md); "" for a plan with one look."""
    sentences = {
        "corrected": gettext("The estimate is corrected for the plan's interim analyses."),
        "optimistic": gettext("The estimate is optimistic: the plan could end at any analysis. Read the interval."),
    }
    caution = None if result.effect is None else result.effect.caution
    return f" {sentences[caution]}" if caution in sentences else ""


def _unless(result: ExperimentFinding) -> str:
    """The verdict's condition: how large a direct effect of being nudged would invalidate it.

    "" for another verdict, for one found against a placebo, and for one of an earlier version.

    Source: docs/methods/encouragement.md, "How much exclusion must fail".
    """
    value, share = result.breakdown, result.is_share
    if value is None:
        return ""
    sentences = {
        ("CAUSES", True): gettext(
            "An experiment found that it causes retention. This holds unless the nudge itself keeps more than {size} "
            "of users."
        ),
        ("HARMS", True): gettext(
            "An experiment found that it harms retention. This holds unless the nudge itself loses more than {size} "
            "of users."
        ),
        ("CAUSES", False): gettext(
            "An experiment found that it causes a gain. This holds unless the nudge itself raises the outcome by "
            "more than {size}."
        ),
        ("HARMS", False): gettext(
            "An experiment found that it does harm. This holds unless the nudge itself lowers the outcome by more "
            "than {size}."
        ),
    }
    # Truncated, not rounded: a larger size would overstate the verdict's robustness.
    cut = floor(round(abs(value) * (1_000 if share else 100), 6)) / (1_000 if share else 100)
    size = percent(cut or abs(value)) if share else decimal(cut)
    return sentences.get((result.code, share), "").format(size=size)


def _effect(result: ExperimentFinding) -> tuple[float, float, float] | None:
    """Effect on users whom the nudge moved, with the limits of the Anderson-Rubin set.

    None where that set isn't an interval: then only the report describes it.

    Source: docs/methods/encouragement.md, "Anderson-Rubin".
    """
    around = result.effect_set
    if (
        result.effect is None
        or around is None
        or around.shape != "interval"
        or around.low is None
        or around.high is None
    ):
        return None
    return result.effect.estimate, around.low, around.high
