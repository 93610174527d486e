"""What a worker may run: the tasks that apps list in their configuration, and nothing else.

A row of the queue holds a name and JSON; a name that no app lists is refused. So who can write rows, or guesses an
administrator's password, can ask for our own work and for no function besides (docs/adr/0007-a-queue-of-our-own.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps

STORE, QUICK, LONG = "store", "quick", "long"
QUEUES = (STORE, QUICK, LONG)


class UnknownTaskError(LookupError):
    """No app lists a task of this name."""


@dataclass(frozen=True)
class Task:
    """One kind of background work.

    Attributes:
        name: dotted name of the function. Rows hold it, so it never changes.
        queue: STORE for the one process that moves events, which nothing may hold up; QUICK for what takes seconds;
            LONG for what may take minutes.
        seconds: after which its process is killed.
        tries: how often it is begun at most, when it fails or its process ends in the middle.
        late: begun when nothing else of its queue waits.
    """

    name: str
    queue: str = LONG
    seconds: int = 3600
    tries: int = 3
    late: bool = False


def all_tasks() -> Iterator[Task]:
    """The `tasks` of every installed app."""
    for app in apps.get_app_configs():
        yield from getattr(app, "tasks", ())


def limit_of(name: str) -> int:
    """Seconds that a task may take; those of an unknown one, which fails at once, are an hour."""
    return next((task.seconds for task in all_tasks() if task.name == name), Task.seconds)


def find_task(name: str) -> Task:
    """The task of this name.

    Raises:
        UnknownTaskError: no app lists it.
    """
    for task in all_tasks():
        if task.name == name:
            return task
    raise UnknownTaskError(name)
