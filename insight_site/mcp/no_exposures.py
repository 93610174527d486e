"""Keeps tools from counting exposures, also through a stored metric or segment: see events.metrics.exposures."""

from typing import Any

from events.metric_catalogue.references import named_version
from events.metrics import exposures
from insight_site.mcp.agent_caller import ToolRefusal
from runs.refusals import Refused
from segments.published.members import find_segment


def refuse_exposures(*given: Any) -> None:
    """Refuse definitions that count exposures, also by way of a metric of the catalogue or of a segment.

    Args:
        given: texts, or lists and objects of them, that define behaviours, outcomes, start events or segments.

    Raises:
        ToolRefusal: one of them does.
    """
    versions = [named_version(text) for text in exposures.texts_in(given)]
    try:
        exposures.refuse_exposures(given, [version.facts.line for version in versions if version is not None])
    except Refused as refusal:
        raise ToolRefusal("counts_exposures", refusal.sentence) from None


def refuse_exposures_of_segments(*slugs: str | None) -> None:
    """Refuse a segment whose rule counts exposures.

    Raises:
        ToolRefusal: one of them does.
    """
    for slug in filter(None, slugs):
        found = find_segment(slug)
        if found is not None:
            refuse_exposures(found.version.rule)
