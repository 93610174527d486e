"""What health checks found as plain sentences, and the figures of findings and verdicts in words. Pure.

Whole sentences are translated, with named placeholders, because word order differs between languages.
"""

from collections.abc import Mapping

from events.metrics import display_name
from experiments.analyse.health.file_checks import Finding, Severity
from experiments.report.behaviour.breakdown import breakdown_text
from experiments.report.stored_health import live_template
from reporting.numbers import count, decimal, effect_text, level_text, p_relation, percent, significant
from reporting.words import gettext

EFFECTS = {
    "estimate", "low", "high", "effect_low", "effect_high", "margin", "act_low", "act_high", "placebo_estimate"
}  # fmt: skip


def _formatted(details: Mapping[str, str | int | float]) -> dict[str, str]:
    """Every figure as text: p-values, shares as percentages, effects in the outcome's unit."""
    text: dict[str, str] = {}
    share = details.get("kind") == "proportion"
    for name, value in details.items():
        if isinstance(value, str):
            text[name] = display_name(value) if name in ("outcome", "behaviour") else value
        elif name in {"p_value", "adjusted_p", "inequality_p", "placebo_p"}:
            text[name] = p_relation(value)
        elif name == "breakdown":
            text[name] = breakdown_text(value, share=share)
        elif name in EFFECTS:
            text[name] = effect_text(value, share=share)
        elif name == "level":
            text[name] = level_text(value)
        elif name == "effective":
            text[name] = decimal(value, 1)
        elif name == "per_day":
            text[name] = decimal(value, 0)
        elif name in ("share", "at_threshold") or name.startswith("take_up"):
            text[name] = percent(value)
        elif isinstance(value, int):
            text[name] = count(value)
        else:
            text[name] = significant(value)
    return text


def filled(template: str, details: Mapping[str, str | int | float]) -> str:
    """A sentence with every figure of a finding or verdict in words."""
    return template % _formatted(details)


def severity_words(severity: Severity) -> str:
    """How much a finding matters, in a word."""
    names = {
        Severity.ERROR: gettext("Problem"),
        Severity.WARNING: gettext("Caution"),
        Severity.INFO: gettext("Note"),
    }
    return names[severity]


def finding_sentence(finding: Finding) -> str:
    """What a health check found, as one plain sentence."""
    template = _sizes_template(finding.check) or live_template(finding.check) or _column_template(finding.check)
    return template % _formatted(finding.details)


def _sizes_template(check: str) -> str:
    sentences = {
        "sample_ratio": gettext(
            "The group sizes don't fit the planned split (p %(p_value)s, alarm below .001): %(counts)s, planned "
            "%(expected)s. Find out why before anything else."
        ),
        "sample_ratio_watch": gettext(
            "The group sizes fit the planned split only barely (p %(p_value)s; the alarm is below .001): %(counts)s, "
            "planned %(expected)s."
        ),
        "sample_ratio_small": gettext("With %(n)s assigned units the split can't be checked (it needs 100)."),
        "sample_ratio_by_segment": gettext(
            "Inside segments the group sizes don't fit the planned split: %(bad)s of %(segments)s segments alarm. "
            "Worst: %(segment)s with %(counts)s, planned %(expected)s (p %(p_value)s)."
        ),
        "several_variants": gettext("%(n)s units (%(share)s) were seen in more than one variant. They were left out."),
        "missing_variant": gettext("%(n)s rows (%(share)s) have no variant. They were left out."),
        "missing_unit": gettext("%(n)s rows (%(share)s) have no unit id. They were left out."),
        "missing_cluster": gettext("%(n)s rows (%(share)s) have no cluster. They were left out."),
        "unplanned_units": gettext("%(n)s units are in variant %(variant)s, whose planned share is 0."),
        "behaviour_is_variant": gettext(
            "%(column)s is the same as the variant for every unit: this compares the variants and says nothing more "
            "about a behaviour."
        ),
        "empty_variant": gettext("Variant %(variant)s has no units."),
        "tiny_variant": gettext("Variant %(variant)s has only %(n)s units; a verdict needs %(needed)s."),
        "few_clusters": gettext(
            "Variant %(variant)s has %(n)s clusters, which tell as much as %(effective)s of equal size. Below about "
            "%(needed)s a few large ones decide the result: read the randomisation test beside it."
        ),
        "unequal_clusters": gettext(
            "Variant %(variant)s has %(n)s clusters of unequal size, which tell as much as %(effective)s of equal size."
        ),
        "mixed_clusters": gettext(
            "%(n)s of %(clusters)s clusters hold units of several variants. If units of a cluster influence each "
            "other, the groups' difference is blurred; assigning whole clusters avoids it."
        ),
        "unit_of_assignment": gettext(
            "Rows that share %(column)s always share their variant (%(rows)s rows, %(groups)s groups). If groups were "
            "assigned, name them with --cluster %(column)s: without it the intervals are too narrow."
        ),
    }
    return sentences.get(check, "")


def _column_template(check: str) -> str:
    sentences = {
        "missing_values": gettext("%(column)s has no value for %(n)s units (%(share)s)."),
        "missing_differs": gettext(
            "%(column)s has no value for %(n)s units (%(share)s), and the variants differ in it (p %(p_value)s): the "
            "comparison of those who have one may mislead."
        ),
        "no_variation": gettext("%(column)s is %(value)s for every unit of variant %(variant)s."),
        "outlier": gettext(
            "One unit of variant %(variant)s has %(column)s = %(value)s, which is %(share)s of the group's whole "
            "variation. The group's mean is %(mean)s with it and %(mean_without)s without."
        ),
        "balance_unknown": gettext("Whether the covariates are balanced between the variants couldn't be computed."),
        "imbalance": gettext(
            "The covariates differ between the variants more than chance would give (p %(p_value)s): were they known "
            "before assignment, and was assignment random?"
        ),
        "check_failed": gettext("The check %(check)s failed to run (%(error)s)."),
    }
    return sentences[check]
