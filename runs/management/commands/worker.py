"""`worker`: compute what waits in the queue and what the schedules ask for, until it is told to end."""

from typing import Any

from django.core.management.base import BaseCommand

from runs.queue.worker import Supervisor


class Command(BaseCommand):
    """Our queue's worker (docs/adr/0007-a-queue-of-our-own.md)."""

    help = "Compute requested and scheduled work until SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        """Work, and end with exit code 0 when told to."""
        Supervisor().run()
