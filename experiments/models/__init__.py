"""Models of experiments: plans, assignments, analyses, webhooks. Django finds models through this module."""

from experiments.models.amendments import Amendment
from experiments.models.analysis import Analysis
from experiments.models.asked import FlagAsk
from experiments.models.chosen_metrics import ChosenMetric
from experiments.models.comments import PlanComment
from experiments.models.config_version import ConfigVersion
from experiments.models.drawn_as import DrawnAs
from experiments.models.experiment import (
    Assignment,
    AudienceRow,
    Experiment,
    Holdout,
    Layer,
    Override,
    Variant,
    new_seed,
    refuse_frozen,
)
from experiments.models.holdout_reports import HoldoutPlan, HoldoutReading, OverlapReport
from experiments.models.plan_templates import PlanTemplate, TemplateUse
from experiments.models.prediction import Prediction
from experiments.models.registration import Registration
from experiments.models.review import ReviewAnswer, ReviewItem, ReviewPolicy, ReviewRequest, ReviewTick
from experiments.models.rollout import Rollout, RolloutMove
from experiments.models.webhooks import WebhookDelivery, WebhookEndpoint

__all__ = [
    "Amendment",
    "Analysis",
    "Assignment",
    "AudienceRow",
    "ChosenMetric",
    "ConfigVersion",
    "DrawnAs",
    "Experiment",
    "FlagAsk",
    "Holdout",
    "HoldoutPlan",
    "HoldoutReading",
    "Layer",
    "OverlapReport",
    "Override",
    "PlanComment",
    "PlanTemplate",
    "Prediction",
    "Registration",
    "ReviewAnswer",
    "ReviewItem",
    "ReviewPolicy",
    "ReviewRequest",
    "ReviewTick",
    "Rollout",
    "RolloutMove",
    "TemplateUse",
    "Variant",
    "WebhookDelivery",
    "WebhookEndpoint",
    "new_seed",
    "refuse_frozen",
]
