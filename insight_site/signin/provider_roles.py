"""Roles by the groups that a provider or a proxy names: given and taken away at every sign-in (`SSO_ROLES`)."""

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction

ADMIN_ROLES = frozenset({"Admin", "Service owner"})  # whose work is in the admin (docs/roles.md)


def mapped_roles(groups: Collection[str]) -> set[str]:
    """The roles of these groups."""
    return {role for group in groups for role in settings.SSO_ROLES.get(group, ())}


def may_enter(groups: Collection[str]) -> bool:
    """False for somebody in no mapped group, where `SSO_REQUIRES_GROUP` is on."""
    return not settings.SSO_REQUIRES_GROUP or bool(mapped_roles(groups))


def give_roles(user: User, groups: Collection[str]) -> str:
    """Make the roles that the mapping manages those of the groups; roles that it doesn't name stay as they are.

    Returns:
        What changed, as "+PM -Analyst"; empty when nothing did.
    """
    managed = {role for roles in settings.SSO_ROLES.values() for role in roles}
    if not managed:
        return ""
    wanted = mapped_roles(groups)
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user.pk)
        has = set(user.groups.filter(name__in=managed).values_list("name", flat=True))
        return change_roles(user, give=wanted - has, take=has - wanted)


def change_roles(user: User, *, give: Collection[str], take: Collection[str]) -> str:
    """Give and take roles, and the way into the admin with those that need it; in words as of `give_roles`."""
    user.groups.add(*Group.objects.filter(name__in=give))
    user.groups.remove(*Group.objects.filter(name__in=take))
    enters = user.groups.filter(name__in=ADMIN_ROLES).exists()
    if (enters and not user.is_staff) or (user.is_staff and not enters and ADMIN_ROLES & set(take)):
        user.is_staff = enters or user.is_superuser
        user.save(update_fields=["is_staff"])
    return " ".join([*(f"+{role}" for role in sorted(give)), *(f"-{role}" for role in sorted(take))])


def groups_of(value: Any) -> tuple[str, ...]:
    """A claim as names of groups: a list, or one text with commas between them; everything else is none."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple):
        return ()
    return tuple(one.strip() for one in value if isinstance(one, str) and one.strip())
