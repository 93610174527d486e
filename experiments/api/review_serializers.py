"""Serializers of reviews, comments and templates in the management API."""

from typing import Any

from django.contrib.auth.models import User
from rest_framework import serializers

from experiments.models import PlanComment, PlanTemplate, ReviewAnswer, ReviewItem, ReviewPolicy, ReviewRequest
from experiments.models.comments import SECTIONS
from experiments.plan.template_content import FIXABLE

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
    facts = serializers.DictField(help_text="numbers and keys, by check")
    label = serializers.CharField(help_text="of a team's own check")  # type: ignore[assignment]
    required = serializers.BooleanField()  # type: ignore[assignment]
    ticked_by = serializers.CharField(source="tick.by.username", default=None, allow_null=True)
    ticked_at = serializers.DateTimeField(source="tick.at", default=None, allow_null=True)
    note = serializers.CharField(source="tick.note", default="")
    older = serializers.BooleanField(help_text="ticked before the last change of the plan")


class ReviewSerializer(serializers.Serializer[Any]):
    """State of a plan's review."""

    needed = serializers.BooleanField(help_text="the plan can't start without an approval")
    code = serializers.CharField(help_text="none, asked, approved, changes, void, revised or own")
    fingerprint = serializers.CharField(help_text="of the plan as it stands: what an approval is about")
    moved_on = serializers.BooleanField(help_text="the plan was changed since the open request")
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
        help_text="names of accounts; none: anyone who may approve",
    )
    note = serializers.CharField(default="", allow_blank=True, max_length=MOST)


class AnswerSerializer(serializers.Serializer[Row]):
    kind = serializers.ChoiceField(choices=["approved", "changes"])
    text = serializers.CharField(default="", allow_blank=True, max_length=MOST, help_text="needed for changes")
    fingerprint = serializers.CharField(
        max_length=64, allow_null=True, default=None, help_text="of the plan that was read; another one is refused"
    )


class TickSerializer(serializers.Serializer[Row]):
    code = serializers.CharField(max_length=40)
    note = serializers.CharField(default="", allow_blank=True, max_length=MOST)
    done = serializers.BooleanField(default=True, help_text="false takes the tick back")


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
    is_open = serializers.BooleanField(help_text="false settles the comment")


class PolicySerializer(serializers.Serializer[Any]):
    mode = serializers.ChoiceField(choices=ReviewPolicy.Mode.choices)
    required = serializers.BooleanField(  # type: ignore[assignment]
        read_only=True, help_text="what follows from it now"
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
    experiment = serializers.CharField(max_length=128, help_text="key of the experiment whose plan is kept")
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
    experiment = serializers.CharField(max_length=128, required=False, help_text="take over this experiment's plan")


class ArchiveSerializer(serializers.Serializer[Row]):
    archived = serializers.BooleanField(default=True)


class TemplateDraftSerializer(serializers.Serializer[Row]):
    name = serializers.CharField(max_length=200)
    key = serializers.CharField(max_length=128, allow_null=True, default=None, help_text="null: a free one")


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
