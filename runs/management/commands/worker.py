"""`worker`: compute what waits in the queue and what the schedules ask for, until it is told to end."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections
from django_q.cluster import Cluster

from runs import warm
from runs.pulse import beating


class Command(BaseCommand):
    """Django-Q's cluster, with a sign of life that the pages read."""

    help = "Compute requested and scheduled work until SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the cluster, sign while it lives, and end with it."""
        connections.close_all()  # the cluster forks: no process may inherit an open connection
        cluster = Cluster()
        cluster.start()
        warm.in_background()  # after the cluster forked: it has no thread then
        with beating():
            cluster.sentinel.join()
