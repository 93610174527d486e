"""What an app keeps of a person: listed in its `apps.py`, walked by `insight_site.privacy` to erase and to export it.

A field that may hold the id of a unit and is in no list fails `tests/insight_site/privacy/test_places.py`, so that
nothing new is forgotten.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.apps import apps
from django.utils.functional import Promise

JSON, JSON_TEXT, PLAIN, BYTES = "json", "json text", "plain", "bytes"


@dataclass(frozen=True)
class UnitRows:
    """A table of which each row is about one unit: erasing deletes the rows, exporting shows them.

    Attributes:
        model: "app.Model".
        field: holds the unit's id.
        title: what a row is, for people.
        after: dotted name of a function to call when rows went, in the same transaction; "" for none.
    """

    model: str
    field: str
    title: str | Promise
    after: str = ""


@dataclass(frozen=True)
class UnitTexts:
    """Columns in which a unit's id may stand among other things: erasing puts a word in its place.

    Attributes:
        model: "app.Model"; its history is looked through too.
        fields: the columns.
        title: what a row is, for people.
        kind: JSON for a JSON column, JSON_TEXT for JSON in a text, PLAIN for what people and programs wrote, BYTES.
        drop: delete the whole row instead.
    """

    model: str
    fields: tuple[str, ...]
    title: str | Promise
    kind: str = JSON
    drop: bool = False


@dataclass(frozen=True)
class UnitFiles:
    """Files outside the database.

    Attributes:
        name: in receipts.
        title: what it is, for people.
        erase: dotted name of a function of ids to how many files went; "" where another step does it.
        export: dotted name of a function of ids to rows, each a dict of JSON; "" where there is nothing of one's own.
    """

    name: str
    title: str | Promise
    erase: str = ""
    export: str = ""


type Place = UnitRows | UnitTexts | UnitFiles


def all_places() -> Iterator[Place]:
    """The `personal_data` of every installed app."""
    for app in apps.get_app_configs():
        yield from getattr(app, "personal_data", ())


def without_units() -> Mapping[str, str]:
    """Models ("app.Model") and fields ("app.Model.field") that never hold the id of a unit, each with the reason."""
    return {name: why for app in apps.get_app_configs() for name, why in getattr(app, "without_units", {}).items()}
