"""Query the database for the hygiene rules, and list what should be tidied up."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from events.upkeep.tags_and_owners import OWNERS, owner_name
from events.upkeep.thing_kinds import ThingKind, kind_of, thing_kinds
from experiments.models import Experiment, FlagAsk, Rollout
from experiments.plan.lifecycle import LIVE, Status
from insight_site.models import Snapshot
from reporting.numbers import count
from runs.site_zone import here, site_date

# Hygiene rules: one function per rule, its threshold on top. Each returns since when it applies, or None. Pure.


class TidyRule(StrEnum):
    """The rules, in the order in which they are shown."""

    PAST_END = "past_end"
    STILL_ASKED = "still_asked"


@dataclass(frozen=True)
class Dates:
    """An experiment's dates for the rules.

    Attributes:
        status: draft, running, paused, stopped or concluded.
        planned_end: planned last day.
        ended: when it stopped.
    """

    status: str
    planned_end: date | None
    ended: datetime | None


DAYS_PAST_END = 0  # the day after the planned end


def past_end(experiment: Dates, today: date) -> date | None:
    """Running or paused, and its planned end is over."""
    live = experiment.status in ("running", "paused")
    if not live or experiment.planned_end is None or (today - experiment.planned_end).days <= DAYS_PAST_END:
        return None
    return experiment.planned_end


ASKED_A_DAY = 100  # fewer may be a test or a forgotten browser
DAYS_TO_TAKE_IT_OUT = 2  # full days after the end that services have to stop


def still_asked(experiment: Dates, day: date | None, calls: int) -> datetime | None:
    """Stopped or concluded, but services still evaluate its flag by name.

    Args:
        experiment: the experiment.
        day: the UTC day of the count; None without calls.
        calls: number of calls on that day.
    """
    over = experiment.status in ("stopped", "concluded") and experiment.ended is not None
    if not over or experiment.ended is None or day is None or calls < ASKED_A_DAY:
        return None
    return experiment.ended if (day - experiment.ended.date()).days > DAYS_TO_TAKE_IT_OUT else None


NAME = "hygiene"  # name of the counts that the first page reads
ALL_FLAGS = ""  # the flag key of a bulk evaluation


@dataclass(frozen=True)
class Untidy:
    """One finding of a rule.

    Attributes:
        rule: which.
        kind: slug of its kind.
        pk: its number.
        title: its name, as shown to this reader.
        url: of its page.
        since: since when the rule applies.
        owner: name of the account that owns it, or "".
        calls: for `STILL_ASKED`, calls a day; else None.
    """

    rule: TidyRule
    kind: str
    pk: int
    title: str
    url: str
    since: date
    owner: str
    calls: int | None = None


def untidy(now: datetime | None = None) -> list[Untidy]:
    """All findings, by rule, longest-standing first. Reads no outcome of an experiment."""
    order = list(TidyRule)
    return sorted(_experiments(now or timezone.now()), key=lambda row: (order.index(row.rule), row.since, row.title))


def seen_by(user: User | AnonymousUser, rows: Iterable[Untidy]) -> list[Untidy]:
    """The findings that a person may see."""
    may = {kind.slug for kind in thing_kinds() if user.has_perm(kind.permission("view"))}
    return [row for row in rows if row.kind in may]


def count_hygiene() -> int:
    """Store the number of findings per rule, for the first page; returns the total."""
    return keep_counts(untidy())


def keep_counts(rows: Iterable[Untidy]) -> int:
    """Store the counts of findings already loaded; returns the total."""
    counts = Counter(row.rule.value for row in rows)
    Snapshot.objects.update_or_create(name=NAME, defaults={"value": dict(counts), "counted_at": timezone.now()})
    return counts.total()


def counted(snapshot: Snapshot | None) -> int:
    """The stored total for the first page; counts of rules removed since 0.4 are ignored."""
    return 0 if snapshot is None else sum(snapshot.value.get(rule.value, 0) for rule in TidyRule)


def _one(
    rule: TidyRule, kind: ThingKind, row: Any, since: date | datetime | None, calls: int | None = None
) -> list[Untidy]:
    if since is None:
        return []
    day = here(since).date() if isinstance(since, datetime) else since
    return [Untidy(rule, kind.slug, row.pk, kind.title_of(row), kind.url_of(row), day, owner_name(kind, row), calls)]


def _experiments(now: datetime) -> Iterator[Untidy]:
    kind, (day, evaluations) = kind_of(Experiment), _asked(now)
    rows: Any = kind.current().select_related(*OWNERS)
    asked = {*evaluations, *(flag.rpartition(".")[0] for flag in evaluations)}  # a nudge's flag names its lab's first
    ended = Q(status__in=[Status.STOPPED, Status.CONCLUDED], flag_key__in=asked)
    if evaluations[ALL_FLAGS]:
        ended = Q(status__in=[Status.STOPPED, Status.CONCLUDED])
    live_flags = set(Experiment.objects.filter(status__in=LIVE).values_list("flag_key", flat=True))
    live_flags |= set(Rollout.objects.exclude(state=Rollout.State.BACK).values_list("flag_key", flat=True))
    for row in rows.filter(Q(status__in=LIVE) | ended):
        dates = Dates(status=row.status, planned_end=row.planned_end, ended=row.stopped_at)
        yield from _one(TidyRule.PAST_END, kind, row, past_end(dates, site_date(now)))
        if row.flag_key not in live_flags:  # else another test uses the flag: its calls are right
            calls = sum(evaluations[flag] for flag in (ALL_FLAGS, *row.flags))
            yield from _one(TidyRule.STILL_ASKED, kind, row, still_asked(dates, day, calls), calls)


def _asked(now: datetime) -> tuple[date, Counter[str]]:
    """The last full UTC day, and how often each flag was evaluated on it; "" is bulk evaluations.

    Web and mobile apps evaluate all flags at once, so single flags can't be told apart: every flag still served counts.
    """
    day = now.astimezone(UTC).date() - timedelta(days=1)
    rows = FlagAsk.objects.filter(Q(day=day) | Q(day_before=day))
    calls: Counter[str] = Counter()
    for row in rows:
        calls[row.flag_key] += row.day_times if row.day == day else row.day_before_times
    return day, calls


# Texts of hygiene: what each rule means, and what to do about a row.

SHOWN = 50  # rows of one rule on the page


@dataclass(frozen=True)
class Act:
    """Advice about a row: a link to the page where to act."""

    label: str
    url: str


@dataclass(frozen=True)
class TidyLine:
    """One row of the page, with further information."""

    row: Untidy
    kind: str
    more: str
    act: Act | None


@dataclass(frozen=True)
class TidySection:
    """One rule with its findings."""

    rule: TidyRule
    title: str
    why: str
    lines: tuple[TidyLine, ...]
    total: int


def sections(rows: list[Untidy], user: User | AnonymousUser) -> list[TidySection]:
    """The rules with findings, in their order."""
    groups = []
    for rule in TidyRule:
        mine = [row for row in rows if row.rule is rule]
        if mine:
            title, why = rule_words(rule)
            lines = tuple(_line(row, user) for row in mine[:SHOWN])
            groups.append(TidySection(rule, title, why, lines, len(mine)))
    return groups


def rule_words(rule: TidyRule) -> tuple[str, str]:
    """A rule's name, why it matters and what to do."""
    return {
        TidyRule.PAST_END: (
            gettext("Running past its planned end"),
            gettext("The plan's last day is over. Read the result, then stop it: users still get its groups."),
        ),
        TidyRule.STILL_ASKED: (
            gettext("Over, but its flag is still asked for"),
            gettext(
                "Services ask by name, or for all flags at once as web and mobile apps do. Take the flag out of the "
                "code, then archive."
            ),
        ),
    }[rule]


def _line(row: Untidy, user: User | AnonymousUser) -> TidyLine:
    more = ""
    if row.calls is not None:
        more = ngettext("{n} call a day", "{n} calls a day", row.calls).format(n=count(row.calls))
    kind = kind_of(Experiment)
    return TidyLine(row, str(kind.name), more, _act(row, user.has_perm(kind.permission("change"))))


def _act(row: Untidy, may_change: bool) -> Act | None:
    """What this person may do about it; None without the permission."""
    if not may_change:
        return None
    if row.rule is TidyRule.PAST_END:
        return Act(gettext("Stop"), f"{row.url}do/stop/")
    return Act(gettext("Who asks"), f"{row.url}setup/")
