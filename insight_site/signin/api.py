"""Accounts over HTTP for a directory service: list, deactivate, assign roles (SCIM offers little more)."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from insight_site.access.roles import ROLES
from insight_site.rest.endpoints import ByNumber, KeyUser
from insight_site.signin import accounts


class UserSerializer(serializers.ModelSerializer[User]):
    active = serializers.BooleanField(source="is_active", read_only=True)
    superuser = serializers.BooleanField(source="is_superuser", read_only=True)
    roles = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "username", "email", "first_name", "last_name", "active", "superuser", "roles", "last_login"]
        read_only_fields = fields

    def get_roles(self, user: User) -> list[str]:
        """Which of the four roles the user has."""
        return sorted(group.name for group in user.groups.all() if group.name in ROLES)


class UserChangeSerializer(serializers.Serializer[Any]):
    """Fields to change; omitted ones keep their values."""

    active = serializers.BooleanField(required=False)
    roles = serializers.ListField(child=serializers.ChoiceField(choices=list(ROLES)), required=False)


class UserViewSet(viewsets.ReadOnlyModelViewSet[User]):
    """User accounts. They can't be deleted, so that records of what people did keep their names."""

    queryset = User.objects.prefetch_related("groups").order_by("id")
    serializer_class = UserSerializer
    pagination_class = ByNumber
    filterset_fields = ["username", "email", "is_active"]
    private = True  # reading needs the permission too: it shows e-mail addresses

    @extend_schema(request=UserChangeSerializer, responses={200: UserSerializer})
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Deactivate (ends sessions and share links at once), activate, or replace the roles.

        The last active superuser can't be deactivated: 409.
        """
        user: User = self.get_object()
        by = ""
        if isinstance(request.user, KeyUser):
            by = f"by key {request.user.caller.key_prefix}"
        elif user.is_superuser and not request.user.is_superuser:
            raise PermissionDenied
        change = UserChangeSerializer(data=request.data)
        change.is_valid(raise_exception=True)
        wanted = cast(dict[str, Any], change.validated_data)
        if "active" in wanted:
            user = accounts.set_active(user=user, active=wanted["active"], request=request._request, by=by)
        if "roles" in wanted:
            user = accounts.set_roles(user=user, roles=wanted["roles"], request=request._request, by=by)
        return Response(UserSerializer(self.get_queryset().get(pk=user.pk)).data)
