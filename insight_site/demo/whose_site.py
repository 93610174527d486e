"""Ownership check: the demo fills an empty site, replaces its own data on request, and touches no other data."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction

from aha.models import AhaMoment, Finding, Study
from events.models import (
    CalendarEntry,
    EventLabel,
    Flush,
    FormerOutboxEvent,
    MessageId,
    Metric,
    OutboxEvent,
    Rejected,
    Source,
    UnitTraits,
)
from events.store import event_table
from events.warehouse import queries
from events.warehouse.session import questions
from experiments.models import Analysis, Assignment, Experiment, MapReading, Rollout, RolloutMove
from insight_site.access.keys import forget_cached_keys, issue_key
from insight_site.demo import texts
from insight_site.demo.made_up_users import OURS
from insight_site.models import ApiKey, Picture, ShareLink
from launches.models import BalanceRun, GrowthForecast, Launch, LaunchReading
from runs.refusals import Refused
from segments.models import ChurnRun, ComparisonRun, Membership, Segment, SegmentationRun, SegmentModel, SegmentVersion

SOURCE = "demo: simulated app"
SEGMENTS = ("style", "korea")
SECOND, LAB = "demo-invite-banner", "demo-first-week"
METRIC = "demo-week-four"
PM, LEAD = "demo-pm", "demo-lead"
# Each has a role of the site (docs/roles.md). Two may approve plans, so that one reviews what the other drafts.
USERS = {PM: "PM", LEAD: "PM", "demo-analyst": "Analyst"}
# calls per minute: a demo sends a million events in a minute with one key
RATE = 1_000_000


@dataclass(frozen=True)
class Keys:
    """Keys of the demo's app: one for events, and one for evaluations whose exposures the app logs itself."""

    events: str
    evaluation: str


def prepare(*, fresh: bool) -> None:
    """Make sure that the site is empty.

    Args:
        fresh: remove what an earlier demo left.

    Raises:
        Refused: the site holds something that no demo made, or an earlier demo's data and `fresh` isn't asked for.
    """
    if settings.WAREHOUSE_URL:
        raise Refused("The demo fills the site's own event store: unset WAREHOUSE_URL, or run it on another site.")
    if foreign := _strange():
        raise Refused(
            "This site holds {found} that no demo made, and the demo only fills a site of its own. Run it with another "
            "DATABASE_URL and EVENTS_URL.",
            found=foreign,
        )
    if Source.objects.filter(name=SOURCE).exists():
        if not fresh:
            raise Refused("The demo is on this site already. `manage.py demo --fresh` removes it and makes it anew.")
        _clear()


def check_demo() -> None:
    """Make sure that this site holds only demo data, which everybody may read.

    Raises:
        Refused: no demo filled it, or it holds other data.
    """
    if not Source.objects.filter(name=SOURCE).exists():
        raise Refused("There is no demo on this site. `manage.py demo` makes one on an empty site.")
    metrics = Metric.objects.exclude(key=METRIC).count()  # rows that the demo leaves alone but its pages would show
    foreign = "WAREHOUSE_URL" if settings.WAREHOUSE_URL else _strange() or (f"{metrics:,} metrics" if metrics else "")
    if foreign:
        raise Refused("This site holds {found} that no demo made, so its pages are not for everybody.", found=foreign)


def open_doors() -> Keys:
    """Create a source with two keys, through the same service as the admin's form."""
    source = Source.objects.create(name=SOURCE)
    _, events = issue_key(name="demo: events", source=source, kind="server", scopes=["events:write"], rate=RATE)
    _, evaluation = issue_key(
        name="demo: evaluation", source=source, kind="server", scopes=["assign:read"], rate=RATE, log_exposures=False
    )
    return Keys(events, evaluation)


def close_doors() -> None:
    """Delete the keys of the demo."""
    ApiKey.objects.filter(source__name=SOURCE).delete()


def make_users() -> dict[str, str]:
    """Create the demo's accounts with new passwords, which can't be shown again."""
    made = {}
    for name, role in USERS.items():
        user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": True})
        made[name] = secrets.token_urlsafe(12)
        user.set_password(made[name])
        user.save()
        user.groups.set(Group.objects.filter(name=role))
    return made


def _strange() -> str:
    """What the site holds besides demo data, in words; empty when there is nothing."""
    studies, tests = texts.in_every_language(texts.STUDY), texts.in_every_language(*texts.EARLIER_TESTS)
    moments, week = AhaMoment.objects.filter(study__title__in=studies), texts.in_every_language(*texts.WEEK)
    ours = {SECOND, LAB, *(f"{key}-test" for key in moments.values_list("key", flat=True))}
    runs = SegmentationRun.objects.count() - SegmentationRun.objects.filter(published__model__key=SEGMENTS[0]).count()
    counts = {
        "experiments": Experiment.objects.exclude(key__in=ours).count(),
        "studies": Study.objects.exclude(title__in=studies).count(),
        "past experiments": Finding.objects.exclude(source__in=ours | tests)
        .exclude(source__startswith=f"{LAB}.")  # a finding for each nudge
        .count(),
        "AHA moments": AhaMoment.objects.exclude(pk__in=moments).count(),
        "segment models": SegmentModel.objects.exclude(key__in=SEGMENTS).count(),
        "segmentations": max(runs - Source.objects.filter(name=SOURCE).count(), 0),
        "calendar entries": CalendarEntry.objects.exclude(title__in=week).count(),
        "launches": Launch.objects.exclude(title__in=week).count(),
        "event balances": BalanceRun.objects.exclude(title__in=week).count(),
        "events": _strange_events(),
    }
    return next((f"{number:,} {name}" for name, number in counts.items() if number), "")


def _strange_events() -> int:
    if not event_table.exists() and not OutboxEvent.objects.exists():
        return 0
    with questions() as session:
        return int(session.run(queries.strangers(session.log, OURS)).events.iloc[0])


def _clear() -> None:
    """Delete an earlier demo's data; call `_strange` first."""
    folder = events_folder()
    if folder is None:
        raise Refused("--fresh removes a folder of events, and EVENTS_URL is none: give the demo another EVENTS_URL.")
    rows: tuple[Any, ...] = (
        Picture,
        ShareLink,
        BalanceRun,
        GrowthForecast,
        LaunchReading,
        Launch,
        CalendarEntry,
        RolloutMove,
        Rollout,
        Analysis,
        Assignment,
        Experiment,
        Finding,
        MapReading,
        AhaMoment,
        Study,
        Membership,
        ChurnRun,
        ComparisonRun,
        Segment,
        SegmentVersion,
        SegmentModel,
        SegmentationRun,
        OutboxEvent,
        MessageId,
        FormerOutboxEvent,
        Flush,
        UnitTraits,
        Rejected,
    )
    with transaction.atomic():
        for model in rows:
            model._default_manager.all().delete()
        Metric.objects.filter(key=METRIC).delete()
        EventLabel.objects.filter(event__in=texts.KOREAN_EVENTS, name_en="").delete()
        for history in apps.get_models():
            if history.__name__.startswith("Historical"):
                history._default_manager.all().delete()
        close_doors()
        Source.objects.filter(name=SOURCE).delete()
    shutil.rmtree(folder, ignore_errors=True)
    forget_cached_keys()


def events_folder() -> Path | None:
    """The folder of the event store; None when the store is remote."""
    place = str(settings.EVENTS_URL)
    return None if "://" in place else Path(place).absolute()
