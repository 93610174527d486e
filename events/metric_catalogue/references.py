"""Resolve `metric:KEY` and `metric:KEY@2` in plans and studies to a version, and check that it may be picked."""

from collections.abc import Collection

from django.db.models import F

from events.metrics.facts import reference
from events.models import MetricVersion
from runs.refusals import Refused


def picked(text: str, held: Collection[int] = ()) -> MetricVersion | None:
    """The version that a text refers to; None for a text that is itself a definition.

    Args:
        text: of a field.
        held: ids of versions that the plan has already: they stay allowed, whatever the metric's state.

    Raises:
        Refused: there is no such metric or version, it is deprecated, or a newer version has taken its place.
    """
    named = reference(text)
    if named is None:
        return None
    key, number = named
    version = named_version(text)
    if version is None and number is not None:
        raise Refused("There is no version {number} of a metric '{key}' in the catalogue.", key=key, number=number)
    if version is None:
        raise Refused("There is no metric '{key}' in the catalogue.", key=key)
    if version.pk in held:
        return version
    if version.metric.is_deprecated:
        raise Refused("The metric '{key}' is deprecated: choose another one.", key=key)
    if version.number != version.metric.version:
        raise Refused(
            "Version {number} of the metric '{key}' is an old one: choose version {newest}.",
            key=key,
            number=number,
            newest=version.metric.version,
        )
    return version


def named_version(text: str) -> MetricVersion | None:
    """The version that a text refers to, whether it may be picked or not; None for none."""
    named = reference(text)
    if named is None:
        return None
    key, number = named
    versions = MetricVersion.objects.select_related("metric").filter(metric__key=key)
    return versions.filter(number=F("metric__version") if number is None else number).first()


def taken_line(text: str) -> tuple[str, MetricVersion | None]:
    """A definition as one line, and the version that it comes from; None for a text that is itself a definition.

    Raises:
        Refused: as `picked`.
    """
    version = picked(text)
    return (text, None) if version is None else (version.facts.line, version)


def is_known(text: str) -> bool:
    """True for a text that names a version of the catalogue, whatever its state."""
    return named_version(text) is not None


def reference_to(version: MetricVersion) -> str:
    """The text by which a field refers to a version."""
    return f"metric:{version.metric.key}@{version.number}"
