"""Who is new to an experiment that enrols only new units: at the edge, and where the signup isn't known."""

from datetime import timedelta
from typing import Any

import pytest

from experiments.draw.evaluation import is_new_unit
from tests.experiments.make import MOMENT

EARLIER = MOMENT - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("traits", "times", "is_new"),
    [
        ({}, {}, True),
        ({"createdAt": MOMENT.isoformat()}, {}, True),
        ({"createdAt": EARLIER.isoformat()}, {}, False),
        ({"createdAt": MOMENT.replace(tzinfo=None).isoformat()}, {}, True),  # UTC, without saying so
        ({"createdAt": EARLIER.replace(tzinfo=None).isoformat()}, {}, False),
        ({"createdAt": MOMENT.timestamp()}, {}, True),
        ({"createdAt": EARLIER.timestamp()}, {}, False),
        ({"createdAt": True}, {}, True),  # 1 second after 1970 it isn't
        ({"createdAt": 1e300}, {}, True),
        ({"createdAt": "yesterday"}, {"createdAt": EARLIER.isoformat()}, False),
        ({"createdAt": MOMENT.isoformat()}, {"plan": EARLIER.isoformat()}, True),
        ({"plan": "pro"}, {"plan": MOMENT.isoformat()}, True),
        ({"plan": "pro"}, {"plan": MOMENT.isoformat(), "level": EARLIER.isoformat()}, False),
    ],
)
def test_unit__by_its_signup_or_its_first_trait__is_new(traits: Any, times: dict[str, str], is_new: bool) -> None:
    assert is_new_unit(MOMENT, traits, times) is is_new
