"""Uncertified SQL metrics of a draft, which prevent its start. Started experiments aren't affected."""

from django.urls import reverse
from django.utils.text import Truncator

from events.metrics import Expression, Ratio, parse_metric
from events.models import Metric, MetricVersion
from experiments.metric_choice.taking_over import LISTS, chosen_of
from experiments.models import Experiment
from runs.refusals import Refused

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
    versions = {**{one.facts.line: one for one in rows}, **chosen_of(experiment)}
    certified = {line for one in rows if _is_certified(one) for line in [one.facts.line]}
    certified |= {text for text, one in chosen_of(experiment).items() if _is_certified(one)}
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
