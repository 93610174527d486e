"""Sources of events that may show an experiment: list and validate them."""

from collections.abc import Sequence

from events.models import Source
from runs.refusals import Refused


def only_source() -> list[int]:
    """The only source of a site that has one; with several, none: a person must choose."""
    found = list(Source.objects.values_list("pk", flat=True)[:2])
    return found if len(found) == 1 else []


def check_sources(numbers: Sequence[int]) -> list[int]:
    """The numbers of sources, sorted and without duplicates.

    Raises:
        Refused: for a number that no source has.
    """
    known = set(Source.objects.filter(pk__in=numbers).values_list("pk", flat=True))
    strange = sorted(set(numbers) - known)
    if strange:
        raise Refused("There is no source {number}.", number=strange[0])
    return sorted(known)
