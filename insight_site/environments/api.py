"""Definitions over HTTP: a program exports them from one environment and imports them into another."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.models import Experiment
from experiments.plan.mistakes import KEY
from insight_site.environments.definition import definition_of
from insight_site.rest.endpoints import KeyUser
from runs.web import person


class MayPlan(BasePermission):
    """A key's scope is checked by the access rules; a person needs permission to view, or to plan, experiments."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """True when the caller may do this."""
        wanted = "experiments.view_experiment" if request.method == "GET" else "experiments.add_experiment"
        return isinstance(request.user, KeyUser) or request.user.has_perm(wanted)


class DefinitionSerializer(serializers.Serializer[Any]):
    """A plan as exported from one site and imported into another (docs/environments.md)."""

    format = serializers.IntegerField()
    environment = serializers.CharField()
    made_at = serializers.CharField()
    plan = serializers.DictField()
    draw = serializers.DictField()
    version = serializers.IntegerField()
    status = serializers.CharField()
    history = serializers.ListField(child=serializers.DictField())
    tried = serializers.DictField()
    digest = serializers.CharField()


class BroughtSerializer(serializers.Serializer[Any]):
    """The draft that was created or changed."""

    key = serializers.CharField()
    status = serializers.CharField()
    version = serializers.IntegerField()


class DefinitionView(APIView):
    """The definition of one experiment."""

    permission_classes = [MayPlan]

    @extend_schema(responses=DefinitionSerializer)
    def get(self, request: Request, key: str) -> Response:
        """Export a plan with its draw (seed and hash version) and history, without units and results."""
        found = Experiment.objects.filter(key=key).first() if KEY.fullmatch(key) else None
        if found is None:
            raise Http404
        return Response(definition_of(found))


class PromotionsView(APIView):
    """Definitions imported from other environments."""

    permission_classes = [MayPlan]

    @extend_schema(request=DefinitionSerializer, responses={201: BroughtSerializer})
    def post(self, request: Request) -> Response:
        """Import a definition: create its draft, or change the one imported before."""
        from insight_site.environments.promoting import bring

        made = bring(request.data, by=person(request))
        return Response(BroughtSerializer(made).data, status=status.HTTP_201_CREATED)
