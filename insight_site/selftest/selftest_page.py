"""The page of a self-test: sentences and tables of its report, also printed by the command. Pure."""

from typing import Any

from events.metric_catalogue.badge import rate_words
from events.metric_sentences import metric_words
from insight_site.selftest import selftest_words as words
from insight_site.selftest.planting.planted_outcomes import Plant
from insight_site.selftest.selftest_result import Asks, SelfTestReport
from reporting.document import dump, outward
from reporting.numbers import count
from reporting.table import Table
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable


def shown(report: SelfTestReport) -> dict[str, Any]:
    """Content of the page."""
    return {
        "report": report,
        "headline": headline(report),
        "asked": asked_sentences(report),
        "found": found_table(report),
        "alarms": alarms_table(report),
        "shortfalls": [words.shortfall_words(row) for row in report.shortfalls],
        "check": words.check_words(report.check) if report.check else (),
        "metrics": metrics_table(report),
    }


def headline(report: SelfTestReport) -> str:
    """The result in one or two sentences."""
    if report.planted is None:
        return gettext("These data can't show a planted threshold; below is why.")
    said = {(row.plant, row.asks): row for row in report.tallies}
    jump, causes = said[Plant.THRESHOLD, Asks.JUMP], said[Plant.THRESHOLD, Asks.CAUSES]
    text = gettext(
        "A real threshold: a study places it rightly in {jump}, and an experiment proves it in {causes}. {alarms}"
    )
    off = [row for row in report.false_alarms if row.is_off]
    if off:
        alarms = gettext("False alarms are more frequent than promised in {n} of {all} checks.")
        alarms = alarms.format(n=count(len(off)), all=count(len(report.false_alarms)))
    else:
        alarms = gettext("There is no sign of more false alarms than promised.")
    return text.format(jump=words.of_words(jump), causes=words.of_words(causes), alarms=alarms)


def asked_sentences(report: SelfTestReport) -> tuple[str, ...]:
    """The inputs: data, users, and planted effects."""
    asked = report.asked
    start = gettext("Day 0: {event}. Outcome: {retention}. The data end at {end} UTC.")
    event = gettext("each user's first event of any kind") if asked.signup_event == "*" else asked.signup_event
    first = start.format(
        event=event, retention=metric_words(asked.retention), end=report.data_end.replace("T", " ")[:16]
    )
    found = (first, words.sample_words(report), words.moment_words(report), words.trait_words(report))
    return tuple(filter(None, (*found, words.power_words(report))))


def found_table(report: SelfTestReport) -> Table | None:
    """Table of planted effects found and missed."""
    rows = tuple(
        (
            words.plant_words(row.plant),
            words.asks_words(row.asks),
            words.of_words(row),
            words.share_words(row),
            count(row.n - row.said),
        )
        for row in report.finds
    )
    if not rows:
        return None
    columns = (gettext("planted"), gettext("what is said"), gettext("said"), gettext("share"), gettext("not said"))
    note = gettext(
        "A mere correlation may well be a candidate: a study ranks what deserves an experiment, and proves no cause."
    )
    return Table(gettext("Found and missed"), columns, rows, f"{words.interval_note()} {note}")


def alarms_table(report: SelfTestReport) -> Table | None:
    """Table of false alarms."""
    rows = tuple(
        (
            words.plant_words(row.plant),
            words.asks_words(row.asks),
            words.of_words(row),
            words.share_words(row),
            words.planned_words(row),
            words.verdict_words(row),
        )
        for row in report.false_alarms
    )
    if not rows:
        return None
    columns = (
        *(gettext("planted"), gettext("what is said wrongly"), gettext("said"), gettext("share")),
        *(gettext("promised at most"), gettext("result")),
    )
    return Table(gettext("False alarms"), columns, rows, words.interval_note())


def metrics_table(report: SelfTestReport) -> Table | None:
    """Certified metrics on random halves of past users; None without any."""
    rows, every = [], len(report.metrics)
    for row in report.metrics:
        badge = row.badge
        if isinstance(badge, NotComputable):
            rows.append((row.key, count(row.version), "–", reason_words(badge)))
        elif computable(rate := badge.among(every)):
            off = gettext("not as promised") if badge.is_off(every) else gettext("as promised")
            rows.append((row.key, count(row.version), count(badge.n), f"{rate_words(rate, badge.splits)}: {off}"))
    if not rows:
        return None
    columns = (gettext("metric"), gettext("version"), gettext("users"), gettext("false alarms"))
    note = gettext("Users of past weeks in random halves that nothing was done to; of the tests 5 % may say otherwise.")
    return Table(gettext("Certified metrics on past weeks (A/A)"), columns, tuple(rows), note)


def document(report: SelfTestReport) -> dict[str, Any]:
    """The JSON document: every number, each share with n and interval, and the sentences of the reasons."""
    found: dict[str, Any] = outward(dump(report))
    for row, tally in zip(found["tallies"], report.tallies, strict=True):
        row |= {"share": outward(dump(tally.share)), "planned": tally.planned, "off": tally.is_off}
    for row, shortfall in zip(found["shortfalls"], report.shortfalls, strict=True):
        row["sentence"] = words.shortfall_words(shortfall)
    return found | {"headline": headline(report)}
