"""Registry of the places where apps store personal data; `insight_site.privacy` uses it to erase and export.

Each app lists its own in `apps.py`. A field that may hold a unit's id and is in no list fails
`tests/insight_site/privacy/test_places.py`, so that nothing new is forgotten.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.apps import apps
from django.utils.functional import Promise

JSON, JSON_TEXT, PLAIN, BYTES = "json", "json text", "plain", "bytes"


@dataclass(frozen=True)
class UnitRows:
    """A table with one unit per row: erasing deletes the rows, exporting shows them.

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
    """Columns in which a unit's id may occur among other content: erasing replaces it with a placeholder.

    Attributes:
        model: "app.Model"; its history table is searched too.
        fields: the columns.
        title: what a row is, for people.
        kind: JSON for a JSON column, JSON_TEXT for JSON in a text, PLAIN for free text, BYTES.
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
        erase: dotted name of a function from ids to the number of files deleted; "" where another step does it.
        export: dotted name of a function from ids to rows, each a dict of JSON; "" when there is nothing separate to
            export.
    """

    name: str
    title: str | Promise
    erase: str = ""
    export: str = ""


type Place = UnitRows | UnitTexts | UnitFiles


def all_places() -> Iterator[Place]:
    """The `personal_data` lists of all installed apps."""
    for app in apps.get_app_configs():
        yield from getattr(app, "personal_data", ())


def without_units() -> Mapping[str, str]:
    """Models ("app.Model") and fields ("app.Model.field") that never hold the id of a unit, each with the reason."""
    return {name: why for app in apps.get_app_configs() for name, why in getattr(app, "without_units", {}).items()}
