"""Turn an event into notification rows, one per recipient and state."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from aha.models import KeptReach
from aha.moments import reach
from aha.moments.claims import ReachWeek, WeeklyReach
from experiments.analyse.codes import Code
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Maturity, State
from experiments.models import Analysis
from insight_site.models import Notice, NoticeChannel, NoticeChoice, Timing, ToldState
from insight_site.notify.notice_kinds import BY_KEY, EXPERIMENT, FINAL, MOMENT, PART, Kind, concerned
from insight_site.notify.preferences import next_daily, timing_of
from insight_site.operate import component_health
from runs.payloads import Unreadable
from runs.queue.jobs import OVER
from stats.falling_share import Fall, WeekCount, falling
from stats.results import computable
from stats.sequential.non_inferiority import Safety

# Compares the newest complete week of a moment with its own earlier weeks (`stats.falling_share`).


@dataclass(frozen=True)
class WeekFall:
    """A week, as its Monday, and its comparison with those before."""

    week: date
    fall: Fall


def newest_fall(weekly_reach: WeeklyReach) -> WeekFall | None:
    """The newest week's comparison; None while there are too few complete weeks, or the newest has too few users."""
    weeks = [row for row in weekly_reach.weeks if row.complete and row.eligible]
    if not weeks:
        return None
    fall = falling([_count(row) for row in weeks[:-1]], _count(weeks[-1]))
    return WeekFall(weeks[-1].week, fall) if computable(fall) else None


def _count(row: ReachWeek) -> WeekCount:
    return WeekCount(row.reached, row.eligible)


# The notices from a finished analysis. The only place that checks whether its outcome may be disclosed. Pure.
#
# While the outcome is locked no notice depends on it: notices then report only the state of the data, and harm to a
# guardrail, which the plan lets anybody read at any time. A peek is for the one person who requested it; nobody else
# is notified.

BROKEN_SPLIT, GUARDRAIL = "srm", "guardrail"  # codes of health findings
LOOKS = ("look", "ended")  # reasons for an open outcome: a look that the plan contains


@dataclass(frozen=True)
class News:
    """One notice to send: its kind, its state (`runs.queue.jobs`), and a code of the kind."""

    kind: str
    state: str
    code: str = ""


def outcome_is_open(maturity: Maturity) -> bool:
    """Whether a notice may state the result."""
    return maturity.state is State.OPEN and not maturity.peeked


def news_of(readout: AnalysisResult, *, final: bool, number: int) -> Iterator[News]:
    """The notices that one analysis may send.

    Args:
        readout: its result.
        final: whether it is the final one.
        number: of the analysis; it distinguishes planned looks.
    """
    broken = any(finding.invalid == BROKEN_SPLIT for finding in readout.health)
    yield News("sample_ratio", "broken" if broken else OVER)
    yield News("guardrail", "harm" if _guardrail_alarm(readout) else OVER)
    yield News("run_failed", OVER)
    if not outcome_is_open(readout.maturity):
        return
    if readout.maturity.why in LOOKS:  # the same words for every result, also for none
        yield News("look_due", "ended" if readout.maturity.why == "ended" else f"look {number}")
    code = "" if readout.verdict is None else readout.verdict.code.value
    if code and (final or code != Code.INCONCLUSIVE):
        state = code + (FINAL if final else "")
        yield News("verdict", state, state)


def _guardrail_alarm(readout: AnalysisResult) -> bool:
    """Harm, or a change of unknown direction. While the outcome is locked: only by the nightly sequential test."""
    harmed = readout.decision is not None and any(state.safety is Safety.HARM for state in readout.decision.guardrails)
    return harmed or any(finding.check == GUARDRAIL for finding in readout.health)


# Turn an event into notification rows: one per state and recipient, by the recipients' preferences.
#
# A worker does it (`runs.queue.jobs` requests it), in one transaction: a process that dies causes no duplicates.

log = structlog.get_logger()
# Events that map to other kinds: an analysis and a count of a moment may give several notices, or none.
ANALYSED, REACH_COUNTED = "analysed", "reach_counted"
SEEN_ONCE = "seen once"  # a part that fails only one check usually recovers by itself


def hear(kind: str, label: str, row: str, state: str, *, by: int = 0, to: Iterable[int] = ()) -> int:
    """Create the notices for an event; returns how many.

    Args:
        kind: a key of `insight_site.notify.notice_kinds`, ANALYSED or REACH_COUNTED.
        label, row, state, by, to: as in `runs.queue.jobs.tell`.
    """
    if kind == ANALYSED:
        return sum(_note(news, EXPERIMENT, experiment) for experiment, news in _of_analysis(row))
    if kind == REACH_COUNTED:
        return _note(_of_moment(row), MOMENT, row)
    if kind not in BY_KEY:
        log.warning("notice.unknown_kind", kind=kind)  # from a worker of the previous release, or a removed kind
        return 0
    return _note(News(kind, state), label, row, by=by, to=to)


def look_at_parts() -> int:
    """Every quarter of an hour: notify once of a part that failed two checks in a row."""
    notices = 0
    for name in component_health.SIGNS:
        if component_health.look(name).ok:
            notices += _note(News("part_unwell", OVER, name), PART, name)
            continue
        known = ToldState.objects.filter(kind="part_unwell", subject=f"{PART}:{name}").values_list("state", flat=True)
        if known.first() in (None, OVER):
            _keep("part_unwell", f"{PART}:{name}", SEEN_ONCE)
        else:
            notices += _note(News("part_unwell", "failed", name), PART, name)
    return notices


def _of_analysis(row: str) -> Iterator[tuple[str, News]]:
    analysis = Analysis.objects.filter(pk=int(row), status=Analysis.Status.DONE).first()
    readout = READOUT.of(analysis)
    if analysis is None or readout is None or isinstance(readout, Unreadable):
        return
    for news in news_of(readout, final=analysis.final, number=analysis.pk):
        yield str(analysis.experiment_id), news


def _of_moment(row: str) -> News:
    stored = KeptReach.objects.filter(moment_id=int(row)).first()
    weeks = None if stored is None else reach.read(stored).weeks
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
    choices = {choice.user_id: choice for choice in NoticeChoice.objects.all()}
    if kind.by_row:
        who |= {pk for pk, choice in choices.items() if choice.everything}
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
