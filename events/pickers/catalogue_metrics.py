"""Autocomplete for metrics of the catalogue. Registered in `events.apps`."""

from collections.abc import Callable, Iterator

from events.catalogue.references import definition_sentence, named_version, state_words, version_words
from events.metrics import Retention, is_share
from events.models import Metric, MetricVersion
from events.pickers.definition_parts import margin_as_typed, row_facts
from events.pickers.sources import MOST, Choice
from runs.refusals import Refused


def metrics(typed: str, _of: str) -> list[Choice]:
    """Metrics that may be picked, certified ones first, with the typed text in key, names, tags or words."""
    return list(_choices(typed, lambda _version: True))


def retentions(typed: str, _of: str) -> list[Choice]:
    """The same, for retention metrics only."""
    return list(_choices(typed, _is_retention))


def title_and_note(text: str) -> tuple[str, str] | None:
    """Name and definition of the metric that a text refers to, for a chip; None for other texts and unknown metrics."""
    version = named_version(text)
    return None if version is None else (version_words(version), definition_sentence(version.facts))


def _choices(typed: str, fits: Callable[[MetricVersion], bool]) -> Iterator[Choice]:
    wanted = typed.strip().removeprefix("metric:").partition("@")[0].casefold()
    rows = Metric.objects.exclude(status=Metric.Status.DEPRECATED).prefetch_related("versions__metric")
    number = 0
    for row in sorted(rows, key=lambda row: (row.status != Metric.Status.CERTIFIED, row.title.casefold())):
        version = row.current
        text = " ".join([row.key, row.name_en, row.name_ko, row.description, row.tags]).casefold()
        if wanted not in text or not fits(version):
            continue
        number += 1
        if number > MOST:
            return
        note = f"{state_words(version)} · {definition_sentence(version.facts).rstrip('.')}"
        yield Choice(f"metric:{row.key}", row.title, note, fills=catalogue_facts(version))


def catalogue_facts(version: MetricVersion) -> dict[str, str]:
    """What a row shows of a metric of the catalogue: no days, which its version fixes, and its rule as a guardrail."""
    try:
        definition = version.facts.read()
    except Refused:
        return {}
    facts = {**row_facts(definition, version.metric.unit), "first": "", "last": ""}
    if version.margin is None:
        return facts
    return {
        **facts,
        "direction": version.direction,
        "margin": margin_as_typed(version.margin, share=is_share(definition)),
    }


def _is_retention(version: MetricVersion) -> bool:
    try:
        return isinstance(version.facts.read(), Retention)
    except Refused:
        return False
