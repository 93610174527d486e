"""Ask the database for what the rules of hygiene judge, and list what should be tidied up."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, Max, OuterRef, Q, Subquery
from django.urls import reverse
from django.utils import timezone

from aha.models import AhaMoment, Study
from events.upkeep.owners import OWNERS, owner_deactivated, owner_name, with_owner
from events.upkeep.thing_kinds import ThingKind, kind_of, thing_kinds
from events.upkeep.used_by import all_uses
from experiments.models import Analysis, Assignment, Experiment, FlagAsk, Rollout
from experiments.plan.lifecycle import LIVE, Status
from insight_site.models import ApiKey, SignIn, Snapshot
from insight_site.tidying import tidy_rules
from insight_site.tidying.tidy_rules import Dates, TidyRule
from segments.models import SegmentModel, SegmentVersion

NAME = "hygiene"  # of the counts that the first page reads
ALL_FLAGS = ""  # the flag of a call for all of them
ANALYSES = 60  # of one experiment, the newest, in which the growth of its exposed users is looked for
MOST_OF_THE_GONE = 1_000  # things of one kind, whose owners' accounts are deactivated
KEY = "key"  # no kind of things: keys have a page in the administration alone
SEE_KEYS = "insight_site.view_apikey"


@dataclass(frozen=True)
class Untidy:
    """One thing that a rule found.

    Attributes:
        rule: which.
        kind: slug of its kind, or "key".
        pk: its number.
        title: its name as this reader is shown it.
        url: of its page.
        since: since when it is so.
        owner: name of the account that owns it, or "".
        calls: of `STILL_ASKED`, so many a day; else None.
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
    """Everything that a rule finds, rule by rule, the longest first. No outcome of an experiment is read for it."""
    at = now or timezone.now()
    found = [*_experiments(at), *_moments(at), *_studies(at), *_segments(at), *_keys(at), *_gone()]
    order = list(TidyRule)
    return sorted(found, key=lambda one: (order.index(one.rule), one.since, one.title))


def seen_by(user: User | AnonymousUser, rows: Iterable[Untidy]) -> list[Untidy]:
    """Those that a person may know of."""
    may = {kind.slug for kind in thing_kinds() if user.has_perm(kind.permission("view"))}
    return [row for row in rows if row.kind in may or (row.kind == KEY and user.has_perm(SEE_KEYS))]


def count_hygiene() -> int:
    """Keep how many there are by rule, for the first page; returns how many."""
    return keep_counts(untidy())


def keep_counts(rows: Iterable[Untidy]) -> int:
    """The same of rows that are known already."""
    counts = Counter(row.rule.value for row in rows)
    Snapshot.objects.update_or_create(name=NAME, defaults={"value": dict(counts), "counted_at": timezone.now()})
    return counts.total()


def counted(user: User | AnonymousUser, kept: Snapshot | None) -> int:
    """How many the first page tells a person of, as they were counted last."""
    hidden = () if user.has_perm(SEE_KEYS) else (TidyRule.UNUSED_KEY.value,)
    return 0 if kept is None else sum(number for rule, number in kept.value.items() if rule not in hidden)


def _one(
    rule: TidyRule, kind: ThingKind, row: Any, since: date | datetime | None, calls: int | None = None
) -> list[Untidy]:
    if since is None:
        return []
    day = timezone.localtime(since).date() if isinstance(since, datetime) else since
    return [Untidy(rule, kind.slug, row.pk, kind.title_of(row), kind.url_of(row), day, owner_name(kind, row), calls)]


# ── Experiments ───────────────────────────────────────────────────────────────
def _experiments(now: datetime) -> Iterator[Untidy]:
    kind, (day, asked) = kind_of(Experiment), _asked(now)
    rows: Any = kind.current().select_related(*OWNERS)
    old = Q(status=Status.DRAFT, created_at__lte=now - tidy_rules.UNTOUCHED)
    ended = Q(status__in=[Status.STOPPED, Status.CONCLUDED], flag_key__in=list(asked))
    if asked[ALL_FLAGS]:
        ended = Q(status__in=[Status.STOPPED, Status.CONCLUDED])
    versions = Experiment.history.model.objects.filter(id=OuterRef("pk")).order_by("-history_date")
    newest = Assignment.objects.filter(experiment=OuterRef("pk")).order_by("-pk")
    rows = rows.filter(Q(status__in=LIVE) | old | ended).annotate(
        touched=Subquery(versions.values("history_date")[:1]), newest=Subquery(newest.values("assigned_at")[:1])
    )
    live_flags = set(Experiment.objects.filter(status__in=LIVE).values_list("flag_key", flat=True))
    live_flags |= set(Rollout.objects.exclude(state=Rollout.State.BACK).values_list("flag_key", flat=True))
    for row in rows:
        dates = _dates(row)
        yield from _one(TidyRule.PAST_END, kind, row, tidy_rules.past_end(dates, timezone.localdate(now)))
        yield from _one(TidyRule.UNTOUCHED_DRAFT, kind, row, tidy_rules.untouched_draft(dates, now))
        if tidy_rules.no_exposures(dates, now) is not None:  # only then the analyses are asked
            yield from _one(TidyRule.NO_EXPOSURES, kind, row, tidy_rules.no_exposures(_dates(row, _grown(row)), now))
        if row.flag_key not in live_flags:  # another experiment runs on it: it is asked for rightly
            calls = asked[row.flag_key] + asked[ALL_FLAGS]
            yield from _one(TidyRule.STILL_ASKED, kind, row, tidy_rules.still_asked(dates, day, calls), calls)


def _dates(row: Any, grown: datetime | None = None) -> Dates:
    new = [at for at in (row.newest, grown) if at is not None]
    return Dates(
        status=row.status,
        planned_end=row.planned_end,
        touched=row.touched or row.created_at,
        started=row.started_at,
        ended=row.stopped_at,
        enrolment_open=row.enrolment_closed_at is None,
        last_new=max(new, default=None),
    )


def _grown(row: Experiment) -> datetime | None:
    """Services that log exposures themselves leave no fresh assignment: the analyses count them from the events."""
    done = Analysis.objects.filter(experiment=row, status=Analysis.Status.DONE, exposed__isnull=False).order_by("-pk")
    counts = done.values_list("as_of", "created_at", "exposed")[:ANALYSES]
    return tidy_rules.last_growth([(as_of or made, sum((exposed or {}).values())) for as_of, made, exposed in counts])


def _asked(now: datetime) -> tuple[date, Counter[str]]:
    """The last whole UTC day, and how often each flag was asked for on it; "" is all flags at once.

    Web and mobile apps ask for all of them, so that none can be told from the others: whatever is still served counts.
    """
    day = now.astimezone(UTC).date() - timedelta(days=1)
    rows = FlagAsk.objects.filter(Q(day=day) | Q(day_before=day))
    calls: Counter[str] = Counter()
    for row in rows:
        calls[row.flag_key] += row.day_times if row.day == day else row.day_before_times
    return day, calls


# ── Moments, studies, segments ────────────────────────────────────────────────
def _moments(now: datetime) -> Iterator[Untidy]:
    kind = kind_of(AhaMoment)
    tests = Experiment.objects.filter(moment=OuterRef("pk"), started_at__isnull=False)
    rows: Any = kind.current().filter(status=AhaMoment.Status.CANDIDATE, created_at__lte=now - tidy_rules.UNTESTED)
    for row in rows.annotate(tested=Exists(tests)).select_related(*OWNERS):
        since = tidy_rules.never_tested(row.created_at, candidate=True, tested=row.tested, now=now)
        yield from _one(TidyRule.NEVER_TESTED, kind, row, since)


def _studies(now: datetime) -> Iterator[Untidy]:
    kind = kind_of(Study)
    rows: Any = kind.current().select_related(*OWNERS)
    again = Study.objects.filter(changed_from=OuterRef("pk"))
    for row in rows.filter(Q(status=Study.Status.FAILED) & ~Exists(again)):
        yield from _one(
            TidyRule.STUDY_FAILED, kind, row, tidy_rules.study_failed(row.finished_at, failed=True, now=now)
        )
    twice = _twice()
    for row in rows.filter(pk__in=list(twice)[:1_000]):
        yield from _one(TidyRule.DUPLICATE_STUDY, kind, row, twice[row.pk])


def _twice() -> dict[int, datetime]:
    """Studies that were asked again, and up to when the data of the newest of their question reach.

    One that moments were promoted from is their evidence: it isn't named.
    """
    done: Any = Study.objects.filter(status=Study.Status.DONE, archived_at=None, as_of__isnull=False).order_by(
        "as_of", "pk"
    )
    rows: Any = done.annotate(kept=Exists(AhaMoment.objects.filter(study=OuterRef("pk"))))
    groups: dict[str, list[tuple[int, datetime, bool]]] = {}
    for pk, inputs, seed, as_of, kept in rows.values_list("pk", "inputs", "seed", "as_of", "kept"):
        groups.setdefault(inputs_hash(inputs, seed), []).append((pk, as_of, kept))
    found: dict[int, datetime] = {}
    for same in groups.values():
        newest = same[-1][1]
        for pk, as_of, kept in same[:-1]:
            since = tidy_rules.duplicate_study(as_of, newest)
            if since is not None and not kept:
                found[pk] = since
    return found


def inputs_hash(inputs: dict[str, Any], seed: int) -> str:
    """One for each question: the order of its fields doesn't matter."""
    return hashlib.sha256(json.dumps([inputs, seed], sort_keys=True).encode()).hexdigest()


def _segments(now: datetime) -> Iterator[Untidy]:
    kind = kind_of(SegmentModel)
    used = {use.key for use in all_uses() if use.kind == kind.slug}
    versions = SegmentVersion.objects.filter(model=OuterRef("pk"), refreshed_at__isnull=False).order_by("-number")
    rows: Any = kind.current().select_related(*OWNERS)
    rows = rows.annotate(
        drift=Subquery(versions.values("drift_code")[:1]), refreshed=Subquery(versions.values("refreshed_at")[:1])
    )
    for row in rows:
        yield from _one(TidyRule.DRIFTED, kind, row, tidy_rules.drifted(row.drift or "", row.refreshed))
        since = tidy_rules.unused_segment(row.created_at, used=row.key in used, now=now)
        yield from _one(TidyRule.UNUSED_SEGMENT, kind, row, since)


# ── Keys and owners ───────────────────────────────────────────────────────────
def _keys(now: datetime) -> Iterator[Untidy]:
    rows = ApiKey.objects.filter(revoked_at=None, created_at__lte=now - tidy_rules.KEY_UNUSED).select_related(
        "created_by"
    )
    for key in rows:
        since = tidy_rules.unused_key(key.created_at, key.last_used_at, now) if key.is_live else None
        if since is not None:
            url = reverse("admin:insight_site_apikey_change", args=[key.pk])
            owner = "" if key.created_by is None else key.created_by.get_username()
            day = timezone.localtime(since).date()
            yield Untidy(TidyRule.UNUSED_KEY, KEY, key.pk, str(key), url, day, owner)


def _gone() -> Iterator[Untidy]:
    """Things whose owner's account is deactivated."""
    left = SignIn.objects.filter(event=SignIn.Event.DEACTIVATED, user__is_active=False)
    since = dict(left.values_list("user__username").annotate(at=Max("at")))
    for kind in thing_kinds():
        for row in with_owner(kind, kind.current().filter(owner_deactivated(kind)))[:MOST_OF_THE_GONE]:
            at = since.get(owner_name(kind, row))
            yield from _one(
                TidyRule.OWNER_GONE,
                kind,
                row,
                tidy_rules.owner_gone(active=False, since=at, made=getattr(row, kind.made)),
            )
