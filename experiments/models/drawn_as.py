"""Users who draw by another id (docs/identity.md)."""

from django.db import models


class DrawnAs(models.Model):
    """A user who continues to draw by their former visitor id, also where the visitor got no arm."""

    unit = models.CharField(max_length=256, unique=True)
    drawn_as = models.CharField(max_length=256)

    def __str__(self) -> str:
        return f"{self.unit} as {self.drawn_as}"
