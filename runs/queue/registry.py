"""Registry of tasks: a worker runs only tasks that apps list in their configuration.

A job row holds a name and JSON; a name that no app lists is refused. So anyone who can write rows, or has guessed an
administrator's password, can start our own tasks but no other function (docs/adr/0007-a-queue-of-our-own.md).
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
        queue: STORE for the one process that moves events, which must never be blocked; QUICK for tasks of seconds;
            LONG for tasks that may take minutes.
        seconds: time limit, after which its process is killed.
        tries: maximum number of attempts when it fails or its process dies.
        late: low priority: begun when nothing else of its queue waits.
    """

    name: str
    queue: str = LONG
    seconds: int = 3600
    tries: int = 3
    late: bool = False


def all_tasks() -> Iterator[Task]:
    """The `tasks` lists of all installed apps."""
    for app in apps.get_app_configs():
        yield from getattr(app, "tasks", ())


def limit_of(name: str) -> int:
    """Time limit of a task in seconds; an hour for an unknown one, which fails at once."""
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
