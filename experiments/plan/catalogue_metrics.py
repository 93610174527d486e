"""Outcomes of a plan that come from the catalogue of metrics: taken over, certified or not, and in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.text import Truncator

from events.catalogue.references import picked, reference_to, since_words, version_words
from events.metrics import Expression, Ratio, parse_metric, written_out
from events.models import Metric, MetricVersion
from experiments.models import ChosenMetric, Experiment
from runs.refusals import Refused

# Copy metrics from the catalogue into a plan: definition, guardrail rule, and a row with the source.

GUARDRAILS, RULES = "guardrail_metrics", "guardrail_rules"
LISTS = ("primary_metrics", "secondary_metrics", GUARDRAILS)


@dataclass(frozen=True)
class TakenOver:
    """Fields of a plan with definitions instead of references.

    Attributes:
        fields: as stored in the row.
        versions: picked ones, by their definition in the plan.
    """

    fields: dict[str, Any]
    versions: Mapping[str, MetricVersion]


def take_over(fields: Mapping[str, Any], experiment: Experiment | None = None) -> TakenOver:
    """Replace each ``metric:KEY`` of the given fields by the definition of its version.

    A guardrail that is picked without a rule gets the metric's direction and margin, where it has one.

    Args:
        fields: of `Experiment`, some of them.
        experiment: the stored one; its versions may stay.

    Raises:
        Refused: a metric that doesn't exist or can't be picked, or two versions of one metric.
    """
    stored = _stored(experiment)
    versions: dict[str, MetricVersion] = {}

    def plain(text: str) -> str:
        version = picked(text, [row.version_id for row in stored])
        if version is None:
            return written_out(text)
        own = next((row.definition for row in stored if row.version_id == version.pk), version.facts.line)
        versions[own] = version
        return own

    values = dict(fields)
    for name in LISTS:
        if name in values:
            values[name] = list(dict.fromkeys(plain(text) for text in values[name]))
    guards = set(versions) & set(values.get(GUARDRAILS, ()))
    if RULES in values or guards:
        before = values.get(RULES, experiment.guardrail_rules if experiment is not None else {})
        rules = {plain(text): rule for text, rule in before.items()}
        for text in values.get(GUARDRAILS, ()):
            facts = versions[text].facts if text in guards else None
            if facts is not None and facts.margin is not None:
                rules.setdefault(text, {"direction": facts.direction, "margin": facts.margin})
        values[RULES] = rules
    keys = [version.metric_id for version in versions.values()]
    if len(set(keys)) < len(keys):
        raise Refused("A plan has one version of a metric, not two.")
    return TakenOver(values, versions)


def is_news(experiment: Experiment, versions: Mapping[str, MetricVersion]) -> bool:
    """Whether the plan gets a new choice: the same definition may have been entered by hand before."""
    stored = {(row.definition, row.version_id) for row in _stored(experiment)}
    return any((text, version.pk) not in stored for text, version in versions.items())


def keep_choices(experiment: Experiment, versions: Mapping[str, MetricVersion]) -> None:
    """Store the catalogue versions of a saved plan's outcomes; delete rows of outcomes that were removed."""
    texts = {text for name in LISTS for text in getattr(experiment, name)}
    chosen = set(versions) & texts
    rows = ChosenMetric.objects.filter(experiment=experiment)
    rows.exclude(definition__in=texts).delete()
    rows.filter(definition__in=chosen).exclude(version__in=[versions[text] for text in chosen]).delete()
    frozen_at = None if experiment.started_at is None else timezone.now()
    for text in sorted(chosen):
        rows.get_or_create(
            experiment=experiment, version=versions[text], defaults={"definition": text, "frozen_at": frozen_at}
        )


def copy_choices(before: Experiment, after: Experiment) -> None:
    """Copy the catalogue versions of a plan's outcomes to its clone."""
    keep_choices(after, {row.definition: row.version for row in _stored(before)})


def freeze_choices(experiment: Experiment, caps: Mapping[str, str]) -> None:
    """At the start: replace caps by measured numbers; definitions are immutable from then on.

    Raises:
        Refused: a metric was deprecated since it was picked.
    """
    for row in _stored(experiment):
        metric = row.version.metric
        if metric.is_deprecated:
            raise Refused("The metric '{key}' is deprecated: choose another one.", key=metric.key)
        row.definition = caps.get(row.definition, row.definition)
        row.frozen_at = timezone.now()
        row.save(update_fields=["definition", "frozen_at"])


def with_references(texts: Iterable[str], experiment: Experiment) -> list[str]:
    """The outcomes of a plan for a form: those from the catalogue as `metric:KEY`."""
    named = {row.definition: reference_to(row.version) for row in _stored(experiment)}
    return [named.get(text, text) for text in texts]


def chosen_of(experiment: Experiment) -> dict[str, MetricVersion]:
    """The catalogue versions in a plan, by definition."""
    return {row.definition: row.version for row in _stored(experiment)}


def _stored(experiment: Experiment | None) -> list[ChosenMetric]:
    if experiment is None or experiment.pk is None:
        return []
    return list(ChosenMetric.objects.filter(experiment=experiment).select_related("version__metric"))


# Uncertified SQL metrics of a draft, which prevent its start. Started experiments aren't affected.

SHOWN = 60  # characters shown of a SELECT without a name


def uncertified_sql(experiment: Experiment) -> tuple[tuple[str, str, str], ...]:
    """The SQL metrics of a plan without a certified version that may still be picked.

    Returns:
        For each the text in the plan, its name, and the address of the page to certify it.
    """
    texts = dict.fromkeys(text for name in LISTS for text in getattr(experiment, name))
    wanted = {text: line for text in texts if (line := _sql_line(text))}
    if not wanted:
        return ()
    rows = MetricVersion.objects.filter(definition__contains="sql:").select_related("metric").order_by("pk")
    versions = {**{version.facts.line: version for version in rows}, **chosen_of(experiment)}
    certified = {line for version in rows if _is_certified(version) for line in [version.facts.line]}
    certified |= {text for text, version in chosen_of(experiment).items() if _is_certified(version)}
    return tuple(
        (text, *_name_and_place(line, versions.get(text) or versions.get(line)))
        for text, line in wanted.items()
        if not {text, line} & certified
    )


def _sql_line(text: str) -> str:
    """An SQL metric in the catalogue's notation; "" for every other metric."""
    try:
        metric = parse_metric(text)
    except Refused:  # reported by the plan's mistakes
        return ""
    parts = (metric.numerator, metric.denominator) if isinstance(metric, Ratio) else (metric,)
    return str(metric) if any(isinstance(getattr(part, "of", part), Expression) for part in parts) else ""


def _is_certified(version: MetricVersion) -> bool:
    return version.certified_at is not None and version.metric.status != Metric.Status.DEPRECATED


def _name_and_place(line: str, version: MetricVersion | None) -> tuple[str, str]:
    if version is None:
        return Truncator(line).chars(SHOWN), reverse("events:new_metric")
    return version.metric.title, reverse("events:metric", args=[version.metric.key])


# Words for outcomes from the catalogue: their version, and whether the metric has changed since.


def chosen_sentences(experiment: Experiment) -> list[str]:
    """One text per outcome: "Revenue, version 2 (certified)", and whether a newer version exists."""
    sentences = []
    for version in chosen_of(experiment).values():
        since = since_words(version)
        sentences.append(f"{version_words(version)}. {since}" if since else version_words(version))
    return sentences
