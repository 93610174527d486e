"""The sources of events that may show an experiment: which a site has, and whether a plan names them rightly."""

from collections.abc import Sequence

from events.models import Source
from runs.refusals import Refused


def only_source() -> list[int]:
    """The one source of a site that has one, else none: of several a person must say which show the experiment."""
    found = list(Source.objects.values_list("pk", flat=True)[:2])
    return found if len(found) == 1 else []


def check_sources(numbers: Sequence[int]) -> list[int]:
    """Numbers of sources, each once and in order.

    Raises:
        Refused: for a number that no source has.
    """
    known = set(Source.objects.filter(pk__in=numbers).values_list("pk", flat=True))
    strange = sorted(set(numbers) - known)
    if strange:
        raise Refused("There is no source {number}.", number=strange[0])
    return sorted(known)
