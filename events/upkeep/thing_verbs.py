"""Tags, owner and archive in the REST endpoints of every kind of thing: fields, filters and actions."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from events.upkeep import archive as upkeep_archive
from events.upkeep import tags_and_owners
from events.upkeep.tags_and_owners import with_tag
from events.upkeep.thing_kinds import kind_of
from runs.refusals import Refused
from runs.web import person


class UpkeepFields(serializers.Serializer[Any]):
    """A thing (experiment, AHA moment, study or segment model) with its tags and owner."""

    tags = serializers.SerializerMethodField()
    owner = serializers.SerializerMethodField(help_text="username of the owner; by default the account that created it")

    def get_tags(self, thing: Any) -> list[str]:
        """Names of the tags."""
        return [tag.name for tag in thing.tags.all()]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_owner(self, thing: Any) -> str | None:
        """Null if there is no known owner."""
        owner = tags_and_owners.owner_of(thing)
        return None if owner is None else owner.get_username()


class UpkeepSerializer(UpkeepFields):
    """Tags, owner and archive state of a thing after a change."""

    kind = serializers.SerializerMethodField()
    key = serializers.SerializerMethodField(help_text="key, or id if it has no key")
    archived_at = serializers.SerializerMethodField()

    def get_kind(self, thing: Any) -> str:
        """The kind's name, as in search."""
        return kind_of(thing).slug

    def get_key(self, thing: Any) -> str:
        """The key, or else the number, that stands in its address."""
        return str(getattr(thing, "key", thing.pk))

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_archived_at(self, thing: Any) -> str | None:
        """Null while it isn't archived; always null for an experiment, whose status says whether it is."""
        at = getattr(thing, "archived_at", None)
        return None if at is None else at.isoformat()


class TagsSerializer(serializers.Serializer[Any]):
    tags = serializers.ListField(child=serializers.CharField(max_length=100), max_length=100)


class OwnerSerializer(serializers.Serializer[Any]):
    owner = serializers.SlugRelatedField(slug_field="username", queryset=User.objects.all())


class OwnedFilter(filters.FilterSet):  # type: ignore[misc]  # it ships no types
    """By tag and owner."""

    tag = filters.CharFilter(method="by_tag", label="only rows with this tag")
    owner = filters.CharFilter(method="by_owner", label="only rows owned by this account; me for the caller's own")

    def by_tag(self, rows: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """Rows with the tag; none for an invalid or unknown one."""
        try:
            return with_tag(rows, tags_and_owners.tag_name(value))
        except Refused:
            return rows.none()

    def by_owner(self, rows: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """Rows owned by this account; none for an unknown one."""
        user = person(self.request) if value == "me" else User.objects.filter(username=value).first()
        return rows.none() if user is None else rows.filter(tags_and_owners.owned_by(user))


class ThingFilter(OwnedFilter):
    """By tag, owner, and whether it is archived."""

    archived = filters.BooleanFilter(
        field_name="archived_at", lookup_expr="isnull", exclude=True, label="true: only archived rows"
    )


class OwnedActions:
    """Actions on a thing: set its tags and its owner."""

    @extend_schema(request=TagsSerializer, responses=UpkeepSerializer)
    @action(detail=True, methods=["put"], url_path="tags", filterset_class=None)
    def put_tags(self, request: Request, **_lookup: str) -> Response:
        """Replace all tags by these; new tags are created."""
        serializer = TagsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        thing = self.get_object()  # type: ignore[attr-defined]
        tags_and_owners.set_tags(thing=thing, names=serializer.validated_data["tags"])
        return _kept(thing)

    @extend_schema(request=OwnerSerializer, responses=UpkeepSerializer)
    @action(detail=True, methods=["put"], url_path="owner", filterset_class=None)
    def put_owner(self, request: Request, **_lookup: str) -> Response:
        """Make another account the owner."""
        serializer = OwnerSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        thing = self.get_object()  # type: ignore[attr-defined]
        tags_and_owners.set_owner(thing=thing, owner=serializer.validated_data["owner"])
        return _kept(thing)


class ThingActions(OwnedActions):
    """Actions on things that can be archived. Lists leave out archived ones unless the query has `archived`."""

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Leave archived things out of lists only: they keep their address."""
        rows: QuerySet[Any] = super().filter_queryset(queryset)  # type: ignore[misc]
        named = "archived" in self.request.query_params  # type: ignore[attr-defined]
        return rows.filter(archived_at=None) if self.action == "list" and not named else rows  # type: ignore[attr-defined]

    @extend_schema(request=None, responses=UpkeepSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def archive(self, request: Request, **_lookup: str) -> Response:
        """Archive it: lists and pickers don't show it. Refused while something that runs depends on it."""
        return _kept(upkeep_archive.archive(thing=self.get_object(), by=person(request)))  # type: ignore[attr-defined]

    @extend_schema(request=None, responses=UpkeepSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def restore(self, request: Request, **_lookup: str) -> Response:
        """Restore it to lists and pickers."""
        return _kept(upkeep_archive.restore(thing=self.get_object(), by=person(request)))  # type: ignore[attr-defined]


def _kept(thing: Any) -> Response:
    fresh = kind_of(thing).rows().select_related(*tags_and_owners.OWNERS).get(pk=thing.pk)
    return Response(UpkeepSerializer(fresh).data, status=status.HTTP_200_OK)
