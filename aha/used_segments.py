"""Segments in use by studies."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from aha.models import Study
from events.upkeep.used_by import UsedBy
from segments.models import Segment


def segments_of_studies() -> Iterator[UsedBy]:
    """Each open study whose inputs, which never change, name a segment or a segment model."""
    states = (Study.Status.QUEUED, Study.Status.RUNNING)
    studies = Study.objects.light().filter(archived_at=None, status__in=states)
    asked = [study for study in studies if study.inputs.get("segment")]
    names = {study.inputs["segment"] for study in asked}
    models: dict[str, set[str]] = {}
    for key, model in Segment.objects.filter(key__in=names).values_list("key", "version__model__key"):
        models.setdefault(key, set()).add(model)
    for study in asked:
        name = study.inputs["segment"]
        by = _("study “{name}”").format(name=study)
        for model in models.get(name, set()) | {name}:
            yield UsedBy("segment", model, by)
