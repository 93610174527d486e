"""What a process remembers of keys is forgotten between tests."""

from collections.abc import Iterator

import pytest

from insight_site.access import keys


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    keys.forget_cached_keys()
    yield
    keys.forget_cached_keys()
