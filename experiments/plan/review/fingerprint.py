"""What an approval is about: a digest of the whole plan, so that any later change voids it."""

import hashlib
import json

from experiments.models import Experiment
from experiments.plan.stored import plan_of
from reporting.document import dump


def fingerprint(experiment: Experiment) -> str:
    """SHA-256 of all that people decide about a draft: words, arms, values, audience, numbers, dates, seed.

    Segments are named with their version, which never changes, so the name stands for who is in.
    """
    text = json.dumps(dump(plan_of(experiment)), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
