"""`make hard` in its short forms: every promise is kept."""

import shutil

import pytest

from benchmarks.hard.site import PROGRAMS
from benchmarks.hard.under_fire import go
from tests.conftest import missing
from tests.debian import unpacked
from tests.insight_site.operation.watched_site import PROGRAM

pytestmark = [pytest.mark.slow, pytest.mark.once]
OF_TIME = {"badly answered at the end", "parts not well at the end"}  # on a machine with other work nobody can say


@pytest.fixture(autouse=True)
def _server() -> None:
    if not PROGRAMS.exists() or shutil.which("runuser") is None:
        missing("PostgreSQL's programs")


def test_site__killed_under_load_for_half_a_minute__loses_and_doubles_nothing() -> None:
    outcome = go("brief", 20261127, print)

    assert outcome.broken.keys() <= OF_TIME, outcome
    assert outcome.figures["kills"] >= 6
    assert outcome.figures["events acknowledged"] > 200
    assert outcome.figures["units answered"] > 20


@pytest.mark.proof
def test_site__under_fire__keeps_every_promise() -> None:
    if unpacked(*PROGRAM) is None:
        missing("Debian's prometheus")

    outcome = go("short", 20261127, print)

    assert outcome.broken == {}, outcome
    assert outcome.figures["kills"] >= 24
    assert outcome.figures["events acknowledged"] > 1_000  # many times more on a machine without other work
    assert outcome.figures["alerts expected"] >= 2
