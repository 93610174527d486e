"""Background tasks, called by name; each is safe to run twice."""

from experiments import webhooks
from experiments.analyse import analyses
from experiments.analyse.across import ask_again, holdout_readings, map_readings, overlaps
from experiments.files import judge
from experiments.serve import shipping


def deliver_webhooks() -> dict[str, int]:
    """Each minute: deliver webhook messages that are due."""
    return webhooks.deliver_due()


def look_at_certificates() -> int:
    """Nightly: store when the certificates of webhook endpoints expire."""
    return webhooks.look_at_certificates()


def run_analysis(pk: int) -> None:
    """Compute a waiting analysis."""
    analyses.run_analysis(pk)


def request_analyses() -> int:
    """Nightly: request an analysis of every started experiment without a final one."""
    return analyses.request_due()


def run_holdout_reading(pk: int) -> None:
    """Compute a waiting reading of a holdout."""
    holdout_readings.run_reading(pk)


def run_overlap(pk: int) -> None:
    """Compute a waiting overlap of experiments."""
    overlaps.run_overlap(pk)


def request_together() -> int:
    """Nightly, after the analyses: request due holdout readings and the overlap of experiments."""
    return holdout_readings.request_due_readings() + overlaps.request_due_overlap()


def ask_findings_again() -> int:
    """Nightly, after the analyses: ask finished experiments for behaviours that others were about; then keep a reading
    of each map of causes that says something else than before."""
    answered = ask_again.ask_again()
    map_readings.note_readings()
    return answered


def note_rollout_steps() -> int:
    """Each minute: log rollout steps that took effect, and send their webhooks."""
    return shipping.note_steps()


def run_finished_test(pk: int) -> None:
    """Judge a finished test from its uploaded file, after a person has confirmed its columns."""
    judge.run_judging(pk)
