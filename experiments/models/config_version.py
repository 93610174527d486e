"""Version number of the served configuration, which every process compares."""

from django.db import connection, models
from django.utils import timezone


class ConfigVersion(models.Model):
    """One row with a number that grows with every change of served data. Processes compare it each second."""

    CHANNEL = "insight_configuration"  # channel of PostgreSQL's NOTIFY

    version = models.PositiveBigIntegerField(default=1)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.version)

    @classmethod
    def touch(cls) -> None:
        """Make every process reload the configuration. Call it in the transaction of the change."""
        moment = timezone.now()
        if not cls.objects.filter(pk=1).update(version=models.F("version") + 1, changed_at=moment):
            cls.objects.create(pk=1, changed_at=moment)
        if connection.vendor == "postgresql":  # delivered at the commit, to processes that serve event streams
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_notify(%s, '')", [cls.CHANNEL])
