"""The badge of a check: how often a test called a difference where there is none, and what that means."""

from django.utils.translation import gettext as _

from events.metric_catalogue.check_report import CheckReport
from events.metric_catalogue.models import MetricCheck
from reporting.numbers import between, count, decimal, percent
from reporting.words import reason_words
from stats.compare import wilson
from stats.false_alarms.rate import ALPHA, FalseAlarms
from stats.results import Interval, NotComputable


def badge_words(report: CheckReport) -> str:
    """How often a test called a difference that isn't there: "5.1 % of 1,000 splits (3.9 to 6.6)"."""
    badge = report.badge
    return reason_words(badge) if isinstance(badge, NotComputable) else rate_words(badge.rate, badge.splits)


def kept_badge_words(check: MetricCheck) -> str:
    """The same from what a list reads of a check; "" where nothing could be computed."""
    rate = None if check.alarms is None or not check.splits else wilson(check.alarms, check.splits)
    return rate_words(rate, check.splits or 0) if isinstance(rate, Interval) else ""


def is_kept_badge_off(check: MetricCheck) -> bool:
    """Whether that rate isn't the planned one."""
    rate = None if check.alarms is None or not check.splits else wilson(check.alarms, check.splits)
    return isinstance(rate, Interval) and not rate.low <= ALPHA <= rate.high


def rate_words(rate: Interval, splits: int) -> str:
    """A false-alarm rate with its interval."""
    limits = between(decimal(100 * rate.low, 1), decimal(100 * rate.high, 1))
    text = _("{rate} of {splits} splits ({limits})")
    return text.format(rate=percent(rate.estimate), splits=count(splits), limits=limits)


def badge_warning(report: CheckReport) -> str:
    """What a false-alarm rate that isn't the planned one means; "" for one that may well be."""
    badge = report.badge
    if not isinstance(badge, FalseAlarms) or not badge.is_off:
        return ""
    planned = percent(badge.alpha, 0)
    if badge.rate.low > badge.alpha:
        text = _("More false alarms than the planned {planned}: few units with enormous values decide. Give it a cap.")
    else:
        text = _(
            "Fewer alarms than the planned {planned}: a test of this metric is too cautious, and misses effects. Few "
            "units with enormous values are the usual reason. Give it a cap."
        )
    return text.format(planned=planned)
