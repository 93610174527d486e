"""The first page: what needs attention, what changed, what runs, and the steps from events to a verdict."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import OuterRef, Subquery
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from aha.forms import form_words
from aha.models import AhaMoment, Study
from aha.moments import reach
from aha.moments.promote import badge, confirmed_moments
from aha.moments.retention_now import RetentionNow, WeekOfDay, retention_now, signup_event
from aha.report import moment_page
from aha.report import reach as report_reach
from aha.study.headline import stored_headline
from experiments.analyse.codes import LIGHTS, Code, code_words
from experiments.models import Analysis, Experiment
from experiments.status import overview
from experiments.status import waiting as waits
from experiments.status.overview import concern_words, health
from experiments.status.overview import headline_document as headline
from insight_site.boards import board_services
from insight_site.boards.cards import cards_of
from insight_site.connect import first_day
from insight_site.models import Snapshot
from insight_site.pages.changes import recent_changes
from insight_site.tidying import untidy
from reporting.numbers import count, month_day_text, percent
from runs.models import Run
from runs.payloads import Schema, Unreadable
from runs.queue.status import is_alive, last_heard
from runs.refusals import Refused
from runs.web import open_runs
from segments.models import SegmentModel

# The retention tiles of the first page: counted nightly, stored, and read here with their trend.

NAME = Snapshot.RETENTION
FEW = 30  # weeks with fewer users aren't drawn: their share varies by chance
STORED: Schema[RetentionNow] = Schema(RetentionNow)


@dataclass(frozen=True)
class Tile:
    """One number on the first page with its trend.

    Attributes:
        name: such as "D7 retention".
        value: of the latest complete week, or "" if there is none.
        whom: which users, and how many.
        line: points of a sparkline, or "".
    """

    name: str
    value: str
    whom: str
    line: str


def count_retention() -> bool:
    """Query the warehouse and store the result; False on a site without events."""
    try:
        retention = retention_now(signup_event())
    except Refused:
        return False
    Snapshot.objects.update_or_create(
        name=NAME, defaults={"value": STORED.store(retention), "counted_at": timezone.now()}
    )
    return True


def tiles(row: Snapshot | None) -> list[Tile]:
    """One tile per retention day; none before the first count."""
    retention = None if row is None else STORED.read(row.value)
    if retention is None or isinstance(retention, Unreadable):
        return []
    return [_tile(day, weeks) for day, weeks in zip(retention.days, retention.weeks, strict=True)]


def _tile(day: int, weeks: tuple[WeekOfDay, ...]) -> Tile:
    # The last week may still be incomplete: show the latest with enough users.
    known = [week for week in weeks if week.eligible >= FEW]
    name = gettext("D{day} retention").format(day=day)
    if not known:
        return Tile(name, "", gettext("No week is old enough yet."), "")
    last = known[-1]
    whom = gettext("week of {week} · n = {n}").format(week=month_day_text(last.week), n=count(last.eligible))
    return Tile(name, percent(last.active / last.eligible), whom, _line(known))


def _line(weeks: list[WeekOfDay], width: int = 130, height: int = 30) -> str:
    if len(weeks) < 2:
        return ""
    shares = [week.active / week.eligible for week in weeks]
    span, top = (weeks[-1].week - weeks[0].week).days, max(shares) or 1.0
    places = [
        ((week.week - weeks[0].week).days / span, 1 - share / top) for week, share in zip(weeks, shares, strict=True)
    ]
    return " ".join(f"{2 + (width - 4) * x:.1f},{2 + (height - 4) * y:.1f}" for x, y in places)


SHOWN = 5


@dataclass(frozen=True)
class Step:
    """A step of the loop: its name, whether it was done, and a link to it.

    Attributes:
        name: "Study".
        words: its result.
        done: whether it was done at least once.
        action, url: its button; empty without the permission.
    """

    name: str
    words: str
    done: bool
    action: str = ""
    url: str = ""


def landing(user: User | AnonymousUser, *, dismissed: bool = False, board: bool = False) -> dict[str, Any]:
    """Context of the first page for a person with an account.

    Args:
        user: the reader.
        dismissed: they dismissed the onboarding checklist.
        board: they pinned a board.
    """
    heard = last_heard()
    live = [
        {"experiment": at.experiment, "url": _report(at.experiment), "at": at, "health": health(at)}
        for at in overview.live()
    ]
    names = [NAME, untidy.NAME, first_day.NAME]
    snapshots = {row.name: row for row in Snapshot.objects.filter(name__in=names)}
    marks = snapshots[first_day.NAME].value if first_day.NAME in snapshots else {}
    facts = first_day.facts(user, over=first_day.FINISHED in marks)
    if facts.exposed and first_day.FINISHED not in marks:
        first_day.say_done(first_day.FINISHED)  # a person with users in an experiment is no beginner
        marks = {**marks, first_day.FINISHED: ""}
    loop = steps(user, facts, has_figures=NAME in snapshots)
    open_ones = open_runs()
    pinned = board_services.pinned(user) if board else None
    return {
        "open_runs": open_ones,
        "worker_heard": heard,
        "worker_alive": is_alive(heard),
        "experiments": live,
        "waiting": waiting(live, user),
        "moments": [_moment(row) for row in overview.moments(SHOWN)],
        "studies": _told_apart([_study(row) for row in _shown_studies()]),
        "verdicts": verdicts(),
        "changes": recent_changes(),
        "board": pinned,
        "cards": [] if pinned is None else cards_of(pinned),
        "tiles": tiles(snapshots.get(NAME)),
        "hygiene": untidy.counted(snapshots.get(untidy.NAME)),
        "confirmed": confirmed_moments(),
        "loop": loop,
        "all_done": all(step.done for step in loop),
        "next": next((step for step in loop if not step.done and step.url), None) if loop[0].done else None,
        "no_events": not loop[0].done,
        "first_day": () if dismissed else first_day.tasks(user, facts, marks),
    }


@dataclass(frozen=True)
class Waiting:
    """One line of what waits for a person.

    Attributes:
        kind: in a word: "Review".
        name, url: the thing.
        words: what to do, or what is wrong.
        at: since when.
        light: "bad" or "watch" where something is wrong.
    """

    kind: str
    name: str
    url: str
    words: str
    at: datetime | None
    light: str = ""


def waiting(live: list[dict[str, Any]], user: User | AnonymousUser) -> list[Waiting]:
    """What waits for this person: reviews first, then alarms, unseen results, and plans that don't start yet."""
    reviews = waits.reviews_for(user)
    unread = waits.unread(user)
    lines = [
        Waiting(
            gettext("Review"),
            row.experiment.title,
            reverse("experiments:plan", args=[row.experiment.key]),
            gettext("You are asked to review this plan."),
            row.at,
        )
        for row in reviews
    ]
    lines += [
        Waiting(
            gettext("Health"),
            row["experiment"].title,
            reverse("experiments:health", args=[row["experiment"].key]),
            concern_words(row["at"].concerns[0]),
            row["experiment"].started_at,
            row["health"]["light"],
        )
        for row in live
        if row["health"]["light"] in ("bad", "watch") and waits.is_mine(row["experiment"], user)
    ]
    lines += [
        Waiting(gettext("Result"), row.experiment.title, _report(row.experiment), waits.result_words(row), row.at)
        for row in unread
    ]
    lines += [
        Waiting(
            gettext("To close"),
            row.title,
            _report(row),
            gettext("It has stopped. Read the result, and close it with a note.")
            if user.has_perm(waits.CHANGE)
            else gettext("Read the result"),
            row.stopped_at,
        )
        for row in waits.stopped(user, [row.experiment for row in unread])
    ]
    return lines + [
        Waiting(
            gettext("Plan"),
            row.experiment.title,
            reverse("experiments:step", args=[row.experiment.key, "review"]),
            gettext("Can't start yet: {why}").format(why=row.why) if row.why else gettext("Ready to start."),
            row.at,
        )
        for row in waits.drafts(user, [row.experiment for row in reviews])
    ]


def verdicts() -> list[dict[str, Any]]:
    """The latest verdict of each experiment, newest first, with its shares, effect and interval."""
    spoken = Analysis.objects.filter(status=Run.Status.DONE).exclude(verdict="")
    last = spoken.filter(experiment=OuterRef("experiment")).values("pk")[:1]
    rows = spoken.light("experiment__moment").filter(pk=Subquery(last)).defer("inputs", "experiment__moment__evidence")
    return [
        {
            "experiment": row.experiment,
            "url": _report(row.experiment),
            "words": code_words(Code(row.verdict), whole_clusters=row.experiment.moves_whole_clusters),
            "light": LIGHTS[Code(row.verdict)],
            "at": row.as_of or row.created_at,
            "final": row.final,
            "headline": headline(row.figures, row.verdict),
        }
        for row in rows[:SHOWN]
    ]


def steps(user: User | AnonymousUser, found: first_day.Facts, *, has_figures: bool) -> tuple[Step, ...]:
    """The steps from events to a verdict: which were done, and what this person may do next."""
    study = (
        Study.objects.light().filter(status=Run.Status.DONE).order_by("-created_at").first() if found.study else None
    )
    events = found.study or found.came or has_figures or SegmentModel.objects.exists()
    add_study, add_experiment = user.has_perm("aha.add_study"), user.has_perm("experiments.add_experiment")
    new_plan = reverse("experiments:new_plan")
    return (
        Step(
            gettext("Data"),
            gettext("Events of your product arrive here."),
            events,
            *((gettext("Open the events"), reverse("events:overview")) if events else ()),
        ),
        Step(
            gettext("Study"),
            gettext("It ranks the early behaviours that go with staying."),
            found.study,
            *((gettext("New study"), reverse("aha:new_study")) if add_study else ()),
        ),
        Step(
            gettext("AHA moment"),
            gettext("The candidate that is worth a test."),
            found.moment,
            *((gettext("Open the study"), reverse("aha:study", args=[study.pk])) if study else ()),
        ),
        Step(
            gettext("Experiment"),
            gettext("It nudges some users, so that cause and habit come apart."),
            found.started,
            *((gettext("Plan an experiment"), new_plan) if add_experiment else ()),
        ),
        Step(gettext("Verdict"), gettext("Whether the behaviour causes retention, and by how much."), found.verdict),
    )


def _report(experiment: Experiment) -> str:
    return reverse("experiments:report", args=[experiment.key])


def _shown_studies() -> Any:
    """The latest studies, without cancelled and archived ones."""
    return Study.objects.light().filter(archived_at=None).exclude(status=Run.Status.CANCELLED)[:SHOWN]


def _study(study: Study) -> dict[str, Any]:
    study.words = form_words(study)
    return {"study": study, "found": stored_headline(study.headline)}


def _told_apart(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The studies; those of the same title get `apart`: the inputs that differ, and the number."""
    titles = Counter(str(row["study"]) for row in rows)
    for row in rows:
        alike = [other["study"] for other in rows if str(other["study"]) == str(row["study"])]
        row["apart"] = _apart(row["study"], alike) if titles[str(row["study"])] > 1 else ""
    return rows


def _apart(study: Study, alike: list[Study]) -> str:
    behaviours = len(study.inputs.get("behaviours") or ())
    said = {
        "segment": str(study.inputs.get("segment") or gettext("everybody")),
        "behaviours": ngettext("{n} behaviour", "{n} behaviours", behaviours).format(n=behaviours)
        if behaviours
        else gettext("every event"),
        "days": gettext("within {days} days").format(days=", ".join(map(str, study.inputs.get("days") or ()))),
    }
    differ = [
        words
        for name, words in said.items()
        if len({repr(other.inputs.get(name)) for other in alike}) > 1 and (name != "days" or study.inputs.get("days"))
    ]
    return " · ".join([*differ, gettext("study {number}").format(number=study.pk)])


def _moment(moment: AhaMoment) -> dict[str, Any]:
    return {
        "moment": moment,
        "badge": badge(moment),
        "finding": moment_page.finding(moment.finding),
        "trend": report_reach.trend(reach.weeks_of(moment)),
    }
