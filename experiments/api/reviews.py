"""Management API for reviews, comments and the review rule; a key acts for the account that created it."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api import review_serializers as shapes
from experiments.api.analyses import experiment_of
from experiments.api.base import Newest, account, asked
from experiments.models import (
    Experiment,
    PlanComment,
    ReviewAnswer,
    ReviewItem,
    ReviewPolicy,
    ReviewRequest,
    ReviewTick,
)
from runs.refusals import Refused
from runs.web import person


def whole(row: Experiment, code: int = status.HTTP_200_OK) -> Response:
    """The state of a plan's review, as all review endpoints return it."""
    from django.contrib.auth.models import User

    from experiments.plan.review.review_state import standing_of
    from experiments.plan.review.who_may_approve import authors_of
    from experiments.plan_page.known_numbers import known_of
    from experiments.review_page.checklist import checklist

    standing = standing_of(row)
    is_draft = row.status == Experiment.Status.DRAFT
    names = User.objects.filter(pk__in=authors_of(row)).order_by("username")
    found = {
        "needed": standing.needed,
        "code": standing.code.value,
        "fingerprint": standing.fingerprint,
        "moved_on": standing.moved_on,
        "authors": [one.get_username() for one in names],
        "requests": ReviewRequest.objects.filter(experiment=row).select_related("by").prefetch_related("reviewers"),
        "answers": ReviewAnswer.objects.filter(experiment=row).select_related("by"),
        "checks": checklist(row, known_of(row, ask=False)) if is_draft else [],
    }
    return Response(shapes.ReviewSerializer(found).data, status=code)


class ReviewView(APIView):
    """The review of a plan."""

    queryset = ReviewRequest.objects.none()  # the model whose permissions a person needs

    @extend_schema(operation_id="experiments_review", responses=shapes.ReviewSerializer)
    def get(self, request: Request, key: str) -> Response:
        """State of the review, its requests and answers, and the checklist."""
        return whole(experiment_of(key))


class ReviewRequestsView(APIView):
    """Requests for a review."""

    queryset = ReviewRequest.objects.none()

    @extend_schema(
        operation_id="experiments_review_ask",
        request=shapes.AskReviewSerializer,
        responses={201: shapes.ReviewSerializer},
    )
    def post(self, request: Request, key: str) -> Response:
        """Request a review of a draft; an open request is replaced."""
        from experiments.plan.review.review_requests import ask_for_review

        row = experiment_of(key)
        ask_for_review(key=row.key, by=account(request), **asked(shapes.AskReviewSerializer, request))
        return whole(row, status.HTTP_201_CREATED)

    @extend_schema(operation_id="experiments_review_withdraw", request=None, responses=shapes.ReviewSerializer)
    def patch(self, request: Request, key: str) -> Response:
        """Withdraw the open request for a review."""
        from experiments.plan.review.review_requests import withdraw_request

        row = experiment_of(key)
        withdraw_request(key=row.key)
        return whole(row)


class ReviewAnswersView(APIView):
    """Answers of reviews."""

    queryset = ReviewAnswer.objects.none()

    @extend_schema(
        operation_id="experiments_review_answer",
        request=shapes.AnswerSerializer,
        responses={201: shapes.ReviewSerializer},
    )
    def post(self, request: Request, key: str) -> Response:
        """Approve the plan as it stands, or request changes. Refused for authors of the plan, even with an API key."""
        from experiments.plan.review.review_answers import answer_review

        row, values = experiment_of(key), asked(shapes.AnswerSerializer, request)
        if row.drafted_by_agent and person(request) is None:
            raise Refused("An agent drafted this plan: a person answers its review signed in, not with a key.")
        answer_review(
            key=row.key, by=account(request), kind=values["kind"], text=values["text"], seen=values["fingerprint"]
        )
        return whole(row, status.HTTP_201_CREATED)


class ReviewTicksView(APIView):
    """Ticks of the checklist."""

    queryset = ReviewTick.objects.none()

    @extend_schema(
        operation_id="experiments_review_tick", request=shapes.TickSerializer, responses=shapes.ReviewSerializer
    )
    def post(self, request: Request, key: str) -> Response:
        """Tick a check of the checklist, with a note, or remove the tick."""
        from experiments.plan.review.ticking import tick

        row = experiment_of(key)
        tick(key=row.key, by=account(request), **asked(shapes.TickSerializer, request))
        return whole(row)


class CommentsView(APIView):
    """Comments on a plan."""

    queryset = PlanComment.objects.none()
    pagination_class = Newest

    @extend_schema(operation_id="experiments_comments_list", responses=shapes.CommentSerializer(many=True))
    def get(self, request: Request, key: str) -> Response:
        """All comments, newest first."""
        rows = PlanComment.objects.filter(experiment=experiment_of(key)).select_related("by", "resolved_by")
        pages = self.pagination_class()
        page = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response(shapes.CommentSerializer(page, many=True).data)

    @extend_schema(
        operation_id="experiments_comments_create",
        request=shapes.CommentSerializer,
        responses={201: shapes.CommentSerializer},
    )
    def post(self, request: Request, key: str) -> Response:
        """Comment on a section of a plan."""
        from experiments.plan.review.remarks import add_comment

        row, given = experiment_of(key), asked(shapes.CommentSerializer, request)
        made = add_comment(experiment=row, section=given["section"], text=given["text"], by=account(request))
        return Response(shapes.CommentSerializer(made).data, status=status.HTTP_201_CREATED)


class CommentView(APIView):
    """One comment."""

    queryset = PlanComment.objects.none()

    @extend_schema(
        operation_id="experiments_comments_settle", request=shapes.SettleSerializer, responses=shapes.CommentSerializer
    )
    def patch(self, request: Request, key: str, pk: int) -> Response:
        """Resolve a comment, or reopen it."""
        from experiments.plan.review.remarks import settle

        row = get_object_or_404(PlanComment, experiment=experiment_of(key), pk=pk)
        is_open = asked(shapes.SettleSerializer, request)["is_open"]
        return Response(shapes.CommentSerializer(settle(comment=row, by=account(request), is_open=is_open)).data)


class PolicyView(APIView):
    """The site's review rule."""

    queryset = ReviewPolicy.objects.none()

    @extend_schema(operation_id="review_policy", responses=shapes.PolicySerializer)
    def get(self, request: Request) -> Response:
        """The review rule, and whether it requires an approval now."""
        return self._answer()

    @extend_schema(
        operation_id="review_policy_change", request=shapes.PolicySerializer, responses=shapes.PolicySerializer
    )
    def patch(self, request: Request) -> Response:
        """Set the review rule. A key needs the scope, and the account that created it needs the permission."""
        from experiments.plan.review.review_rule import choose_mode

        user = account(request)
        # PMs may create keys with this scope: without this check a PM could switch off the review of their own plans.
        if user is None or not user.is_active or not user.has_perm("experiments.change_reviewpolicy"):
            raise PermissionDenied
        choose_mode(asked(shapes.PolicySerializer, request)["mode"])
        return self._answer()

    def _answer(self) -> Response:
        from experiments.plan.review.who_may_approve import is_required

        found: dict[str, Any] = {"mode": ReviewPolicy.current().mode, "required": is_required()}
        return Response(shapes.PolicySerializer(found).data)


class ReviewItemViewSet(
    mixins.ListModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[ReviewItem],
):
    """Checks that a team adds to the checklist. They are switched off with `active`, never deleted."""

    queryset = ReviewItem.objects.order_by("position", "id")
    serializer_class = shapes.ReviewItemSerializer
    lookup_value_regex = r"\d{1,18}"
    http_method_names = ["get", "head", "options", "post", "patch"]
