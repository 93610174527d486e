"""Reviews, comments, the rule of reviews and templates for plans in the management API."""

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api import serializers as api_serializers
from experiments.api.analyses import experiment_of
from experiments.api.serializers import Newest, account, asked
from experiments.models import (
    SECTIONS,
    Experiment,
    PlanComment,
    PlanTemplate,
    ReviewAnswer,
    ReviewItem,
    ReviewPolicy,
    ReviewRequest,
    ReviewTick,
)
from experiments.plan.templates import FIXABLE
from runs.refusals import Refused
from runs.web import person

# Serializers of reviews, comments and templates in the management API.

Row = dict[str, Any]
MOST = 2_000


def by() -> serializers.CharField:
    """User name; null for a deleted account, and for a key that no account made."""
    return serializers.CharField(source="by.username", default=None, read_only=True, allow_null=True)


class ReviewRequestSerializer(serializers.ModelSerializer[ReviewRequest]):
    """A request for a review."""

    by = by()
    state = serializers.CharField(read_only=True, help_text="open, approved, changes, withdrawn or replaced")
    reviewers = serializers.SlugRelatedField[User](slug_field="username", many=True, read_only=True)

    class Meta:
        model = ReviewRequest
        fields = ["id", "state", "at", "by", "reviewers", "note", "version", "fingerprint", "closed_at"]
        read_only_fields = fields


class ReviewAnswerSerializer(serializers.ModelSerializer[ReviewAnswer]):
    """An answer to a review."""

    by = by()
    kind = serializers.CharField(read_only=True, help_text="approved, changes or skipped")

    class Meta:
        model = ReviewAnswer
        fields = ["id", "kind", "at", "by", "text", "version", "fingerprint"]
        read_only_fields = fields


class CheckSerializer(serializers.Serializer[Any]):
    """One item of the checklist: its code, its state, and the facts behind it."""

    code = serializers.CharField()
    state = serializers.ChoiceField(choices=["ok", "warn", "missing"])
    facts = serializers.DictField(help_text="figures and keys behind the state, by name")
    label = serializers.CharField(help_text="label of a check that the team added")  # type: ignore[assignment]
    required = serializers.BooleanField()  # type: ignore[assignment]
    ticked_by = serializers.CharField(source="tick.by.username", default=None, allow_null=True)
    ticked_at = serializers.DateTimeField(source="tick.at", default=None, allow_null=True)
    note = serializers.CharField(source="tick.note", default="")
    older = serializers.BooleanField(help_text="whether the tick is older than the last change of the plan")


class ReviewSerializer(serializers.Serializer[Any]):
    """State of a plan's review."""

    needed = serializers.BooleanField(help_text="whether the plan needs an approval to start")
    code = serializers.CharField(help_text="state of the review: none, asked, approved, changes, void, revised or own")
    fingerprint = serializers.CharField(help_text="fingerprint of the current plan, which an approval refers to")
    moved_on = serializers.BooleanField(help_text="whether the plan was changed after the open request")
    authors = serializers.ListField(child=serializers.CharField())
    requests = ReviewRequestSerializer(many=True)
    answers = ReviewAnswerSerializer(many=True)
    checks = CheckSerializer(many=True)


class AskReviewSerializer(serializers.Serializer[Row]):
    reviewers = serializers.SlugRelatedField(
        slug_field="username",
        many=True,
        queryset=User.objects.filter(is_active=True),
        required=False,
        help_text="usernames of the reviewers; empty for any account that may approve",
    )
    note = serializers.CharField(default="", allow_blank=True, max_length=MOST)


class AnswerSerializer(serializers.Serializer[Row]):
    kind = serializers.ChoiceField(choices=["approved", "changes"])
    text = serializers.CharField(
        default="", allow_blank=True, max_length=MOST, help_text="comment; required with kind changes"
    )
    fingerprint = serializers.CharField(
        max_length=64,
        allow_null=True,
        default=None,
        help_text="fingerprint of the plan that was reviewed; refused if the plan has changed since",
    )


class TickSerializer(serializers.Serializer[Row]):
    code = serializers.CharField(max_length=40)
    note = serializers.CharField(default="", allow_blank=True, max_length=MOST)
    done = serializers.BooleanField(default=True, help_text="false removes the tick")


class CommentSerializer(serializers.ModelSerializer[PlanComment]):
    """A comment on one section of a plan."""

    section = serializers.ChoiceField(choices=list(SECTIONS))
    text = serializers.CharField(max_length=MOST)
    by = by()
    resolved_by = serializers.CharField(source="resolved_by.username", default=None, read_only=True, allow_null=True)

    class Meta:
        model = PlanComment
        fields = ["id", "section", "text", "by", "at", "resolved_by", "resolved_at"]
        read_only_fields = ["at", "resolved_at"]


class SettleSerializer(serializers.Serializer[Row]):
    is_open = serializers.BooleanField(help_text="false resolves the comment, true reopens it")


class PolicySerializer(serializers.Serializer[Any]):
    mode = serializers.ChoiceField(choices=ReviewPolicy.Mode.choices)
    required = serializers.BooleanField(  # type: ignore[assignment]
        read_only=True, help_text="whether the rule requires an approval now"
    )


class ReviewItemSerializer(serializers.ModelSerializer[ReviewItem]):
    """A check that a team adds to the checklist."""

    position = serializers.IntegerField(min_value=0, max_value=10_000, required=False)

    class Meta:
        model = ReviewItem
        fields = ["id", "text", "text_ko", "required", "active", "position"]


def fixed() -> serializers.ListField:
    """Names of fields that drafts may not change."""
    return serializers.ListField(child=serializers.ChoiceField(choices=list(FIXABLE)), required=False, max_length=100)


class TemplateSerializer(serializers.ModelSerializer[PlanTemplate]):
    """A plan template."""

    fixed = fixed()
    content = serializers.DictField(read_only=True, help_text="fields, variants and audience of the plan")
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True, allow_null=True)

    class Meta:
        model = PlanTemplate
        fields = [
            "key",
            "name",
            "name_ko",
            "description",
            "fixed",
            "content",
            "version",
            "archived_at",
            "created_by",
            "created_at",
        ]
        read_only_fields = ["version", "archived_at", "created_at"]


class NewTemplateSerializer(serializers.Serializer[Row]):
    experiment = serializers.CharField(max_length=128, help_text="key of the experiment whose plan is saved")
    key = serializers.SlugField(max_length=64)
    name = serializers.CharField(max_length=100)
    name_ko = serializers.CharField(max_length=100, default="", allow_blank=True)
    description = serializers.CharField(max_length=MOST, default="", allow_blank=True)
    fixed = fixed()


class ChangeTemplateSerializer(serializers.Serializer[Row]):
    name = serializers.CharField(max_length=100, required=False)
    name_ko = serializers.CharField(max_length=100, required=False, allow_blank=True)
    description = serializers.CharField(max_length=MOST, required=False, allow_blank=True)
    fixed = fixed()
    experiment = serializers.CharField(
        max_length=128, required=False, help_text="key of an experiment whose plan replaces the content"
    )


class ArchiveSerializer(serializers.Serializer[Row]):
    archived = serializers.BooleanField(default=True)


class TemplateDraftSerializer(serializers.Serializer[Row]):
    name = serializers.CharField(max_length=200)
    key = serializers.CharField(
        max_length=128, allow_null=True, default=None, help_text="key of the new experiment; null to generate one"
    )


class DifferenceSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    template = serializers.JSONField(allow_null=True)
    plan = serializers.JSONField(allow_null=True)


class TemplateUseSerializer(serializers.Serializer[Any]):
    """The template that a plan was made from, and the fields that differ from it."""

    template = serializers.CharField(source="use.template.key")
    version = serializers.IntegerField(source="use.version")
    fixed = serializers.ListField(child=serializers.CharField(), source="use.fixed")
    differences = DifferenceSerializer(many=True)


# Management API for plan templates.


class PlanTemplateViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[PlanTemplate]):
    """Plan templates: the content of a plan, saved under a name. Each change makes a new version."""

    queryset = PlanTemplate.objects.select_related("created_by").order_by("key")
    serializer_class = TemplateSerializer
    lookup_field = "key"
    lookup_value_regex = "[-a-zA-Z0-9_]{1,64}"

    @extend_schema(request=NewTemplateSerializer, responses={201: TemplateSerializer})
    def create(self, request: Request) -> Response:
        """Save the plan of an experiment as a template."""
        from experiments.plan.templates import save_as_template

        values = asked(NewTemplateSerializer, request)
        row = experiment_of(values.pop("experiment"))
        made = save_as_template(experiment=row, by=account(request), **values)
        return Response(TemplateSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ChangeTemplateSerializer, responses=TemplateSerializer)
    def partial_update(self, request: Request, key: str) -> Response:
        """Change names, description or fixed fields, or replace the content by the plan of another experiment."""
        from experiments.plan.templates import change_template

        values = asked(ChangeTemplateSerializer, request)
        source = values.pop("experiment", None)
        row = change_template(
            template=self.get_object(),
            by=account(request),
            content_from=None if source is None else experiment_of(source),
            **values,
        )
        return Response(TemplateSerializer(row).data)

    @extend_schema(request=ArchiveSerializer, responses=TemplateSerializer)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, key: str) -> Response:
        """Archive a template, or restore it."""
        from experiments.plan.templates import archive_template

        archived = asked(ArchiveSerializer, request)["archived"]
        row = archive_template(template=self.get_object(), archived=archived, by=account(request))
        return Response(TemplateSerializer(row).data)


class TemplateDraftsView(APIView):
    """Drafts made from a template."""

    queryset = Experiment.objects.none()  # the model whose permissions a person needs

    @extend_schema(
        operation_id="plan_templates_drafts_create",
        request=TemplateDraftSerializer,
        responses={201: api_serializers.ExperimentSerializer},
    )
    def post(self, request: Request, key: str) -> Response:
        """Create a draft from a template, with its own key, flag and random draw, and without dates."""
        from experiments.plan.drafts import draft_from_template

        template = get_object_or_404(PlanTemplate, key=key)
        made = draft_from_template(template=template, by=account(request), **asked(TemplateDraftSerializer, request))
        return Response(api_serializers.ExperimentSerializer(made).data, status=status.HTTP_201_CREATED)


class TemplateUseView(APIView):
    """The template of a plan."""

    queryset = Experiment.objects.none()

    @extend_schema(operation_id="experiments_template", responses=TemplateUseSerializer)
    def get(self, request: Request, key: str) -> Response:
        """The template that a plan was made from, the fields that it fixes, and those that differ from it."""
        return _used(experiment_of(key))

    @extend_schema(operation_id="experiments_template_release", request=None, responses=TemplateUseSerializer)
    def patch(self, request: Request, key: str) -> Response:
        """Release a draft from its template: fields that the template fixed may be changed."""
        from experiments.plan.drafts import release

        return _used(release(key=experiment_of(key).key, by=account(request)))


def _used(row: Experiment) -> Response:
    from experiments.models import TemplateUse
    from experiments.plan.templates import content_of, differences

    use = TemplateUse.objects.filter(experiment=row).select_related("template").first()
    if use is None:
        raise Http404
    content: dict[str, Any] = {
        "use": use,
        "differences": [
            {"field": name, "template": old, "plan": new}
            for name, old, new in differences(use.content, content_of(row))
        ],
    }
    return Response(TemplateUseSerializer(content).data)


# Management API for reviews, comments and the review rule; a key acts for the account that created it.


def whole(row: Experiment, code: int = status.HTTP_200_OK) -> Response:
    """The state of a plan's review, as all review endpoints return it."""
    from django.contrib.auth.models import User

    from experiments.plan.review import authors_of, standing_of
    from experiments.plan_page.known_numbers import known_of
    from experiments.plan_page.review_checks import checklist

    standing = standing_of(row)
    is_draft = row.status == Experiment.Status.DRAFT
    names = User.objects.filter(pk__in=authors_of(row)).order_by("username")
    state = {
        "needed": standing.needed,
        "code": standing.code.value,
        "fingerprint": standing.fingerprint,
        "moved_on": standing.moved_on,
        "authors": [author.get_username() for author in names],
        "requests": ReviewRequest.objects.filter(experiment=row).select_related("by").prefetch_related("reviewers"),
        "answers": ReviewAnswer.objects.filter(experiment=row).select_related("by"),
        "checks": checklist(row, known_of(row, ask=False)) if is_draft else [],
    }
    return Response(ReviewSerializer(state).data, status=code)


class ReviewView(APIView):
    """The review of a plan."""

    queryset = ReviewRequest.objects.none()  # the model whose permissions a person needs

    @extend_schema(operation_id="experiments_review", responses=ReviewSerializer)
    def get(self, request: Request, key: str) -> Response:
        """State of the review, its requests and answers, and the checklist."""
        return whole(experiment_of(key))


class ReviewRequestsView(APIView):
    """Requests for a review."""

    queryset = ReviewRequest.objects.none()

    @extend_schema(
        operation_id="experiments_review_ask", request=AskReviewSerializer, responses={201: ReviewSerializer}
    )
    def post(self, request: Request, key: str) -> Response:
        """Request a review of a draft; an open request is replaced."""
        from experiments.plan.review import ask_for_review

        row = experiment_of(key)
        ask_for_review(key=row.key, by=account(request), **asked(AskReviewSerializer, request))
        return whole(row, status.HTTP_201_CREATED)

    @extend_schema(operation_id="experiments_review_withdraw", request=None, responses=ReviewSerializer)
    def patch(self, request: Request, key: str) -> Response:
        """Withdraw the open request for a review."""
        from experiments.plan.review import withdraw_request

        row = experiment_of(key)
        withdraw_request(key=row.key)
        return whole(row)


class ReviewAnswersView(APIView):
    """Answers of reviews."""

    queryset = ReviewAnswer.objects.none()

    @extend_schema(
        operation_id="experiments_review_answer", request=AnswerSerializer, responses={201: ReviewSerializer}
    )
    def post(self, request: Request, key: str) -> Response:
        """Approve the plan as it stands, or request changes. Refused for authors of the plan, even with an API key."""
        from experiments.plan.review import answer_review

        row, values = experiment_of(key), asked(AnswerSerializer, request)
        if row.drafted_by_agent and person(request) is None:
            raise Refused("An agent drafted this plan: a person answers its review signed in, not with a key.")
        answer_review(
            key=row.key, by=account(request), kind=values["kind"], text=values["text"], seen=values["fingerprint"]
        )
        return whole(row, status.HTTP_201_CREATED)


class ReviewTicksView(APIView):
    """Ticks of the checklist."""

    queryset = ReviewTick.objects.none()

    @extend_schema(operation_id="experiments_review_tick", request=TickSerializer, responses=ReviewSerializer)
    def post(self, request: Request, key: str) -> Response:
        """Tick a check of the checklist, with a note, or remove the tick."""
        from experiments.plan.review import tick

        row = experiment_of(key)
        tick(key=row.key, by=account(request), **asked(TickSerializer, request))
        return whole(row)


class CommentsView(APIView):
    """Comments on a plan."""

    queryset = PlanComment.objects.none()
    pagination_class = Newest

    @extend_schema(operation_id="experiments_comments_list", responses=CommentSerializer(many=True))
    def get(self, request: Request, key: str) -> Response:
        """All comments, newest first."""
        rows = PlanComment.objects.filter(experiment=experiment_of(key)).select_related("by", "resolved_by")
        pages = self.pagination_class()
        page = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response(CommentSerializer(page, many=True).data)

    @extend_schema(
        operation_id="experiments_comments_create", request=CommentSerializer, responses={201: CommentSerializer}
    )
    def post(self, request: Request, key: str) -> Response:
        """Comment on a section of a plan."""
        from experiments.plan.review import add_comment

        row, given = experiment_of(key), asked(CommentSerializer, request)
        made = add_comment(experiment=row, section=given["section"], text=given["text"], by=account(request))
        return Response(CommentSerializer(made).data, status=status.HTTP_201_CREATED)


class CommentView(APIView):
    """One comment."""

    queryset = PlanComment.objects.none()

    @extend_schema(operation_id="experiments_comments_settle", request=SettleSerializer, responses=CommentSerializer)
    def patch(self, request: Request, key: str, pk: int) -> Response:
        """Resolve a comment, or reopen it."""
        from experiments.plan.review import settle

        row = get_object_or_404(PlanComment, experiment=experiment_of(key), pk=pk)
        is_open = asked(SettleSerializer, request)["is_open"]
        return Response(CommentSerializer(settle(comment=row, by=account(request), is_open=is_open)).data)


class PolicyView(APIView):
    """The site's review rule."""

    queryset = ReviewPolicy.objects.none()

    @extend_schema(operation_id="review_policy", responses=PolicySerializer)
    def get(self, request: Request) -> Response:
        """The review rule, and whether it requires an approval now."""
        return self._answer()

    @extend_schema(operation_id="review_policy_change", request=PolicySerializer, responses=PolicySerializer)
    def patch(self, request: Request) -> Response:
        """Set the review rule. A key needs the scope, and the account that created it needs the permission."""
        from experiments.plan.review import choose_mode

        user = account(request)
        # PMs may create keys with this scope: without this check a PM could switch off the review of their own plans.
        if user is None or not user.is_active or not user.has_perm("experiments.change_reviewpolicy"):
            raise PermissionDenied
        choose_mode(asked(PolicySerializer, request)["mode"])
        return self._answer()

    def _answer(self) -> Response:
        from experiments.plan.review import is_required

        policy: dict[str, Any] = {"mode": ReviewPolicy.current().mode, "required": is_required()}
        return Response(PolicySerializer(policy).data)


class ReviewItemViewSet(
    mixins.ListModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[ReviewItem],
):
    """Checks that a team adds to the checklist. They are switched off with `active`, never deleted."""

    queryset = ReviewItem.objects.order_by("position", "id")
    serializer_class = ReviewItemSerializer
    lookup_value_regex = r"\d{1,18}"
    http_method_names = ["get", "head", "options", "post", "patch"]
