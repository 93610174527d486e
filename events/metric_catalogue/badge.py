"""False-alarm badge of a check: how often a test reported a difference where there is none, and what that means."""

from django.utils.translation import gettext as _

from events.metric_catalogue.check_report import CheckReport
from events.metrics import Quantile, parse_metric
from events.models import MetricCheck
from reporting.numbers import between, count, decimal, percent
from reporting.words import reason_words
from stats.false_alarms import ALPHA, FalseAlarms, rate_among
from stats.results import Interval, NotComputable


def badge_words(report: CheckReport, metrics: int) -> str:
    """The false-alarm rate with its interval: "5.1 % of 1,000 splits (3.9 to 6.6)".

    Args:
        report: of a check.
        metrics: in the catalogue; the interval holds for all of them together.
    """
    badge = report.badge
    if isinstance(badge, NotComputable):
        return reason_words(badge)
    rate = badge.among(metrics)
    return reason_words(rate) if isinstance(rate, NotComputable) else rate_words(rate, badge.splits)


def kept_badge_words(check: MetricCheck, metrics: int) -> str:
    """The same from the columns that lists read; "" if nothing could be computed."""
    rate = _kept(check, metrics)
    return rate_words(rate, check.splits or 0) if isinstance(rate, Interval) else ""


def is_kept_badge_off(check: MetricCheck, metrics: int) -> bool:
    """Whether the false-alarm rate differs from the planned one."""
    rate = _kept(check, metrics)
    return isinstance(rate, Interval) and not rate.low <= ALPHA <= rate.high


def _kept(check: MetricCheck, metrics: int) -> Interval | NotComputable | None:
    return None if check.alarms is None or not check.splits else rate_among(check.alarms, check.splits, metrics)


def rate_words(rate: Interval, splits: int) -> str:
    """A false-alarm rate with its interval."""
    limits = between(decimal(100 * rate.low, 1), decimal(100 * rate.high, 1))
    text = _("{rate} of {splits} splits ({limits})")
    return text.format(rate=percent(rate.estimate), splits=count(splits), limits=limits)


def badge_warning(report: CheckReport, metrics: int) -> str:
    """Explains a false-alarm rate that differs from the planned one; "" for one that is compatible with it.

    It suggests a cap if one can help: shares and quantiles have no extreme values.
    """
    badge = report.badge
    if not isinstance(badge, FalseAlarms) or not badge.is_off(metrics):
        return ""
    capped = not report.is_share and not isinstance(parse_metric(report.definition), Quantile)
    if badge.alarms > badge.alpha * badge.splits:
        text = _("More false alarms than the planned {planned}: few units with enormous values decide. Give it a cap.")
        if not capped:
            text = _(
                "More false alarms than the planned {planned}: tests of this metric see differences that aren't there. "
                "A cap doesn't help here; decide by another metric."
            )
    else:
        text = _(
            "Fewer alarms than the planned {planned}: a test of this metric is too cautious, and misses effects. Few "
            "units with enormous values are the usual reason. Give it a cap."
        )
        if not capped:
            text = _(
                "Fewer alarms than the planned {planned}: a test of this metric is too cautious, and misses effects. A "
                "cap doesn't help here; take a metric that more users reach."
            )
    return text.format(planned=percent(badge.alpha, 0))
