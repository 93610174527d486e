"""Every table of the site is kept: its columns are of kinds that a backup can say."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from insight_site.operate import restore
from insight_site.operate.backup_database import applied_migrations, tables_at
from runs.refusals import Refused
from tests.insight_site.test_migrations import unpacked

pytestmark = pytest.mark.django_db
NOT_KEPT = {"django_migrations", "insight_site_signincache"}  # the second counts guesses for minutes


def test_tables__of_a_migrated_database__are_those_of_all_models_with_their_columns() -> None:
    found = {table.name: {name for name, _ in table.columns} for table in tables_at(applied_migrations())}

    models = [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]
    assert found == {model._meta.db_table: {field.column for field in model._meta.concrete_fields} for model in models}
    assert found.keys() == {*connection.introspection.table_names()} - NOT_KEPT


def test_migration__that_this_version_does_not_know__is_named() -> None:
    MigrationRecorder(connection).record_applied("events", "9999_from_the_future")

    with pytest.raises(Refused, match=r"database ran the migration events\.9999_from_the_future"):
        applied_migrations()
    with pytest.raises(Refused, match=r"backup is of a newer Insight, whose migration events\.9999_from_the_future"):
        tables_at([("events", "9999_from_the_future")])


@pytest.mark.parametrize("version", ["v0_3", "v0_4"])
def test_tables__of_a_database_of_an_older_version__are_its_own(version: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(unpacked(version, tmp_path))) as own:
        ran = list(own.execute("SELECT app, name FROM django_migrations"))
        names = {name for (name,) in own.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        there = {name: {row[1] for row in own.execute(f"PRAGMA table_info({name})")} for name in names}

    found = {table.name: {name for name, _ in table.columns} for table in tables_at(ran)}

    of_others = {name for name in names if name.startswith(("django_q_", "sqlite_"))}  # of a queue that is gone
    assert found == {name: columns for name, columns in there.items() if name not in NOT_KEPT | of_others}


def test_backup__from_between_two_releases__is_refused() -> None:
    with pytest.raises(Refused, match=r"made between two releases, after the migration aha\.0002_headlines"):
        tables_at([("aha", "0001_initial"), ("aha", "0002_headlines")])


def test_freshly_migrated_database__is_empty() -> None:
    assert restore.rows_there() == []
