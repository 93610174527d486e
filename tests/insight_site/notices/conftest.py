"""Here people start experiments by themselves: who must approve is tested where reviews are."""

import pytest

from experiments.models import ReviewPolicy


@pytest.fixture(autouse=True)
def _no_reviews(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("db")
        ReviewPolicy.objects.update_or_create(pk=1, defaults={"mode": "never"})
