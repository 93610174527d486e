"""Ask a worker for something."""

from runs.models import Job
from runs.queue import origin
from runs.queue.registry import find_task


def put(name: str, *arguments: int | str, schedule: str = "") -> Job:
    """A row for a worker to take. Inside a transaction it is asked for when that is committed, and else never was.

    Args:
        name: of a task that an app lists.
        arguments: ids and labels; everything else the task reads from the database, as it is when it begins.
        schedule: name of the schedule that asks.

    Raises:
        UnknownTaskError: no app lists it.
    """
    task = find_task(name)
    return Job.objects.create(
        task=task.name, queue=task.queue, arguments=list(arguments), schedule=schedule, origin=origin.here()
    )
