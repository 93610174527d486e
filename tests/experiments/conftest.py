"""What this process remembers between requests is forgotten between tests."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from events.outbox import circuit_breaker
from experiments.serve import config, store_assignment
from insight_site.access import keys


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    circuit_breaker.forget()
    config.forget()
    store_assignment.forget()
    keys.forget_cached_keys()
    cache.clear()
    yield
    circuit_breaker.forget()
    config.forget()
    store_assignment.forget()
    keys.forget_cached_keys()
