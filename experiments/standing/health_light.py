"""Health of an experiment: a light and a sentence."""

from django.utils.translation import gettext as _

from experiments.analyse.findings import Finding, Severity
from experiments.analyse.health.split import SAMPLE_RATIO_UNITS
from experiments.report.health import finding_sentence
from experiments.standing.overview import Concern, Light, Progress
from reporting.numbers import p_relation


def health(standing: Progress) -> dict[str, str]:
    """The light with its word and its sentence."""
    return {**_light(standing), "word": light_word(standing)}


def light_word(standing: Progress) -> str:
    """The light in a word, so that colour is never the only signal."""
    too_early = _("Too early: tested from {n} users on").format(n=SAMPLE_RATIO_UNITS)
    none = too_early if standing.assigned or standing.exposed else _("No data yet")
    words = {Light.GOOD: _("Healthy"), Light.WATCH: _("Watch"), Light.BAD: _("Problem"), Light.NONE: none}
    return words[standing.light]


def _light(standing: Progress) -> dict[str, str]:
    if standing.concerns:
        return {"light": standing.light.value, "sentence": " ".join(concern_words(one) for one in standing.concerns)}
    if standing.light is Light.GOOD:
        return {"light": "good", "sentence": _("Nothing speaks against it so far.")}
    if standing.assigned or standing.exposed:
        said = _("{exposed} of {n} users exposed so far.").format(exposed=standing.exposed, n=SAMPLE_RATIO_UNITS)
        return {"light": "none", "sentence": said}
    return {"light": "none", "sentence": _("Nobody was assigned yet.")}


def concern_words(concern: Concern) -> str:
    """A sentence for each concern code of `overview`."""
    match concern.code:
        case "nobody_exposed":
            return _(
                "It has run for more than a day, and nobody was shown a variant. Does the service ask for the flag?"
            )
        case "sample_ratio":
            text = _(
                "The split of the exposed users is not the planned one (p {p}): find out why before you read an effect."
            )
            return text.format(p=p_relation(concern.details["p"]))
        case "finding":
            return finding_sentence(Finding(concern.details["check"], Severity.WARNING, concern.details["figures"]))
        case "past_end":
            return _("The planned end has gone by: stop it and read the verdict.")
        case "paused":
            return _("It is paused: everybody gets the value outside the experiment.")
    raise ValueError(concern.code)
