"""Roles by the groups of a provider or proxy: assigned and removed at every sign-in (`SSO_ROLES`)."""

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction

ADMIN_ROLES = frozenset({"Admin", "Service owner"})  # roles that work in the admin (docs/roles.md)


def mapped_roles(groups: Collection[str]) -> set[str]:
    """The roles that these groups give."""
    return {role for group in groups for role in settings.SSO_ROLES.get(group, ())}


def may_enter(groups: Collection[str]) -> bool:
    """False for a person without a mapped group, if `SSO_REQUIRES_GROUP` is on."""
    return not settings.SSO_REQUIRES_GROUP or bool(mapped_roles(groups))


def give_roles(user: User, groups: Collection[str]) -> str:
    """Set the mapped roles to those of the groups; roles that the mapping doesn't contain stay unchanged.

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
    """Assign and remove roles, and access to the admin accordingly; returns the changes as `give_roles` does."""
    user.groups.add(*Group.objects.filter(name__in=give))
    user.groups.remove(*Group.objects.filter(name__in=take))
    enters = user.groups.filter(name__in=ADMIN_ROLES).exists()
    if (enters and not user.is_staff) or (user.is_staff and not enters and ADMIN_ROLES & set(take)):
        user.is_staff = enters or user.is_superuser
        user.save(update_fields=["is_staff"])
    return " ".join([*(f"+{role}" for role in sorted(give)), *(f"-{role}" for role in sorted(take))])


def groups_of(value: Any) -> tuple[str, ...]:
    """Parse a claim to group names: a list, or one comma-separated text; anything else gives none."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple):
        return ()
    return tuple(one.strip() for one in value if isinstance(one, str) and one.strip())
