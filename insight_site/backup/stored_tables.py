"""The tables of a database according to its applied migrations, so that a later version can read the backup.

Tables come from the state of the migrations, not from today's models: an older database has other columns. Tables of
apps that aren't installed any more are left out.
"""

from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.models import Field, Model

from runs.refusals import Refused

Node = tuple[str, str]
KINDS = {
    **dict.fromkeys(("AutoField", "BigAutoField", "SmallAutoField", "IntegerField", "BigIntegerField"), "integer"),
    **dict.fromkeys(("SmallIntegerField", "PositiveIntegerField", "PositiveSmallIntegerField"), "integer"),
    **dict.fromkeys(("PositiveBigIntegerField",), "integer"),
    **dict.fromkeys(("CharField", "TextField", "SlugField", "URLField", "EmailField", "FileField"), "text"),
    "BooleanField": "boolean",
    "FloatField": "real",
    "DateTimeField": "moment",
    "DateField": "date",
    "JSONField": "json",
    "UUIDField": "uuid",
    "BinaryField": "bytes",
    "GenericIPAddressField": "address",
}


@dataclass(frozen=True)
class StoredTable:
    """One table.

    Attributes:
        name: table name.
        columns: name and kind (a value of `KINDS`) of each.
        key: primary key column.
        counts: the database assigns the key.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    key: str
    counts: bool

    def as_json(self) -> dict[str, Any]:
        """As JSON, for the manifest."""
        return asdict(self)


def applied_migrations() -> list[Node]:
    """The applied migrations of installed apps.

    Raises:
        Refused: when this version doesn't know one of them.
    """
    loader = MigrationLoader(connection)
    ran = {node for node in loader.applied_migrations if node[0] in loader.migrated_apps}
    _refuse_newer(ran - _names(loader), "database")
    return sorted(ran)


def tables_at(migrations: list[Node]) -> list[StoredTable]:
    """The tables of a database with these migrations, by name."""
    loader, nodes = _known(migrations)
    state = loader.project_state(nodes, at_end=True)
    models = state.apps.get_models(include_auto_created=True)
    found = [_table(model) for model in models if model._meta.managed and not model._meta.proxy]
    return sorted(found, key=lambda table: table.name)


def migrate_to(migrations: list[Node]) -> None:
    """Create in an empty database the tables of one with these migrations."""
    loader, nodes = _known(migrations)
    executor = MigrationExecutor(connection)
    executor.loader = loader
    last = [node for node in nodes if not _later(loader, node) & set(nodes)]  # earlier migrations are applied with them
    executor.migrate(last)


def _later(loader: MigrationLoader, node: Node) -> set[Node]:
    """The next migrations of the same app."""
    return {child.key for child in loader.graph.node_map[node].children if child.key[0] == node[0]}


def _known(migrations: list[Node]) -> tuple[MigrationLoader, list[Node]]:
    """A loader with this version's migrations, and those of them that give an empty database the same tables.

    Raises:
        Refused: when this version doesn't know one of them.
    """
    loader = MigrationLoader(None)
    ran = {(app, name) for app, name in migrations if app in loader.migrated_apps}
    _refuse_newer(ran - _names(loader), "backup")
    whole = {node for node, one in loader.replacements.items() if ran.issuperset(one.replaces) or node in ran}
    replaced = {step for node in whole for step in loader.replacements[node].replaces}
    nodes = (ran - replaced) | whole
    if half := nodes - loader.disk_migrations.keys():
        raise Refused(
            "The backup was made between two releases, after the migration {name}: restore it with that version.",
            name=".".join(max(half)),
        )
    return loader, sorted(nodes)


def _names(loader: MigrationLoader) -> set[Node]:
    """This version's migrations, and those that they replace."""
    return loader.disk_migrations.keys() | {step for one in loader.replacements.values() for step in one.replaces}


def _refuse_newer(unknown: set[Node], what: str) -> None:
    if not unknown:
        return
    name = ".".join(min(unknown))
    if what == "backup":
        raise Refused(
            "The backup is of a newer Insight, whose migration {name} isn't here: restore it with that.", name=name
        )
    raise Refused("The database ran the migration {name} of a newer Insight: back it up with that.", name=name)


def _table(model: type[Model]) -> StoredTable:
    meta = model._meta
    columns = tuple((str(field.column), _kind(field)) for field in meta.concrete_fields)
    counts = meta.pk.get_internal_type().endswith("AutoField")
    return StoredTable(meta.db_table, columns, str(meta.pk.column), counts)


def _kind(field: Any) -> str:
    while field.remote_field:
        field = field.target_field
    own: Field[Any, Any] = field
    return KINDS[own.get_internal_type()]
