"""What the pages of the catalogue show: rows of the list, versions, the past and its badge, who uses a metric."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from events.catalogue.check_report import CHECK, CheckReport, MetricPreview
from events.catalogue.references import (
    definition_sentence,
    definition_sentences,
    direction_words,
    margin_words,
    state_words,
    value_words,
)
from events.metrics import Expression, Quantile, Ratio, parse_metric
from events.metrics.facts import Facts
from events.models import Metric, MetricCheck, MetricVersion
from reporting.numbers import between, count, decimal, percent
from reporting.table import Table
from reporting.words import reason_words
from runs.models import Run
from runs.payloads import Unreadable
from stats.compare import wilson
from stats.false_alarms import ALPHA, FalseAlarms, rate_among
from stats.results import Interval, NotComputable

# False-alarm badge of a check: how often a test reported a difference where there is none, and what that means.


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
        text = _(
            "More false alarms than the planned {planned}: a few users with enormous values decide. Give it a cap."
        )
        if not capped:
            text = _(
                "More false alarms than the planned {planned}: tests of this metric see differences that aren't there. "
                "A cap doesn't help here; decide by another metric."
            )
    else:
        text = _(
            "Fewer alarms than the planned {planned}: a test of this metric is too cautious, and misses effects. A "
            "few users with enormous values are the usual reason. Give it a cap."
        )
        if not capped:
            text = _(
                "Fewer alarms than the planned {planned}: a test of this metric is too cautious, and misses effects. "
                "A cap doesn't help here; take a metric on which more users count."
            )
    return text.format(planned=percent(badge.alpha, 0))


# Plans and studies that use a metric. Their models belong to apps above this one: foreign keys are followed back.


@dataclass(frozen=True)
class Use:
    """One plan or study.

    Attributes:
        title: its name; url of its page.
        version: number of the version that it has.
        started: whether it has started and keeps that version for good.
    """

    title: str
    url: str
    version: int
    started: bool


def uses_of(metric: Metric) -> list[Use]:
    """The uses of a metric: plans first, then studies, the newest first."""
    versions: Any = metric.versions.order_by()
    plans = versions.filter(chosen__isnull=False).order_by("-chosen__id")
    uses = [
        Use(
            row["chosen__experiment__name"],
            reverse("experiments:report", args=[row["chosen__experiment__key"]]),
            row["number"],
            row["chosen__frozen_at"] is not None,
        )
        for row in plans.values("number", "chosen__experiment__name", "chosen__experiment__key", "chosen__frozen_at")
    ]
    studies = versions.filter(studies__isnull=False).order_by("-studies__id").values("number", "studies__id")
    for row in studies:
        name = _("Study {number}").format(number=row["studies__id"])
        uses.append(Use(name, reverse("aha:study", args=[row["studies__id"]]), row["number"], started=True))
    return uses


def numbers_of_uses(metrics: list[Metric]) -> dict[int, int]:
    """How many plans and studies use each metric, by the metric's id."""
    numbers: dict[int, int] = {}
    for users in ("chosen", "studies"):
        given: Any = {f"versions__{users}__isnull": False, "pk__in": [row.pk for row in metrics]}
        for pk in Metric.objects.filter(**given).order_by().values_list("pk", flat=True):
            numbers[pk] = numbers.get(pk, 0) + 1
    return numbers


# Contexts of the catalogue's pages: rows of the list, versions with their changes, and the past of a metric.


@dataclass(frozen=True)
class ShownVersion:
    """One version with its changes from the one before."""

    version: MetricVersion
    state: str
    changes: tuple[tuple[str, str, str], ...]


def list_rows(metrics: list[Metric]) -> list[dict[str, Any]]:
    """Rows of the list: definition, badge and number of uses of each metric."""
    versions = [metric.current.pk for metric in metrics]
    checks = MetricCheck.objects.filter(version__in=versions, status=Run.Status.DONE).light().order_by("pk")
    badges = {check.version_id: check for check in checks}
    uses, every = numbers_of_uses(metrics), Metric.objects.count()
    rows = []
    for metric in metrics:
        check = badges.get(metric.current.pk)
        rows.append(
            {
                "metric": metric,
                "sentence": definition_sentence(metric.current.facts),
                "badge": "" if check is None else kept_badge_words(check, every),
                "off": check is not None and is_kept_badge_off(check, every),
                "uses": uses.get(metric.pk, 0),
            }
        )
    return rows


def metric_parts(metric: Metric) -> dict[str, Any]:
    """The definition in both languages, versions with their changes, and uses."""
    facts = metric.current.facts
    return {
        "current": metric.current,
        "sentences": definition_sentences(facts),
        "direction": direction_words(facts.direction),
        "margin": margin_words(facts, metric.unit),
        "line": _line_of_sql(facts),
        "versions": _versions(metric),
        "uses": uses_of(metric),
    }


def check_parts(check: MetricCheck | None, metric: Metric) -> dict[str, Any]:
    """The newest finished check: badge, weeks, and whether it checked an older version."""
    if check is None or check.payload is None:
        return {}
    report = CHECK.read(check.payload)
    if isinstance(report, Unreadable):
        return {"unreadable": report.sentence()}
    badge, every = report.badge, Metric.objects.count()
    return {
        "check": check,
        "badge": badge_words(report, every),
        "counted": not isinstance(badge, NotComputable),
        "warning": badge_warning(report, every),
        "how": _how(report, every),
        "rows": _rows(report),
        "weeks": _weeks(report, metric.unit),
        "older": check.version.number if check.version.number != metric.version else 0,
    }


def _line_of_sql(facts: Facts) -> str:
    """An SQL metric with its cap as one line, for the preview; "" for every other metric."""
    definition = facts.read()
    return str(definition) if isinstance(getattr(definition, "of", definition), Expression) else ""


def _versions(metric: Metric) -> list[ShownVersion]:
    rows = list(metric.versions.all())
    for row in rows:
        row.metric = metric
    before: list[MetricVersion | None] = [*rows[1:], None]
    return [
        ShownVersion(row, state_words(row), () if old is None else _changes(old.facts, row.facts))
        for row, old in zip(rows, before, strict=True)
    ]


def _changes(old: Facts, new: Facts) -> tuple[tuple[str, str, str], ...]:
    names = {
        "definition": _("Definition"),
        "cap": _("Cap"),
        "direction": _("Which way is better"),
        "margin": _("Margin as a guardrail"),
    }
    pairs = ((words, getattr(old, name), getattr(new, name)) for name, words in names.items())
    return tuple((words, _said(before), _said(after)) for words, before, after in pairs if before != after)


def _said(value: str | float | None) -> str:
    return "–" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)


def preview_parts(preview: MetricPreview) -> dict[str, Any]:
    """A preview as lines: the value with its interval, how many users have a row, and some values."""
    value = preview.value
    lines = []
    if isinstance(value, NotComputable):
        lines.append((_("Value"), reason_words(value)))
    else:
        figure, low, high = (
            value_words(number, is_share=preview.is_share, unit="")
            for number in (value.estimate, value.low, value.high)
        )
        text = _("{value} (95%: {limits})").format(value=figure, limits=between(low, high))
        lines.append((_value_name(preview), text))
    lines.append((_("Users"), count(preview.users)))
    if preview.rows is not None:
        lines += [
            (_("With a row"), count(preview.rows)),
            (_("Without a row, counted as 0"), count(preview.users - preview.rows)),
        ]
    if preview.spread and not preview.is_share:
        words = [value_words(number, is_share=False, unit="") for number in preview.spread]
        lines.append((_("Smallest, middle, largest"), ", ".join(words)))
        lines.append(
            (_("Some values"), ", ".join(value_words(figure, is_share=False, unit="") for figure in preview.some))
        )
    start = _("each user's first event in these weeks") if preview.signup_event == "*" else preview.signup_event
    whom = _("Users who came from {first} to {last}; day 0: {start}. Nothing is stored.")
    about = whom.format(first=date_format(preview.first), last=date_format(preview.last), start=start)
    return {"lines": lines, "whom": about}


def _value_name(preview: MetricPreview) -> str:
    """What the previewed number is."""
    match parse_metric(preview.definition):
        case Ratio():
            return _("Ratio")
        case Quantile():
            return _("Value")
    return _("Share of users") if preview.is_share else _("Average")


def _how(report: CheckReport, metrics: int) -> str:
    """Which units were split, how often, with which seed."""
    start = _("each user's first event in these weeks") if report.signup_event == "*" else report.signup_event
    text = _(
        "{units} users who came in these weeks (day 0: {start}), {sampled} of them split into halves {splits} times "
        "with seed {seed}; each time the test that experiments use, at alpha 5%. The interval (95%) is for all metrics "
        "of the catalogue together (Wilson, Bonferroni over {metrics})."
    )
    return text.format(
        units=count(report.units),
        sampled=count(report.sampled),
        splits=count(report.splits),
        seed=report.seed,
        start=start,
        metrics=count(metrics),
    )


def _rows(report: CheckReport) -> str:
    """How many units an SQL metric's average counts as 0; "" for other metrics, and results of version 0.4."""
    share = None if report.rows is None else wilson(report.rows, report.units)
    if not isinstance(share, Interval):
        return ""
    text = _(
        "The SELECT has a row for {share} of these users ({limits}); the others count 0. So the average changes with "
        "how many have any row at all: for an average per event take a ratio of two sums, such as "
        "sum:EVENT:PROPERTY:0-6 / count:EVENT:0-6."
    )
    return text.format(share=percent(share.estimate), limits=between(percent(share.low), percent(share.high)))


def _weeks(report: CheckReport, unit: str) -> Table:
    def said(value: Any) -> tuple[str, str]:
        if isinstance(value, NotComputable):
            return reason_words(value), ""
        estimate, low, high = (
            value_words(number, is_share=report.is_share, unit=unit)
            for number in (value.estimate, value.low, value.high)
        )
        return estimate, between(low, high)

    rows = tuple((date_format(week.first), count(week.units), *said(week.value)) for week in report.weeks)
    title = _("Value by week in which users came")
    columns = (_("week from"), _("users"), _("value"), _("interval (95%)"))
    return Table(title, columns, rows, note=_cap_note(report, unit))


def _cap_note(report: CheckReport, unit: str) -> str:
    if report.cap is None:
        return ""
    text = _("Cut at {cap}, found from these users; at the start of an experiment it is found anew, and then fixed.")
    return text.format(cap=value_words(report.cap, is_share=False, unit=unit))
