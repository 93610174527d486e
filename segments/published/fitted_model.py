"""The fitted model of a version, for services that place or compare units by it."""

from runs.payloads import Unreadable
from runs.refusals import Refused
from segments.models import SegmentVersion
from segments.search.payload_versions import FITTED
from segments.search.placement import FittedModel


def fitted_of(version: SegmentVersion) -> FittedModel | None:
    """The model that places units in a version's segments; None for a rule.

    Raises:
        Refused: the stored model can't be parsed.
    """
    found = FITTED.read(version.fitted) if version.fitted else None
    if isinstance(found, Unreadable):
        raise Refused(found.sentence())
    return found
