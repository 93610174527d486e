"""Names of events and properties on pages: `{{ event|event_label }}`, `{% property_label event property %}`."""

from django import template

from events.catalogue import labels

register = template.Library()


@register.filter
def event_label(event: str) -> str:
    """The event's display name, or its own."""
    return labels.label(str(event))


@register.simple_tag
def property_label(event: str, name: str) -> str:
    """The display name of one of the event's properties, or its own."""
    return labels.label(str(event), str(name))
