"""`worker`: run queued jobs and due schedules until SIGTERM."""

from typing import Any

from django.core.management.base import BaseCommand

from runs.queue.worker import Supervisor


class Command(BaseCommand):
    """The worker of the job queue (docs/adr/0007-a-queue-of-our-own.md)."""

    help = "Compute requested and scheduled work until SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until SIGTERM, then end with exit code 0."""
        Supervisor().run()
