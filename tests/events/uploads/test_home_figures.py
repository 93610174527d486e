"""The figures of the first page follow new events, but not each of them."""

from typing import Any

import pytest
from django.core.cache import cache

from events import tasks
from events.catalogue import refresh
from events.importing import uploads
from runs.models import Job

pytestmark = pytest.mark.django_db


def asked() -> int:
    return Job.objects.filter(task=uploads.HOME_FIGURES).count()


def test_figures__after_new_lists_of_events__are_counted_once_an_hour(monkeypatch: Any) -> None:
    cache.clear()
    made = iter([False, True, True])
    monkeypatch.setattr(refresh, "refresh_if_due", lambda: next(made))

    assert [(tasks.refresh_catalogue(), asked()) for _ in range(3)] == [(False, 0), (True, 1), (True, 1)]

    cache.clear()  # the hour is over
    uploads.request_home_figures()
    assert asked() == 2
