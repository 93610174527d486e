"""Load runs without their large columns (stored results, fitted models, evidence), which only their own page needs."""

from typing import Any, Self

from django.db import models


class LightQuerySet[Row: models.Model](models.QuerySet[Row]):
    """Query set that can leave out the large columns which a model lists in `HEAVY` (hundreds of kilobytes a row)."""

    def light(self, *joined: str, keep: tuple[str, ...] = ()) -> Self:
        """For lists: rows without heavy columns, their own and those of rows joined by `select_related`.

        Args:
            joined: paths as for `select_related`, which alone would read every column of the joined rows.
            keep: heavy columns to load all the same; those of joined rows by their path.
        """
        names = list(_heavy(self.model))
        for path in joined:
            model: Any = self.model
            before = ""
            for step in path.split("__"):
                model = model._meta.get_field(step).related_model
                before += f"{step}__"
                names += [before + name for name in _heavy(model)]
        rows = self.select_related(*joined) if joined else self
        return rows.defer(*(name for name in names if name not in keep))


def _heavy(model: Any) -> tuple[str, ...]:
    return getattr(model, "HEAVY", ())
