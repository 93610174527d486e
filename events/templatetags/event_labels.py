"""Display names of events and properties: `{{ event|event_label }}`, `{% property_label event property %}`."""

from django import template
from django.urls import reverse
from django.utils.http import urlencode

from events.catalogue import labels
from events.metrics import Behaviour

register = template.Library()


@register.simple_tag
def address(route: str, **query: str | int) -> str:
    """A page's URL with a query string: event names may contain anything, so they never stand in the path."""
    return f"{reverse(route)}?{urlencode(query)}"


@register.filter
def event_label(event: str) -> str:
    """The event's display name, or its name as sent."""
    return labels.label(str(event))


@register.simple_tag
def property_label(event: str, name: str) -> str:
    """The display name of one of the event's properties, or its name as sent."""
    return labels.label(str(event), str(name))


@register.filter
def event_description(event: str) -> str:
    """The event's description, or nothing."""
    return labels.description(str(event))


@register.simple_tag
def property_description(event: str, name: str) -> str:
    """The description of one of the event's properties, or nothing."""
    return labels.description(str(event), str(name))


@register.simple_tag
def behaviour_query(event: str, signup: str) -> str:
    """The query string that opens Explore with an event, escaped as in a behaviour."""
    return urlencode({"behaviour": str(Behaviour(event)), "signup_event": signup})


@register.filter
def unlocalized(value: float) -> str:
    """A number for an HTML attribute: with a decimal point, whatever the language."""
    return f"{value:.4g}"
