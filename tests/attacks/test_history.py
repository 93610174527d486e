"""S29: an older version of a row is read in the admin, and written back by nobody, whatever else they may do."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from simple_history.admin import SimpleHistoryAdmin

from insight_site.access.roles import ROLES
from tests.attacks import routes

pytestmark = pytest.mark.django_db
KEPT = [one for one in admin.site._registry.values() if isinstance(one, SimpleHistoryAdmin)]


@pytest.mark.slow
def test_older_version__sent_back_with_other_values__changes_nothing() -> None:
    routes.make_site()
    people = [User.objects.create_user(role, is_staff=True) for role in ROLES]
    for user in people:
        user.groups.set(Group.objects.filter(name=user.username))
    people.append(User.objects.create_superuser("superuser"))

    for user in people:
        client = Client()
        client.force_login(user)
        for one in KEPT:
            row = one.model._base_manager.order_by("-pk")[0]
            row.save()  # so that it has a version
            before = stored(row)
            version = row.history.first().pk
            label = one.model._meta
            address = reverse(f"admin:{label.app_label}_{label.model_name}_simple_history", args=[row.pk, version])
            answer = client.post(address, {**texts(row), "name": "taken over", "name_en": "taken over"})

            assert answer.status_code == 403, (user.username, label.label)
            assert stored(one.model._base_manager.get(pk=row.pk)) == before, (user.username, label.label)

            page = client.get(address)
            assert page.status_code in (200, 403)
            assert b'name="_save"' not in page.content


def stored(row: Any) -> dict[str, Any]:
    """All that the row holds."""
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def texts(row: Any) -> dict[str, Any]:
    """The row as a form would send it."""
    found = {field.name: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return {name: value for name, value in found.items() if value not in (None, False)}
