"""The onboarding checklist: from a source to the first exposed user, each step with its state and a link."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from django.db.models import Exists
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from aha.models import AhaMoment, Study
from events.catalogue.listing import catalogue
from events.models import CatalogueSnapshot, Flush, OutboxEvent, Source
from events.outbox.freshness import sent_events
from events.schema import EXPOSURE_EVENTS
from experiments.models import Analysis, Assignment, Experiment
from insight_site.models import Snapshot
from runs.models import Run
from runs.queue.jobs import put
from runs.refusals import Refused

# Sample data for an empty site: made-up users and events, to look around before anything is connected.

TASK = "insight_site.tasks.write_sample"
ASKED = "connect.sample"
ASKED_SECONDS = 120


def is_possible() -> bool:
    """True on a site without events that has its own store: real and made-up users must never mix."""
    from events.store import event_table

    if settings.WAREHOUSE_URL or any(m.objects.exists() for m in (OutboxEvent, Flush, CatalogueSnapshot)):
        return False
    return event_table.row_count() == 0


def request_sample() -> None:
    """Let a worker write the sample.

    Raises:
        Refused: the site has events already.
    """
    if not is_possible():
        raise Refused("This site has events already; made-up data are for an empty one.")
    if cache.add(ASKED, True, ASKED_SECONDS):
        put(TASK)


SAMPLE = "sample"  # name of the snapshot row that says which made-up data the store holds
REMOVE_TASK = "insight_site.tasks.remove_sample"


@dataclass(frozen=True)
class Sample:
    """Made-up data in the store: how many, since when, and whether a worker was asked to remove them."""

    users: int
    events: int
    written: datetime
    is_going: bool


def note_sample(*, users: int, events: int) -> None:
    """Store that the sample was written."""
    value = {"users": users, "events": events, "going": False}
    Snapshot.objects.update_or_create(name=SAMPLE, defaults={"value": value, "counted_at": timezone.now()})


def sample_here() -> Sample | None:
    """The made-up data that the store holds; None without any."""
    row = Snapshot.objects.filter(name=SAMPLE).first()
    if row is None:
        return None
    return Sample(row.value["users"], row.value["events"], row.counted_at, bool(row.value["going"]))


def forget_sample() -> None:
    """Store that the sample is gone; an empty site may be filled again."""
    Snapshot.objects.filter(name=SAMPLE).delete()
    cache.delete(ASKED)


def request_removal() -> None:
    """Let a worker remove the made-up data.

    Raises:
        Refused: there are none.
    """
    row = Snapshot.objects.filter(name=SAMPLE).first()
    if row is None:
        raise Refused("This site holds no made-up data.")
    Snapshot.objects.filter(pk=row.pk).update(value={**row.value, "going": True})
    put(REMOVE_TASK)


# What services sent while they were being connected: one event of today makes an old log look as if it ended today.

FORGET_TASK = "insight_site.tasks.forget_test_events"
FORGOTTEN = "test_forgotten"
MOST_TEST_EVENTS = 100  # more than that is no test any more


def trial_events(onboarding: dict[str, str]) -> int:
    """How many events could be forgotten as test events; 0 once they are too many to be a test, or one was exposed.

    Args:
        onboarding: what `said` gives: events that were forgotten before don't count.
    """
    if settings.WAREHOUSE_URL or Experiment.objects.filter(started_at__isnull=False).exists():
        return 0
    since = onboarding.get(FORGOTTEN)
    number = sent_events(datetime.fromisoformat(since) if since else None)
    return number if number is not None and number <= MOST_TEST_EVENTS else 0


def request_forgetting() -> int:
    """Let a worker forget the test events that have come so far; returns how many.

    Raises:
        Refused: there is none, or they are no test any more.
    """
    number = trial_events(said())
    if not number:
        raise Refused("There are no test events that could be forgotten.")
    put(FORGET_TASK, timezone.now().isoformat())
    return number


NAME = "first_day"  # name of the snapshot row that stores which steps a person confirmed, and when all was done
DATA, FINISHED = "data_right", "finished"


@dataclass(frozen=True)
class Facts:
    """State of the site; `exposed` and `plan` aren't queried once onboarding is over."""

    source: bool
    came: bool
    study: bool
    moment: bool
    plan: bool
    started: bool
    exposed: bool
    verdict: bool


@dataclass(frozen=True)
class Task:
    """One step of the checklist.

    Attributes:
        slug: its id on the page.
        name: what the step produces.
        words: why it is useful.
        done: whether it exists.
        action, url: button and its address; "" without the permission.
        is_next: the first step not done.
        trial_events: how many events could be forgotten as a test; 0 on other steps and without the permission.
    """

    slug: str
    name: str
    words: str
    done: bool
    action: str
    url: str
    is_next: bool
    trial_events: int = 0


def facts(user: User | AnonymousUser, *, over: bool) -> Facts:
    """All facts in one query, since the first page runs it at each request.

    Args:
        user: the viewer; only their row is needed, as the query's base.
        over: onboarding is finished.
    """
    columns: dict[str, Any] = {
        "came": Exists(OutboxEvent.objects.all()) | Exists(Flush.objects.all()),
        "study": Exists(Study.objects.filter(status=Run.Status.DONE)),
        "moment": Exists(AhaMoment.objects.all()),
        "started": Exists(Experiment.objects.filter(started_at__isnull=False)),
        "verdict": Exists(Analysis.objects.filter(final=True).exclude(verdict="")),
    }
    listed = catalogue()
    seen = over or any(listed.find(name) is not None for name in EXPOSURE_EVENTS)
    if not over:
        columns |= {"source": Exists(Source.objects.all()), "plan": Exists(Experiment.objects.all())}
    if not seen:  # the exposures that Insight logs itself
        columns["exposed"] = Exists(Assignment.objects.filter(exposed_at__isnull=False))
    row: Any = User.objects.filter(pk=user.pk or 0).values(**columns).first()
    ready: dict[str, Any] = {
        **dict.fromkeys(columns, False),
        "source": over,
        "plan": over,
        "exposed": seen,
        **(row or {}),
    }
    return Facts(**{**ready, "came": ready["came"] or not listed.is_empty})


def said() -> dict[str, str]:
    """Stored onboarding state: when the data were confirmed as right, and when all steps were done."""
    row = Snapshot.objects.filter(name=NAME).first()
    return dict(row.value) if row else {}


def say_done(what: str, *, again: bool = False) -> None:
    """Store that something is done (`DATA`, `FINISHED`, `FORGOTTEN`), and when: the first time, or the last."""
    now = timezone.now()
    value = {**said(), what: now.isoformat()} if again else {what: now.isoformat(), **said()}
    Snapshot.objects.update_or_create(name=NAME, defaults={"value": value, "counted_at": now})


def may_judge(user: User | AnonymousUser) -> bool:
    """Whether this person may confirm that the data look right: people who describe events or connect services."""
    return user.has_perm("events.change_eventlabel") or user.has_perm("events.change_source")


def tasks(user: User | AnonymousUser, site: Facts, onboarding: dict[str, str]) -> tuple[Task, ...]:
    """The six steps; empty once onboarding is finished, or when this person may do none of the remaining ones."""
    if FINISHED in onboarding:
        return ()
    connects = user.has_perms(("events.add_source", "insight_site.add_apikey"))
    start, plans = reverse("connect:start"), user.has_perm("experiments.add_experiment")
    rows = (
        (
            "source",
            gettext("A source"),
            gettext("The app or backend that sends events, with its key."),
            site.source or site.came,
            (gettext("Connect a service"), start) if connects else None,
        ),
        (
            "event",
            gettext("The first event"),
            gettext("It shows here within seconds after it was sent."),
            site.came,
            (gettext("Copy a snippet"), start) if connects else None,
        ),
        (
            "data",
            gettext("The data are right"),
            gettext("Events a day, users, clocks, duplicates: somebody has checked them."),
            DATA in onboarding,
            (gettext("Check the data"), reverse("connect:check")) if may_judge(user) and site.came else None,
        ),
        (
            "study",
            gettext("The first study"),
            gettext("It ranks the early behaviours that go with staying."),
            site.study,
            (gettext("New study"), reverse("aha:new_study")) if site.came and user.has_perm("aha.add_study") else None,
        ),
        (
            "plan",
            gettext("The first plan"),
            gettext("An experiment that nudges some users to do it."),
            site.plan,
            (gettext("Plan an experiment"), reverse("experiments:new_plan")) if site.came and plans else None,
        ),
        (
            "exposure",
            gettext("The first exposure"),
            gettext("Your app asks for a variant, and a user meets it."),
            site.exposed,
            (gettext("Start it, and ask for its flag"), reverse("experiments:list"))
            if user.has_perm("experiments.change_experiment") and site.plan
            else None,
        ),
    )
    first = next((slug for slug, _name, _words, done, _door in rows if not done), "")
    forget = trial_events(onboarding) if site.came and connects and not site.started else 0
    made = tuple(
        Task(slug, name, words, done, *(door or ("", "")), slug == first, forget if slug == "event" else 0)
        for slug, name, words, done, door in rows
    )
    return made if any(task.url for task in made if not task.done) else ()
