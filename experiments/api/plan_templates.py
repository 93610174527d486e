"""Management API for plan templates."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api import review_serializers as shapes
from experiments.api import serializers
from experiments.api.analyses import experiment_of
from experiments.api.base import account, asked
from experiments.models import Experiment, PlanTemplate


class PlanTemplateViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[PlanTemplate]):
    """Plan templates: the content of a plan, saved under a name. Each change makes a new version."""

    queryset = PlanTemplate.objects.select_related("created_by").order_by("key")
    serializer_class = shapes.TemplateSerializer
    lookup_field = "key"
    lookup_value_regex = "[-a-zA-Z0-9_]{1,64}"

    @extend_schema(request=shapes.NewTemplateSerializer, responses={201: shapes.TemplateSerializer})
    def create(self, request: Request) -> Response:
        """Save the plan of an experiment as a template."""
        from experiments.plan.templates import save_as_template

        values = asked(shapes.NewTemplateSerializer, request)
        row = experiment_of(values.pop("experiment"))
        made = save_as_template(experiment=row, by=account(request), **values)
        return Response(shapes.TemplateSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=shapes.ChangeTemplateSerializer, responses=shapes.TemplateSerializer)
    def partial_update(self, request: Request, key: str) -> Response:
        """Change names, description or fixed fields, or replace the content by the plan of another experiment."""
        from experiments.plan.templates import change_template

        values = asked(shapes.ChangeTemplateSerializer, request)
        source = values.pop("experiment", None)
        row = change_template(
            template=self.get_object(),
            by=account(request),
            content_from=None if source is None else experiment_of(source),
            **values,
        )
        return Response(shapes.TemplateSerializer(row).data)

    @extend_schema(request=shapes.ArchiveSerializer, responses=shapes.TemplateSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, key: str) -> Response:
        """Archive a template, or restore it."""
        from experiments.plan.templates import archive_template

        archived = asked(shapes.ArchiveSerializer, request)["archived"]
        row = archive_template(template=self.get_object(), archived=archived, by=account(request))
        return Response(shapes.TemplateSerializer(row).data)


class TemplateDraftsView(APIView):
    """Drafts made from a template."""

    queryset = Experiment.objects.none()  # the model whose permissions a person needs

    @extend_schema(
        operation_id="plan_templates_drafts_create",
        request=shapes.TemplateDraftSerializer,
        responses={201: serializers.ExperimentSerializer},
    )
    def post(self, request: Request, key: str) -> Response:
        """Create a draft from a template, with its own key, flag and random draw, and without dates."""
        from experiments.plan.template_drafts import draft_from_template

        template = get_object_or_404(PlanTemplate, key=key)
        made = draft_from_template(
            template=template, by=account(request), **asked(shapes.TemplateDraftSerializer, request)
        )
        return Response(serializers.ExperimentSerializer(made).data, status=status.HTTP_201_CREATED)


class TemplateUseView(APIView):
    """The template of a plan."""

    queryset = Experiment.objects.none()

    @extend_schema(operation_id="experiments_template", responses=shapes.TemplateUseSerializer)
    def get(self, request: Request, key: str) -> Response:
        """The template that a plan was made from, the fields that it fixes, and those that differ from it."""
        return _used(experiment_of(key))

    @extend_schema(operation_id="experiments_template_release", request=None, responses=shapes.TemplateUseSerializer)
    def patch(self, request: Request, key: str) -> Response:
        """Release a draft from its template: fields that the template fixed may be changed."""
        from experiments.plan.template_drafts import release

        return _used(release(key=experiment_of(key).key, by=account(request)))


def _used(row: Experiment) -> Response:
    from experiments.models import TemplateUse
    from experiments.plan.template_content import content_of, differences

    use = TemplateUse.objects.filter(experiment=row).select_related("template").first()
    if use is None:
        raise Http404
    found: dict[str, Any] = {
        "use": use,
        "differences": [
            {"field": name, "template": old, "plan": new}
            for name, old, new in differences(use.content, content_of(row))
        ],
    }
    return Response(shapes.TemplateUseSerializer(found).data)
