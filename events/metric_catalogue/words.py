"""Texts about a metric for pages and lists: its state, version, definition and values."""

from django.utils import translation
from django.utils.translation import gettext as _

from events.metric_sentences import sentence
from events.metrics.facts import HIGHER, Facts
from events.models import Metric, MetricVersion
from reporting.numbers import percent, significant
from runs.refusals import Refused

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
    text = _("Version {newest} is newer ({state}); this plan keeps version {number}.")
    return text.format(newest=metric.version, state=metric.get_status_display(), number=version.number)


def definition_sentences(facts: Facts) -> list[tuple[str, str]]:
    """Language and sentence, in both languages, the reader's own first: certifying requires reading both."""
    found = []
    own = (translation.get_language() or "en").split("-")[0]
    for language in sorted(LANGUAGES, key=lambda one: one != own):
        with translation.override(language):
            found.append((language, definition_sentence(facts)))
    return found


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
        return _("none: as a guardrail it can raise an alarm, and never be cleared")
    lost = (
        _("a fall of {margin} or more is harm")
        if facts.direction == HIGHER
        else _("a rise of {margin} or more is harm")
    )
    return lost.format(margin=f"{facts.margin:g} {unit}".strip())


def value_words(value: float, *, is_share: bool, unit: str) -> str:
    """A value of the metric with its unit."""
    return percent(value) if is_share else f"{significant(value)} {unit}".strip()
