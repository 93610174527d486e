"""Each attack meets a site that has just started."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from events.outbox import pressure
from insight_site.access import keys


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    for forget in (keys.forget_cached_keys, cache.clear, pressure.forget):
        forget()
    yield
    for forget in (keys.forget_cached_keys, cache.clear, pressure.forget):
        forget()
