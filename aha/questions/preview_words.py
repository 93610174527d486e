"""A study's question and what it would do, in words."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from aha.questions.preview import StudyPreview
from aha.study.question import Inputs
from events.catalogue import labels
from events.metric_sentences import metric_words
from reporting.counted import days_words
from reporting.numbers import count
from runs.run_times import told_words

type Fact = tuple[str, str, str]


def asked_sentence(inputs: Inputs) -> str:
    """The question as somebody would ask it."""
    fields = {
        "days": days_words(max(inputs.days)),
        "retention": metric_words(inputs.retention),
        "event": labels.label(inputs.signup_event),
    }
    if inputs.signup_event == "*":
        return _("What do users do in their first %(days)s that goes with %(retention)s?") % fields
    return _("What do users do in the first %(days)s after %(event)s that goes with %(retention)s?") % fields


def facts(found: StudyPreview) -> list[Fact]:
    """Name, number and what it means."""
    about = _("about %(n)s") if found.rate.one_in > 1 else "%(n)s"
    rows = [(_("Users who count"), about % {"n": count(found.eligible)}, _dates(found))]
    if found.too_young:
        why = _("they signed up too recently: their retention isn't known yet")
        rows.append((_("Left out"), about % {"n": count(found.too_young)}, why))
    if found.outside:
        rows.append((_("Left out"), about % {"n": count(found.outside)}, _("outside the segment")))
    if found.without:
        why = _("they never did the start event: begin with any event to count them, too")
        rows.append((_("Left out"), count(found.without), why))
    unlisted = ""
    if found.unlisted:
        text = ngettext("%(n)s rarer event is not counted", "%(n)s rarer events are not counted", found.unlisted)
        unlisted = text % {"n": found.unlisted}
    rows.append((_("Behaviours"), count(found.behaviours), unlisted))
    rows.append((_("Combinations"), count(found.cells), _("behaviour × days × number of times")))
    rows.append((_("Takes"), *told_words(found.takes)))
    return rows


def _dates(found: StudyPreview) -> str:
    first, last = found.rate.first_signup, found.rate.last_signup
    if first is None or last is None:
        return ""
    return _("signed up from %(first)s to %(last)s") % {"first": first.isoformat(), "last": last.isoformat()}
