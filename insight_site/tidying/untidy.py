"""Query the database for the hygiene rules, and list what should be tidied up."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q
from django.utils import timezone

from events.upkeep.owners import OWNERS, owner_name
from events.upkeep.thing_kinds import ThingKind, kind_of, thing_kinds
from experiments.models import Experiment, FlagAsk, Rollout
from experiments.plan.lifecycle import LIVE, Status
from insight_site.models import Snapshot
from insight_site.tidying import tidy_rules
from insight_site.tidying.tidy_rules import Dates, TidyRule

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
    return sorted(_experiments(now or timezone.now()), key=lambda one: (order.index(one.rule), one.since, one.title))


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


def counted(kept: Snapshot | None) -> int:
    """The stored total for the first page; counts of rules removed since 0.4 are ignored."""
    return 0 if kept is None else sum(kept.value.get(rule.value, 0) for rule in TidyRule)


def _one(
    rule: TidyRule, kind: ThingKind, row: Any, since: date | datetime | None, calls: int | None = None
) -> list[Untidy]:
    if since is None:
        return []
    day = timezone.localtime(since).date() if isinstance(since, datetime) else since
    return [Untidy(rule, kind.slug, row.pk, kind.title_of(row), kind.url_of(row), day, owner_name(kind, row), calls)]


def _experiments(now: datetime) -> Iterator[Untidy]:
    kind, (day, asked) = kind_of(Experiment), _asked(now)
    rows: Any = kind.current().select_related(*OWNERS)
    ended = Q(status__in=[Status.STOPPED, Status.CONCLUDED], flag_key__in=list(asked))
    if asked[ALL_FLAGS]:
        ended = Q(status__in=[Status.STOPPED, Status.CONCLUDED])
    live_flags = set(Experiment.objects.filter(status__in=LIVE).values_list("flag_key", flat=True))
    live_flags |= set(Rollout.objects.exclude(state=Rollout.State.BACK).values_list("flag_key", flat=True))
    for row in rows.filter(Q(status__in=LIVE) | ended):
        dates = Dates(status=row.status, planned_end=row.planned_end, ended=row.stopped_at)
        yield from _one(TidyRule.PAST_END, kind, row, tidy_rules.past_end(dates, timezone.localdate(now)))
        if row.flag_key not in live_flags:  # else another test uses the flag: its calls are right
            calls = asked[row.flag_key] + asked[ALL_FLAGS]
            yield from _one(TidyRule.STILL_ASKED, kind, row, tidy_rules.still_asked(dates, day, calls), calls)


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
