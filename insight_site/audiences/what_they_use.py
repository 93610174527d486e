"""The segments and moments that audiences use."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from events.upkeep.used_by import UsedBy
from insight_site.models.audiences import Audience


def things_of_audiences() -> Iterator[UsedBy]:
    """The rows that enabled audiences need: they can't be archived."""
    for audience in Audience.objects.filter(enabled=True).select_related("segment_model", "moment"):
        by = _("audience “{name}”").format(name=audience.name)
        if audience.segment_model is not None:
            yield UsedBy("segment", audience.segment_model.key, by)
        if audience.moment is not None:
            yield UsedBy("moment", audience.moment.key, by)
