"""What this process remembers between requests is forgotten between tests."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from events.outbox import away
from experiments.serve import config, remembered
from insight_site.access import keys


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    away.forget()
    config.forget()
    remembered.forget()
    keys.forget_cached_keys()
    cache.clear()
    yield
    away.forget()
    config.forget()
    remembered.forget()
    keys.forget_cached_keys()
