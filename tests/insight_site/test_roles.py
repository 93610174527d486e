"""The four roles: what each may do, and what it may not, asked of the pages themselves."""

import pytest
from django.apps import apps
from django.apps.registry import Apps
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from insight_site.access import roles
from tests.experiments.make import running

pytestmark = pytest.mark.django_db
LIST = "/admin/experiments/experiment/"


def as_role(role: str, *, staff: bool = True) -> Client:
    user = User.objects.create_user(role.split()[0].lower(), is_staff=staff)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def test_groups__of_a_fresh_database__hold_what_the_table_says() -> None:
    for role in roles.ROLES:
        held = Group.objects.get(name=role).permissions.values_list(
            "content_type__app_label", "content_type__model", "codename"
        )
        assert {(app, model, code.split("_")[0]) for app, model, code in held} == roles.permissions(role)


def test_migrate__again__keeps_what_was_added_and_brings_back_what_was_taken() -> None:
    analyst = Group.objects.get(name="Analyst")
    before, extra = set(analyst.permissions.all()), Permission.objects.get(codename="delete_study")
    analyst.permissions.set([extra])
    Group.objects.get(name="PM").delete()

    call_command("migrate", verbosity=0)

    assert set(analyst.permissions.all()) == before | {extra}
    assert Group.objects.filter(name="PM").exists()


def test_grant__some_apps_migrated_alone__waits_for_the_tables_of_groups() -> None:
    roles.grant(apps.get_app_config("aha"), apps=Apps())

    assert Group.objects.count() == len(roles.ROLES)


@pytest.mark.parametrize(("role", "after"), [("Analyst", "running"), ("Service owner", "running"), ("PM", "stopped")])
def test_stop__by_role__only_who_tests_may(role: str, after: str) -> None:
    row = running("live")

    as_role(role).post(f"/experiments/{row.key}/do/stop/")

    row.refresh_from_db()
    assert row.status == after


def test_service_owner__for_a_tester__gives_an_arm_and_takes_it_back() -> None:
    row = running("live")
    client = as_role("Service owner")
    address = reverse("experiments:testers", args=[row.key])

    both = client.post(address, {"unit": "qa", "rule": '{"all": []}', "variant": "banner"})
    client.post(address, {"unit": "qa", "rule": "", "variant": "banner"})
    assert "An override needs a user or a rule." in both.content.decode()
    assert [(one.unit, one.variant.key) for one in row.overrides.all()] == [("qa", "banner")]

    client.post(address, {"remove": row.overrides.get().pk})
    assert not row.overrides.exists()


def test_admin_role__no_superuser__can_not_make_one() -> None:
    boss = User.objects.create_superuser("boss", password="correct horse")
    other = User.objects.create_user("ann")
    client = as_role("Admin")

    client.post(f"/admin/auth/user/{other.pk}/change/", {"username": "ann", "is_superuser": "on", "is_active": "on"})
    password = client.post(f"/admin/auth/user/{boss.pk}/password/", {"password1": "x9y8z7w6", "password2": "x9y8z7w6"})

    other.refresh_from_db()
    boss.refresh_from_db()
    assert not other.is_superuser
    assert password.status_code == 403
    assert boss.check_password("correct horse")


def test_menu__of_a_service_owner__has_keys_and_no_accounts() -> None:
    page = as_role("Service owner").get("/admin/").content.decode()

    assert "/admin/insight_site/apikey/" in page
    assert "/admin/auth/user/" not in page


def test_dashboard__without_any_role__shows_no_experiment() -> None:
    running("secret")
    client = Client()
    client.force_login(User.objects.create_user("new", is_staff=True))

    page = client.get("/admin/").content.decode()

    assert "secret" not in page
