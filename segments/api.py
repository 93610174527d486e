"""Segments over HTTP for other programs: searches, published models, segments, and who belongs to them."""

from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, mixins, pagination, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from events.upkeep.tags_and_owners import OWNERS
from events.upkeep.thing_verbs import ThingActions, ThingFilter, UpkeepFields
from reporting.document import load
from runs.perform import request_cancel
from runs.refusals import Refused
from runs.web import person
from segments.models import Membership, Segment, SegmentationRun, SegmentModel, SegmentVersion
from segments.published.members import segments_of
from segments.search.question import FIELD_OF, Inputs, check_inputs


# ── Searches ──────────────────────────────────────────────────────────────────
class SegmentationSerializer(serializers.ModelSerializer[SegmentationRun]):
    reason = serializers.CharField(source="reason_in_words", read_only=True)

    class Meta:
        model = SegmentationRun
        fields = [
            "id",
            "title",
            "status",
            "stage",
            "share",
            "reason",
            "inputs",
            "seed",
            "as_of",
            "erased_units",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields


class SegmentationDetailSerializer(SegmentationSerializer):
    result = serializers.SerializerMethodField()

    class Meta(SegmentationSerializer.Meta):
        fields = [*SegmentationSerializer.Meta.fields, "result", "versions"]
        read_only_fields = fields

    def get_result(self, run: SegmentationRun) -> dict[str, Any] | None:
        """The report. A missing number is replaced by its reason in words; an unreadable report says so instead."""
        from segments.search.result import SEGMENTATION

        result: dict[str, Any] | None = None if run.payload is None else SEGMENTATION.outward(run.payload)
        return result


class SegmentationInputsSerializer(serializers.Serializer[Any]):
    """The inputs of a segmentation, with the same defaults as on its page."""

    title = serializers.CharField(max_length=100, required=False, default="")
    signup_event = serializers.CharField(max_length=256)
    first_day = serializers.IntegerField(min_value=0, default=0)
    last_day = serializers.IntegerField(min_value=0, default=13)
    retention = serializers.CharField(max_length=256, required=False, allow_null=True, default=None)
    behaviours = serializers.ListField(child=serializers.CharField(max_length=256), required=False, default=list)
    clusters = serializers.IntegerField(min_value=2, max_value=10, required=False, allow_null=True, default=None)
    day_mode = serializers.ChoiceField(choices=["rolling", "calendar"], default="rolling")
    first_date = serializers.DateField(required=False, allow_null=True, default=None)
    last_date = serializers.DateField(required=False, allow_null=True, default=None)
    activity_weight = serializers.FloatField(min_value=0, max_value=10, default=0.0)
    seed = serializers.IntegerField(min_value=0, default=1)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse invalid inputs with one sentence."""
        dates = {name: attrs[name] and attrs[name].isoformat() for name in ("first_date", "last_date")}
        question = {name: value for name, value in attrs.items() if name not in ("title", "seed")} | dates
        try:
            inputs = check_inputs(load(Inputs, question))
        except Refused as refusal:
            place = FIELD_OF.get(refusal.at, "non_field_errors")
            raise serializers.ValidationError({place: str(refusal)}) from None
        return {"inputs": inputs, "title": attrs["title"], "seed": attrs["seed"]}


class SegmentationViewSet(viewsets.ReadOnlyModelViewSet[SegmentationRun]):
    """Segmentations: searches for groups of users, and their results."""

    queryset = SegmentationRun.objects.light().order_by("-id")
    serializer_class = SegmentationSerializer
    filterset_fields = ["status"]
    pointers: ClassVar = {option: f"/{name}" for option, name in FIELD_OF.items()}

    def get_serializer_class(self) -> type[serializers.BaseSerializer[SegmentationRun]]:
        """Include the result, which is large, only for a single run."""
        return SegmentationDetailSerializer if self.action == "retrieve" else SegmentationSerializer

    @extend_schema(request=SegmentationInputsSerializer, responses={202: SegmentationSerializer})
    def create(self, request: Request) -> Response:
        """Start a segmentation; a worker computes it."""
        from segments.search import segmentations

        question = SegmentationInputsSerializer(data=request.data)
        question.is_valid(raise_exception=True)
        run = segmentations.start_segmentation(**question.validated_data, by=person(request))
        return Response(SegmentationSerializer(run).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: SegmentationSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str | None = None) -> Response:
        """Cancel a segmentation: a queued one at once, a running one at its next step; 409 if it has ended."""
        run = self.get_object()
        request_cancel(run)
        run.refresh_from_db()
        return Response(SegmentationSerializer(run).data, status=status.HTTP_202_ACCEPTED)


# ── Published ─────────────────────────────────────────────────────────────────
class SegmentSerializer(serializers.ModelSerializer[Segment]):
    version = serializers.IntegerField(source="version.number", read_only=True)
    model = serializers.SlugField(source="version.model.key", read_only=True)
    shape = serializers.CharField(
        source="version.shape",
        read_only=True,
        help_text="groups, styles (of a continuum), or empty for a rule or an untested clustering",
    )
    profile = serializers.SerializerMethodField()

    class Meta:
        model = Segment
        fields = [
            "id",
            "model",
            "version",
            "shape",
            "key",
            "number",
            "name",
            "size",
            "stability",
            "targetable",
            "profile",
        ]
        read_only_fields = ["key", "number", "size", "stability", "targetable"]

    def get_profile(self, segment: Segment) -> dict[str, Any]:
        """What sets the segment apart from other users; empty for a rule."""
        from segments.search.result import PROFILE

        profile: dict[str, Any] = PROFILE.outward(segment.profile) if segment.profile else {}
        return profile


class SegmentVersionSerializer(serializers.ModelSerializer[SegmentVersion]):
    class Meta:
        model = SegmentVersion
        fields = ["number", "run", "rule", "inputs", "shape", "units", "published_at", "refreshed_at"]
        read_only_fields = fields
        extra_kwargs = {
            "rule": {
                "help_text": "all, any or none of conditions on a trait, an event or a feature; an event counts on the "
                "first `days` of a user's life or on the `last` days of the data, which end `before` days earlier; "
                "null for clusters and lists"
            }
        }


class SegmentModelSerializer(UpkeepFields, serializers.ModelSerializer[SegmentModel]):
    """A segment model with all its versions."""

    versions = SegmentVersionSerializer(many=True, read_only=True)

    class Meta:
        model = SegmentModel
        fields = ["key", "name", "kind", "refresh_days", "created_at", "tags", "owner", "archived_at", "versions"]
        read_only_fields = fields


class SegmentModelFilter(ThingFilter):
    """Filter by kind, besides the default filters."""

    class Meta:
        model = SegmentModel
        fields: ClassVar = ["kind"]


class SegmentModelViewSet(ThingActions, viewsets.ReadOnlyModelViewSet[SegmentModel]):
    """Segment models: rules or clusterings that divide users into segments, each with its versions, newest first."""

    queryset = (
        SegmentModel.objects.order_by("key")
        .select_related(*OWNERS)
        .prefetch_related("tags", Prefetch("versions", SegmentVersion.objects.light()))
    )
    serializer_class = SegmentModelSerializer
    lookup_field = "key"
    filterset_class = SegmentModelFilter


@extend_schema_view(
    list=extend_schema(description="List published segments of all versions, with their sizes."),
    retrieve=extend_schema(description="Retrieve a segment and its profile, without its members."),
)
class SegmentViewSet(mixins.UpdateModelMixin, viewsets.ReadOnlyModelViewSet[Segment]):
    """Segments of every version. Only the name can be changed."""

    queryset = Segment.objects.light("version__model", keep=("profile",)).order_by("id")
    serializer_class = SegmentSerializer
    filterset_fields = ["version__model__key", "version__number", "targetable"]
    http_method_names = ["get", "patch", "head", "options"]

    def perform_update(self, serializer: serializers.BaseSerializer[Segment]) -> None:
        """Rename with the service, which may refuse."""
        from segments.published import publish

        if "name" in serializer.validated_data:
            serializer.instance = publish.rename(segment=self.get_object(), name=serializer.validated_data["name"])


# ── Members ───────────────────────────────────────────────────────────────────
def may_see_members(request: Request) -> None:
    """Refuse users without the permission to see unit ids; for API keys the authentication has checked the scope.

    Raises:
        PermissionDenied: for a person without the permission to view memberships.
    """
    if isinstance(request.user, User) and not request.user.has_perm("segments.view_membership"):
        raise PermissionDenied


class MemberSerializer(serializers.ModelSerializer[Membership]):
    class Meta:
        model = Membership
        fields = ["unit", "place", "risk", "reasons"]
        read_only_fields = fields


class Cursor(pagination.CursorPagination):
    """Cursor pagination by unit: page numbers would skip or repeat rows during a refresh and count millions of rows."""

    ordering = "unit"
    page_size = 500
    page_size_query_param = "page_size"
    max_page_size = 5_000


class MemberList(generics.ListAPIView[Membership]):
    """The units of a segment."""

    queryset = Membership.objects.none()  # names the model for permissions
    serializer_class = MemberSerializer
    pagination_class = Cursor

    def get_queryset(self) -> Any:
        """Members of an existing segment."""
        may_see_members(self.request)
        segment = generics.get_object_or_404(Segment.objects.light(), pk=self.kwargs["pk"])
        return segment.members.all()


class UnitSegments(generics.ListAPIView[Segment]):
    """The segments that a unit belongs to now, one per model; an empty list for an unknown unit."""

    queryset = Segment.objects.none()
    serializer_class = SegmentSerializer
    pagination_class = None
    filter_backends = []

    def get_queryset(self) -> Any:
        """Memberships of the unit in the current version of every model."""
        may_see_members(self.request)
        return segments_of(self.kwargs["unit"])
