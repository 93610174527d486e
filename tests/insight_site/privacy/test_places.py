"""No table and no column is forgotten: each is in the list of its app, or its app says why it holds no unit."""

from collections.abc import Iterator

from django.apps import apps
from django.db import models
from django.utils.module_loading import import_string

from insight_site.privacy.in_database import tables_of
from runs.personal_data import UnitFiles, UnitRows, all_places, without_units

MAY_HOLD = (models.CharField, models.TextField, models.JSONField, models.BinaryField)


def covered() -> set[tuple[type[models.Model], str]]:
    found: set[tuple[type[models.Model], str]] = set()
    for place in all_places():
        if isinstance(place, UnitFiles):
            continue
        names = (place.field,) if isinstance(place, UnitRows) else place.fields
        found |= {(model, name) for model in tables_of(place.model) for name in names}
    return found


def columns() -> Iterator[tuple[type[models.Model], str]]:
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            if isinstance(field, MAY_HOLD):
                yield model, field.name


def label_of(model: type[models.Model]) -> str:
    """Of a history the model itself."""
    return str(getattr(model, "instance_type", model)._meta.label)


def test_columns__each__is_listed_or_said_to_hold_no_unit() -> None:
    listed, said = covered(), without_units()
    unknown = [
        f"{label_of(model)}.{name}"
        for model, name in columns()
        if (model, name) not in listed
        and label_of(model) not in said
        and f"{label_of(model)}.{name}" not in said
        and not name.startswith("history_")
    ]

    assert unknown == [], "list them in personal_data or without_units of the app's apps.py"


def test_lists__name_only_what_there_is() -> None:
    for place in all_places():
        if isinstance(place, UnitFiles):
            assert all(callable(import_string(name)) for name in (place.erase, place.export) if name)
        else:
            names = (place.field,) if isinstance(place, UnitRows) else place.fields
            assert all(apps.get_model(place.model)._meta.get_field(name) for name in names)
    # A table whose rows are units' is said column by column: "the whole of it holds none" would hide the id itself.
    assert not {place.model for place in all_places() if isinstance(place, UnitRows)} & set(without_units())
    for label in without_units():
        app, model, *field = label.split(".")
        assert not field or apps.get_model(app, model)._meta.get_field(field[0])


def test_tables__of_a_model_with_history__are_two() -> None:
    assert [model.__name__ for model in tables_of("experiments.Experiment")] == ["Experiment", "HistoricalExperiment"]
