"""Rollouts and the kill switch in the management API: each verb calls one service."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api import rollout_serializers as shapes
from experiments.api.base import Newest, asked
from experiments.api.serializers import WhySerializer
from experiments.models import Experiment, Rollout, RolloutMove
from experiments.plan.mistakes import KEY
from experiments.serve.rollout import shipping
from experiments.serve.rollout.rollout_lifecycle import Move
from experiments.serve.rollout.shipping import Asked
from runs.web import person


class RolloutView(APIView):
    """The rollout of an experiment's arm after its end."""

    queryset = Experiment.objects.none()  # the model whose permissions a person needs

    @extend_schema(operation_id="experiments_rollout_retrieve", responses=shapes.RolloutSerializer)
    def get(self, request: Request, key: str) -> Response:
        """The rollout and its current state; 404 if nothing was rolled out."""
        rows = Rollout.objects.select_related("experiment", "variant")
        return _shown(get_object_or_404(rows, experiment=_experiment(key)))

    @extend_schema(
        operation_id="experiments_rollout_create",
        request=shapes.ShipSerializer,
        responses={201: shapes.RolloutSerializer},
    )
    def post(self, request: Request, key: str) -> Response:
        """Roll out an arm of an ended experiment: units that had it keep it, of the others the steps' shares get it."""
        from experiments.standing.shipping_advice import ship_winner

        experiment, values = _experiment(key), asked(shapes.ShipSerializer, request)
        who = _asked(request, values["why"])
        made = ship_winner(experiment=experiment, arm=values["arm"], rows=values["rows"], asked=who)
        return _shown(made, status.HTTP_201_CREATED)


class ChangeRolloutView(APIView):
    """Changed steps of a rollout."""

    queryset = Experiment.objects.none()

    @extend_schema(
        operation_id="experiments_rollout_change",
        request=shapes.ChangeRolloutSerializer,
        responses=shapes.RolloutSerializer,
    )
    def post(self, request: Request, key: str) -> Response:
        """Change the steps of a rollout. No unit that has the arm loses it."""
        experiment, values = _experiment(key), asked(shapes.ChangeRolloutSerializer, request)
        who = _asked(request, values["why"])
        return _shown(shipping.change(key=experiment.key, rows=values["rows"], asked=who))


class RolloutVerbView(APIView):
    """One move of a rollout."""

    queryset = Experiment.objects.none()
    verb: Move

    def _do(self, request: Request, key: str) -> Response:
        experiment, why = _experiment(key), asked(WhySerializer, request)["why"]
        return _shown(shipping.move_rollout(key=experiment.key, move=self.verb, asked=_asked(request, why)))


class HoldRolloutView(RolloutVerbView):
    """Pause a rollout."""

    verb = Move.HOLD

    @extend_schema(operation_id="experiments_rollout_hold", request=WhySerializer, responses=shapes.RolloutSerializer)
    def post(self, request: Request, key: str) -> Response:
        """Pause a rollout: the share stays as it is, and later steps don't take effect."""
        return self._do(request, key)


class ResumeRolloutView(RolloutVerbView):
    """Resume a rollout."""

    verb = Move.GO_ON

    @extend_schema(operation_id="experiments_rollout_resume", request=WhySerializer, responses=shapes.RolloutSerializer)
    def post(self, request: Request, key: str) -> Response:
        """Resume after a pause or the kill switch. Steps whose time has passed take effect at once."""
        return self._do(request, key)


class BackRolloutView(RolloutVerbView):
    """Roll a rollout back."""

    verb = Move.BACK

    @extend_schema(operation_id="experiments_rollout_back", request=WhySerializer, responses=shapes.RolloutSerializer)
    def post(self, request: Request, key: str) -> Response:
        """Roll back: everybody gets the default. To continue, ship the arm again."""
        return self._do(request, key)


class KillView(APIView):
    """The kill switch."""

    queryset = Experiment.objects.none()

    @extend_schema(operation_id="experiments_kill", request=WhySerializer, responses=shapes.KilledSerializer)
    def post(self, request: Request, key: str) -> Response:
        """Kill switch: everybody gets the default within two seconds. A running experiment is paused; a rollout can be
        resumed.
        """
        from experiments.serve.rollout import kill_switch

        experiment, why = _experiment(key), asked(WhySerializer, request)["why"]
        stopped = kill_switch.kill(key=experiment.key, asked=_asked(request, why))
        return Response({"stopped": stopped.value})


class RolloutMovesView(generics.ListAPIView[RolloutMove]):
    """The log of a rollout, the newest first."""

    queryset = RolloutMove.objects.none()
    serializer_class = shapes.RolloutMoveSerializer
    pagination_class = Newest

    @extend_schema(operation_id="experiments_rollout_moves", filters=False)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log of the rollout, newest first: who changed it, when and why, with the state before and after."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[RolloutMove]:
        """Moves of the experiment in the path."""
        rows = RolloutMove.objects.select_related("by")
        return rows.filter(experiment=_experiment(self.kwargs["key"])) if "key" in self.kwargs else rows.none()


def _experiment(key: str) -> Experiment:
    """The experiment in the path; an invalid key is a 404, whatever bytes it has."""
    if not KEY.fullmatch(key):
        raise Http404
    return get_object_or_404(Experiment, key=key)


def _asked(request: Request, why: str) -> Asked:
    return Asked(by=person(request), why=why, key_prefix=getattr(request.auth, "key_prefix", ""))


def _shown(row: Rollout, code: int = status.HTTP_200_OK) -> Response:
    return Response(shapes.RolloutSerializer(row, context={"now": timezone.now()}).data, status=code)
