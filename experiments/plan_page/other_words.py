"""Other behaviours of a plan in words: how large the effect of each may be, where that comes from, and consequences."""

from django.utils.translation import gettext as _

from events.metrics import display_name
from experiments.models import Experiment
from experiments.plan.fields import Origin
from experiments.plan.record import PlannedOther
from experiments.report.names import is_share
from reporting.numbers import between, decimal
from reporting.words import times_words


def origin_words(origin: str) -> str:
    """Where the limits of an effect come from; "" for an unknown origin."""
    words = {
        Origin.EXPERIMENTS: _("from experiments on it"),
        Origin.PROMISE: _("from the latest study: those who do it against the others, adjusted for all that is known"),
        Origin.COHORT: _("from earlier users: those who do it against the others, not adjusted"),
        Origin.PERSON: _("entered by hand"),
    }
    return words.get(Origin(origin), "") if origin in set(Origin) else ""


def limits_words(other: PlannedOther, *, share: bool) -> str:
    """How large its effect may be: of a share in users of 100 who do it."""
    if not share:
        text = _("changes the outcome of those who do it by between {low} and {high}")
        return text.format(low=f"{other.low:.4g}", high=f"{other.high:.4g}")
    keeps, loses = (_of_hundred(end) for end in (other.high, -other.low))
    if other.low == 0:
        return _("keeps at most {keeps} of 100 who do it").format(keeps=keeps)
    if other.high == 0:
        return _("loses at most {loses} of 100 who do it").format(loses=loses)
    text = _("keeps at most {keeps} and loses at most {loses} of 100 who do it")
    return text.format(keeps=keeps, loses=loses)


def _of_hundred(share: float) -> str:
    whole = round(100 * share, 1)
    return decimal(whole, 0 if whole.is_integer() else 1)


def other_words(other: PlannedOther, *, share: bool) -> tuple[str, str]:
    """One other behaviour: its name, and how large its effect may be or why it is a consequence."""
    name = _name(other)
    if other.consequence:
        text = _("a consequence of the behaviour under test, because: {reason}. It takes nothing off.")
        return name, text.format(reason=other.consequence.rstrip(" ."))
    return name, f"{limits_words(other, share=share)} ({origin_words(other.origin)})"


def short_words(other: PlannedOther) -> str:
    """The same in the plan's own numbers, where the outcome isn't known."""
    return f"{_name(other)} ({between(f'{other.low:.4g}', f'{other.high:.4g}')})"


def _name(other: PlannedOther) -> str:
    times = times_words(other.times)
    return _("{behaviour}, {times} or more").format(behaviour=display_name(other.behaviour), times=times)


def others_of(row: Experiment) -> list[tuple[str, str]]:
    """Name and words of each other behaviour of a plan, in its order."""
    share = not row.primary_metrics or is_share(row.primary_metrics[0])
    return [other_words(PlannedOther(**stored), share=share) for stored in row.other_behaviours]


def none_words(row: Experiment) -> str:
    """What an empty list means, before the start and after it."""
    if row.started_at is not None:
        return _("Other behaviours were not measured.")
    return _("None is measured: what else the nudge moves stays unknown.")


def aim_words(behaviour: str, times: int) -> str:
    """A behaviour that a nudge leads to: its name, with the number of times above once."""
    name = display_name(behaviour)
    return name if times == 1 else f"{name} ≥ {times}"
