"""Metrics for tests."""

from typing import Any

from django.contrib.auth.models import User

from events.catalogue import save_metrics
from events.metrics.facts import About, Facts
from events.models import Metric


def metric(
    key: str = "revenue", definition: str = "sum:buy:price:0-6", *, by: User | None = None, **more: Any
) -> Metric:
    """A draft in the catalogue; `more` are fields of `About` and `Facts`."""
    facts = {name: more.pop(name) for name in ("cap", "direction", "margin") if name in more}
    about = About(**{"name_en": key.title(), "name_ko": "매출", **more})
    return save_metrics.create_metric(key=key, about=about, facts=Facts(definition, **facts), by=by)


def certified(key: str = "revenue", definition: str = "sum:buy:price:0-6", **more: Any) -> Metric:
    """The same, certified."""
    row = metric(key, definition, **more)
    return save_metrics.certify(key=key, version=row.version)
