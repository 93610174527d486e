"""Builders and one unwrapping helper of the statistics tests."""

from stats.results import NotComputable
from stats.survival.kaplan_meier import Durations
from stats.survival.logrank import LogRank, stratified_log_rank


def computed[T](value: T | NotComputable) -> T:
    """The result, or a failure that names the reason."""
    if isinstance(value, NotComputable):
        raise AssertionError(f"not computable: {value}")
    return value


def log_rank(control: Durations, variant: Durations) -> LogRank | NotComputable:
    """The log-rank test of two groups that are one stratum."""
    return stratified_log_rank([(control, variant)])
