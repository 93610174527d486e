"""Copy metrics from the catalogue into a plan: definition, guardrail rule, and a row with the source."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from events.metric_catalogue.references import picked, reference_to
from events.models import MetricVersion
from experiments.models import ChosenMetric, Experiment
from runs.refusals import Refused

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
    found: dict[str, MetricVersion] = {}

    def plain(text: str) -> str:
        version = picked(text, [one.version_id for one in stored])
        if version is None:
            return text
        own = next((one.definition for one in stored if one.version_id == version.pk), version.facts.line)
        found[own] = version
        return own

    values = dict(fields)
    for name in LISTS:
        if name in values:
            values[name] = list(dict.fromkeys(plain(text) for text in values[name]))
    guards = set(found) & set(values.get(GUARDRAILS, ()))
    if RULES in values or guards:
        before = values.get(RULES, experiment.guardrail_rules if experiment is not None else {})
        rules = {plain(text): rule for text, rule in before.items()}
        for text in values.get(GUARDRAILS, ()):
            facts = found[text].facts if text in guards else None
            if facts is not None and facts.margin is not None:
                rules.setdefault(text, {"direction": facts.direction, "margin": facts.margin})
        values[RULES] = rules
    keys = [version.metric_id for version in found.values()]
    if len(set(keys)) < len(keys):
        raise Refused("A plan has one version of a metric, not two.")
    return TakenOver(values, found)


def is_news(experiment: Experiment, versions: Mapping[str, MetricVersion]) -> bool:
    """Whether the plan gets a new choice: the same definition may have been entered by hand before."""
    stored = {(one.definition, one.version_id) for one in _stored(experiment)}
    return any((text, version.pk) not in stored for text, version in versions.items())


def keep_choices(experiment: Experiment, versions: Mapping[str, MetricVersion]) -> None:
    """Store the catalogue versions of a saved plan's outcomes; delete rows of outcomes that were removed."""
    texts = {text for name in LISTS for text in getattr(experiment, name)}
    kept = set(versions) & texts
    rows = ChosenMetric.objects.filter(experiment=experiment)
    rows.exclude(definition__in=texts).delete()
    rows.filter(definition__in=kept).exclude(version__in=[versions[text] for text in kept]).delete()
    frozen_at = None if experiment.started_at is None else timezone.now()
    for text in sorted(kept):
        rows.get_or_create(
            experiment=experiment, version=versions[text], defaults={"definition": text, "frozen_at": frozen_at}
        )


def copy_choices(before: Experiment, after: Experiment) -> None:
    """Copy the catalogue versions of a plan's outcomes to its clone."""
    keep_choices(after, {one.definition: one.version for one in _stored(before)})


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
    named = {one.definition: reference_to(one.version) for one in _stored(experiment)}
    return [named.get(text, text) for text in texts]


def chosen_of(experiment: Experiment) -> dict[str, MetricVersion]:
    """The catalogue versions in a plan, by definition."""
    return {one.definition: one.version for one in _stored(experiment)}


def _stored(experiment: Experiment | None) -> list[ChosenMetric]:
    if experiment is None or experiment.pk is None:
        return []
    return list(ChosenMetric.objects.filter(experiment=experiment).select_related("version__metric"))
