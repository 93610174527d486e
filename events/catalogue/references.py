"""`metric:KEY` and `metric:KEY@2` in plans and studies: which version is meant, and what lists say of it."""

from collections.abc import Collection

from django.db.models import F
from django.utils import translation
from django.utils.translation import gettext as _

from events.metrics.facts import HIGHER, Facts, reference
from events.metrics.sentences import sentence
from events.models import Metric, MetricVersion
from reporting.numbers import percent, significant
from runs.refusals import Refused

# Resolve `metric:KEY` and `metric:KEY@2` in plans and studies to a version, and check that it may be picked.


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


# Texts about a metric for pages and lists: its state, version, definition and values.

LANGUAGES = ("en", "ko")


def state_words(version: MetricVersion) -> str:
    """A version's state: certified or not, and whether its metric is deprecated."""
    if version.metric.is_deprecated:
        return str(Metric.Status.DEPRECATED.label)
    certified = version.certified_at is not None
    return str(Metric.Status.CERTIFIED.label if certified else Metric.Status.DRAFT.label)


def version_words(version: MetricVersion) -> str:
    """The metric, its version and state: "Revenue, version 2 (certified)"."""
    text = _("{metric}, version {number} ({state})")
    return text.format(metric=version.metric.title, number=version.number, state=state_words(version))


def since_words(version: MetricVersion) -> str:
    """What has changed about the metric since this version was picked; "" while it is the newest one."""
    metric = version.metric
    if metric.is_deprecated:
        return _("The metric is deprecated: it can't be picked anew, and what runs goes on with it.")
    if metric.version == version.number:
        return ""
    text = _("Version {newest} is newer ({state}); this plan stays with version {number}.")
    return text.format(newest=metric.version, state=metric.get_status_display(), number=version.number)


def definition_sentences(facts: Facts) -> list[tuple[str, str]]:
    """Language and sentence, in both languages, the reader's own first: certifying requires reading both."""
    sentences = []
    own = (translation.get_language() or "en").split("-")[0]
    for language in sorted(LANGUAGES, key=lambda code: code != own):
        with translation.override(language):
            sentences.append((language, definition_sentence(facts)))
    return sentences


def definition_sentence(facts: Facts) -> str:
    """The definition with its cap as a sentence; its plain text if this version of Insight can't read it."""
    try:
        return sentence(facts.read())
    except Refused:
        return facts.definition


def direction_words(direction: str) -> str:
    """Which way is better."""
    return str(dict(MetricVersion.Direction.choices)[direction])


def margin_words(facts: Facts, unit: str) -> str:
    """The margin as a guardrail; of a share in points."""
    if facts.margin is None:
        return _("none: as a guardrail it can only warn")
    lost = (
        _("a fall of {margin} or more is harm")
        if facts.direction == HIGHER
        else _("a rise of {margin} or more is harm")
    )
    return lost.format(margin=f"{facts.margin:g} {unit}".strip())


def value_words(value: float, *, is_share: bool, unit: str) -> str:
    """A value of the metric with its unit."""
    return percent(value) if is_share else f"{significant(value)} {unit}".strip()
