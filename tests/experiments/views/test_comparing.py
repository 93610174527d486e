"""Two experiments side by side."""

import pytest

from experiments.models import Analysis
from tests.experiments.make import draft
from tests.experiments.make_readout import make_readout, started, stored
from tests.experiments.views.test_one_page import read, someone

pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_compare__the_same_outcome__gives_the_difference_with_its_interval() -> None:
    stored("one", make_readout(key="one"))
    stored("two", make_readout(key="two", planned_units=2_001))

    text = read(someone(), "/experiments/-/compare/?a=one&b=two")

    assert "one minus two: 0.0 points (" in text


def test_compare__another_outcome__gives_no_difference() -> None:
    stored("one", make_readout(key="one"))
    other = make_readout(key="two")
    row = stored("two", other)
    payload = row.payload
    assert payload is not None
    payload["plan"]["primary"] = ["window:14-20"]
    Analysis.objects.filter(pk=row.pk).update(payload=payload)

    text = read(someone(), "/experiments/-/compare/?a=one&b=two")

    assert "both read different outcomes" in text
    assert "one minus two" not in text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "Choose two experiments"),
        ("?a=one", "Choose two experiments"),
        ("?a=one&b=nope", "There is no experiment “nope”."),
        ("?a=one&b=one", "Choose two different experiments."),
        ("?a=one&b=%00", "Choose two experiments"),
    ],
)
def test_compare__what_can_not_be_compared__is_said(query: str, said: str) -> None:
    started("one")

    assert said in read(someone(), f"/experiments/-/compare/{query}")


def test_compare__by_its_short_address__is_led_there_unless_a_key_has_it() -> None:
    client = someone()
    assert client.get("/experiments/compare/?a=x&b=y").headers["Location"] == "/experiments/-/compare/?a=x&b=y"

    draft("compare")
    assert client.get("/experiments/compare/").status_code == 200
