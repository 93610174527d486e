"""Search, hygiene and tags over HTTP for other programs."""

from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events.models import Tag
from events.upkeep import tags_and_owners
from events.upkeep.text_search import LONGEST, Hit, search, words_of
from events.upkeep.thing_kinds import thing_kinds
from insight_site.tidying import untidy
from insight_site.tidying.untidy import TidyRule

MOST = 100  # hits per response
# Rules removed in 0.5: clients of 0.4 still read their counts.
RULES_OF_0_4 = (
    *("no_exposures", "owner_gone", "drifted", "study_failed", "untouched_draft"),
    *("never_tested", "unused_segment", "duplicate_study", "unused_key"),
)


class QuestionSerializer(serializers.Serializer[Any]):
    """A search query."""

    q = serializers.CharField(
        max_length=LONGEST, help_text="search words; a result contains each of them, in full or in part"
    )
    kind = serializers.CharField(max_length=30, required=False, help_text="experiment, moment, study or segment")
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=25)
    cursor = serializers.CharField(max_length=100, required=False, help_text="value of `next` in the previous response")


class HitSerializer(serializers.Serializer[Hit]):
    kind = serializers.CharField(source="kind.slug")
    id = serializers.IntegerField(source="pk")
    title = serializers.CharField()
    url = serializers.CharField(help_text="address of its page")
    status = serializers.CharField(source="state", help_text="status as a translated text")
    owner = serializers.CharField(help_text="username of the owner, or empty")
    created_at = serializers.DateTimeField(source="made")
    snippet = serializers.SerializerMethodField(help_text="text around the match, if it isn't in the title")

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_snippet(self, hit: Hit) -> str | None:
        """Plain text."""
        return None if hit.snippet is None else hit.snippet.text


class AnswerSerializer(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True, help_text="cursor of the next page; null on the last page")
    results = HitSerializer(many=True)


class SearchView(APIView):
    """Search over everything that people made."""

    queryset = Tag.objects.none()  # the model whose permissions unsafe methods would need; there are none

    @extend_schema(operation_id="search", parameters=[QuestionSerializer], responses=AnswerSerializer)
    def get(self, request: Request) -> Response:
        """Search experiments, moments, studies, segments and metrics, not outcomes; newest first in each."""
        serializer = QuestionSerializer(data=request.query_params)
        serializer.is_valid(raise_exception=True)
        values: dict[str, Any] = dict(serializer.validated_data)
        kinds = [kind for kind in thing_kinds() if values.get("kind") in (None, kind.slug)]
        if isinstance(request.user, User):  # for a key, the access rules have checked the scope
            kinds = [kind for kind in kinds if request.user.has_perm(kind.permission("view"))]
        answer = search(kinds, words_of(values["q"]), limit=values["limit"], after=values.get("cursor", ""))
        return Response(AnswerSerializer({"next": answer.more or None, "results": answer.hits}).data)


class UntidySerializer(serializers.Serializer[Any]):
    rule = serializers.ChoiceField(choices=[rule.value for rule in TidyRule])
    kind = serializers.CharField(help_text="kind of the object: experiment")
    id = serializers.IntegerField(source="pk")
    title = serializers.CharField()
    url = serializers.CharField()
    since = serializers.DateField()
    owner = serializers.CharField(help_text="username of the owner, or empty")
    calls = serializers.IntegerField(
        allow_null=True, help_text="for the rule still_asked: evaluation calls on the last whole UTC day"
    )


class HygieneSerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    by_rule = serializers.DictField(
        child=serializers.IntegerField(), help_text="number of findings by rule; rules removed in 0.5 count 0"
    )
    results = UntidySerializer(many=True)


class HygieneView(APIView):
    """Findings of the hygiene rules."""

    queryset = Tag.objects.none()
    MOST = 1_000

    @extend_schema(operation_id="hygiene", responses=HygieneSerializer)
    def get(self, request: Request) -> Response:
        """List the findings of the hygiene rules, each with its rule, the date since when it applies, and its owner. At
        most 1,000 are listed; the counts include all.
        """
        rows = untidy.untidy()
        if isinstance(request.user, User):
            rows = untidy.seen_by(request.user, rows)
        counts = dict.fromkeys(RULES_OF_0_4, 0) | {
            rule.value: sum(row.rule is rule for row in rows) for rule in TidyRule
        }
        summary = {"count": len(rows), "by_rule": counts, "results": rows[: self.MOST]}
        return Response(HygieneSerializer(summary).data)


class TagSerializer(serializers.ModelSerializer[Tag]):
    class Meta:
        model = Tag
        fields = ["id", "name"]


class TagNameSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)


class MergeSerializer(serializers.Serializer[Any]):
    into = serializers.SlugRelatedField(slug_field="name", queryset=Tag.objects.all())


class TagViewSet(viewsets.ReadOnlyModelViewSet[Tag]):
    """Tags of experiments, moments, studies and segments. A tag is created by adding it to something."""

    queryset = Tag.objects.order_by("name")
    serializer_class = TagSerializer

    @extend_schema(request=TagNameSerializer, responses=TagSerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Rename a tag everywhere; if a tag with the new name exists, the two are merged."""
        serializer = TagNameSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(
            TagSerializer(
                tags_and_owners.rename_tag(tag=self.get_object(), name=serializer.validated_data["name"])
            ).data
        )

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Remove a tag from everything and delete it."""
        tags_and_owners.delete_tag(tag=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=MergeSerializer, responses=TagSerializer)
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str | None = None) -> Response:
        """Replace this tag by another one everywhere, and delete it."""
        serializer = MergeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(
            TagSerializer(
                tags_and_owners.merge_tags(tag=self.get_object(), into=serializer.validated_data["into"])
            ).data
        )
