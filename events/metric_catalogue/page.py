"""Contexts of the catalogue's pages: rows of the list, versions with their changes, and the past of a metric."""

from dataclasses import dataclass
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from events.metric_catalogue.badge import badge_warning, badge_words, is_kept_badge_off, kept_badge_words
from events.metric_catalogue.check_report import CheckReport, MetricPreview, read_check
from events.metric_catalogue.uses import numbers_of_uses, uses_of
from events.metric_catalogue.words import (
    definition_sentence,
    definition_sentences,
    direction_words,
    margin_words,
    state_words,
    value_words,
)
from events.metrics import Expression
from events.metrics.facts import Facts
from events.models import Metric, MetricCheck, MetricVersion
from reporting.numbers import between, count, percent
from reporting.table import Table
from reporting.words import reason_words
from runs.models import Run
from runs.payloads import Unreadable
from stats.compare import wilson
from stats.results import Interval, NotComputable


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
    report = read_check(check.payload)
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
    return tuple((words, _said(one), _said(other)) for words, one, other in pairs if one != other)


def _said(value: str | float | None) -> str:
    return "–" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)


def preview_parts(found: MetricPreview) -> dict[str, Any]:
    """A preview as lines: the value with its interval, how many users have a row, and some values."""
    value = found.value
    lines = []
    if isinstance(value, NotComputable):
        lines.append((_("Value"), reason_words(value)))
    else:
        one, low, high = (
            value_words(number, is_share=found.is_share, unit="") for number in (value.estimate, value.low, value.high)
        )
        said = _("{value} (95%: {limits})").format(value=one, limits=between(low, high))
        lines.append((_("Share") if found.is_share else _("Average"), said))
    lines.append((_("Users"), count(found.users)))
    if found.rows is not None:
        lines += [
            (_("With a row"), count(found.rows)),
            (_("Without a row, counted as 0"), count(found.users - found.rows)),
        ]
    if found.spread and not found.is_share:
        words = [value_words(number, is_share=False, unit="") for number in found.spread]
        lines.append((_("Smallest, middle, largest"), ", ".join(words)))
        lines.append((_("Some values"), ", ".join(value_words(one, is_share=False, unit="") for one in found.some)))
    start = _("each user's first event in these weeks") if found.signup_event == "*" else found.signup_event
    whom = _("Users who came from {first} to {last}; day 0: {start}. Nothing is stored.")
    about = whom.format(first=date_format(found.first), last=date_format(found.last), start=start)
    return {"lines": lines, "whom": about}


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
        "The SELECT has a row for {share} of these users ({limits}); the others count 0. So the average moves with how "
        "many have any row at all: for an average per event take a ratio of two sums, such as "
        "sum:EVENT:PROPERTY:0-6 / count:EVENT:0-6."
    )
    return text.format(share=percent(share.estimate), limits=between(percent(share.low), percent(share.high)))


def _weeks(report: CheckReport, unit: str) -> Table:
    def said(value: Any) -> tuple[str, str]:
        if isinstance(value, NotComputable):
            return reason_words(value), ""
        one, low, high = (
            value_words(number, is_share=report.is_share, unit=unit)
            for number in (value.estimate, value.low, value.high)
        )
        return one, between(low, high)

    rows = tuple((date_format(week.first), count(week.units), *said(week.value)) for week in report.weeks)
    title = _("Value by week in which users came")
    columns = (_("week from"), _("users"), _("value"), _("interval (95%)"))
    return Table(title, columns, rows, note=_cap_note(report, unit))


def _cap_note(report: CheckReport, unit: str) -> str:
    if report.cap is None:
        return ""
    text = _("Cut at {cap}, found from these users; at the start of an experiment it is found anew, and then kept.")
    return text.format(cap=value_words(report.cap, is_share=False, unit=unit))
