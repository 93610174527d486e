"""Digest of the complete plan for approvals, so that any later change voids them."""

import hashlib
import json

from experiments.models import Experiment
from experiments.plan.stored import plan_of
from reporting.document import dump


def fingerprint(experiment: Experiment) -> str:
    """SHA-256 of all decisions in a draft: words, arms, values, audience, numbers, dates, seed.

    Segments are named with their version, which is immutable, so the name determines the members.
    """
    text = json.dumps(dump(plan_of(experiment)), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
