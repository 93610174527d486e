"""`make hard` in its short form: two dozen kills and five faults, and every promise is kept."""

import shutil

import pytest

from benchmarks.hard.own_postgres import PROGRAMS
from benchmarks.hard.under_fire import go
from tests.conftest import missing
from tests.debian import unpacked
from tests.insight_site.operation.watched_site import PROGRAM

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.proof]


def test_site__under_fire__keeps_every_promise() -> None:
    if not PROGRAMS.exists() or shutil.which("runuser") is None:
        missing("PostgreSQL's programs")
    if unpacked(*PROGRAM) is None:
        missing("Debian's prometheus")

    outcome = go("short", 20261127, "postgresql", print)

    assert outcome.broken == {}, outcome
    assert outcome.figures["kills"] >= 24
    assert outcome.figures["events acknowledged"] > 1_000  # many times more on a machine without other work
    assert outcome.figures["alerts expected"] >= 2
