"""People who hear of things, and a worker that has done what was asked for."""

from dataclasses import replace
from typing import Any

from django.contrib.auth.models import Group, User
from django.utils import timezone

from insight_site import tasks
from insight_site.models import Notice, NoticeChoice, Preference
from runs.models import Job
from runs.queue.jobs import TASK

SITE = "https://insight.example"


def reader(name: str, *, role: str = "PM", language: str = "en", **choice: Any) -> User:
    """Somebody with a role, who chose something when it is given."""
    user = User.objects.create_user(name, f"{name}@example.org", "correct horse")
    if role:
        user.groups.add(Group.objects.get(name=role))
    Preference.objects.create(user=user, language=language)
    if choice:
        NoticeChoice.objects.create(user=user, **choice)
    return user


def everything(name: str = "all", language: str = "en") -> User:
    """An administrator who hears of everything."""
    return reader(name, role="Admin", language=language, everything=True, timings={"share_falling": "at_once"})


def work() -> int:
    """Tell what was asked for, as a worker would; how many notices came of it."""
    told = 0
    for job in Job.objects.filter(task=TASK, state=Job.State.WAITING).order_by("pk"):
        told += tasks.tell(*job.arguments)
        Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    return told


def due() -> None:
    """Every waiting notice is due now."""
    Notice.objects.filter(next_try_at__isnull=False).update(next_try_at=timezone.now())


def configure(settings: Any, **values: Any) -> None:
    """Change settings of notices."""
    settings.NOTICES = replace(settings.NOTICES, **{"site": SITE, **values})
