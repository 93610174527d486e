"""Which tables a database has, by the migrations that it ran: so that a backup can be read by a later version.

Tables are those of the migrations' own models, not of today's code: an older database has other columns. What no
installed app knows, such as the tables of a queue that is gone, isn't kept.
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
        name: of the table.
        columns: name and kind of each, a value of `KINDS`.
        key: the column that numbers the rows.
        counts: the database gives that number.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    key: str
    counts: bool

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


def applied_migrations() -> list[Node]:
    """The migrations that the database ran, of apps that are installed.

    Raises:
        Refused: when it ran some that this version doesn't know.
    """
    loader = MigrationLoader(connection)
    ran = {node for node in loader.applied_migrations if node[0] in loader.migrated_apps}
    _refuse_newer(ran - _names(loader), "database")
    return sorted(ran)


def tables_at(migrations: list[Node]) -> list[StoredTable]:
    """The tables of a database that ran these migrations, by name."""
    loader, nodes = _known(migrations)
    state = loader.project_state(nodes, at_end=True)
    models = state.apps.get_models(include_auto_created=True)
    found = [_table(model) for model in models if model._meta.managed and not model._meta.proxy]
    return sorted(found, key=lambda table: table.name)


def migrate_to(migrations: list[Node]) -> None:
    """Give an empty database the tables of one that ran these migrations."""
    loader, nodes = _known(migrations)
    executor = MigrationExecutor(connection)
    executor.loader = loader
    last = [node for node in nodes if not _later(loader, node) & set(nodes)]  # what came before comes with them
    executor.migrate(last)


def _later(loader: MigrationLoader, node: Node) -> set[Node]:
    """The migrations of the same app that come next."""
    return {child.key for child in loader.graph.node_map[node].children if child.key[0] == node[0]}


def _known(migrations: list[Node]) -> tuple[MigrationLoader, list[Node]]:
    """The migrations of this version, and those of them that lead an empty database to the same tables.

    Raises:
        Refused: when one is unknown here.
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
    """The migrations of this version, and those that they replace."""
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
