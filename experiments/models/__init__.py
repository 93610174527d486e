"""Rows of experiments: plans, assignments, analyses, webhooks. Django finds models by this module."""

from experiments.models.analysis import Analysis
from experiments.models.asked import FlagAsk
from experiments.models.comments import PlanComment
from experiments.models.experiment import (
    Amendment,
    Assignment,
    AudienceRow,
    ConfigVersion,
    Experiment,
    Holdout,
    Layer,
    Override,
    Variant,
    new_seed,
    refuse_frozen,
)
from experiments.models.prediction import Prediction
from experiments.models.webhooks import WebhookDelivery, WebhookEndpoint

__all__ = [
    "Amendment",
    "Analysis",
    "Assignment",
    "AudienceRow",
    "ConfigVersion",
    "Experiment",
    "FlagAsk",
    "Holdout",
    "Layer",
    "Override",
    "PlanComment",
    "Prediction",
    "Variant",
    "WebhookDelivery",
    "WebhookEndpoint",
    "new_seed",
    "refuse_frozen",
]
