"""Whose draws go by another id (docs/identity.md)."""

from django.db import models


class DrawnAs(models.Model):
    """A user who goes on drawing by the id of the visitor that they were, also where the visitor got no arm."""

    unit = models.CharField(max_length=256, unique=True)
    drawn_as = models.CharField(max_length=256)

    def __str__(self) -> str:
        return f"{self.unit} as {self.drawn_as}"
