"""What a test that committed leaves to the next one: the tables as after a migration, and nothing else."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection

from events.models import Source
from insight_site.access import roles
from runs.models import Schedule
from tests import emptied

pytestmark = pytest.mark.django_db(transaction=True)


def as_migrated() -> bool:
    """Nobody, no source, and what roles and schedules have of the code."""
    return (
        not User.objects.exists()
        and not Source.objects.exists()
        and set(Group.objects.values_list("name", flat=True)) == set(roles.ROLES)
        and Schedule.objects.count() > 3
        and Permission.objects.count() > 100
    )


@pytest.mark.parametrize("again", [1, 2, 3])
def test_rows__of_an_earlier_test__are_gone(again: int) -> None:
    assert as_migrated()
    user = User.objects.create_user("anna")
    user.groups.set(Group.objects.all())
    user.user_permissions.set(Permission.objects.all()[:3])
    Source.objects.create(name=f"app {again}")


@pytest.mark.parametrize("change", [Schedule.objects.all, Group.objects.all, Permission.objects.all])
@pytest.mark.parametrize("again", [1, 2])
def test_what_migrations_fill__changed_by_a_test__is_filled_anew(change: object, again: int) -> None:
    assert as_migrated(), again
    change().delete()  # type: ignore[operator]


def test_filled__as_migrated_and_with_a_row__names_tables() -> None:
    before = emptied.filled(connection)
    Source.objects.create(name="app")

    assert emptied.filled(connection) - before == {"events_source"}
