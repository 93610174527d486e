"""Migrations since the release before only expand: its code must work on the tables that they leave."""

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED

from tests.insight_site.upgrade import release_before

APPS = ("aha", "events", "experiments", "insight_site", "runs", "segments")
# Of a migration since the release before, what isn't an expansion, and why the release before works on it all the same.
ALLOWED: dict[str, str] = {
    "insight_site.0020_scope_of_assignments": "Its Python adds a scope to keys, of which the release "
    "before asks nothing.",
    "aha.0015_set_aside_headlines": "Its Python writes a line that the release before can't read and leaves out.",
    "aha.0016_long_outcomes": "A text of any length holds what a text of 400 characters held, and is read alike.",
    "experiments.0029_expected_users": "Its Python fills a column of its own, which the release before doesn't know.",
}
# They grow with events and assignments: nothing may lock them while an index is made.
LARGE = {"outboxevent", "formeroutboxevent", "messageid", "assignment", "membership", "unittraits", "rejected"}
CONTRACTING = (
    migrations.RemoveField,
    migrations.DeleteModel,
    migrations.RenameField,
    migrations.RenameModel,
    migrations.AlterModelTable,
    migrations.AlterUniqueTogether,
    migrations.AlterOrderWithRespectTo,
)
TO_LOOK_AT = (migrations.RunSQL, migrations.RunPython)


def new_migrations() -> list[str]:
    """Those that the release before doesn't have, by that name or as the steps that they replace, as ``app.name``."""
    known = release_before.migrations()
    disk = MigrationLoader(None).disk_migrations
    ours = {node: one.replaces or [node] for node, one in disk.items() if node[0] in APPS}
    new = [node for node, steps in ours.items() if not {f"{app}/migrations/{name}.py" for app, name in steps} <= known]
    return sorted(".".join(node) for node in new)


def objections(operations: Sequence[Any], state: Any, app: str) -> Iterator[str]:
    """What isn't an expansion; `state` is the state before and is carried on."""
    for operation in operations:
        if isinstance(operation, migrations.SeparateDatabaseAndState):
            yield from objections(operation.database_operations, state.clone(), app)
        else:
            yield from _objections(operation, state, app)
        operation.state_forwards(app, state)


def _objections(operation: Any, state: Any, app: str) -> Iterator[str]:
    said = operation.describe()
    if isinstance(operation, CONTRACTING):
        yield f"{said}: the release before still uses it"
    elif isinstance(operation, TO_LOOK_AT):
        yield f"{said}: look at it yourself"
    elif isinstance(operation, migrations.AddField) and not _may_be_left_out(operation.field):
        yield f"{said}: the release before writes rows without it; give it null=True or a db_default"
    elif isinstance(operation, migrations.AlterField):
        before = state.models[app, operation.model_name.lower()].fields[operation.name]
        if narrower := _narrower(before, operation.field):
            yield f"{said}: {narrower}"
    elif isinstance(operation, migrations.AddConstraint):
        yield f"{said}: the release before may write rows that it refuses"
    elif isinstance(operation, migrations.AddIndex) and operation.model_name.lower() in LARGE:
        yield f"{said}: the table is large; make it concurrently on PostgreSQL"


def _may_be_left_out(field: Any) -> bool:
    many = isinstance(field, models.ManyToManyField)
    return bool(many or field.null or field.db_default is not NOT_PROVIDED)


def _narrower(before: Any, after: Any) -> str:
    if before.null and not after.null:
        return "the release before may write null"
    if before.get_internal_type() != after.get_internal_type():
        return "another type"
    if (before.max_length or 0) > (after.max_length or 10**9):
        return "shorter"
    return "unique" if after.unique and not before.unique else ""


def test_migrations_since_the_release_before__expand_only() -> None:
    loader = MigrationLoader(None)
    found: dict[str, list[str]] = {}
    for name in new_migrations():
        app, stem = name.split(".")
        migration = importlib.import_module(f"{app}.migrations.{stem}").Migration(stem, app)
        state = loader.project_state([(app, stem)], at_end=False)
        found[name] = list(objections(migration.operations, state, app))

    assert {name: said for name, said in found.items() if said and name not in ALLOWED} == {}
    assert [name for name in ALLOWED if not found.get(name)] == [], "nothing is wrong with it any more"
    assert all(ALLOWED.values())


@pytest.mark.parametrize(
    ("operation", "objection"),
    [
        (migrations.AddField("Source", "x", models.IntegerField(default=1)), "db_default"),
        (migrations.AddField("Source", "x", models.IntegerField(null=True)), ""),
        (migrations.AddField("Source", "x", models.IntegerField(db_default=1)), ""),
        (migrations.RemoveField("Source", "name"), "still uses it"),
        (migrations.RenameField("Source", "name", "title"), "still uses it"),
        (migrations.DeleteModel("Source"), "still uses it"),
        (migrations.AlterField("Source", "name", models.CharField(max_length=50, unique=True)), "shorter"),
        (migrations.AlterField("Source", "name", models.CharField(max_length=200, unique=True)), ""),
        (migrations.AlterField("Source", "name", models.IntegerField()), "another type"),
        (migrations.AlterField("Rejected", "source", models.BigIntegerField()), "null"),
        (migrations.AlterField("Rejected", "code", models.CharField(max_length=40, unique=True)), "unique"),
        (migrations.AddIndex("MessageId", models.Index(fields=["received_at"], name="i")), "concurrently"),
        (migrations.AddIndex("Source", models.Index(fields=["name"], name="i")), ""),
        (
            migrations.AddConstraint("Source", models.UniqueConstraint(fields=["created_at"], name="c")),
            "rows that it refuses",
        ),
        (migrations.RunSQL("SELECT 1"), "look at it"),
        (migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("Source", "name")]), ""),
        (migrations.SeparateDatabaseAndState([migrations.RemoveField("Source", "name")]), "still uses it"),
        (migrations.CreateModel("New", [("id", models.AutoField(primary_key=True))]), ""),
    ],
    ids=lambda one: one.describe() if hasattr(one, "describe") else one,
)
def test_objections__to_each_kind_of_step(operation: Any, objection: str) -> None:
    state = MigrationLoader(None).project_state([("events", "0002_version_0_4")], at_end=True)

    found = list(objections([operation], state, "events"))

    assert (found == []) if not objection else (objection in found[0])
