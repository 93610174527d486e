"""The catalogue of metrics, and which ids are one person, over REST. OpenAPI: docs/openapi.yaml."""

from dataclasses import asdict
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, pagination, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events.calendar import entries
from events.calendar.happened import happened
from events.catalogue import save_metrics
from events.metrics import LONGEST_LINE
from events.metrics.facts import DIRECTIONS, KEY, LONGEST, LONGEST_TAG, MOST_TAGS, About, Facts
from events.models import CalendarEntry, IdLink, Metric, MetricCheck, MetricVersion
from events.people.identity import counted, ids_with, roots_of
from runs.web import person

# Identity in the management API: which ids belong to one person.


class CountsSerializer(serializers.Serializer[Any]):
    """How many ids were joined into persons, and how many links were rejected (docs/identity.md)."""

    joined_ids = serializers.IntegerField()
    persons = serializers.IntegerField()
    shared_devices = serializers.IntegerField()
    two_users = serializers.IntegerField()
    circles = serializers.IntegerField()
    too_many = serializers.IntegerField()
    by_public_keys = serializers.IntegerField()


class IdsSerializer(serializers.Serializer[Any]):
    """All ids of one person; `counts_as` is the id under which the person is counted."""

    counts_as = serializers.CharField()
    ids = serializers.ListField(child=serializers.CharField())


class CountsView(APIView):
    """How many ids were joined."""

    queryset = IdLink.objects.none()

    @extend_schema(operation_id="identity_retrieve", responses=CountsSerializer)
    def get(self, request: Request) -> Response:
        """Counts of joined ids and rejected links since the beginning."""
        return Response(asdict(counted()))


class IdsView(APIView):
    """The ids of one person."""

    queryset = IdLink.objects.none()

    @extend_schema(operation_id="unit_ids_retrieve", responses=IdsSerializer)
    def get(self, request: Request, unit: str) -> Response:
        """All ids of the person with this id; an unknown id is returned alone."""
        if person(request) is not None and not request.user.has_perm("events.view_idlink"):
            raise PermissionDenied
        return Response({"counts_as": roots_of([unit])[unit], "ids": sorted(ids_with([unit]))})


# The catalogue of metrics for other programs: each verb calls one service. OpenAPI: docs/openapi.yaml.

ABOUT = (*LONGEST, "tags")
FACTS = ("definition", "cap", "direction", "margin")


class MetricVersionSerializer(serializers.ModelSerializer[MetricVersion]):
    """One version of a metric; its definition never changes."""

    # A plain text: rules of guardrails have a direction, too, and their lists would fight for one name.
    direction = serializers.CharField(read_only=True, help_text="direction of improvement: higher or lower")
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True, allow_null=True)
    certified_by = serializers.CharField(source="certified_by.username", default=None, read_only=True, allow_null=True)

    class Meta:
        model = MetricVersion
        fields = ["number", *FACTS, "hash", "why", "created_by", "created_at", "certified_by", "certified_at"]
        read_only_fields = fields


class MetricSerializer(serializers.ModelSerializer[Metric]):
    """A metric with its newest version."""

    tags = serializers.ListField(source="tag_list", child=serializers.CharField(), read_only=True)
    current = MetricVersionSerializer(read_only=True)
    # A plain text: other rows have a status, too, and their lists would fight for one name.
    status = serializers.CharField(read_only=True, help_text="draft, certified or deprecated")

    class Meta:
        model = Metric
        fields = ["key", *LONGEST, "tags", "status", "version", "current", "created_at", "updated_at"]
        read_only_fields = fields


class MetricChangeSerializer(serializers.Serializer[Any]):
    """Omitted fields keep their values. A different definition, cap, direction or margin makes a new version."""

    name_en = serializers.CharField(max_length=LONGEST["name_en"], required=False)
    name_ko = serializers.CharField(max_length=LONGEST["name_ko"], required=False, allow_blank=True)
    description = serializers.CharField(max_length=LONGEST["description"], required=False, allow_blank=True)
    owner = serializers.CharField(max_length=LONGEST["owner"], required=False, allow_blank=True)
    unit = serializers.CharField(max_length=LONGEST["unit"], required=False, allow_blank=True)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_TAG), max_length=MOST_TAGS, required=False
    )
    definition = serializers.CharField(
        max_length=LONGEST_LINE, required=False, help_text="metric definition (SPEC), such as sum:buy:price:0-6"
    )
    cap = serializers.CharField(
        max_length=40,
        required=False,
        allow_blank=True,
        help_text="limit to which larger values are cut: a value (100) or a percentile (99.9%)",
    )
    direction = serializers.ChoiceField(choices=[(value, value) for value in DIRECTIONS], required=False)
    margin = serializers.FloatField(
        required=False, allow_null=True, help_text="non-inferiority margin, above 0, in the metric's unit"
    )
    why = serializers.CharField(
        max_length=300, required=False, allow_blank=True, help_text="reason for the new version"
    )


class NewMetricSerializer(MetricChangeSerializer):
    """A new metric."""

    key = serializers.RegexField(
        f"^{KEY.pattern}$", max_length=64, help_text="lower-case letters, digits, dots, dashes, underscores"
    )
    name_en = serializers.CharField(max_length=LONGEST["name_en"])
    definition = serializers.CharField(
        max_length=LONGEST_LINE, help_text="metric definition (SPEC), such as sum:buy:price:0-6"
    )


class CertifySerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text="number of the version to certify")


class MetricWhySerializer(serializers.Serializer[Any]):
    why = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)


class MetricCheckSerializer(serializers.ModelSerializer[MetricCheck]):
    """A check of a metric on past data; `result` is null until it is done."""

    version = serializers.IntegerField(source="version.number", read_only=True)
    status = serializers.CharField(read_only=True, help_text="queued, running, done, failed or cancelled")
    reason = serializers.CharField(source="reason_in_words", read_only=True)
    result = serializers.SerializerMethodField()

    class Meta:
        model = MetricCheck
        fields = ["id", "version", "status", "stage", "share", "reason", "seed", "inputs", "as_of", "result"]
        read_only_fields = fields

    def get_result(self, run: MetricCheck) -> dict[str, Any] | None:
        """Value by week and false alarms; a missing number is replaced by its reason in words."""
        from events.catalogue.check_report import CHECK

        result: dict[str, Any] | None = None if run.payload is None else CHECK.outward(run.payload)
        return result


class MetricFilter(filters.FilterSet):  # type: ignore[misc]  # it ships no types
    """By state, tag or owner."""

    status = filters.ChoiceFilter(choices=Metric.Status.choices)
    tag = filters.CharFilter(method="by_tag")
    owner = filters.CharFilter()

    class Meta:
        model = Metric
        fields: list[str] = []

    def by_tag(self, rows: QuerySet[Metric], _name: str, tag: str) -> QuerySet[Metric]:
        """Those that have the tag."""
        return rows.filter(pk__in=Metric.objects.with_tag(tag))


class ByKey(pagination.CursorPagination):
    """Cursor pagination by key: metrics added meanwhile don't shift the pages."""

    ordering = "key"
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1_000


class NewestVersions(ByKey):
    """Versions, or checks, newest first."""

    ordering = "-id"


@extend_schema_view(
    list=extend_schema(description="List the metrics of the catalogue. A plan refers to a metric as metric:KEY."),
    retrieve=extend_schema(
        description="Retrieve a metric: its definition, unit and direction, and the account that certified it."
    ),
)
class MetricViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Metric]):
    """The catalogue: metrics, their versions, their checks."""

    queryset = Metric.objects.order_by("key").prefetch_related("versions__created_by", "versions__certified_by")
    serializer_class = MetricSerializer
    filterset_class = MetricFilter
    pagination_class = ByKey
    lookup_field = "key"
    lookup_value_regex = "[^/]+"

    def get_object(self) -> Metric:
        """The metric in the path; an invalid key is a 404, whatever bytes it has."""
        if not KEY.fullmatch(self.kwargs["key"]):
            raise Http404
        return super().get_object()

    @extend_schema(request=NewMetricSerializer, responses={201: MetricSerializer})
    def create(self, request: Request) -> Response:
        """Add a metric, as a draft."""
        values = _asked(NewMetricSerializer, request)
        about = About(**{name: _about(values[name]) for name in ABOUT if name in values})
        facts = Facts(**{name: values[name] for name in FACTS if name in values})
        why = values.get("why", "")
        made = save_metrics.create_metric(key=values["key"], about=about, facts=facts, by=person(request), why=why)
        return self._whole(made.key, status.HTTP_201_CREATED)

    @extend_schema(request=MetricChangeSerializer, responses=MetricSerializer)
    def partial_update(self, request: Request, key: str) -> Response:
        """Change a metric's descriptive fields, or add a version of its definition."""
        row = self.get_object()
        values = _asked(MetricChangeSerializer, request)
        before = About(row.name_en, row.name_ko, row.description, row.owner, tuple(row.tag_list), row.unit)
        about = About(**{**vars(before), **{name: _about(values[name]) for name in ABOUT if name in values}})
        facts = Facts(**{**vars(row.current.facts), **{name: values[name] for name in FACTS if name in values}})
        save_metrics.change_metric(key=key, about=about, facts=facts, by=person(request), why=values.get("why", ""))
        return self._whole(key)

    @extend_schema(request=CertifySerializer, responses=MetricSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def certify(self, request: Request, key: str) -> Response:
        """Certify the newest version. Its author may do so only if no other account can."""
        self.get_object()
        save_metrics.certify(key=key, version=_asked(CertifySerializer, request)["version"], by=person(request))
        return self._whole(key)

    @extend_schema(request=MetricWhySerializer, responses=MetricSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def deprecate(self, request: Request, key: str) -> Response:
        """Deprecate a metric: it can't be chosen any more; running plans continue and show it."""
        self.get_object()
        save_metrics.deprecate(key=key, by=person(request), why=_asked(MetricWhySerializer, request)["why"])
        return self._whole(key)

    @extend_schema(request=MetricWhySerializer, responses=MetricSerializer)
    @action(detail=True, methods=["post"], url_path="take-up", filterset_class=None)
    def take_up(self, request: Request, key: str) -> Response:
        """Make a deprecated or certified metric a draft again; it must be certified again."""
        self.get_object()
        save_metrics.take_up_again(key=key, by=person(request), why=_asked(MetricWhySerializer, request)["why"])
        return self._whole(key)

    @extend_schema(responses=MetricVersionSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=NewestVersions, filterset_class=None)
    def versions(self, request: Request, key: str) -> Response:
        """All versions of the metric's definition, newest first."""
        rows = self.get_object().versions.select_related("created_by", "certified_by")
        return self._paged(rows, MetricVersionSerializer)

    @extend_schema(responses=MetricCheckSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=NewestVersions, filterset_class=None)
    def checks(self, request: Request, key: str) -> Response:
        """Checks of the metric on past data (value by week, false alarms), newest first."""
        rows = MetricCheck.objects.filter(version__metric=self.get_object()).select_related("version")
        return self._paged(rows, MetricCheckSerializer)

    @extend_schema(request=None, responses={202: MetricCheckSerializer})
    @checks.mapping.post
    def add_check(self, request: Request, key: str) -> Response:
        """Check the newest version on past data; a worker computes it."""
        from events.catalogue import check_metric

        run = check_metric.start_check(key=self.get_object().key, by=person(request))
        return Response(MetricCheckSerializer(run).data, status=status.HTTP_202_ACCEPTED)

    def _whole(self, key: str, code: int = status.HTTP_200_OK) -> Response:
        return Response(MetricSerializer(self.get_queryset().get(key=key)).data, status=code)

    def _paged(self, rows: QuerySet[Any], shape: Any) -> Response:
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(shape(page, many=True).data)


def _asked[S: serializers.BaseSerializer[Any]](kind: type[S], request: Request) -> dict[str, Any]:
    shape = kind(data=request.data)
    shape.is_valid(raise_exception=True)
    return dict(shape.validated_data)


def _about(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


# The calendar of what happened. OpenAPI: docs/openapi.yaml.


class CalendarEntrySerializer(serializers.ModelSerializer[CalendarEntry]):
    """Something that happened: a release, a campaign, an event in the product, an outage."""

    kind = serializers.ChoiceField(choices=CalendarEntry.Kind.choices)
    ends = serializers.DateField(required=False, allow_null=True, help_text="last day; null for a single day")
    reference = serializers.CharField(
        max_length=entries.LONGEST["reference"],
        required=False,
        allow_blank=True,
        validators=[],
        help_text="its name in the system that it comes from; sent again, it changes the entry",
    )

    class Meta:
        model = CalendarEntry
        fields = ["id", *entries.COLUMNS, "created_at", "updated_at"]
        read_only_fields = ["id", "created_at", "updated_at"]


class HappeningSerializer(serializers.Serializer[Any]):
    """One line of the calendar: an entry, or an experiment or rollout of this site."""

    kind = serializers.CharField(help_text="release, campaign, event, outage, other, experiment or rollout")
    title = serializers.CharField()
    starts = serializers.DateField()
    ends = serializers.DateField(allow_null=True, help_text="null while it goes on")
    owner = serializers.CharField()
    link = serializers.CharField()
    note = serializers.CharField()
    reference = serializers.CharField(allow_null=True, help_text="null for what the site knows by itself")


class CalendarViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[CalendarEntry]
):
    """The calendar: entries that people and programs write down."""

    queryset = CalendarEntry.objects.order_by("-pk")
    serializer_class = CalendarEntrySerializer
    pagination_class = NewestVersions

    @extend_schema(responses={200: CalendarEntrySerializer, 201: CalendarEntrySerializer})
    def create(self, request: Request) -> Response:
        """Write an entry down. A reference that is there already changes its entry: a release can be sent twice."""
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        row, made = entries.put(entry=entries.Written(**given.validated_data), by=person(request))
        code = status.HTTP_201_CREATED if made else status.HTTP_200_OK
        return Response(self.get_serializer(row).data, status=code)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change an entry; omitted fields keep their values."""
        row = self.get_object()
        given = self.get_serializer(row, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        before = {name: getattr(row, name) for name in entries.COLUMNS}
        changed = entries.change(row=row, entry=entries.Written(**{**before, **given.validated_data}))
        return Response(self.get_serializer(changed).data)

    @extend_schema(responses=HappeningSerializer(many=True), filters=False)
    @action(detail=False, methods=["get"], pagination_class=None)
    def happened(self, request: Request) -> Response:
        """All that happened, the newest first: entries, experiments and rollouts."""
        return Response([one.document() for one in happened()])
