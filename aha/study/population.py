"""Restrict a study to a published segment, or compare all segments of a model; and which segments studies use."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from aha.models import Study
from aha.study.question import Inputs
from events.upkeep.archive import UsedBy
from reporting.words import say
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from segments.rules import needs, parse_rule


@dataclass(frozen=True)
class Restriction:
    """The units of a study.

    Attributes:
        members: segment name by unit; None for everybody.
        compare: True when the segments are compared, False when one segment is the whole population.
        label: the segment or model that was chosen, with its version.
    """

    members: Mapping[str, str] | None = None
    compare: bool = False
    label: str = ""


def restriction_of(inputs: Inputs) -> Restriction:
    """Look up the segment that the inputs name.

    Raises:
        Refused: it isn't published, its key isn't unique, or it depends on events of the days on which retention is
            measured: the population would then be selected by the outcome.
    """
    if inputs.segment is None:
        return Restriction()
    version, segments = segments_named(inputs.segment)
    _check_days(version, inputs)
    names = {segment.pk: str(segment) for segment in segments}
    rows = Membership.objects.filter(version=version, segment__in=names).values_list("unit", "segment_id")
    members = {str(unit): names[int(pk or 0)] for unit, pk in rows.iterator()}
    return Restriction(members, compare=version.model.key == inputs.segment, label=str(version))


def segments_named(key: str) -> tuple[SegmentVersion, list[Segment]]:
    """The segments with this key: all those of a model's current version, or one published segment.

    Raises:
        Refused: it isn't published, or the key isn't unique.
    """
    model = SegmentModel.objects.filter(key=key).first()
    if model is None:
        segment = _segment(key)
        return segment.version, [segment]
    version = model.current
    if version is None:
        raise Refused("{key} has no published version.", key=key, at="segment")
    return version, list(version.segments.light())


def _segment(key: str) -> Segment:
    current = SegmentVersion.objects.current()
    segments = list(Segment.objects.light("version__model").filter(key=key, version__in=current))
    if len(segments) == 1:
        return segments[0]
    if segments:
        models = ", ".join(sorted(row.version.model.key for row in segments))
        text = say("{key} is a segment of several models ({models}); name a model instead.", key=key, models=models)
        raise Refused(text, at="segment")
    raise Refused("no published segment or segment model has the key {key}.", key=key, at="segment")


def _check_days(version: SegmentVersion, inputs: Inputs) -> None:
    """Raise Refused unless the segments depend only on days before retention is measured."""
    first = inputs.window.start_day
    last = last_day_of(version)
    if last is None:
        raise Refused(
            "{version} also uses what users do after day {first}, when retention is measured.",
            at="segment",
            version=version,
            first=first,
        )
    if last >= first:
        raise Refused(
            "{version} was formed by what users did up to day {last}, and retention is measured from day {first} on; "
            "the outcome would choose its own population.",
            at="segment",
            version=version,
            last=last,
            first=first,
        )


def last_day_of(version: SegmentVersion) -> int | None:
    """The last day of a unit's life that affects its segment; -1 for traits only, None for unlimited."""
    if version.origin is not None:
        day: int | None = version.origin["last_day"]
        return day
    if version.rule is None:
        last = version.inputs.get("last_day")
        return last if isinstance(last, int) else None
    subjects = needs(parse_rule(version.rule))
    if subjects.features or subjects.recent:  # they are counted up to the data's end
        return None
    return max((count.days - 1 for count in subjects.behaviours), default=-1)


# Segments in use by studies.


def segments_of_studies() -> Iterator[UsedBy]:
    """Each open study whose inputs, which never change, name a segment or a segment model."""
    studies = Study.objects.light().filter(archived_at=None, status__in=Study.OPEN)
    with_segment = [study for study in studies if study.inputs.get("segment")]
    names = {study.inputs["segment"] for study in with_segment}
    models: dict[str, set[str]] = {}
    for key, model in Segment.objects.filter(key__in=names).values_list("key", "version__model__key"):
        models.setdefault(key, set()).add(model)
    for study in with_segment:
        name = study.inputs["segment"]
        by = _("study “{name}”").format(name=study)
        for model in models.get(name, set()) | {name}:
            yield UsedBy("segment", model, by)
