"""Turn an event into notification rows: one per state and recipient, by the recipients' preferences.

A worker does it (`runs.queue.enqueue` requests it), in one transaction: a process that dies causes no duplicates.
"""

from collections.abc import Iterable, Iterator

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from aha.models import KeptReach
from aha.moments import reach
from experiments.analyse.analyses import read_analysis
from experiments.models import Analysis
from insight_site.models import Notice, NoticeChannel, NoticeChoice, ToldState
from insight_site.models.notices import Timing
from insight_site.notices.falling_moment import newest_fall
from insight_site.notices.from_analysis import News, news_of
from insight_site.notices.notice_kinds import BY_KEY, Kind
from insight_site.notices.own_choice import next_daily, timing_of
from insight_site.notices.subjects import EXPERIMENT, MOMENT, PART, concerned
from insight_site.operation import signs
from runs.payloads import Unreadable
from runs.queue.enqueue import OVER

log = structlog.get_logger()
# Events that map to other kinds: an analysis and a count of a moment may give several notices, or none.
ANALYSED, REACH_COUNTED = "analysed", "reach_counted"
SEEN_ONCE = "seen once"  # a part that fails only one check usually recovers by itself


def hear(kind: str, label: str, row: str, state: str, *, by: int = 0, to: Iterable[int] = ()) -> int:
    """Create the notices for an event; returns how many.

    Args:
        kind: a key of `insight_site.notices.notice_kinds`, ANALYSED or REACH_COUNTED.
        label, row, state, by, to: as in `runs.queue.enqueue.tell`.
    """
    if kind == ANALYSED:
        return sum(_note(one, EXPERIMENT, experiment) for experiment, one in _of_analysis(row))
    if kind == REACH_COUNTED:
        return _note(_of_moment(row), MOMENT, row)
    if kind not in BY_KEY:
        log.warning("notice.unknown_kind", kind=kind)  # from a worker of the previous release, or a removed kind
        return 0
    return _note(News(kind, state), label, row, by=by, to=to)


def look_at_parts() -> int:
    """Every quarter of an hour: notify once of a part that failed two checks in a row."""
    told = 0
    for name in signs.SIGNS:
        if signs.look(name).ok:
            told += _note(News("part_unwell", OVER, name), PART, name)
            continue
        known = ToldState.objects.filter(kind="part_unwell", subject=f"{PART}:{name}").values_list("state", flat=True)
        if known.first() in (None, OVER):
            _keep("part_unwell", f"{PART}:{name}", SEEN_ONCE)
        else:
            told += _note(News("part_unwell", "failed", name), PART, name)
    return told


def _of_analysis(row: str) -> Iterator[tuple[str, News]]:
    analysis = Analysis.objects.filter(pk=int(row), status=Analysis.Status.DONE).first()
    readout = read_analysis(analysis)
    if analysis is None or readout is None or isinstance(readout, Unreadable):
        return
    for one in news_of(readout, final=analysis.final, number=analysis.pk):
        yield str(analysis.experiment_id), one


def _of_moment(row: str) -> News:
    kept = KeptReach.objects.filter(moment_id=int(row)).first()
    weeks = None if kept is None else reach.read(kept).weeks
    fall = None if weeks is None else newest_fall(weeks)
    return News("share_falling", "falling" if fall is not None and fall.fall.fallen else OVER)


def _note(news: News, label: str, row: str, *, by: int = 0, to: Iterable[int] = ()) -> int:
    """Store the state; if it is new, create a notice for everybody concerned."""
    kind, subject = BY_KEY[news.kind], _subject(news.kind, label, row)
    if news.code not in kind.codes and news.code:
        raise ValueError(f"a notice of {kind.key} can't say {news.code}")
    with transaction.atomic():
        if news.state and (not _keep(kind.key, subject, news.state) or news.state == OVER):
            return 0
        rows = [*_to_people(kind, news, label, row, by, to), *_to_channels(kind, news, label, row)]
        Notice.objects.bulk_create(rows)
    return len(rows)


def _subject(kind: str, label: str, row: str) -> str:
    """The subject of a state: analyses that fail night after night are one problem of their experiment."""
    if kind == "run_failed" and label == Analysis._meta.label:
        experiment = Analysis.objects.filter(pk=int(row)).values_list("experiment_id", flat=True).first()
        return f"{EXPERIMENT}:{experiment}"
    return f"{label}:{row}"


def _keep(kind: str, subject: str, state: str) -> bool:
    """Store a state; True when it differs from the one before."""
    now = timezone.now()
    with transaction.atomic():
        row, made = ToldState.objects.select_for_update().get_or_create(
            kind=kind, subject=subject, defaults={"state": state, "since": now}
        )
        if made or row.state == state:
            return made
        ToldState.objects.filter(pk=row.pk).update(state=state, since=now)
    return True


def _to_people(kind: Kind, news: News, label: str, row: str, by: int, to: Iterable[int]) -> Iterator[Notice]:
    who = concerned(kind, label, row, to=to)
    choices = {one.user_id: one for one in NoticeChoice.objects.all()}
    if kind.by_row:
        who |= {pk for pk, one in choices.items() if one.everything}
    for user in User.objects.filter(pk__in=who - {by}, is_active=True):
        timing = timing_of(kind, choices.get(user.pk))
        if timing == Timing.NEVER or (kind.needs and not user.has_perm(kind.needs)):
            continue
        for channel in [None, *NoticeChannel.objects.filter(owner=user, enabled=True)]:
            if channel is not None or user.email:
                yield _row(kind, news, label, row, daily=timing == Timing.DAILY, user=user, channel=channel)


def _to_channels(kind: Kind, news: News, label: str, row: str) -> Iterator[Notice]:
    for channel in NoticeChannel.objects.filter(owner=None, enabled=True):
        if kind.key in channel.kinds:
            yield _row(kind, news, label, row, daily=False, user=None, channel=channel)


def _row(
    kind: Kind, news: News, label: str, row: str, *, daily: bool, user: User | None, channel: NoticeChannel | None
) -> Notice:
    now = timezone.now()
    return Notice(
        user=user,
        channel=channel,
        kind=kind.key,
        label=label,
        row=row,
        code=news.code,
        happened_at=now,
        daily=daily,
        next_try_at=next_daily(now) if daily else now,
    )
