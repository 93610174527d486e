"""Rollouts and the kill switch in the management API: each verb calls one service."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.serializers import Newest, WhySerializer, asked, steps
from experiments.models import Experiment, Rollout, RolloutMove
from experiments.plan.validation import KEY
from experiments.serve import shipping
from experiments.serve.rollout_lifecycle import MOST_ROWS, MOST_STEPS, Move
from experiments.serve.shipping import Asked, said
from runs.web import person

# Serializers of rollouts: rows with steps as input, current state and log as output.

Row = dict[str, Any]


class StepSerializer(serializers.Serializer[Row]):
    """From `at` on, this share of the units that don't have the arm from the experiment gets it."""

    share = steps(1)
    at = serializers.DateTimeField(allow_null=True, default=None, help_text="start of the step; null for now")


class RolloutRowSerializer(serializers.Serializer[Row]):
    """A segment or everyone, with its steps."""

    segment = serializers.CharField(
        max_length=128,
        allow_null=True,
        default=None,
        help_text="key of a segment; null for all users, allowed in the last row only",
    )
    steps = serializers.ListField(child=StepSerializer(), min_length=1, max_length=MOST_STEPS)


class ChangeRolloutSerializer(serializers.Serializer[Row]):
    rows = serializers.ListField(child=RolloutRowSerializer(), min_length=1, max_length=MOST_ROWS)
    why = serializers.CharField(
        default="", allow_blank=True, max_length=2_000, help_text="reason, stored in the history"
    )


class ShipSerializer(ChangeRolloutSerializer):
    arm = serializers.CharField(max_length=128, help_text="key of the variant to roll out")
    why = serializers.CharField(
        default="", allow_blank=True, max_length=2_000, help_text="reason; required unless the decision table says ship"
    )


class ShownStepSerializer(serializers.Serializer[Row]):
    share = steps(1)
    at = serializers.DateTimeField()


class ShownRowSerializer(serializers.Serializer[Row]):
    segment = serializers.CharField(allow_null=True)
    share = steps()
    steps = ShownStepSerializer(many=True)


class RolloutStateSerializer(serializers.Serializer[Row]):
    """State of a rollout at one time. `share` is the share at that time, of the units that don't have the arm from the
    experiment.
    """

    state = serializers.ChoiceField(choices=Rollout.State.choices)
    variant = serializers.CharField()
    rows = ShownRowSerializer(many=True)


class RolloutSerializer(serializers.ModelSerializer[Rollout]):
    """A rollout and its current state."""

    experiment = serializers.CharField(source="experiment.key")
    flag = serializers.CharField(source="flag_key")
    now = serializers.SerializerMethodField()

    class Meta:
        model = Rollout
        fields = ["experiment", "flag", "first_at", "held_at", "now"]

    @extend_schema_field(RolloutStateSerializer)
    def get_now(self, row: Rollout) -> dict[str, Any]:
        """What is served now."""
        return said(row, self.context["now"])


class RolloutMoveSerializer(serializers.ModelSerializer[RolloutMove]):
    """One logged change of a rollout: who made it and why, with the state before and after."""

    by = serializers.CharField(source="by.username", default=None, allow_null=True)
    before = RolloutStateSerializer(allow_null=True)
    after = RolloutStateSerializer()

    class Meta:
        model = RolloutMove
        fields = ["at", "by", "key_prefix", "kind", "before", "after", "why"]


class KilledSerializer(serializers.Serializer[Row]):
    stopped = serializers.ChoiceField(
        choices=["experiment", "rollout"],
        help_text="what was stopped: experiment (now paused) or rollout (can be resumed)",
    )


class RolloutView(APIView):
    """The rollout of an experiment's arm after its end."""

    queryset = Experiment.objects.none()  # the model whose permissions a person needs

    @extend_schema(operation_id="experiments_rollout_retrieve", responses=RolloutSerializer)
    def get(self, request: Request, key: str) -> Response:
        """The rollout and its current state; 404 if nothing was rolled out."""
        rows = Rollout.objects.select_related("experiment", "variant")
        return _shown(get_object_or_404(rows, experiment=_experiment(key)))

    @extend_schema(
        operation_id="experiments_rollout_create", request=ShipSerializer, responses={201: RolloutSerializer}
    )
    def post(self, request: Request, key: str) -> Response:
        """Roll out an arm of an ended experiment. Its units keep it; the steps set which share of the others get it."""
        from experiments.status.rollout_moves import ship_winner

        experiment, values = _experiment(key), asked(ShipSerializer, request)
        who = _asked(request, values["why"])
        made = ship_winner(experiment=experiment, arm=values["arm"], rows=values["rows"], asked=who)
        return _shown(made, status.HTTP_201_CREATED)


class ChangeRolloutView(APIView):
    """Changed steps of a rollout."""

    queryset = Experiment.objects.none()

    @extend_schema(
        operation_id="experiments_rollout_change", request=ChangeRolloutSerializer, responses=RolloutSerializer
    )
    def post(self, request: Request, key: str) -> Response:
        """Change the steps of a rollout. No unit that has the arm loses it."""
        experiment, values = _experiment(key), asked(ChangeRolloutSerializer, request)
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

    @extend_schema(operation_id="experiments_rollout_hold", request=WhySerializer, responses=RolloutSerializer)
    def post(self, request: Request, key: str) -> Response:
        """Pause a rollout: the share stays as it is, and later steps don't take effect."""
        return self._do(request, key)


class ResumeRolloutView(RolloutVerbView):
    """Resume a rollout."""

    verb = Move.GO_ON

    @extend_schema(operation_id="experiments_rollout_resume", request=WhySerializer, responses=RolloutSerializer)
    def post(self, request: Request, key: str) -> Response:
        """Resume after a pause or the kill switch. Steps whose time has passed take effect at once."""
        return self._do(request, key)


class BackRolloutView(RolloutVerbView):
    """Roll a rollout back."""

    verb = Move.BACK

    @extend_schema(operation_id="experiments_rollout_back", request=WhySerializer, responses=RolloutSerializer)
    def post(self, request: Request, key: str) -> Response:
        """Roll back: everybody gets the default. To continue, ship the arm again."""
        return self._do(request, key)


class KillView(APIView):
    """The kill switch."""

    queryset = Experiment.objects.none()

    @extend_schema(operation_id="experiments_kill", request=WhySerializer, responses=KilledSerializer)
    def post(self, request: Request, key: str) -> Response:
        """Kill switch: everybody gets the default within two seconds. A running experiment is paused; a rollout can be
        resumed.
        """
        from experiments.status import rollout_moves

        experiment, why = _experiment(key), asked(WhySerializer, request)["why"]
        stopped = rollout_moves.kill(key=experiment.key, asked=_asked(request, why))
        return Response({"stopped": stopped.value})


class RolloutMovesView(generics.ListAPIView[RolloutMove]):
    """The log of a rollout, the newest first."""

    queryset = RolloutMove.objects.none()
    serializer_class = RolloutMoveSerializer
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
    return Response(RolloutSerializer(row, context={"now": timezone.now()}).data, status=code)
