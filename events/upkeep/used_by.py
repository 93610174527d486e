"""Running things that use a thing, so that it can't be archived: apps list functions (`thing_uses` in `apps.py`)."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Model
from django.utils.module_loading import import_string

from events.upkeep.thing_kinds import kind_of


@dataclass(frozen=True)
class UsedBy:
    """Something that runs now and needs a thing.

    Attributes:
        kind: of the thing that is used, as `ThingKind.slug`.
        key: the thing's key, or its number as text where it has none.
        by: what uses it, as a sentence names it.
    """

    kind: str
    key: str
    by: str


def all_uses() -> Iterator[UsedBy]:
    """The uses reported by all apps."""
    for app in apps.get_app_configs():
        for name in getattr(app, "thing_uses", ()):
            yield from import_string(name)()


def live_uses(thing: Model) -> list[str]:
    """Names of what is running and uses a thing."""
    kind, key = kind_of(thing).slug, key_of(thing)
    return [use.by for use in all_uses() if (use.kind, use.key) == (kind, key)]


def key_of(thing: Model) -> str:
    """The key under which uses refer to a thing."""
    return str(getattr(thing, "key", thing.pk))
