"""The onboarding checklist: from a source to the first exposed user, each step with its state and a link."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from aha.models import AhaMoment, Study
from events.catalogue.listing import catalogue
from events.models import Flush, OutboxEvent, Source
from events.schema import EXPOSURE_EVENTS
from experiments.models import Analysis, Assignment, Experiment
from insight_site.models import Snapshot
from runs.models import Run

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
    """

    slug: str
    name: str
    words: str
    done: bool
    action: str
    url: str
    is_next: bool


def facts(user: User | AnonymousUser, *, over: bool) -> Facts:
    """All facts in one query, since the first page runs it at each request.

    Args:
        user: the viewer; only their row is needed, as the query's base.
        over: onboarding is finished.
    """
    asked: dict[str, Any] = {
        "came": Exists(OutboxEvent.objects.all()) | Exists(Flush.objects.all()),
        "study": Exists(Study.objects.filter(status=Run.Status.DONE)),
        "moment": Exists(AhaMoment.objects.all()),
        "started": Exists(Experiment.objects.filter(started_at__isnull=False)),
        "verdict": Exists(Analysis.objects.filter(final=True).exclude(verdict="")),
    }
    listed = catalogue()
    seen = over or any(listed.find(name) is not None for name in EXPOSURE_EVENTS)
    if not over:
        asked |= {"source": Exists(Source.objects.all()), "plan": Exists(Experiment.objects.all())}
    if not seen:  # the exposures that Insight logs itself
        asked["exposed"] = Exists(Assignment.objects.filter(exposed_at__isnull=False))
    row: Any = User.objects.filter(pk=user.pk or 0).values(**asked).first()
    ready: dict[str, Any] = {
        **dict.fromkeys(asked, False),
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


def say_done(what: str) -> None:
    """Store that something is done (`DATA`, `FINISHED`), and when."""
    now = timezone.now()
    value = {what: now.isoformat(), **said()}
    Snapshot.objects.update_or_create(name=NAME, defaults={"value": value, "counted_at": now})


def may_judge(user: User | AnonymousUser) -> bool:
    """Whether this person may confirm that the data look right: people who describe events or connect services."""
    return user.has_perm("events.change_eventlabel") or user.has_perm("events.change_source")


def tasks(user: User | AnonymousUser, found: Facts, kept: dict[str, str]) -> tuple[Task, ...]:
    """The six steps; empty once onboarding is finished, or when this person may do none of the remaining ones."""
    if FINISHED in kept:
        return ()
    connects = user.has_perms(("events.add_source", "insight_site.add_apikey"))
    start, plans = reverse("connect:start"), user.has_perm("experiments.add_experiment")
    rows = (
        (
            "source",
            gettext("A source"),
            gettext("The app or backend that sends events, with its key."),
            found.source or found.came,
            (gettext("Connect a service"), start) if connects else None,
        ),
        (
            "event",
            gettext("The first event"),
            gettext("It shows here within seconds after it was sent."),
            found.came,
            (gettext("Copy a snippet"), start) if connects else None,
        ),
        (
            "data",
            gettext("The data look right"),
            gettext("Events a day, users, clocks, duplicates: somebody looked at them."),
            DATA in kept,
            (gettext("Look at the data"), reverse("connect:check")) if may_judge(user) and found.came else None,
        ),
        (
            "study",
            gettext("The first study"),
            gettext("It ranks the early behaviours that go with staying."),
            found.study,
            (gettext("New study"), reverse("aha:new_study")) if found.came and user.has_perm("aha.add_study") else None,
        ),
        (
            "plan",
            gettext("The first plan"),
            gettext("An experiment that nudges some users to do it."),
            found.plan,
            (gettext("Plan an experiment"), reverse("experiments:new_plan")) if found.came and plans else None,
        ),
        (
            "exposure",
            gettext("The first exposure"),
            gettext("Your app asks for a variant, and a user meets it."),
            found.exposed,
            (gettext("Start it, and ask for its flag"), reverse("experiments:list"))
            if user.has_perm("experiments.change_experiment") and found.plan
            else None,
        ),
    )
    first = next((slug for slug, _name, _words, done, _door in rows if not done), "")
    made = tuple(
        Task(slug, name, words, done, *(door or ("", "")), is_next=slug == first)
        for slug, name, words, done, door in rows
    )
    return made if any(task.url for task in made if not task.done) else ()
