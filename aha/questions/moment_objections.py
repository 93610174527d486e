"""What would make a hand-written moment worthless: days that reach into retention, a claim that is there already."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _

from aha.moments.promote import equal_moment
from aha.questions.defaults import last_days
from aha.questions.objections import Objection
from events.metrics import Survival, parse_retention
from events.pickers.mends import Mend, Mendable
from reporting.counted import days_words


def moment_objections(
    *, behaviour: str, times: int, days: int, signup_event: str, retention: str
) -> Iterator[Objection]:
    """Field and error for everything that speaks against the claim."""
    definition = parse_retention(retention)
    most = last_days(definition)
    if not isinstance(definition, Survival) and days > most:
        fields = {"first": definition.window.start_day, "days": days_words(days)}
        text = _("Retention is measured from day %(first)s on, and %(days)s of behaviour reach into it.") % fields
        use = Mend(str(most), _("Use %(days)s") % {"days": days_words(most)})
        yield "days", Mendable(text, *([use] if most else []))
    equal = equal_moment(behaviour=behaviour, times=times, days=days, signup_event=signup_event, retention=retention)
    if equal is not None:
        text = _("“%(name)s” says the same already.") % {"name": equal}
        yield "behaviour", Mendable(text, Mend("", _("Open it"), href=reverse("aha:moment", args=[equal.key])))
