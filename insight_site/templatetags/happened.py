"""`{% happened dates own %}…{% endhappened %}`: marks of what happened on the curves inside, and their list below."""

from typing import Any

from django import template
from django.template import Context
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from events.calendar.happened import marks
from reporting.date_marks import MOST, marked

PERMISSION = "events.view_calendarentry"
register = template.Library()


@register.tag
def happened(parser: Parser, token: Token) -> "Happened":
    """Puts the calendar's entries upon the curves inside, for readers who may see the calendar.

    Arguments: the `reporting.date_marks.DateAxis` of the curves, and, where the curve is about one of the calendar's
    own things, the addresses of those, which aren't marked. In a file that leaves the site nothing is marked.
    """
    words = token.split_contents()[1:]
    if len(words) not in (1, 2):
        raise template.TemplateSyntaxError("happened takes the dates, and the addresses of the curve's own things")
    inside = parser.parse(("endhappened",))
    parser.delete_first_token()
    return Happened(inside, *map(parser.compile_filter, words))


class Happened(template.Node):
    """The block and its arguments."""

    def __init__(self, nodelist: NodeList, dates: FilterExpression, own: FilterExpression | None = None) -> None:
        self.nodelist, self.dates, self.own = nodelist, dates, own

    def render(self, context: Context) -> Any:
        """The block's markup with its marks, and the list below it."""
        content = self.nodelist.render(context)
        request: Any = context.get("request")
        axis = self.dates.resolve(context)
        if not axis or not axis.ends or request is None or context.get("standalone"):
            return content
        if not request.user.has_perm(PERMISSION):
            return content
        own = self.own.resolve(context) if self.own else None
        everything = marks(*axis.ends, without=own or ())
        shown = everything[:MOST]
        if not shown:
            return content
        # `marked` escapes titles; the rest was safe when it was rendered.
        drawn = mark_safe(marked(content, axis, shown))  # noqa: S308
        rows = sorted(shown, key=lambda mark: (mark.first, mark.title))
        listed = {"marks": rows, "shown": len(rows), "all": len(everything), "request": request}
        return drawn + render_to_string("components/happened.html", listed)
