"""Lines for pages that size a plan: what its adjustment saves."""

from typing import Any

from django.utils.translation import gettext

from experiments.plan.size import Suggestion
from reporting.numbers import between, count, decimal
from reporting.words import reason_words
from stats.results import NotComputable, computable


def saved_rows(found: Suggestion) -> list[tuple[str, str]]:
    """R2 with its interval and users, units and days saved; empty for a plan without an adjustment."""
    worth = found.inflow.explained
    if worth is None:
        return []
    if not computable(worth):
        return [(gettext("R² of the adjustment among earlier users"), reason_words(worth))]
    text = gettext("{r} ({interval}), judged by {judged} users after {learned} had taught it").format(
        r=decimal(worth.r_squared, 3),
        interval=between(decimal(worth.low, 3), decimal(worth.high, 3)),
        judged=count(worth.judged),
        learned=count(worth.learned),
    )
    return [
        (gettext("R² of the adjustment among earlier users"), text),
        (gettext("Units that it saves"), _say(found.units_saved)),
        (gettext("Days of enrolment that it saves"), _say(found.days_saved)),
    ]


def _say(value: Any) -> str:
    if value is None:
        return ""
    return reason_words(value) if isinstance(value, NotComputable) else count(value)
