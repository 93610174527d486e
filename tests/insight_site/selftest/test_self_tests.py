"""A whole self-test on a store: read, planted, asked, and the store stays as it was."""

import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from events.simulation import WORLDS, simulate
from insight_site.models import SelfTest
from insight_site.selftest import planted_log as selftest_planted_log
from insight_site.selftest import self_tests
from insight_site.selftest.planted_log import planted_log
from insight_site.selftest.selftest_result import SELF_TEST, Asked, SelfTestReport, Why
from runs.models import Run
from runs.perform import request_cancel
from runs.refusals import Refused
from stats.results import NotComputable, Reason
from tests.aha.store import store_of
from tests.events.metric_catalogue.make import certified

pytestmark = pytest.mark.django_db
ASKED = Asked("signup", "window:21-27", (1, 3, 7), ("friend_add", "craft", "chat"), "friend_add", plants=1, take_up=0.6)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    with store_of(simulate(WORLDS["step"], 900, 3), tmp_path):
        yield tmp_path / "store"


def files(store: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(store.rglob("*")) if path.is_file()}


def report_of(run: SelfTest) -> SelfTestReport:
    run.refresh_from_db()
    assert run.status == Run.Status.DONE, run.reason
    found = SELF_TEST.read(run.payload or {})
    assert isinstance(found, SelfTestReport)
    return found


@pytest.mark.slow
@pytest.mark.once
def test_self_test__on_a_store__plants_what_the_warehouse_reads_and_leaves_the_store_alone(store: Path) -> None:
    certified("coming_back", "window:7-13")
    before, stages = files(store), []
    run = self_tests.create_self_test(asked=ASKED, seed=5)

    self_tests.run_self_test(run.pk, listen=lambda stage, share: stages.append((stage, share)))

    report = report_of(run)
    assert files(store) == before
    assert report.check is not None
    assert (report.check.units, report.check.differing) == (900, 0)
    assert report.planted is not None
    assert report.planted.moment.behaviour == "friend_add"
    assert {row.n for row in report.tallies} == {1}
    assert [row.key for row in report.metrics] == ["coming_back"]
    assert report.trait
    assert Why.LOW_POWER in {row.why for row in report.shortfalls}
    assert {"plants", "styles", "splits", "report"} <= {stage for stage, _ in stages}
    assert [share for _, share in stages] == sorted(share for _, share in stages)
    assert report.seed == 5


@pytest.mark.slow
@pytest.mark.once
def test_check__outcomes_that_the_log_does_not_hold__are_counted(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def other(asked: Any, answers: Any, inputs: Any, behaviour: str, retained: Any) -> Any:
        flipped = retained.copy()
        flipped[:7] = ~flipped[:7]
        return planted_log(asked, answers, inputs, behaviour, flipped)

    monkeypatch.setattr(selftest_planted_log, "planted_log", other)
    monkeypatch.setattr(
        selftest_planted_log, "EFFORT", replace(selftest_planted_log.EFFORT, followed=1, permutations=19)
    )
    monkeypatch.setattr(self_tests, "_styles", lambda *_: ((), []))
    run = self_tests.create_self_test(asked=ASKED)
    self_tests.run_self_test(run.pk)

    check = report_of(run).check
    assert check is not None
    assert check.differing == 7


@pytest.mark.slow
def test_self_test__no_place_to_plant__says_why(store: Path) -> None:
    certified("churn", "survival:7")
    run = self_tests.create_self_test(asked=replace(ASKED, behaviours=("signup",), behaviour=""))
    self_tests.run_self_test(run.pk)

    report = report_of(run)
    assert report.planted is None
    assert report.tallies == ()
    assert {row.why for row in report.shortfalls} == {Why.NO_BEHAVIOUR, Why.FEW_BEHAVIOURS}
    assert [(row.key, row.badge) for row in report.metrics] == [("churn", NotComputable(Reason.NO_NUMBER_PER_UNIT))]


@pytest.mark.slow
def test_self_test__too_short_a_log__ends_with_the_reason(store: Path) -> None:
    run = self_tests.create_self_test(asked=replace(ASKED, retention="window:200-209"))
    self_tests.run_self_test(run.pk)

    run.refresh_from_db()
    assert run.status == Run.Status.FAILED
    assert "none of the 900 signups has completed the retention window yet" in run.reason


@pytest.mark.slow
def test_self_test__cancelled_before_it_begins__computes_nothing(store: Path) -> None:
    run = self_tests.create_self_test(asked=ASKED)
    request_cancel(run)

    assert not self_tests.run_self_test(run.pk)
    run.refresh_from_db()
    assert (run.status, run.payload) == (Run.Status.CANCELLED, None)


@pytest.mark.parametrize(
    ("field", "value", "option"),
    [
        ("plants", 0, "plants"),
        ("effect", 1.0, "effect"),
        ("take_up", 0.0, "take-up"),
        ("most_users", 10, "users"),
        ("days", (30,), "retention days"),
    ],
)
def test_create__bad_input__is_refused_and_keeps_nothing(field: str, value: Any, option: str) -> None:
    with pytest.raises(Refused) as caught:
        self_tests.create_self_test(asked=replace(ASKED, **{field: value}))

    assert caught.value.at == option
    assert not SelfTest.objects.exists()


@pytest.mark.slow
@pytest.mark.once
def test_command__json__is_one_document_with_shares_and_sentences(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_tests, "_styles", lambda *_: ((), []))
    out = StringIO()
    options = ("--signup-event", "signup", "--retention", "window:21-27", "--days", "3", "7", "--plants", "1")

    call_command("selftest", *options, "--behaviour", "craft", "--seed", "2", "--json", stdout=out, stderr=StringIO())

    found = json.loads(out.getvalue())
    assert found["seed"] == 2
    assert found["planted"]["moment"]["behaviour"] == "craft"
    assert all(0 <= row["share"]["low"] <= row["share"]["high"] <= 1 for row in found["tallies"])
    assert all(row["sentence"] for row in found["shortfalls"])
    assert 0 < found["planted"]["gain"] < 0.2


@pytest.mark.slow
def test_command__unknown_start_event__ends_with_1_and_the_reason(store: Path) -> None:
    with pytest.raises(CommandError, match="there is no event 'nothing'") as caught:
        call_command("selftest", "--signup-event", "nothing", stdout=StringIO(), stderr=StringIO())

    assert caught.value.returncode == 1
