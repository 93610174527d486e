"""`{% absent text %}`: a number, or "n/a" with its reason. `{% moment_of moments row as m %}`: its AHA moment.

`{% moment_badge moment as badge %}`: the text of the moment's badge.
"""

import secrets
from typing import TYPE_CHECKING, Any

from django import template
from django.template.loader import render_to_string

from aha.models import AhaMoment
from reporting.numbers import Absent

if TYPE_CHECKING:
    from aha.moments.badges import Badge

register = template.Library()


@register.simple_tag(takes_context=True)
def absent(context: template.Context, text: str) -> str:
    """The number unchanged; a reason in its place becomes "n/a" that opens to show it."""
    if not isinstance(text, Absent) or context.get("standalone"):
        return text
    return render_to_string("components/absent.html", {"reason": text, "id": f"why-{secrets.token_hex(4)}"})


@register.simple_tag
def moment_badge(moment: AhaMoment) -> "Badge":
    """The moment's state, or that its experiments disagree."""
    from aha.moments.badges import badge  # imports scipy and the store: not at start

    return badge(moment)


@register.simple_tag
def moment_of(moments: dict[Any, Any], row: Any) -> Any:
    """The moment that was promoted from this candidate; None if it wasn't."""
    one = row.candidate
    return moments.get((one.behaviour, one.times, one.days)) if moments else None
