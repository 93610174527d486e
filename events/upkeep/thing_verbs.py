"""What the REST endpoints of every kind of things share: tags, owner and archive, in lists and as verbs."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from events.upkeep import owners, put_away, tags
from events.upkeep.narrowing import with_tag
from events.upkeep.thing_kinds import kind_of
from runs.refusals import Refused
from runs.web import person


class UpkeepFields(serializers.Serializer[Any]):
    """Tags and owner of a thing, for the serializer of its kind."""

    tags = serializers.SerializerMethodField()
    owner = serializers.SerializerMethodField(
        help_text="name of the account that owns it: who made it, until handed over"
    )

    def get_tags(self, thing: Any) -> list[str]:
        """Their names."""
        return [tag.name for tag in thing.tags.all()]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_owner(self, thing: Any) -> str | None:
        """Null where nobody is known."""
        owner = owners.owner_of(thing)
        return None if owner is None else owner.get_username()


class UpkeepSerializer(UpkeepFields):
    """How a thing is kept, after a change of it."""

    kind = serializers.SerializerMethodField()
    key = serializers.SerializerMethodField(help_text="its key, or its number where it has none")
    archived_at = serializers.SerializerMethodField()

    def get_kind(self, thing: Any) -> str:
        """As search names it."""
        return kind_of(thing).slug

    def get_key(self, thing: Any) -> str:
        """By which addresses name it."""
        return str(getattr(thing, "key", thing.pk))

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_archived_at(self, thing: Any) -> str | None:
        """Null while it is in lists; always null for an experiment, whose status says so."""
        at = getattr(thing, "archived_at", None)
        return None if at is None else at.isoformat()


class TagsSerializer(serializers.Serializer[Any]):
    tags = serializers.ListField(child=serializers.CharField(max_length=100), max_length=100)


class OwnerSerializer(serializers.Serializer[Any]):
    owner = serializers.SlugRelatedField(slug_field="username", queryset=User.objects.all())


class OwnedFilter(filters.FilterSet):  # type: ignore[misc]  # it ships no types
    """By tag and owner."""

    tag = filters.CharFilter(method="by_tag", label="that bear this tag")
    owner = filters.CharFilter(method="by_owner", label="of this account; me for one's own")

    def by_tag(self, rows: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """A tag that nothing bears finds nothing."""
        try:
            return with_tag(rows, tags.tag_name(value))
        except Refused:
            return rows.none()

    def by_owner(self, rows: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """Of nobody that we know: nothing."""
        user = person(self.request) if value == "me" else User.objects.filter(username=value).first()
        return rows.none() if user is None else rows.filter(owners.owned_by(user))


class ThingFilter(OwnedFilter):
    """By tag, owner, and whether it is archived."""

    archived = filters.BooleanFilter(
        field_name="archived_at", lookup_expr="isnull", exclude=True, label="true for the archived ones alone"
    )


class OwnedActions:
    """Verbs of a view set of things: tags and owner."""

    @extend_schema(request=TagsSerializer, responses=UpkeepSerializer)
    @action(detail=True, methods=["put"], url_path="tags", filterset_class=None)
    def put_tags(self, request: Request, **_lookup: str) -> Response:
        """Give it these tags and no others; new ones are made."""
        asked = TagsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        thing = self.get_object()  # type: ignore[attr-defined]
        tags.set_tags(thing=thing, names=asked.validated_data["tags"])
        return _kept(thing)

    @extend_schema(request=OwnerSerializer, responses=UpkeepSerializer)
    @action(detail=True, methods=["put"], url_path="owner", filterset_class=None)
    def put_owner(self, request: Request, **_lookup: str) -> Response:
        """Hand it over to another account."""
        asked = OwnerSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        thing = self.get_object()  # type: ignore[attr-defined]
        owners.set_owner(thing=thing, owner=asked.validated_data["owner"])
        return _kept(thing)


class ThingActions(OwnedActions):
    """Verbs of a view set of things that can be archived. Lists leave archived ones out unless they are asked for."""

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Only of lists: an archived thing keeps its address."""
        rows: QuerySet[Any] = super().filter_queryset(queryset)  # type: ignore[misc]
        named = "archived" in self.request.query_params  # type: ignore[attr-defined]
        return rows.filter(archived_at=None) if self.action == "list" and not named else rows  # type: ignore[attr-defined]

    @extend_schema(request=None, responses=UpkeepSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def archive(self, request: Request, **_lookup: str) -> Response:
        """Put it away: out of lists and pickers. Refused while something that runs depends on it."""
        return _kept(put_away.archive(thing=self.get_object(), by=person(request)))  # type: ignore[attr-defined]

    @extend_schema(request=None, responses=UpkeepSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def restore(self, request: Request, **_lookup: str) -> Response:
        """Take it back."""
        return _kept(put_away.restore(thing=self.get_object(), by=person(request)))  # type: ignore[attr-defined]


def _kept(thing: Any) -> Response:
    fresh = kind_of(thing).rows().select_related(*owners.OWNERS).get(pk=thing.pk)
    return Response(UpkeepSerializer(fresh).data, status=status.HTTP_200_OK)
