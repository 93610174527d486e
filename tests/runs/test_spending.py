"""Budgets refuse a run before anything is read, on both sides of the limit; what was told and read stays stored."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django import Settings

from aha.models import Study
from aha.study import studies
from aha.study.question import Inputs
from events.simulation import WORLDS, simulate
from events.warehouse import engine
from events.warehouse.session import questions
from reporting.document import dump
from runs import spending
from runs.models import DaySpent, Job, Run, Spending
from runs.perform import perform, request_cancel
from runs.prices import Price, unknown
from runs.refusals import Refused
from segments.models import SegmentationRun
from segments.search import segmentations
from segments.search.gather import read_play
from segments.search.question import Inputs as SearchInputs
from tests.aha.store import store_of
from tests.experiments.make import running

INPUTS = Inputs("signup", (3, 7), "window:21-27", behaviours=("friend_add", "chat"), max_times=5)
SEARCH = SearchInputs("signup", 0, 6, retention="window:21-27", behaviours=("friend_add", "chat"))
TOLD = Price(files=3, bytes=1_000_000, rows=500)


@pytest.fixture(scope="module", autouse=True)
def _store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with store_of(simulate(WORLDS["step"], 600, 11), tmp_path_factory.mktemp("spending")):
        yield


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be read: whoever opens an engine fails."""

    def opened() -> None:
        raise AssertionError("an engine was opened")

    monkeypatch.setattr(engine, "_embedded", opened)


# ── a budget per run ──────────────────────────────────────────────────────────
@pytest.mark.django_db
@pytest.mark.usefixtures("no_engine")
def test_study__of_a_byte_more_than_a_run_may_read__is_refused_before_anything_is_read(settings: Settings) -> None:
    told = studies.price_of(INPUTS)
    settings.BUDGET_RUN_BYTES = told.bytes - 1

    with pytest.raises(Refused, match=r"This would read .* and one run may read .* \(BUDGET_RUN_BYTES\)"):
        studies.start_study(inputs=INPUTS)

    assert not Study.objects.exists()
    assert not Spending.objects.exists()
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_study__of_just_what_a_run_may_read__is_queued_and_stored_as_told(settings: Settings) -> None:
    told = studies.price_of(INPUTS)
    settings.BUDGET_RUN_BYTES = told.bytes
    person = User.objects.create(username="p")

    study = studies.start_study(inputs=INPUTS, by=person)

    row = Spending.objects.get()
    assert (row.kind, row.run, row.by) == ("aha.Study", study.pk, person)
    assert (row.told_files, row.told_rows, row.told_bytes) == (told.files, told.rows, told.bytes)
    assert (row.read_bytes, row.seconds) == (None, None)
    assert DaySpent.objects.get().bytes == told.bytes


@pytest.mark.django_db
@pytest.mark.usefixtures("no_engine")
def test_search__over_the_budget__is_refused_also_where_it_is_computed_at_once(settings: Settings) -> None:
    settings.BUDGET_RUN_BYTES = 1_000

    with pytest.raises(Refused, match="BUDGET_RUN_BYTES"):
        segmentations.start_segmentation(inputs=SEARCH)
    with pytest.raises(Refused, match="BUDGET_RUN_BYTES"):
        segmentations.segment_now(inputs=SEARCH)

    assert not SegmentationRun.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("no_engine")
def test_run__that_was_stored_without_a_price__is_refused_when_it_begins(settings: Settings) -> None:
    settings.BUDGET_RUN_BYTES = 1_000
    run = SegmentationRun.objects.create(inputs=dump(SEARCH))

    assert not segmentations.compute_segmentation(run.pk)

    run.refresh_from_db()
    assert run.status == Run.Status.FAILED
    assert "BUDGET_RUN_BYTES" in run.reason


# ── a budget per day ──────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_day__takes_as_much_as_it_may_and_not_a_byte_more(settings: Settings) -> None:
    settings.BUDGET_DAY_BYTES = 2 * TOLD.bytes
    first, second, third = (Study.objects.create(inputs=dump(INPUTS)) for _ in range(3))

    spending.take(first, TOLD)
    spending.take(second, TOLD)

    with pytest.raises(Refused, match=r"This would read 1\.0 MB; today 2\.0 MB of 2\.0 MB are spent"):
        spending.take(third, TOLD)
    assert Spending.objects.count() == 2


@pytest.mark.django_db
def test_day__before__counts_for_nothing_today(settings: Settings) -> None:
    settings.BUDGET_DAY_BYTES = TOLD.bytes
    DaySpent.objects.create(day=spending.today() - timedelta(days=1), bytes=TOLD.bytes)

    spending.take(Study.objects.create(inputs=dump(INPUTS)), TOLD)

    assert DaySpent.objects.get(day=spending.today()).bytes == TOLD.bytes


@pytest.mark.django_db(transaction=True)
def test_day__of_two_runs_that_start_at_once__takes_one(settings: Settings) -> None:
    settings.BUDGET_DAY_BYTES = TOLD.bytes
    runs = [Study.objects.create(inputs=dump(INPUTS)) for _ in range(4)]

    def started(run: Study) -> bool:
        try:
            spending.take(run, TOLD)
        except Refused:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(started, runs)) == 1
    assert DaySpent.objects.get().bytes == TOLD.bytes


@pytest.mark.django_db
def test_run__that_is_cancelled_while_it_waits__gives_its_bytes_back() -> None:
    study = studies.start_study(inputs=INPUTS)

    request_cancel(study)

    assert DaySpent.objects.get().bytes == 0
    assert Spending.objects.get().read_bytes == 0


# ── what was read ─────────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_run__that_is_computed__puts_what_it_read_into_the_place_of_what_it_was_told() -> None:
    run = segmentations.start_segmentation(inputs=SEARCH)
    told = DaySpent.objects.get().bytes

    def read(_progress: object) -> dict[str, int]:
        with questions() as store:
            return {"users": len(read_play(store, SEARCH, seed=1, early=lambda *_: None).whole)}

    assert perform(run, read, lambda made: made)

    row = Spending.objects.get()
    assert row.told_bytes == told
    assert row.read_bytes is not None
    assert abs(row.read_bytes / told - 1) < 0.2
    assert row.seconds
    assert DaySpent.objects.get().bytes == row.read_bytes
    seconds = spending.seconds_told(SegmentationRun, Price(bytes=row.read_bytes))
    assert seconds == pytest.approx(row.seconds)


@pytest.mark.django_db
def test_money__is_said_where_there_is_a_price(settings: Settings) -> None:
    assert spending.money(10**12) == ""
    settings.PRICE_PER_TB, settings.PRICE_CURRENCY = 6.25, "EUR"

    assert spending.money(2 * 10**12) == "12.50 EUR"
    assert spending.money(10**6) == "< 0.01 EUR"


@pytest.mark.django_db
def test_fact__of_an_engine_that_cant_say_it__names_it() -> None:
    assert spending.told_fact(Study, unknown("Spark"))[1:] == ("not known", "Spark can’t say it before the run")
    assert spending.told_fact(Study, Price(None, 2_000_000, 30))[1:] == ("2.0 MB", "30 rows")


@pytest.mark.django_db
def test_seconds__of_runs_in_a_warehouse__come_from_what_they_were_told() -> None:
    Spending.objects.create(kind="aha.Study", run=1, day=spending.today(), told_bytes=1_000_000, seconds=7.0)

    assert spending.seconds_told(Study, Price(None, 1_000_000, 30)) == pytest.approx(7.0)


# ── the pages ─────────────────────────────────────────────────────────────────
@pytest.mark.django_db
def test_page__says_who_was_told_what_and_what_was_read(admin_client: Client, settings: Settings) -> None:
    settings.PRICE_PER_TB, settings.BUDGET_DAY_BYTES = 1_000_000.0, 5_000_000
    person = User.objects.create(username="kim")
    study = Study.objects.create(inputs=dump(INPUTS), title="Which one?", created_by=person)
    spending.take(study, TOLD)
    Spending.objects.update(read_bytes=1_100_000, seconds=2.5)

    page = admin_client.get("/spent/").content.decode()

    for text in ("kim", "Which one?", "1.0 MB", "1.1 MB", "+10", "1.10 USD", "A day may read 5.0 MB"):
        assert text in page, text


@pytest.mark.django_db
def test_page__before_any_run__says_so(admin_client: Client) -> None:
    assert "No run has read anything yet" in admin_client.get("/spent/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/aha/studies/preview/", "/segments/runs/new/foretold/"])
def test_form__says_what_the_run_reads__and_over_the_budget_that_it_cant(
    admin_client: Client, settings: Settings, page: str
) -> None:
    fields = {"signup_event": "signup", "retention": "window:21-27", "days": "3 7", "first_day": 0, "last_day": 6}
    fields |= {"choose": "j", "gap": 0, "day_mode": "rolling", "seed": 1, "activity_weight": 0}
    found = admin_client.post(page, fields).content.decode()
    assert "<dt>Reads</dt>" in found

    settings.BUDGET_RUN_BYTES = 1
    refused = admin_client.post(page, fields).content.decode()
    assert "BUDGET_RUN_BYTES" in refused
    assert "<dt>Reads</dt>" not in refused


@pytest.mark.django_db
@pytest.mark.usefixtures("no_engine")
def test_menu_of_an_experiment__asks_for_the_price_when_it_is_opened__not_with_each_page(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    running("live", primary_metrics=["window:21-27"])
    told = admin_client.get("/experiments/live/analyse/reads/").content.decode()

    def asked(*_: Any) -> None:
        raise AssertionError("the page asked for the price")

    monkeypatch.setattr("experiments.pages.tabs.price_of", asked)
    page = admin_client.get("/experiments/live/").content.decode()

    assert "files" in told
    assert "/experiments/live/analyse/reads/" in page
